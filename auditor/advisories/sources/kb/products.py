"""The products that articles name, as product ids (docs/contracts.md, product ids): the grammar of their names, as data.

`mentions` finds products in a sentence, `product_lines` reads a bullet of the APPLIES TO list. Names are matched on
text without "Microsoft", "version" and the like, which every writer of these articles placed differently.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

# (name as a pattern, beginning of its product id). The first that matches at a place counts, so longer names stand first.
NAMES: tuple[tuple[str, str], ...] = (
    (r"Exchange(?: Server| Client)?|(?:Key Management|Internet Mail) Service for Exchange", "exchange"),
    (r"SNA Server(?:-J)?", "sna-server"),
    (r"Host Integration Server", "host-integration-server"),
    (r"Systems? Management Server|SMS", "sms"),
    (r"Internet Information (?:Server|Services?)|IIS", "iis"),
    (r"SQL Server", "sql-server"),
    (r"Site Server(?: Commerce Edition)?", "site-server"),
    (r"Commerce Server", "commerce-server"),
    (r"Proxy Server", "proxy-server"),
    (r"(?:BackOffice )?Small Business Server", "small-business-server"),
    (r"BackOffice(?: Server)?", "backoffice"),
    (r"Index Server", "index-server"),
    (r"Certificate Server", "certificate-server"),
    (r"Transaction Server", "transaction-server"),
    (r"Message Queue Server|MSMQ", "message-queue-server"),
    (r"Services for Unix", "services-for-unix"),
    (r"Interix", "interix"),
    (r"Visual Studio(?: \.NET)?", "visual-studio"),
    (r"Visual Basic", "visual-basic"),
    (r"Visual C\+\+(?: \.NET)?", "visual-c++"),
    (r"Visual FoxPro", "visual-foxpro"),
    (r"FoxPro", "foxpro"),
    (r"Visual InterDev", "visual-interdev"),
    (r"Visual J\+\+", "visual-j++"),
    (r"Visual SourceSafe", "visual-sourcesafe"),
    (r"Office", "office"),
    (r"Outlook Express", "outlook-express"),
    (r"Outlook(?! Web Access)", "outlook"),
    (r"Word", "word"),
    (r"Excel", "excel"),
    (r"Access", "access"),
    (r"PowerPoint", "powerpoint"),
    (r"FrontPage", "frontpage"),
    (r"Project", "project"),
    (r"Internet Explorer|IE", "internet-explorer"),
    (r"(?:Data Access Components|MDAC)", "mdac"),
    (r"(?:XML Parser|MSXML)", "msxml"),
    (r"Jet(?: Database Engine)?", "jet"),
    (r"Internet Security and Acceleration Server|ISA Server", "isa-server"),
    (r"BizTalk Server", "biztalk-server"),
    (r"Application Center", "application-center"),
    (r"SharePoint Portal Server", "sharepoint-portal-server"),
    (r"COM Transaction Integrator|COMTI", "com-transaction-integrator"),
    (r"Open Database Connectivity|ODBC", "odbc"),
    (r"LAN Manager", "lan-manager"),
    (r"Windows for Workgroups", "windows-for-workgroups"),
)
# The versions of a product, where years count as such, a bare number is a version N.0.
_VERSION = r"(?:20\d\d|9[5-9]|\d{1,2}\.\d{1,2}[a-z]?|\d(?![\d.]))"
_SERVER = r"(?:Advanced )?Server"
_BOTH = rf"{_SERVER},? (?:and|or|and/or|&) (?:Windows NT )?Workstation|Workstation,? (?:and|or|and/or|&) (?:Windows NT )?{_SERVER}|{_SERVER}/Workstation|Workstation/{_SERVER}"
_EDITION = rf"Terminal Server(?: Edition)?|(?:{_SERVER} )?Enterprise Edition|{_BOTH}|{_SERVER}|Workstation"
_NT = re.compile(
    rf"\b(?:Windows )?NT(?!\s*(?:Backup|FS|LM))(?: (?P<before>{_EDITION}))?(?: (?P<middle>Enterprise Edition|Terminal Server(?: Edition)?))?"
    rf"(?: (?P<version>[345]\.\d+)(?P<more>(?:,? (?:and|or)?,? ?[345]\.\d+)*))?(?: (?P<after>{_EDITION}))?(?=\W|$)",
)
_TERMINAL = re.compile(r"\b(?:Windows )?Terminal Server(?: Edition)?(?: (?P<version>4\.0))?|\bTSE\b")
_WINDOWS = re.compile(
    r"\bWindows (?P<version>2000|XP|95|98|Me|Millennium Edition|3\.1|3\.11|\.NET Server)\b(?: (?:Advanced Server|Datacenter Server|Server|Professional|Second Edition|Home Edition))?"
)
# Each name with the words of which a text must hold one, so that most are never tried.
_OTHERS = tuple(
    (tuple(re.findall(r"[A-Za-z]{2,}", re.sub(r"\(\?[:!]", " ", name))), re.compile(rf"\b(?:{name})(?![\w+])"), base)
    for name, base in NAMES
)
_AFTER_NAME = re.compile(
    rf"(?: for Windows NT| for Windows| Server| \((?:SMS|IIS|MDAC|ISA)\)| Enterprise Edition| Standard Edition| Professional Edition| Learning Edition| \d\d-bit)*,?(?: (?P<version>{_VERSION})(?! ?(?:MB|KB|bit|computers|or more))(?P<more>(?:,? (?:and|or)?,? ?{_VERSION}(?: SP\d\w?)?)*))?(?: Server)?"
)
_NOISE = re.compile(
    r"\bMicrosoft,? (?=[A-Z])|\bV(?:er)?\.? ?(?=\d\.\d)|\((?:R|TM|tm)\)|\b(?:[Vv]ersions?|[Vv]er\.|[Rr]elease) (?=\d)|,(?= (?:[Vv]ersions? )?\d)"
    r"|,(?= (?:Terminal Server|Enterprise) Edition)|,(?= Terminal)|\bU\.? ?S\.?(?: and Canada)? (?=[Ss]ervice [Pp]ack)|\bthe (?=[Ss]ervice [Pp]ack \d)"
)


class Mention(NamedTuple):
    """A product at its place in normal text. `versions` is empty where none is named; `edition` is NT 4.0's."""

    base: str
    versions: tuple[str, ...]
    edition: str
    start: int
    end: int

    def id(self, version: str | None = None) -> str:
        """The product id for one of its versions."""
        return product_id(self.base, version or self.versions[0], self.edition)


