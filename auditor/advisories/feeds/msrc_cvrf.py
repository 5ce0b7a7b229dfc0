"""Microsoft's monthly security documents (CVRF 1.1, by ICASI; the MSRC's security update guide has one for each month since 2016-04).

They have millions of elements and are read as a stream: an element that nothing is asked of costs a look at its name. An entity or a document type
is refused before anything is parsed.
"""

from __future__ import annotations

import re
from collections import defaultdict
from datetime import date
from typing import NamedTuple
from xml.parsers import expat

from auditor.advisories.feeds import fields
from auditor.model.finding import SEVERITIES, Severity
from auditor.model.monthly_release import MonthlyFix, MonthlyFlaw, MonthlyRelease

FIRST_ELEMENT = re.compile(rb"<(?:\w+:)?cvrfdoc[\s>]")
_MONTHS = {m: n for n, m in enumerate(["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"], 1)}
_MONTH = re.compile(r"(20\d\d)-([a-z]{3})", re.I)  # "2022-Mar", "2018-FEB", "2017-May-B"
_KB = re.compile(r"(?:KB)?\s?(\d{7})", re.I)
# Since 2016 every number has seven digits: a shorter one is a bulletin's year or was cut off.
_NUMBER = re.compile(r"(?<![\d-])\d{7}(?!\d)")
EDGE = "Microsoft Edge (Chromium-based)"
_EDGE_BUILD = re.compile(r"\d{2,3}\.0\.\d{1,5}\.\d{1,4}")
_EXPLOITED = re.compile(r"\bExploited:\s*Yes\b", re.I)
_CVE = re.compile(r"CVE-\d{4}-\d{4,7}|ADV\d{6}", re.I)
_SEVERITIES: dict[str, Severity] = {"critical": "critical", "important": "important", "moderate": "moderate", "low": "low"}
_LONGEST = 4_000  # characters of one text that are looked at; what is longer is prose
_MOST_FIXES = 200_000  # of one document, with their CVEs; the largest month has some 3,000
# Of which elements the text is wanted, inside of which.
_OF_DOCUMENT = frozenset(["ID", "InitialReleaseDate", "CurrentReleaseDate", "FullProductName"])
_OF_FLAW = frozenset(["CVE"])
_OF_FIX = frozenset(["Description", "Supercedence", "SubType", "FixedBuild", "ProductID"])
_OF_THREAT = frozenset(["Description"])
_NOTHING = frozenset[str]()


def read(content: bytes) -> MonthlyRelease:
    """The month of a document. ValueError where it is no whole document of a month."""
    if b"<!DOCTYPE" in content or b"<!ENTITY" in content:
        raise ValueError("declares a document type or entities, which no CVRF document needs")
    reader = _Reader()
    try:
        reader.parser.Parse(content, True)
    except (expat.ExpatError, LookupError) as e:  # a LookupError: an encoding that there is not
        raise ValueError(f"is no whole XML: {e}") from None
    finally:
        reader.let_go()
    return reader.release()


class _LocalNames(dict[str, str]):
    """An element's name without its namespace, each worked out once."""

    def __missing__(self, name: str) -> str:
        self[name] = local = name.rpartition(" ")[2]
        return local


class _Key(NamedTuple):
    """What is one update in a document, however many flaws it stands at."""

    kb: int
    products: tuple[str, ...]
    build: str
    supersedes: str
    subtype: str


