"""From an article to a rule: what it requires of which product, and by which facts that can be told.

An importer says `required` only for a fix in a numbered service pack and for security fixes; a hotfix or a setting is
`advised`, or `situational` where the article itself says so. What cannot be judged by a fact gives no rule, with the
reason. No sentence of an article goes into a rule, only facts, its title and the numbers of its lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date

from msgspec.structs import replace

from auditor.advisories.article import Article, ArticleFix, ArticleSetting, ProductVersion
from auditor.advisories.sources.kb.fixes import line_of
from auditor.checks.attested import AttestedCheck
from auditor.checks.hotfix import HotfixCheck
from auditor.checks.listen_backlog import ListenBacklogCheck
from auditor.checks.product_pack import ProductPackCheck
from auditor.checks.registry import AllOf, AnyOf, Check
from auditor.checks.service_pack import ServicePackCheck
from auditor.checks.setting import SettingCheck
from auditor.model import setting_key
from auditor.model.finding import Obligation
from auditor.rulebook.rule import Branch, Component, Provenance, Rule
from auditor.versions.product_label import label
from auditor.versions.server_products import split

IMPORTER = "kb_text 1"
# Hotfixes that write a release candidate's name over the final pack's (Q293322, Q266433), and the entry by which 6a is
# told from 6 (Q246009).
_STAMPED = {
    ("windows-nt-4.0", "6"): ("Q246467",),
    ("windows-nt-4.0", "6a"): ("Q246467",),
    ("windows-nt-4.0-terminal-server", "6"): ("Q266433",),
}
_MARKED = {("windows-nt-4.0", "6a"): ("Q246009",)}
# Server applications: name, services by which they are recognised, and where they run.
_OLD_WINDOWS = ("windows-nt-3.51", "windows-nt-4.0", "windows-nt-4.0-terminal-server", "windows-2000", "windows-server-2003")
APPLICATIONS: dict[str, tuple[str, tuple[str, ...]]] = {
    "exchange": ("Microsoft Exchange Server", ("MSExchangeIS", "MSExchangeMTA", "MSExchangeSA", "MSExchangeDS")),
    "sna-server": ("Microsoft SNA Server", ("SnaBase", "SnaServr")),
    "sms": ("Microsoft Systems Management Server", ("SMS_EXECUTIVE", "SMS_SITE_COMPONENT_MANAGER", "SMS_HIERARCHY_MANAGER")),
    "sql-server": ("Microsoft SQL Server", ("MSSQLServer", "MSSQL$*")),
    "iis": ("Internet Information Server", ("W3SVC", "MSFTPSVC")),
}
_PLATFORM = re.compile(r"windows-(?:nt-3\.\d+|nt-4\.0(?:-\w[\w-]*)?|2000|xp)")
# Parts that are recognised by more than services (the names are our knowledge; no article has them).
_PARTS = {
    "a Lotus Notes server": Component(
        name="a Lotus Notes server",
        services=("Lotus Notes Server*", "Lotus Domino Server*", "IBM Domino Server*", "HCL Domino Server*"),
        programs=("Lotus Domino*", "Lotus Notes Server*", "IBM Domino*", "IBM Lotus Domino*", "HCL Domino*"),
        hints=("Lotus Notes*", "IBM Notes*", "IBM Lotus Notes*", "HCL Notes*"),
        vendor="Lotus",
        named_up_to=4,
    )
}  # fmt: skip
_PORTS = {"a Lotus Notes server": 1352}  # IANA: lotusnote 1352/tcp


# Keys that mean the same on every host; an article's placeholder (ScsiPortX, xxx) means another one on each.
_READABLE = re.compile(r"HKEY_LOCAL_MACHINE\\(?:SYSTEM\\CurrentControlSet|SOFTWARE)\\", re.I)
_PLACEHOLDER = re.compile(r"[a-z][XN](?:\\|$)|x{2,}|\b[nN]\b|%|\d+x\b|zzz")


class NoRule(Exception):
    """The article gives no rule; the message says why."""


def _title(article: Article, kind: str) -> str:
    """The subject of the rule, which stands beside any verdict; an article's own title is the fault that it is about."""
    return f"{'Setting from' if kind == 'settings' else 'Fix for'} “{article.title[:300] or article.id}”"


