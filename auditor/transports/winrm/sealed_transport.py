"""pywinrm's HTTP transport, with its doors shut: no redirect, no environment, no plain answer where encryption was agreed."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import certifi
import requests
from winrm.exceptions import InvalidCredentialsError, WinRMTransportError
from winrm.transport import Transport

from auditor.errors import HostError
from auditor.foundation.deadline import Deadline
from auditor.model.target import Target
from auditor.transports.winrm import seal, wsman
from auditor.transports.winrm.http_layer import Adapter

OPERATION_SECONDS = 20  # what one operation may take on the host before it answers with a time-out (w:OperationTimeout)


class SealedTransport(Transport):
    """pywinrm's transport, with its doors shut."""

    def __init__(self, to: str, target: Target, password: str | None, dial: Callable[[str, int], socket.socket]) -> None:
        self.offered = ""  # the ways to log in that the server named when it refused one
        self.limit: Deadline | None = None
        self._target, self._dial = target, dial
        super().__init__(
            endpoint=to,
            username=target.user,
            password=password,
            ca_trust_path=authorities(target),
            cert_pem=target.cert_file,
            cert_key_pem=target.cert_key_file,
            server_cert_validation="validate",  # `ignore` would silence warnings of the whole process; see log_in
            auth_method=target.auth,
            message_encryption="never",  # switched on in log_in, once the session is prepared
            proxy=None,
            read_timeout_sec=OPERATION_SECONDS + 1,
        )
        self._encrypted = target.scheme == "http"

    def log_in(self, limit: Deadline) -> None:
        """Prepare the session; over HTTP, log in and agree on encryption."""
        self.limit = limit
        session = self.build_session()
        session.trust_env = False  # neither proxies, nor certificate bundles, nor ~/.netrc
        session.proxies = {"http": self._target.proxy, "https": self._target.proxy} if self._target.proxy else {}
        session.verify = self._target.certificate_checking == "validate" and authorities(self._target)
        for scheme in ("http://", "https://"):
            session.mount(scheme, Adapter(self._dial))
        if self._encrypted:
            auth: Any = session.auth
            if self._target.auth == "kerberos" and not getattr(auth, "winrm_encryption_available", False):
                raise HostError("unencrypted-refused", "this Kerberos library cannot encrypt messages; use scheme https")
            self.setup_encryption(session)
            if self._target.auth == "ntlm" and getattr(auth, "session_security", None) is None:
                raise HostError(
                    "unencrypted-refused",
                    "the server let us in without NTLM, so nothing could be encrypted; is this a WinRM service?",
                )
            if self._target.auth == "ntlm":
                seal.demand_strong_ntlm(auth.session_security._context)
                auth.response_hook = _no_second_login

    def _send_message_request(self, session: requests.Session, prepared: requests.PreparedRequest) -> requests.Response:
        if self.limit:
            self.read_timeout_sec = self.limit.left  # type: ignore[assignment]  # requests takes fractions of a second
        response = session.send(prepared, timeout=self.read_timeout_sec, allow_redirects=False)
        if response.status_code == 401:
            told = re.sub(r'"[^"]*"', "", response.headers.get("WWW-Authenticate", ""))
            self.offered = ", ".join(words[0] for offer in told.split(",") if (words := offer.split()) and "=" not in words[0])
            if self._encrypted and self.offered and self.offered.lower() == "basic":
                raise HostError(
                    "unencrypted-refused",
                    "the server offers only Basic over HTTP, which would show the password; enable Negotiate, or use scheme https",
                )
            raise InvalidCredentialsError("the login was refused")
        if response.status_code == 200:
            return response
        text = self._get_message_response_text(response) if response.content else b""
        raise WinRMTransportError("http", response.status_code, text.decode("utf-8", "replace"))

    def _get_message_response_text(self, response: requests.Response) -> bytes:
        if not self.encryption:
            return wsman.guard(response.content)
        ntlm = self._target.auth == "ntlm"
        told = response.headers.get("Content-Type", "")
        return wsman.guard(seal.opened(told, response.content, self._unwrap, seal.NTLM_SIGNATURE if ntlm else None))

    def _unwrap(self, sealed: bytes, signature: bytes) -> bytes:
        auth: Any = self.session.auth  # type: ignore[union-attr]
        if self._target.auth == "ntlm":
            return bytes(auth.session_security.unwrap(sealed, signature))
        return bytes(auth.unwrap_winrm(urlsplit(self.endpoint).hostname, sealed, signature))


def _no_second_login(response: requests.Response, **_: Any) -> requests.Response:
    """requests_ntlm logs in anew whenever it is answered with 401, by whatever the answer offers."""
    return response


def authorities(target: Target) -> str:
    """The CA file given, else the system's authorities, not those that come with a Python package."""
    usual = ssl.get_default_verify_paths()
    return target.ca_file or usual.cafile or usual.capath or certifi.where()
