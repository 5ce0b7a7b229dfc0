"""Zones: where workers near the hosts ask them, and the broker between."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from msgspec import Struct

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")

_TAKEN = ("ca", "broker", "centre")


def is_zone(name: str) -> bool:
    """Can a zone be called so? Small letters, digits and hyphens, at most 40, and nothing that other files and accounts of the
    set-up are called."""
    return bool(_NAME.fullmatch(name)) and name not in _TAKEN and not name.endswith("-signing")


class BrokerSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """How one side reaches the broker. `url`: amqps://HOST[:PORT][/VHOST]; TLS with a certificate as identity, whose common name is the
    account. `signing_key`: the Ed25519 key that signs what this side says. The defaults are where `auditor zones setup` puts
    the centre's."""

    url: str
    ca_file: str = "zones/ca.pem"
    cert_file: str = "zones/centre.pem"
    key_file: str = "zones/centre.key"
    signing_key: str = "zones/centre-signing.key"

    @property
    def host(self) -> str:
        """The broker's host name."""
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        """Its port; 5671 is the usual one of AMQP over TLS."""
        return urlsplit(self.url).port or 5671

    @property
    def vhost(self) -> str:
        """Its virtual host."""
        return urlsplit(self.url).path.strip("/") or "auditor"

    def problem(self) -> str:
        """Why the address cannot be; "" where it can."""
        try:
            parts = urlsplit(self.url)
            fit = parts.scheme == "amqps" and bool(parts.hostname) and not parts.query and parts.port != 0
        except ValueError:
            fit = False
        if not fit:
            return f"{self.url!r} is not of the form amqps://HOST[:PORT][/VHOST]"
        return "no account is named in the address: the certificate says who it is" if parts.username or parts.password else ""

    def missing(self) -> str:
        """Which of the files is not there; "" where all are."""
        files = (self.ca_file, self.cert_file, self.key_file, self.signing_key)
        return next((f"there is no {f}" for f in files if not Path(f).is_file()), "")


class Zone(Struct, frozen=True, forbid_unknown_fields=True):
    """One zone as the inventory says. `jobs`: how many of its hosts are asked at once, by all its workers together; `batch`: how many
    hosts one order holds; `key`: the public key of its workers; `grace`: seconds without a worker, after which it is down."""

    jobs: int = 32
    batch: int = 8
    key: str = ""
    grace: float = 60.0


class WorkerSeen(Struct, frozen=True):
    """A worker of a zone, as it was last heard."""

    name: str
    auditor: str
    heard: datetime
    fit: bool  # is it of the centre's version?


class ZoneSeen(Struct, frozen=True):
    """A zone in one run: its workers, and how many of its hosts had which end. `sent` and `received` are bytes as they travelled."""

    name: str
    workers: tuple[WorkerSeen, ...]
    hosts: int
    lost: int  # asked twice, or not at all, since a worker was gone
    sent: int = 0
    received: int = 0

    @property
    def sentence(self) -> str:
        """What a report says of it."""
        workers = ", ".join(
            f"{w.name} (auditor {w.auditor}{'' if w.fit else ', not this version'}, last heard {w.heard:%Y-%m-%d %H:%M} UTC)"
            for w in self.workers
        )
        count = f"{len(self.workers)} {'worker' if len(self.workers) == 1 else 'workers'}"
        lost = f"; of {self.lost} of them there is no answer since workers were missing or lost" if self.lost else ""
        return f"{self.name}: {self.hosts} {'host' if self.hosts == 1 else 'hosts'} by {f'{count}: {workers}' if workers else 'no worker that was heard of'}{lost}"
