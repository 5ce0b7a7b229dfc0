"""Certificates for tests, made with the openssl program: an authority, and what it signs for servers and for clients."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

_AUTHORITY = "basicConstraints = critical, CA:true\nkeyUsage = critical, keyCertSign, cRLSign\nsubjectKeyIdentifier = hash\n"
_LEAF = (
    "basicConstraints = critical, CA:false\nkeyUsage = critical, digitalSignature\n"
    "subjectKeyIdentifier = hash\nauthorityKeyIdentifier = keyid\n"
)
_SERVER = "extendedKeyUsage = serverAuth\nsubjectAltName = DNS:localhost, IP:127.0.0.1\n"
_CLIENT = "extendedKeyUsage = clientAuth\n"


@dataclass(frozen=True)
class Certificate:
    """Where a certificate and its private key lie, both as PEM."""

    certificate: Path
    key: Path


def make_ca(folder: Path, name: str = "auditor test authority") -> Certificate:
    """An authority of its own; what it signs goes into its folder."""
    return _make(folder, "ca", name, _AUTHORITY)


def make_certificate(ca: Certificate, name: str, *, server: bool, file: str | None = None) -> Certificate:
    """For 127.0.0.1 as a server, or for a client whose common name is `name`: never good for both.

    `file` is what the files are called, where that must not be `name`: two certificates may have one name.
    """
    return _make(ca.certificate.parent, file or name, name, _LEAF + (_SERVER if server else _CLIENT), ca)


def _make(folder: Path, file: str, name: str, extensions: str, ca: Certificate | None = None) -> Certificate:
    folder.mkdir(parents=True, exist_ok=True)
    made = Certificate(folder / f"{file}.pem", folder / f"{file}.key")
    # A configuration of our own: the machine's would add that everything is an authority.
    config = folder / f"{file}.cnf"
    config.write_text(f"[req]\ndistinguished_name = name\nx509_extensions = extensions\n[name]\n[extensions]\n{extensions}")
    command = ["openssl", "req", "-x509", "-config", str(config), "-subj", f"/CN={name}", "-days", "3", "-sha256", "-nodes"]
    command += ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-keyout", str(made.key), "-out", str(made.certificate)]
    if ca:
        command += ["-CA", str(ca.certificate), "-CAkey", str(ca.key)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"openssl: {done.stderr}")
    return made
