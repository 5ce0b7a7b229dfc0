"""Debian's lists of advisories: DSA/list and DLA/list of the security tracker (its doc/security-team, "The DSA list").

    [30 May 2022] DSA-5153-1 trafficserver - security update
            {CVE-2021-37147 CVE-2021-37148}
            [buster] - trafficserver 8.0.2+ds-1+deb10u6

A line of a release names a source and the version that is fixed; `<not-affected>`, `<unfixed>` and `<end-of-life>` name no
version, so there is nothing to install.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date

from auditor.advisories.feeds import fields, release_names
from auditor.model.advisory import Advisory, FixedPackage

_HEAD = re.compile(r"\[(\d{1,2}) (\w{3}) (\d{4})\] (D[SL]A-\d+(?:-\d+)?) (.*)")
_FIXED = re.compile(r"\s+\[([\w-]+)\]\s+-\s+(\S+)\s+([^<\s]\S*)(?:\s.*)?")
_OF_A_RELEASE = re.compile(r"\s+\[[\w-]+\]\s+-\s+\S+\s+(?:<[\w-]+>|[^<\s]\S*)(?:\s.*)?")
_ENDS = re.compile(r"\] D[SL]A-\d+(?:-\d+)? ")  # of another form, and an advisory all the same (the list's oldest)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
FIRST_LINE = re.compile(rb"\s*\[\d{1,2} \w{3} \d{4}\] D[SL]A-")


def read(content: bytes) -> Iterator[Advisory]:
    """Every advisory of a list, in its order. ValueError at the end where lines are of no form that there is: what they fix is lost."""
    head: re.Match[str] | None = None
    body: list[str] = []
    odd: list[str] = []
    for line in content.decode("utf-8", "replace").splitlines():
        if line[:1].isspace() or not line:
            body.append(line)
            if line.lstrip().startswith("[") and not _OF_A_RELEASE.fullmatch(line):
                odd.append(line)
            continue
        if head:
            yield _advisory(head, body)
        head, body = _HEAD.fullmatch(line.rstrip()), []
        if head is None and not _ENDS.search(line):
            odd.append(line)
    if head:
        yield _advisory(head, body)
    if odd:
        raise ValueError(f"{len(odd)} of its lines cannot be read, the first: {fields.title(odd[0])!r}")


def _advisory(head: re.Match[str], body: list[str]) -> Advisory:
    day, month, year, ident, title = head.groups()
    cves = fields.cves(line for line in body if line.lstrip().startswith("{"))
    fixes = []
    for line in body:
        found = _FIXED.fullmatch(line)
        if found and (release := release_names.of_debian(found[1])):
            fixes.append(FixedPackage(release, found[2], found[3]))
    when = _day(year, month, day)
    # A later number mends what an update broke; without a flaw of its own it is no security update.
    return Advisory(
        id=ident,
        kind="bugfix" if "regression" in title and not cves else "security",
        published=when,
        modified=when,
        title=fields.title(title),
        cves=cves,
        references=(f"https://security-tracker.debian.org/tracker/{ident}",),
        fixes=tuple(dict.fromkeys(fixes)),
    )


def _day(year: str, month: str, day: str) -> date | None:
    try:
        return date(int(year), _MONTHS.index(month) + 1, int(day))
    except ValueError:
        return None
