"""A rule: our checkable reading of one advisory. The records are the file format; `auditor rules schema` prints it."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from msgspec import Meta, field

from auditor.checks.check_kind import Strict
from auditor.checks.registry import Check
from auditor.model.finding import Obligation, Severity

RuleId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{1,80}$")]


class Component(Strict, frozen=True):
    """What must be on the host for the problem to exist: any one of these. Names are matched without regard to case,
    `*` stands for any text. `hints` are programs that leave it open (a client of the same vendor, say). `vendor`: a key
    under HKLM\\SOFTWARE whose subkeys count as programs (HKLM\\SOFTWARE\\Lotus\\Notes as "Lotus Notes"), for what has no
    Uninstall entry. Releases after `named_up_to` (a major version) are not named by the advisory: whether it applies to
    them is unknown."""

    name: str
    services: tuple[str, ...] = ()
    processes: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()
    vendor: str = ""
    named_up_to: int | None = None


class Branch(Strict, frozen=True):
    """One product line of an advisory. `products` are product ids, `windows-nt-4.0` as in the glossary,
    `debian-*`, or a family (`linux`, `windows`). `editions` narrows products whose id names no edition. `obligation` where it is
    another than the rule's: one product line has a service pack, another only a hotfix for who has the problem."""

    products: tuple[str, ...]
    check: Check
    editions: tuple[str, ...] = ()
    obligation: Obligation | None = None


class Reference(Strict, frozen=True):
    """A document to read on; `url` is empty where there is none."""

    title: str
    url: str = ""


class Provenance(Strict, frozen=True):
    """Where the rule's facts come from, who read them and when; `notes` says what is ours and not the source's.

    A rule that an importer wrote names it, the SHA-256 of the document, and the `lines` of the sentences that each field
    was taken from; `files` are the versions of the files that the fix brings; `reviewed` is False where the importer was not sure and nobody has looked yet."""

    source: str
    retrieved: date
    notes: tuple[str, ...] = ()
    publisher: str = ""
    document: str = ""
    importer: str = ""
    lines: dict[str, tuple[int, ...]] = field(default_factory=dict)
    reviewed: bool = True
    files: dict[str, str] = field(default_factory=dict)


class Rule(Strict, frozen=True, kw_only=True):
    """`meaning` says what the rule asks, `matters` why, `remediation` what to do; all three in plain words. A generated
    rule may leave the first two to its title. `application` is the server application that the advisory is about,
    `component` the optional part that must be there for the problem to exist, `cves` the flaws that it is about, `bulletins` what announced it (MS01-026); `security`: it
    is about a flaw in security, whether or not anybody rated it; `exploited`: those of `cves` on which attacks have been seen."""

    id: RuleId
    title: str
    severity: Severity
    obligation: Obligation
    family: Literal["linux", "windows"]
    published: date | None = None
    branches: tuple[Branch, ...]
    application: Component | None = None
    component: Component | None = None
    meaning: str = ""
    matters: str = ""
    remediation: str
    references: tuple[Reference, ...] = ()
    cves: tuple[str, ...] = ()
    exploited: tuple[str, ...] = ()
    bulletins: tuple[str, ...] = ()
    security: bool = False
    provenance: Provenance

    @property
    def generated(self) -> bool:
        """Was it written by an importer?"""
        return bool(self.provenance.importer)
