"""How reports are mailed: what an inventory says under `mail:`."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

MailPolicy = Literal["always", "on-change", "on-noncompliance"]


class Mailing(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`security`: `starttls` (port 587, the default), `tls` (port 465) or `none` (port 25; only for a server on the same
    machine or network that one trusts). `heartbeat`: mail at least so often whatever the policy, so that silence is not
    taken for health. `attach`: with the whole report; `link` is where it can be read, `{run}` standing for the run's id.
    `timeout` is in seconds, for each step of the talk."""

    server: str
    sender: str
    to: tuple[str, ...]
    port: int | None = None
    security: Literal["starttls", "tls", "none"] = "starttls"
    user: str | None = None
    password: str | None = None
    ca_file: str | None = None
    policy: MailPolicy = "always"
    heartbeat: str | None = None
    attach: bool = True
    link: str | None = None
    timeout: float = 30.0


def is_address(text: str) -> bool:
    """Can a mail be sent there? (RFC 5321: a local part, an @ and a domain; nothing that would end a header.)"""
    local, at, domain = text.rpartition("@")
    if not at or not local or not domain or any(c.isspace() or ord(c) < 33 for c in text):
        return False
    from email.headerregistry import Address  # for who mails

    try:
        Address(username=local, domain=domain)
    except (ValueError, IndexError):
        return False
    return True
