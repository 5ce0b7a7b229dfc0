"""OSV documents (the schema of ossf/osv-schema): AlmaLinux, Rocky, Ubuntu's USN, Alpine, SUSE, Debian's DSA, DLA and ELTS.

A fix is the end of a range. A document whose packages are of no distribution here gives no fix.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec
from msgspec import Struct

from auditor.advisories.feeds import fields, release_names
from auditor.advisories.feeds.severity import severity
from auditor.model.advisory import Advisory, FixedPackage, Kind


class _Event(Struct):
    fixed: str | None = None


class _Range(Struct):
    type: str = ""
    events: list[_Event] = []


class _Package(Struct):
    ecosystem: str = ""
    name: str = ""
    purl: str = ""


class _Specific(Struct):
    binaries: list[dict[str, str]] | None = None
    ubuntu_priority: str = ""


class _Affected(Struct):
    package: _Package = msgspec.field(default_factory=_Package)
    ranges: list[_Range] | _Range = []  # Debian's ELTS once writes one as an object
    ecosystem_specific: msgspec.Raw = msgspec.Raw(b"{}")
    database_specific: msgspec.Raw = msgspec.Raw(b"{}")


class _Score(Struct):
    type: str = ""
    score: str = ""


class _Cve(Struct):
    severity: list[_Score] = []


class _CvesMap(Struct):
    cves: list[_Cve] = []


class _OfPackage(Struct):
    cves_map: _CvesMap = msgspec.field(default_factory=_CvesMap)


class _Reference(Struct):
    url: str = ""


class _Stated(Struct):
    type: str = ""


class Osv(Struct):
    """The fields of a document that are read."""

    id: str
    summary: str = ""
    published: str = ""
    modified: str = ""
    withdrawn: str | None = None
    related: list[str] = []
    aliases: list[str] = []
    upstream: list[str] = []
    references: list[_Reference] = []
    affected: list[_Affected] = []
    database_specific: msgspec.Raw = msgspec.Raw(b"{}")


_decode = msgspec.json.Decoder(Osv).decode
_specific = msgspec.json.Decoder(_Specific).decode
_stated = msgspec.json.Decoder(_Stated).decode
_of_package = msgspec.json.Decoder(_OfPackage).decode

_LEADING_WORD = re.compile(r"(Critical|Important|Moderate|Low): ")
# What else an id says: ALBA, RLBA, RHBA and ELBA are bug fixes, …EA enhancements; SUSE-RU recommended, -FU feature updates.
_KINDS: tuple[tuple[re.Pattern[str], Kind], ...] = (
    (re.compile(r"(?:AL|RL|RH|EL|CRL)BA-|(?:open)?SUSE-RU-"), "bugfix"),
    (re.compile(r"(?:AL|RL|RH|EL|CRL)EA-|(?:open)?SUSE-[FO]U-"), "enhancement"),
)


def kind_of(ident: str) -> Kind:
    """What an advisory is about, by its id; security where it does not say."""
    return next((kind for pattern, kind in _KINDS if pattern.match(ident)), "security")


def read(content: bytes) -> Iterator[Advisory]:
    """The advisory of a document. ValueError (msgspec's too) where it is none."""
    document = _decode(content)
    if not document.id:
        raise ValueError("has an empty id")
    word = _LEADING_WORD.match(document.summary)
    fixes: dict[FixedPackage, None] = {}
    priority = ""
    for affected in document.affected:
        # Ubuntu's service and Debian's extended support stand in the purl only.
        ecosystem, purl = affected.package.ecosystem, affected.package.purl
        release = release_names.of_osv(ecosystem, purl if ecosystem.startswith(("Ubuntu:Pro", "Debian")) else "")
        if release is None:
            continue
        release = release_names.narrowed(release, document.id)
        if not priority and release.startswith("ubuntu-"):
            priority = _ubuntus_priority(affected)
        if release.startswith(("sles-", "opensuse-")):  # the package named is the source; its binaries stand beside it
            for binaries in _specific(affected.ecosystem_specific).binaries or ():
                fixes |= {FixedPackage(release, name, version): None for name, version in binaries.items()}
            continue
        ranges = affected.ranges if isinstance(affected.ranges, list) else [affected.ranges]
        for part in ranges:
            for event in part.events:
                if (version := event.fixed) and version != "0" and part.type != "GIT":
                    # The title is the only place where a rebuild of RHEL's says in OSV of which module a package is.
                    module = fields.streams_named(document.summary) if fields.modular(version) else ""
                    fixes[FixedPackage(release, affected.package.name, version, "", module)] = None
    vendor = word[1] if word else priority
    stated = _stated(document.database_specific).type.lower() if document.id.startswith("ELA-") else ""
    yield Advisory(
        id=document.id,
        kind="bugfix" if stated and "security" not in stated else kind_of(document.id),
        severity=severity(vendor),
        vendor_severity=vendor,
        published=fields.day(document.published),
        modified=fields.day(document.modified),
        title=fields.title(document.summary or document.id),
        cves=fields.cves((document.id, *document.related, *document.aliases, *document.upstream)),
        references=_own_page(document),
        fixes=tuple(fixes),
        withdrawn=bool(document.withdrawn),
    )


_PRIORITIES = ("critical", "high", "medium", "low", "negligible")


def _ubuntus_priority(affected: _Affected) -> str:
    """Ubuntu's own word: beside the package, or the gravest of its CVEs."""
    if word := _specific(affected.ecosystem_specific).ubuntu_priority:
        return word
    found = {
        s.score.lower() for c in _of_package(affected.database_specific).cves_map.cves for s in c.severity if s.type == "Ubuntu"
    }
    return next((word for word in _PRIORITIES if word in found), "")


def _own_page(document: Osv) -> tuple[str, ...]:
    """The address that names the advisory itself; without one, the first."""
    urls = [r.url for r in document.references if r.url.startswith("http")]
    own = document.id.replace(":", "-").lower()
    return tuple([u for u in urls if own in u.replace(":", "-").replace("_", "-").lower()][:1] or urls[:1])
