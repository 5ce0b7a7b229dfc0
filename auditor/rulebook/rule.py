"""A rule: our checkable reading of one advisory. The structs are the file format; `auditor rules schema` prints it.

`Check` is a tagged union (`kind: …`). A new kind is a struct here, a file in auditor/checks and a line in its list.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from msgspec import Meta, Struct

from auditor.model.finding import Obligation, Severity

RuleId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{1,80}$")]


class Strict(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The base of all rule records: unknown keys are an error."""


class Tagged(Strict, frozen=True, tag_field="kind"):
    """The base of the checks; the tag is the check's kind."""


class ServicePackCheck(Tagged, frozen=True, tag="service_pack"):
    """Compliant from `at_least` on, on the product's own line. A release candidate of just that number is unknown
    unless one of `stamped_by` is installed: hotfixes known to write a candidate's name over the final pack's.
    `marked_by`: hotfix entries that tell the lettered pack from the plain one, which calls itself the same (6a and 6).
    `since`: the pack that brought the fault; before it the check is not applicable."""

    at_least: str
    stamped_by: tuple[str, ...] = ()
    marked_by: tuple[str, ...] = ()
    since: str = ""


class ProductPackCheck(Tagged, frozen=True, tag="product_pack"):
    """Compliant if a server application (`exchange-5.5`) has service pack `at_least` or later of its own. Not applicable
    where another version of it is installed; unknown where the host does not say which service pack it has."""

    product: str
    at_least: str


class HotfixCheck(Tagged, frozen=True, tag="hotfix"):
    """Compliant if any of `ids` is among the host's hotfixes; `tension` is what the advisory leaves open about it."""

    ids: tuple[str, ...]
    tension: str = ""


class BuildCheck(Tagged, frozen=True, tag="build"):
    """Compliant if the host's build (`20348.2700`) is at the one of `at_least` for its own build line, or later. A host on
    a line that is not among them is unknown: revisions of different lines say nothing about each other."""

    at_least: tuple[str, ...]


class FileVersionCheck(Tagged, frozen=True, tag="file_version"):
    """Compliant if the file's version is `at_least` or later. `path` is as on the host, `%SystemRoot%` and
    `%ProgramFiles%` allowed. `absent` is the verdict where there is no such file."""

    path: str
    at_least: str
    absent: Literal["noncompliant", "unknown", "not_applicable"] = "unknown"

    @property
    def key(self) -> str:
        """The fact that is asked for."""
        return f"file-version:{self.path}"


class PackageCheck(Tagged, frozen=True, tag="package"):
    """Compliant if every installed package of that name is at `fixed` or later; not applicable if none is."""

    name: str
    fixed: str


class KernelCheck(Tagged, frozen=True, tag="kernel"):
    """Compliant if no newer kernel of the running flavour is installed; else pending (a restart)."""


class SettingCheck(Tagged, frozen=True, tag="setting"):
    r"""Compares one setting. `key`: `sysctl:net.core.somaxconn`, `file:/etc/login.defs#PASS_MAX_DAYS` (what follows
    the key, the last one where it stands twice) or `line:/etc/fstab#whole line`, or a registry value, `registry:HKLM\\KEY#NAME` (numbers are
    compared as such, REG_MULTI_SZ joined by spaces). Exactly one comparison is given.
    `named` beside `one_of`: the other values that the advisory names; one that is in neither is unknown.
    `absent` is the verdict for a value that is not set, or the documented default (`default`) that then counts."""

    key: str
    at_least: float | None = None
    at_most: float | None = None
    one_of: tuple[str, ...] = ()
    named: tuple[str, ...] = ()
    absent: Literal["compliant", "noncompliant", "unknown", "not_applicable"] = "unknown"
    default: str | None = None


