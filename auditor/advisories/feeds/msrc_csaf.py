"""Microsoft's CSAF 2.0 documents, one for each CVE, as parts of their months: the same facts as the monthly documents have, but no supersedence.

A remediation's details are `BUILD:SUBTYPE:ADDRESS`, and the number of the update stands in the address of its article. Products are version ranges below
a product's name.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

import msgspec
from msgspec import Struct

from auditor.advisories.feeds import fields
from auditor.advisories.feeds.severity import severity
from auditor.model.monthly_release import MonthlyFix, MonthlyFlaw, MonthlyRelease

PUBLISHER = b'"https://msrc.microsoft.com"'  # document.publisher.namespace
_ARTICLE = re.compile(r"https://support\.microsoft\.com/(?:[\w-]{2,8}/)?(?:help|kb)/(\d{7})(?!\d)", re.I)
_EXPLOITED = re.compile(r"\bExploited:\s*Yes\b", re.I)
_MOST_DEEP, _MOST_FIXES = 20, 20_000


class _Product(Struct):
    product_id: str = ""


class _Branch(Struct):
    category: str = ""
    name: str = ""
    product: _Product | None = None
    branches: list[_Branch] = []


class _Tree(Struct):
    branches: list[_Branch] = []


class _Remediation(Struct):
    category: str = ""
    details: str = ""
    product_ids: list[str] = []
    url: str = ""


class _Threat(Struct):
    category: str = ""
    details: str = ""


class _Vulnerability(Struct):
    cve: str = ""
    remediations: list[_Remediation] = []
    threats: list[_Threat] = []


class _Tracking(Struct):
    id: str
    initial_release_date: str
    current_release_date: str = ""


class _Severity(Struct):
    text: str = ""


class _Head(Struct):
    category: str
    tracking: _Tracking
    aggregate_severity: _Severity | None = None


class _Document(Struct):
    document: _Head
    product_tree: _Tree = msgspec.field(default_factory=_Tree)
    vulnerabilities: list[_Vulnerability] = []


_decode = msgspec.json.Decoder(_Document).decode


def read(content: bytes) -> MonthlyRelease:
    """A document as a part of its month. OtherDocument where it is a VEX document, whose products are Linux packages; ValueError where it is none."""
    try:
        d = _decode(content.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
        raise ValueError(f"is no CSAF document of Microsoft's that can be read: {str(e)[:200]}") from None
    if d.document.category != "csaf_security_advisory":
        raise fields.OtherDocument(
            "VEX documents of Microsoft's, about Linux packages", "is a VEX document, about Linux packages"
        )
    released = fields.day(d.document.tracking.initial_release_date)
    if released is None:
        raise ValueError("tells no day on which it came")
    names = dict(_names(d.product_tree.branches, "", 0))
    worst = severity(d.document.aggregate_severity.text if d.document.aggregate_severity else "")
    fixes: defaultdict[tuple[int, tuple[str, ...], str, str], dict[str, None]] = defaultdict(dict)
    flaws: dict[str, MonthlyFlaw] = {}
    unread = 0
    for v in d.vulnerabilities:
        exploited = any(t.category == "exploit_status" and _EXPLOITED.search(t.details[:2000]) for t in v.threats)
        flaws[v.cve] = MonthlyFlaw(worst, exploited)
        for r in v.remediations:
            found = _ARTICLE.search(r.url[:300]) if r.category == "vendor_fix" else None
            if found is None:
                unread += r.category == "vendor_fix"
                continue
            build, _, rest = r.details[:300].partition(":")
            fixes[int(found[1]), tuple(dict.fromkeys(r.product_ids)), build, rest.partition(":")[0]][v.cve] = None
            if len(fixes) > _MOST_FIXES:
                raise ValueError(f"has more than {_MOST_FIXES:,} fixes, which no CVE has")
    return MonthlyRelease(
        document=d.document.tracking.id[:40],
        month=released.replace(day=1),
        released=released,
        revised=fields.day(d.document.tracking.current_release_date) or released,
        products={ident: (name,) for ident, name in names.items()},
        fixes=tuple(
            MonthlyFix(kb, products, build, (), subtype, tuple(cves)) for (kb, products, build, subtype), cves in fixes.items()
        ),
        flaws=flaws,
        unread=unread,
    )


def _names(branches: list[_Branch], above: str, depth: int) -> Iterator[tuple[str, str]]:
    """Each product id with the product's name that it stands below."""
    if depth > _MOST_DEEP:
        raise ValueError("is nested too deeply to be read")
    for branch in branches:
        name = branch.name if branch.category == "product_name" else above
        if branch.product and branch.product.product_id:
            yield branch.product.product_id, name
        yield from _names(branch.branches, name, depth + 1)
