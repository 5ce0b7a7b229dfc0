"""What must be so before a WinRM service is asked: nothing unsafe, and nothing that cannot be done."""

from __future__ import annotations

import os
import re
from pathlib import Path

from winrm.transport import HAVE_KERBEROS

from auditor.errors import HostError
from auditor.model.target import Target


def check(target: Target) -> None:
    """What cannot be done, or not safely, is refused before anything is sent."""
    if re.search(r"[\s/\\@?#\[\]]", target.address or target.name):
        raise HostError("resolve", "this is no host name and no address; see `address`")
    if target.auth == "basic" and target.scheme != "https":
        raise HostError(
            "unencrypted-refused", "Basic over HTTP would show the password to everybody on the way; use scheme https"
        )
    if target.auth == "certificate" and target.scheme != "https":
        raise HostError("unencrypted-refused", "a client certificate needs scheme https")
    if target.auth in ("ntlm", "basic") and not (target.user and target.password):
        raise HostError("auth-failed", f"{target.auth} needs `user` and `password` (or --user and --secret)")
    if target.auth == "certificate" and not (target.cert_file and target.cert_key_file):
        raise HostError("auth-failed", "auth certificate needs `cert_file` and `cert_key_file`")
    if target.auth == "kerberos" and not HAVE_KERBEROS:
        raise HostError("auth-failed", "Kerberos needs the kerberos extra: pip install 'auditor[kerberos]'")
    for name in ("ca_file", "cert_file", "cert_key_file"):
        if (path := getattr(target, name)) and not (Path(path).is_file() and os.access(path, os.R_OK)):
            raise HostError(
                "tls-untrusted" if name == "ca_file" else "auth-failed",
                f"`{name}`: there is no file {path}, or it may not be read",
            )


def place(target: Target) -> str:
    """The service for people: address and port."""
    return f"{target.address or target.name} port {target.real_port}"