class ProductLine(NamedTuple):
    """What an APPLIES TO bullet names: one product, one version; `packs` are service packs named beside it."""

    base: str
    version: str
    edition: str
    packs: tuple[str, ...]

    @property
    def id(self) -> str:
        """The product id of the line."""
        return product_id(self.base, self.version, self.edition)


def product_id(base: str, version: str, edition: str = "") -> str:
    """`windows-nt` with `4.0` and an edition, or a base and its version; a base alone where no version is known."""
    if base == "windows-nt" and version == "4.0" and edition:
        return f"windows-nt-4.0-{edition}"
    return f"{base}-{version}" if version else base


def normal(text: str) -> str:
    """Folded text without the words that do not matter to a product's name."""
    return " ".join(_NOISE.sub("", text).replace(", Server", " Server").split())


@lru_cache(maxsize=8192)  # the same sentences stand in thousands of articles
def mentions(text: str) -> tuple[Mention, ...]:
    """The products named in normal text, in order."""
    found = [*_nt(text), *_windows(text), *_terminal(text), *_others(text)]
    found.sort(key=lambda m: (m.start, -m.end))
    kept: list[Mention] = []
    for m in found:
        if not kept or m.start >= kept[-1].end:
            kept.append(m)
    return tuple(kept)


def _nt(text: str) -> Iterator[Mention]:
    for m in _NT.finditer(text):
        words = " ".join(w for w in (m["before"], m["middle"], m["after"]) if w)
        versions = tuple(_short(v) for v in (m["version"], *re.findall(r"\d\.\d+", m["more"] or ""))) if m["version"] else ()
        if "5.0" in versions:
            yield Mention("windows", ("2000",), "", m.start(), m.end())
        else:
            yield Mention("windows-nt", versions, _edition(words), m.start(), m.end())