class ListenBacklogCheck(Tagged, frozen=True, tag="listen_backlog"):
    """Compliant if every listener in question has an effective backlog above `above`. `port` narrows to one port;
    `reachable_only` leaves loopback listeners out of the verdict (they are listed and marked). Where no backlog can be
    observed, `unobserved` is judged instead; what was observed always goes before it."""

    above: int
    port: int | None = None
    reachable_only: bool = False
    unobserved: AttestedCheck | None = None


class CounterCheck(Tagged, frozen=True, tag="counter"):
    """Compliant if a counter of /proc/net/netstat has not passed `at_most` since the host started."""

    name: str
    at_most: int


class SecurityUpdatesCheck(Tagged, frozen=True, tag="security_updates"):
    """Compliant if no security suite offers a newer version of an installed package, by lists of at most
    `max_age_days` days; older lists give unknown."""

    max_age_days: int = 7


class MissingUpdatesCheck(Tagged, frozen=True, tag="missing_updates"):
    """Compliant if the Windows Update Agent knows of no missing update, by its own last search. `severities` narrows to
    these words of the vendor (Critical, Important, Moderate, Low); a missing update without one then leaves it unknown. A
    search older than `max_age_days` proves nothing."""

    severities: tuple[str, ...] = ()
    max_age_days: int = 14


class RebootCheck(Tagged, frozen=True, tag="reboot"):
    """Pending if the host says that it waits for a restart; where nothing on it would say so, kernel and processes are
    judged instead."""


class StaleProcessesCheck(Tagged, frozen=True, tag="stale_processes"):
    """Pending if a process still runs code that was deleted or replaced on disk."""


class Support(Strict, frozen=True):
    """Until when a release gets security fixes. `ends`: for everybody, free; `long_term`: free, by another team;
    `paid`: only with a subscription, whose name is `program`."""

    ends: date
    long_term: date | None = None
    paid: date | None = None
    program: str = ""


class SupportCheck(Tagged, frozen=True, tag="support"):
    """Compliant while the product gets free security fixes; unknown while only subscribers do. An attestation
    (`subscribed`) of a paid program counts after that."""

    products: dict[str, Support]
    subscribed: AttestedCheck | None = None


class AttestedCheck(Tagged, frozen=True, tag="attested"):
    """What a person attested for this rule and target; `how` says how to find out."""

    how: str


class PatchLevelCheck(Tagged, frozen=True, tag="patch_level"):
    """Which updates a product should have, where no loaded rule knows it: unknown, unless a person attested it. `how` says
    how to find out."""

    how: str


class AllOf(Tagged, frozen=True, tag="all_of"):
    """Compliant if every child is."""

    checks: tuple[Check, ...]


class AnyOf(Tagged, frozen=True, tag="any_of"):
    """Compliant if any child is."""

    checks: tuple[Check, ...]


Check = (
    ServicePackCheck | ProductPackCheck | BuildCheck | HotfixCheck | FileVersionCheck | PackageCheck | KernelCheck | SettingCheck | ListenBacklogCheck | CounterCheck
    | SecurityUpdatesCheck | MissingUpdatesCheck | RebootCheck | StaleProcessesCheck | SupportCheck | PatchLevelCheck | AttestedCheck | AllOf | AnyOf
)  # fmt: skip


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
    `debian-*`, or a family (`linux`, `windows`). `editions` narrows products whose id names no edition."""

    products: tuple[str, ...]
    check: Check
    editions: tuple[str, ...] = ()


class Reference(Strict, frozen=True):
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
    lines: dict[str, tuple[int, ...]] = {}
    reviewed: bool = True
    files: dict[str, str] = {}


class Rule(Strict, frozen=True, kw_only=True):
    """`meaning` says what the rule asks, `matters` why, `remediation` what to do; all three in plain words. A generated
    rule may leave the first two to its title. `application` is the server application that the advisory is about,
    `component` the optional part that must be there for the problem to exist."""

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
    provenance: Provenance

    @property
    def generated(self) -> bool:
        """Was it written by an importer?"""
        return bool(self.provenance.importer)
