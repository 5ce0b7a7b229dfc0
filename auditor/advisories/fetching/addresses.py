"""Where the feeds lie, as data."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Literal

from msgspec import Struct

# file: one file. newest: a file of one line that names the newest archive beside it (Red Hat's archive_latest.txt).
# repomd: the repomd.xml of a repository, which names its updateinfo and what that one's bytes are.
# monthly: Microsoft's list of monthly documents (`updates`), which lie beside it.
Kind = Literal["file", "newest", "repomd", "monthly"]


class FeedSource(Struct, frozen=True):
    """`name` is what a mirror's folder is called and a call names; `feed` whose advisories come with it. `releases`: which
    releases it is fetched for, as shell patterns. `digest`: the publisher puts a digest beside it (`.sha256`); `signature`: a
    signature of OpenPGP's (`.asc`), which is checked with `--keyring`."""

    name: str
    feed: str
    kind: Kind
    address: str
    releases: tuple[str, ...]
    digest: bool = False
    signature: bool = False


_OSV = "https://osv-vulnerabilities.storage.googleapis.com"
_TRACKER = "https://salsa.debian.org/security-tracker-team/security-tracker/-/raw/master/data"
_FEDORA = "https://dl.fedoraproject.org/pub"
_ORACLE = "https://yum.oracle.com/repo/OracleLinux"

_MSRC = "https://api.msrc.microsoft.com/cvrf/v3.0"
# The Windows that the monthly documents are about; what is older has its rules from articles.
_WINDOWS = ("windows-vista", "windows-7", "windows-8*", "windows-10-*", "windows-11-*", "windows-server-*")

SOURCES: tuple[FeedSource, ...] = (
    FeedSource("debian-dsa", "debian-dsa", "file", f"{_TRACKER}/DSA/list", ("debian-*",)),
    FeedSource("debian-dla", "debian-dla", "file", f"{_TRACKER}/DLA/list", ("debian-*",)),
    FeedSource("ubuntu-usn", "ubuntu-usn", "file", "https://security-metadata.canonical.com/osv/osv-all.tar.xz", ("ubuntu-*",)),
    FeedSource("almalinux", "almalinux-osv", "file", f"{_OSV}/AlmaLinux/all.zip", ("almalinux-*",)),
    FeedSource("rocky", "rocky-osv", "file", f"{_OSV}/Rocky%20Linux/all.zip", ("rocky-*",)),
    FeedSource("alpine", "alpine-osv", "file", f"{_OSV}/Alpine/all.zip", ("alpine-*",)),
    FeedSource("redhat", "redhat-csaf", "newest", "https://security.access.redhat.com/data/csaf/v2/advisories/archive_latest.txt", ("rhel-*",), True, True),
    FeedSource("suse", "suse-csaf", "file", "https://ftp.suse.com/pub/projects/security/csaf.tar.bz2", ("sles-*", "opensuse-*")),
    FeedSource("cisa-kev", "", "file", "https://www.cisa.gov/sites/default/files/feeds/known_exploited_vulnerabilities.json", _WINDOWS),
    FeedSource("microsoft", "msrc-cvrf", "monthly", f"{_MSRC}/updates", _WINDOWS),
    *(FeedSource(f"epel-{n}", "epel-updateinfo", "repomd", f"{_FEDORA}/epel/{n}/Everything/x86_64/repodata/repomd.xml", (f"epel-{n}",)) for n in (8, 9, 10)),
    *(
        FeedSource(f"fedora-{n}", "fedora-updateinfo", "repomd", f"{_FEDORA}/fedora/linux/updates/{n}/Everything/x86_64/repodata/repomd.xml", (f"fedora-{n}",))
        for n in (42, 43, 44)
    ),
    *(
        FeedSource(f"oracle-{n}-{part}", "oracle-updateinfo", "repomd", f"{_ORACLE}/OL{n}/{place}/x86_64/repodata/repomd.xml", (f"oracle-{n}",))
        for n, part, place in ((7, "latest", "latest"), (8, "baseos", "baseos/latest"), (8, "appstream", "appstream"), (9, "baseos", "baseos/latest"), (9, "appstream", "appstream"))
    ),
)  # fmt: skip
BY_NAME = {s.name: s for s in SOURCES}


def for_releases(releases: Iterable[str]) -> list[FeedSource]:
    """The sources of some releases."""
    wanted = set(releases)
    return [s for s in SOURCES if any(fnmatchcase(r, p) for r in wanted for p in s.releases)]