def _short(version: str) -> str:
    """3.50 and 4.00 as everybody else writes them."""
    return version[:-1] if re.fullmatch(r"\d\.\d0", version) else version


def _edition(words: str) -> str:
    if "Terminal" in words:
        return "terminal-server"
    if "Enterprise" in words:
        return "enterprise"
    server, workstation = "Server" in words, "Workstation" in words
    return "" if server is workstation else "server" if server else "workstation"


def _terminal(text: str) -> Iterator[Mention]:
    for m in _TERMINAL.finditer(text):
        yield Mention("windows-nt", ("4.0",), "terminal-server", m.start(), m.end())


def _windows(text: str) -> Iterator[Mention]:
    for m in _WINDOWS.finditer(text):
        version = {"Me": "me", "Millennium Edition": "me", "XP": "xp", ".NET Server": "server-2003"}.get(
            m["version"], m["version"]
        )
        yield Mention("windows", (version,), "", m.start(), m.end())


def _others(text: str) -> Iterator[Mention]:
    for words, pattern, base in _OTHERS:
        if not any(word in text for word in words):
            continue
        for m in pattern.finditer(text):
            rest = _AFTER_NAME.match(text, m.end())
            versions: tuple[str, ...] = ()
            if rest and rest["version"]:
                more = re.findall(_VERSION, re.sub(r"SP\d\w?", "", rest["more"] or ""))
                versions = tuple(dict.fromkeys(_dotted(v) for v in (rest["version"], *more)))
            yield Mention(base, versions, "", m.start(), rest.end() if rest else m.end())


def _dotted(version: str) -> str:
    return f"{version}.0" if len(version) == 1 else version


_PACK = re.compile(r"(\d\.\d+[a-z]?|20\d\d|9[5-8])?(?: (?:Server|Professional))? ?(?:SP|Service Pack )(\d[a-z]?)", re.I)
_VERSIONS = re.compile(r"(?<![\w.])(\d{1,2}\.\d{1,2}[a-z]?|20\d\d|9[5-8])(?![\w.])")
_BEFORE = re.compile(r"(?:The |Microsoft |Windows(?= Routing| Terminal))*")


_KIT = re.compile(r"\b(?:Development|Resource) Kit\b|\bDDK\b|\bSDK\b")  # what one writes for a product with is not the product


def product_lines(bullet: str) -> list[ProductLine]:
    """The product lines of one APPLIES TO bullet: one for each version. Empty where the bullet does not begin with a
    product that has an id here."""
    text = normal(re.sub(r"(?<=\w), (?=\d)", " and ", re.sub(r"\bversions? ", "", bullet)))
    found = mentions(text)
    begin = _BEFORE.match(text)
    if not found or found[0].start > (begin.end() if begin else 0) or _KIT.search(text):
        return []
    m, rest = found[0], text
    edition = "terminal-server" if "Terminal Server" in rest else m.edition
    base = "exchange-client" if m.base == "exchange" and "client" in rest.lower() else m.base
    packs: dict[str, list[str]] = {}
    for p in _PACK.finditer(rest):
        packs.setdefault(_dotted(p[1]) if p[1] else (m.versions or ("",))[0], []).append(p[2].lower())
    versions = list(m.versions)
    if base == "exchange-client":
        versions = [v for v in _VERSIONS.findall(rest) if v[0] in "45"]
    elif base != "windows":
        versions += map(_short, _VERSIONS.findall(rest))
    return [ProductLine(base, v, edition, tuple(packs.get(v, ()))) for v in dict.fromkeys(versions or [""])]