def rule(article: Article, *, retrieved: date, only: str = "") -> Rule:
    """The rule of an article. `only` is "fixes" or "settings". Raises NoRule."""
    check_of: list[Branch] = []
    if only != "settings":
        check_of = [*_fix_branches(article), *_hotfix_branches(article)] or _vendor_branches(article)
    kind = "fixes"
    if not check_of and only != "fixes":
        check_of, kind = _setting_branches(article), "settings"
    if not check_of:
        raise NoRule(_why_none(article, only))
    application = _application(article) if kind == "fixes" else None
    return Rule(
        id=article.id,
        title=_title(article, kind),
        severity=article.severity,
        obligation=_obligation(article, kind),
        family="windows",
        published=article.revised,
        branches=tuple(check_of),
        application=application,
        component=_component(article),
        remediation=_remediation(article, kind),
        provenance=Provenance(
            source=f"Microsoft KB {article.id}" + (f" as of {article.revised}" if article.revised else ""),
            retrieved=retrieved,
            notes=article.doubts,
            publisher="Microsoft",
            document=article.sha256,
            importer=IMPORTER,
            lines={field: tuple(dict.fromkeys(e.line for e in found)) for field, found in sorted(article.evidence.items())},
            # Settings are read from instructions in prose, and too often wrongly (docs/advisories.md).
            reviewed=article.confidence == "high" and kind != "settings",
            files=dict(sorted(article.file_versions.items())),
        ),
    )


def _why_none(article: Article, only: str) -> str:
    if only == "settings" or (article.settings and only != "fixes"):
        return (
            "it names no registry value with a recommended setting that can be read"
            if article.settings
            else "it names no setting"
        )
    if article.latest_sp:
        return "it names the latest service pack without a number"
    if article.no_fix:
        return "it has nothing to comply with"
    return "the facts of a host do not tell whether it has one of its products"


def _fix_branches(article: Article) -> list[Branch]:
    branches: dict[str, Branch] = {}
    highest: dict[str, ArticleFix] = {}
    for fix in article.fixes:
        line = line_of(fix.product)
        if line not in highest or _order(fix.service_pack) > _order(highest[line].service_pack):
            highest[line] = fix
    # A rule is about Windows or about one application: what else has the fix stays in the article.
    windows = any(_PLATFORM.fullmatch(line) for line in highest)
    base = "" if windows else next((split(line)[0] for line in highest if split(line)[0] in APPLICATIONS), "")
    for line, fix in highest.items():
        if _PLATFORM.fullmatch(line):
            products, editions = _platforms(article, line)
            pack: Check = ServicePackCheck(
                fix.service_pack, _STAMPED.get((line, fix.service_pack), ()), _MARKED.get((line, fix.service_pack), ())
            )
            branches[line] = Branch(products, _or_hotfix(article, line, pack), editions)
        elif split(line)[0] in APPLICATIONS and split(line)[0] == base:
            branches[line] = Branch(_OLD_WINDOWS, _or_hotfix(article, line, ProductPackCheck(line, fix.service_pack)))
    return list(_one_application(branches))


def _one_application(branches: dict[str, Branch]) -> Iterator[Branch]:
    """Several versions of one application are told apart by the check alone: together they are one branch."""
    by_products: dict[tuple[str, ...], list[Branch]] = {}
    for branch in branches.values():
        by_products.setdefault((*branch.products, *branch.editions), []).append(branch)
    for same in by_products.values():
        yield same[0] if len(same) == 1 else replace(same[0], check=AllOf(tuple(b.check for b in same)))


def _or_hotfix(article: Article, line: str, pack: Check) -> Check:
    """The article's own hotfix is an alternative where it offers one for the line."""
    if not article.hotfix or (article.hotfix_lines and line not in article.hotfix_lines):
        return pack
    return AnyOf((pack, HotfixCheck((article.id,))))


def _hotfix_branches(article: Article) -> list[Branch]:
    """Product lines that have only a hotfix."""
    if not article.hotfix_only:
        return []
    fixed = {line_of(f.product) for f in article.fixes}
    lines = [p for p in _lines(article) if p not in fixed and (not article.hotfix_lines or p in article.hotfix_lines)]
    branches = []
    for line in lines:
        if _PLATFORM.fullmatch(line):
            products, editions = _platforms(article, line)
            branches.append(Branch(products, HotfixCheck((article.id,)), editions))
    return branches


def _vendor_branches(article: Article) -> list[Branch]:
    """What only a third party can mend is what a person attests; a backlog that can be seen goes before it."""
    if not article.vendor_fix or article.requires_component not in _PARTS:
        return []
    attested = AttestedCheck(how=f"Ask who runs {article.requires_component} for its release and the vendor's list of fixes.")
    check: Check = attested
    if article.backlog is not None:
        check = ListenBacklogCheck(article.backlog, _PORTS.get(article.requires_component or ""), unobserved=attested)
    return [
        Branch(*_platforms(article, line)[:1], check, _platforms(article, line)[1])
        for line in _lines(article)
        if _PLATFORM.fullmatch(line)
    ]