class _Reader:
    """What was read so far. `_wanted` are the elements whose text is collected where the parser stands."""

    def __init__(self) -> None:
        self.parser = expat.ParserCreate(namespace_separator=" ")
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self._local = _LocalNames()
        self._wanted = _OF_DOCUMENT
        self._text: list[str] | None = None
        self._product = self._threat = ""
        self._texts: dict[str, str] = {}
        self._products: list[str] = []
        self._document: dict[str, str] = {}
        self._names: defaultdict[str, dict[str, None]] = defaultdict(dict)
        self._fixes: defaultdict[_Key, dict[str, None]] = defaultdict(dict)
        self._of_flaw: list[_Key] = []
        self._severities: set[Severity] = set()
        self._exploited = False
        self._flaws: dict[str, MonthlyFlaw] = {}
        self._count = self._unread = 0

    def let_go(self) -> None:
        """Part from the parser, which holds this: a circle would stay in memory until somebody looks for such."""
        parser = self.parser
        parser.StartElementHandler = parser.EndElementHandler = parser.CharacterDataHandler = None

    def _start(self, name: str, given: dict[str, str]) -> None:
        local = self._local[name]
        if local in self._wanted:
            text: list[str] = []
            self._text = text
            self.parser.CharacterDataHandler = text.append
            if local == "FullProductName":
                self._product = given.get("ProductID", "")
        elif local == "Vulnerability":
            self._wanted, self._texts = _OF_FLAW, {}
            self._of_flaw, self._severities, self._exploited = [], set(), False
        elif local == "Remediation":
            self._products = []
            self._wanted = _OF_FIX if given.get("Type") == "Vendor Fix" else _NOTHING
            self._texts = {k: v for k, v in self._texts.items() if k == "CVE"}
        elif local == "Threat":
            self._threat = given.get("Type", "")
            self._wanted = _OF_THREAT if self._threat in ("Severity", "Exploit Status") else _NOTHING

    def _end(self, name: str) -> None:
        local = self._local[name]
        if self._text is not None and local in self._wanted:
            self._take(local, "".join(self._text)[:_LONGEST].strip())
            self.parser.CharacterDataHandler = self._text = None
        elif local == "Remediation":
            if self._wanted is _OF_FIX:
                self._fix()
            self._wanted = _OF_FLAW
        elif local == "Threat":
            self._wanted = _OF_FLAW
        elif local == "Vulnerability":
            self._flaw()
            self._wanted = _OF_DOCUMENT

    def _take(self, local: str, text: str) -> None:
        if self._wanted is _OF_DOCUMENT:
            if local == "FullProductName":
                self._names[self._product][" ".join(text.split())] = None
            else:
                self._document.setdefault(local, text)
        elif self._wanted is _OF_THREAT:
            if self._threat == "Severity" and text.lower() in _SEVERITIES:
                self._severities.add(_SEVERITIES[text.lower()])
            elif self._threat == "Exploit Status":
                self._exploited |= bool(_EXPLOITED.search(text))
        elif local == "ProductID":
            self._products.append(text)
        else:
            self._texts[local] = text

    def _fix(self) -> None:
        number = _KB.fullmatch(self._texts.get("Description", ""))
        if number is None and not self._of_edge():
            self._unread += 1
            return
        self._count += 1
        if self._count > _MOST_FIXES:
            raise ValueError(f"has more than {_MOST_FIXES:,} fixes, which no month has")
        build, superseded, subtype = (self._texts.get(name, "") for name in ("FixedBuild", "Supercedence", "SubType"))
        self._of_flaw.append(
            _Key(int(number[1]) if number else 0, tuple(dict.fromkeys(self._products)), build, superseded, subtype)
        )

    def _of_edge(self) -> bool:
        """Edge's updates have no number; its builds tell all."""
        return bool(_EDGE_BUILD.fullmatch(self._texts.get("FixedBuild", ""))) and any(
            name == EDGE for product in self._products for name in self._names.get(product, ())
        )

    def _flaw(self) -> None:
        cve = self._texts.get("CVE", "").upper()
        if not _CVE.fullmatch(cve):
            return
        for key in self._of_flaw:
            self._fixes[key][cve] = None
        worst: Severity = min(self._severities, key=SEVERITIES.index, default="unrated")
        known = self._flaws.get(cve)
        if known:
            worst = min(worst, known.severity, key=SEVERITIES.index)
        self._flaws[cve] = MonthlyFlaw(worst, self._exploited or bool(known and known.exploited))

    def release(self) -> MonthlyRelease:
        """The whole; ValueError where the document does not tell its month."""
        released, revised = (fields.day(self._document.get(n, "")) for n in ("InitialReleaseDate", "CurrentReleaseDate"))
        month = _month(self._document.get("ID", ""), released)
        fixes = (
            MonthlyFix(key.kb, key.products, key.build, _superseded(key), key.subtype, tuple(cves))
            for key, cves in self._fixes.items()
        )
        names = {product: tuple(found) for product, found in self._names.items()}
        return MonthlyRelease(
            document=self._document.get("ID", "")[:40],
            month=month,
            released=released,
            revised=revised,
            products=names,
            fixes=tuple(fixes),
            flaws=self._flaws,
            unread=self._unread,
        )


def _superseded(key: _Key) -> tuple[int, ...]:
    """The updates that it takes the place of: numbers, and never itself ("None", "<br>", "MS16-110, 3187754")."""
    return tuple(dict.fromkeys(int(n) for n in _NUMBER.findall(key.supersedes) if int(n) != key.kb))


def _month(ident: str, released: date | None) -> date:
    """The first day of the month; an update out of band ("Oct-OOB") belongs to the month in which its document came."""
    m = _MONTH.match(ident)
    if m and m[2].lower() in _MONTHS:
        return date(int(m[1]), _MONTHS[m[2].lower()], 1)
    if released is None:
        raise ValueError(f"is of no month: its id is {ident[:40]!r}, and no day of release stands in it")
    return released.replace(day=1)
