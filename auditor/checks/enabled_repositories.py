"""Can a host get a fix at all? Only from a repository that it has enabled."""

from __future__ import annotations

from collections.abc import Iterable

from auditor.model.facts import Repository
from auditor.versions.package_version import Manager

_ROLLING = ("sid", "unstable", "testing")  # get every fix through the one suite that they have


def lacking(manager: Manager, release: str, repositories: Iterable[Repository] | None) -> str:
    """What a host of a release has to enable before an upgrade can bring a fix, for people; "" where nothing speaks against one,
    and where its repositories are not known.

    Debian publishes fixes in the suite CODENAME-security (until buster CODENAME/updates), Ubuntu in CODENAME-security and
    CODENAME-updates (wiki.debian.org/SourcesList, Ubuntu's SecurityTeam/FAQ). A mirror of another name counts if its address says so."""
    if repositories is None:
        return ""
    enabled = [r for r in repositories if r.enabled and r.manager == manager]
    if not enabled:
        return "a repository of its distribution: none is enabled"
    if manager != "dpkg" or not release.startswith(("debian-", "ubuntu-")) or any(r.name in _ROLLING for r in enabled):
        return ""
    ends = ("-security", "/updates", "-updates") if release.startswith("ubuntu-") else ("-security", "/updates")
    if any(r.name.endswith(ends) or "security" in r.address for r in enabled):
        return ""
    return "the distribution's security suite: none of its enabled repositories is one"