def _setting_branches(article: Article) -> list[Branch]:
    wanted = [c for s in article.settings if (c := _setting(s))]
    values = {c.key.lower(): c.one_of for c in wanted}
    if any(values[c.key.lower()] != c.one_of for c in wanted):
        return []  # one value set to this here and to that there: which of them is meant is the reader's to say
    lines = [line for line in _lines(article) if _PLATFORM.fullmatch(line)]
    if not wanted or not lines:
        return []
    check: Check = wanted[0] if len(wanted) == 1 else AllOf(tuple(wanted))
    return [Branch(*_platforms(article, line)[:1], check, _platforms(article, line)[1]) for line in lines]


# What stands where the data of a text value should, and is a description of it.
_NO_DATA = re.compile(r":$|<|\.\.\.|\b(?:or|the|needs|data types?|name|box|to)\b", re.I)


def _setting(setting: ArticleSetting) -> SettingCheck | None:
    """A registry value of the machine with a recommended value; None where it cannot be read or compared."""
    if setting.recommended is None or setting.type is None or not setting.key.upper().startswith("HKEY_LOCAL_MACHINE\\"):
        return None
    if (
        setting.value.lower() in ("displayname", "description")
        or not _READABLE.match(setting.key)
        or _PLACEHOLDER.search(setting.key)
    ):
        return None
    key = f"registry:HKLM\\{setting.key.partition(chr(92))[2]}#{setting.value}"
    if setting_key.problem(key):
        return None
    value = setting.recommended.strip()
    if setting.type == "REG_DWORD":
        try:
            value = str(int(value.split()[0].replace(",", ""), 16 if value.lower().startswith("0x") else 10))
        except (ValueError, IndexError):
            return None
    elif setting.type != "REG_SZ" or value.lower() == setting.value.lower() or _NO_DATA.search(value):
        return None
    return SettingCheck(key, one_of=(value,), absent="noncompliant")


def _lines(article: Article) -> list[str]:
    """The product lines of the APPLIES TO list, each once."""
    return list(dict.fromkeys(line_of(p.product) for p in article.products))


def _platforms(article: Article, line: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The product ids of a line that the article lists, and their editions. Enterprise Edition is Windows NT Server 4.0
    with additions and counts as one; a line that is not listed counts whole."""
    listed = [p for p in article.products if line_of(p.product) == line]
    if line == "windows-nt-4.0" and listed:
        editions = {p.product.removeprefix("windows-nt-4.0").lstrip("-") for p in listed}
        if "" in editions or {"server", "workstation"} <= editions:
            return ("windows-nt-4.0",), ()
        names = {
            "server": ("windows-nt-4.0-server", "windows-nt-4.0-enterprise"),
            "enterprise": ("windows-nt-4.0-enterprise",),
            "workstation": ("windows-nt-4.0-workstation",),
        }
        return tuple(sorted({n for e in editions for n in names.get(e, ("windows-nt-4.0",))})), ()
    return (line,), _editions(listed) if line.startswith("windows-nt-3") else ()


def _editions(listed: list[ProductVersion]) -> tuple[str, ...]:
    found = {p.edition for p in listed}
    return () if "" in found or len(found) != 1 else tuple(found)


def _application(article: Article) -> Component | None:
    """The server application whose service packs the fixes are, where they are not Windows' own."""
    if any(_PLATFORM.fullmatch(line_of(f.product)) for f in article.fixes):
        return None
    base = next((split(f.product)[0] for f in article.fixes if split(f.product)[0] in APPLICATIONS), "")
    if not base:
        return None
    name, services = APPLICATIONS[base]
    return Component(name=name, services=services)


def _component(article: Article) -> Component | None:
    if article.requires_component is None:
        return None
    if article.requires_component in _PARTS:
        return _PARTS[article.requires_component]
    return Component(name=article.requires_component, services=article.component_services)


def _obligation(article: Article, kind: str) -> Obligation:
    if kind == "fixes" and (article.fixes or article.vendor_fix):
        return "required"
    if article.obligation == "situational" or (kind == "settings" and not article.security):
        return "situational"  # an article answers a problem that somebody has; nobody else needs its values
    return "required" if kind == "fixes" and article.security else "advised"


def _remediation(article: Article, kind: str) -> str:
    if kind == "settings":
        set_ = [f"{s.value} to {s.recommended}" for s in article.settings if _setting(s)]
        return f"Set {', '.join(set_)} under the key that the rule names, as the article describes; restart the host where the article asks for it."
    packs = [f"{label(f.product)} Service Pack {f.service_pack}" for f in article.fixes]
    ways = [f"Apply {' or '.join(packs)} or later"] if packs else []
    if article.hotfix:
        ways.append(f"{'or ' if ways else 'Apply '}the hotfix {article.id}")
    if article.vendor_fix:
        ways.append("Get the fix from the vendor of the part that is affected, and attest it")
    return ", ".join(ways) + "."


def _order(pack: str) -> tuple[int, str]:
    m = re.match(r"(\d+)([a-z]?)", pack)
    return (int(m[1]), m[2]) if m else (0, "")
