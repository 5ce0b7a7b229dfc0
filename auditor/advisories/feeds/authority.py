"""Whose advisories count for which release: one source for each, as data.

A feed is one publisher's advisories in one form. Where two feeds have a release, the one that stands first here is asked.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Literal, get_args

from msgspec import Struct

Form = Literal["osv", "csaf", "debian-list", "updateinfo", "msrc-cvrf"]


class Feed(Struct, frozen=True):
    """`ids`: how the ids of its advisories begin; `releases`: shell patterns of the releases that it is for."""

    name: str
    form: Form
    publisher: str
    ids: str
    releases: tuple[str, ...]


FEEDS: tuple[Feed, ...] = (
    Feed("debian-dsa", "debian-list", "Debian's security team", r"DSA-", ("debian-*",)),
    Feed("debian-dla", "debian-list", "Debian LTS", r"DLA-", ("debian-*",)),
    Feed("debian-osv", "osv", "Debian, as OSV", r"(?:DSA|DLA|DTSA)-", ("debian-*",)),
    Feed("debian-elts", "osv", "Freexian's Extended LTS", r"ELA-", ("debian-*-elts",)),
    Feed("ubuntu-usn", "osv", "Canonical", r"USN-", ("ubuntu-*",)),
    Feed("almalinux-osv", "osv", "AlmaLinux", r"AL[SBE]A-", ("almalinux-*",)),
    Feed("almalinux-updateinfo", "updateinfo", "AlmaLinux's repositories", r"AL[SBE]A-", ("almalinux-*",)),
    Feed("rocky-osv", "osv", "Rocky Enterprise Software Foundation", r"R[LX][SBE]A-", ("rocky-*",)),
    Feed("rocky-updateinfo", "updateinfo", "Rocky's repositories", r"R[LX][SBE]A-", ("rocky-*",)),
    Feed("ciq-csaf", "csaf", "CIQ", r"C[RI]", ("rocky-*", "centos-*-bridge")),
    Feed("redhat-csaf", "csaf", "Red Hat", r"RH[SBE]A-", ("rhel-*",)),
    Feed("redhat-updateinfo", "updateinfo", "Red Hat's repositories", r"RH[SBE]A-", ("rhel-*",)),
    Feed("suse-csaf", "csaf", "SUSE", r"(?:open)?SUSE-", ("sles-*", "opensuse-*")),
    Feed("suse-osv", "osv", "SUSE, as OSV", r"(?:open)?SUSE-", ("sles-*", "opensuse-*")),
    Feed("alpine-osv", "osv", "Alpine", r"(?:ALPINE-)?CVE-", ("alpine-*",)),
    Feed("epel-updateinfo", "updateinfo", "EPEL", r"FEDORA-EPEL-", ("epel-*",)),
    Feed("fedora-updateinfo", "updateinfo", "Fedora", r"FEDORA-(?!EPEL)", ("fedora-*",)),
    Feed("amazon-updateinfo", "updateinfo", "Amazon", r"ALAS", ("amazon-*",)),
    Feed("msrc-cvrf", "msrc-cvrf", "Microsoft's monthly documents", r"MSRC-", ("windows-*",)),
    Feed("oracle-updateinfo", "updateinfo", "Oracle", r"EL[SBE]A-", ("oracle-*",)),
)
RANK = {feed.name: rank for rank, feed in enumerate(FEEDS)}
BY_NAME = {feed.name: feed for feed in FEEDS}
# Two lists that are one publisher's: both count for a release.
_TOGETHER = ("debian-dsa", "debian-dla")


_IDS: dict[Form, list[tuple[re.Pattern[str], Feed]]] = {
    form: [(re.compile(feed.ids), feed) for feed in FEEDS if feed.form == form] for form in get_args(Form)
}


def feed_of(form: Form, ident: str) -> Feed | None:
    """The feed of an advisory that was read in a form; None where nobody here publishes such ids in it."""
    return next((feed for ids, feed in _IDS[form] if ids.match(ident)), None)


def of_a_feed(ident: str) -> bool:
    """May an id, or a shell pattern of ids, be that of a feed's advisory (`MSRC-2026-Mar`, `DSA-*`)?"""
    return any(re.match(feed.ids, ident) for feed in FEEDS)


@lru_cache(maxsize=4096)
def is_for(feed: Feed, release: str) -> bool:
    """Is a feed an authority for a release at all?"""
    return any(fnmatchcase(release, pattern) for pattern in feed.releases)


def chosen(feeds: list[str]) -> tuple[str, ...]:
    """Of the feeds that have a release, those that are asked about it."""
    first = min(feeds, key=RANK.__getitem__, default="")
    return tuple(f for f in _TOGETHER if f in feeds) if first in _TOGETHER else ((first,) if first else ())
