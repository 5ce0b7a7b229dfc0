"""Who asks: Basic, NTLM (bare or in SPNEGO, with message encryption) and client certificates, as WinRM does them.

An NTLM login belongs to its connection, and so do the keys of the message encryption. Windows offers NTLM under the
name Negotiate; the scheme called NTLM is taken as well.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import os
import struct
import tempfile
import threading
from pathlib import Path

import spnego
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from spnego._ntlm_raw.crypto import ntowfv1
from spnego.channel_bindings import GssChannelBindings
from spnego.exceptions import BadBindingsError

ENCRYPTED = 'multipart/encrypted;protocol="application/HTTP-SPNEGO-session-encrypted";boundary="Encrypted Boundary"'
MUTUAL = "http://schemas.dmtf.org/wbem/wsman/1/wsman/secprofile/https/mutual"
_END = b"--Encrypted Boundary--\r\n"
_STREAM = b"Content-Type: application/octet-stream\r\n"
_UPN = x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3")

# pyspnego's acceptor finds its users in a file named by the environment, which is the whole process's.
_ENVIRONMENT = threading.Lock()


class Users:
    """The one account of a server, in the file that pyspnego's acceptor reads."""

    def __init__(self, user: str, password: str) -> None:
        self.user, self.password = user, password
        domain, _, name = user.rpartition("\\")
        # In Samba's form, with the hash made once: from the password pyspnego makes it anew for each login, in Python.
        told = f"1000:{'0' * 32}:{ntowfv1(password).hex().upper()}:[U]:LCT-00000000"
        names = {f"{domain}\\{name}" if domain else name, name}
        with tempfile.NamedTemporaryFile("w", prefix="wsman-users-", delete=False) as file:
            file.write("".join(f"{n}:{told}\n" for n in sorted(names)))
        self._file = Path(file.name)

    def close(self) -> None:
        self._file.unlink(missing_ok=True)

    def step(self, context: spnego.ContextProxy, token: bytes, bindings: GssChannelBindings | None) -> bytes | None:
        with _ENVIRONMENT:
            before = os.environ.get("NTLM_USER_FILE")
            os.environ["NTLM_USER_FILE"] = str(self._file)
            try:
                return context.step(token, channel_bindings=bindings)
            finally:
                _restore(before)

    def acceptor(self, token: bytes) -> spnego.ContextProxy:
        bare = token.startswith(b"NTLMSSP\0")
        protocol = "ntlm" if bare else "negotiate"
        options = spnego.NegotiateOptions.use_ntlm if bare else spnego.NegotiateOptions.none
        with _ENVIRONMENT:
            before = os.environ.get("NTLM_USER_FILE")
            os.environ["NTLM_USER_FILE"] = str(self._file)
            try:
                return spnego.server(protocol=protocol, options=options)
            finally:
                _restore(before)

    def basic(self, value: str) -> bool:
        try:
            given = base64.b64decode(value, validate=True)
        except binascii.Error:
            return False
        return hmac.compare_digest(given, f"{self.user}:{self.password}".encode())


def _restore(before: str | None) -> None:
    if before is None:
        del os.environ["NTLM_USER_FILE"]
    else:
        os.environ["NTLM_USER_FILE"] = before


class Login:
    """An NTLM login under way on one connection."""

    def __init__(self, users: Users, bindings: GssChannelBindings | None) -> None:
        self._users, self._bindings = users, bindings
        self._context: spnego.ContextProxy | None = None

    @property
    def context(self) -> spnego.ContextProxy | None:
        """The keys, once the login is complete."""
        return self._context if self._context is not None and self._context.complete else None

    def step(self, value: str) -> tuple[bool, bytes | None]:
        """One message of the client's: is it still alright, and what to answer."""
        try:
            token = base64.b64decode(value, validate=True)
            if self._context is None or self._context.complete:
                self._context = self._users.acceptor(token)
            try:
                return True, self._users.step(self._context, token, self._bindings)
            except BadBindingsError as e:
                # CbtHardeningLevel=Relaxed: a client that sends no channel binding passes, a wrong one does not.
                if "not present" not in str(e):
                    raise
                return True, self._users.step(self._context, token, None)
        except (spnego.exceptions.SpnegoError, binascii.Error, ValueError, struct.error):
            self._context = None
            return False, None


def server_bindings(certificate: bytes) -> GssChannelBindings:
    """tls-server-end-point (RFC 5929) of our own certificate."""
    used = x509.load_der_x509_certificate(certificate).signature_hash_algorithm
    digest = hashes.Hash(hashes.SHA256() if used is None or used.name in ("md5", "sha1") else used)
    digest.update(certificate)
    return GssChannelBindings(application_data=b"tls-server-end-point:" + digest.finalize())


def principal(certificate: bytes) -> str | None:
    """The user principal name of a client certificate."""
    try:
        extensions = x509.load_der_x509_certificate(certificate).extensions
        names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return None
    for name in names.get_values_for_type(x509.OtherName):
        if name.type_id == _UPN:
            return name.value[2:].decode("utf-8", "replace")  # a DER string: tag, length below 128, text
    return None


def decrypt(context: spnego.ContextProxy, body: bytes) -> bytes:
    """The one message of a multipart/encrypted body; ValueError where it is none or was tampered with."""
    start, end = body.find(_STREAM), body.rfind(_END.rstrip())
    length = body.find(b"Length=")
    if start < 0 or end < start or length < 0:
        raise ValueError("not an encrypted message")
    sealed = body[start + len(_STREAM) : end]
    size = struct.unpack_from("<i", sealed)[0]
    try:
        message = context.unwrap_winrm(sealed[4 : 4 + size], sealed[4 + size :])
    except spnego.exceptions.SpnegoError as e:
        raise ValueError(str(e)) from None
    if len(message) != int(body[length + 7 : body.index(b"\r\n", length)]):
        raise ValueError("the message has another length than it says")
    return message


def encrypt(context: spnego.ContextProxy, message: bytes) -> bytes:
    sealed = context.wrap_winrm(message)
    return b"".join(
        (
            b"--Encrypted Boundary\r\n\tContent-Type: application/HTTP-SPNEGO-session-encrypted\r\n",
            b"\tOriginalContent: type=application/soap+xml;charset=UTF-8;Length=%d\r\n" % len(message),
            b"--Encrypted Boundary\r\n\tContent-Type: application/octet-stream\r\n",
            struct.pack("<i", len(sealed.header)),
            sealed.header,
            sealed.data,
            _END,
        )
    )
