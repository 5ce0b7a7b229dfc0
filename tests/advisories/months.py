"""Monthly documents of Microsoft's, made short; the builds and numbers are of updates that there are."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from auditor.advisories.feeds.update_lines import update_lines
from auditor.model.monthly_release import MonthlyFix, MonthlyFlaw, MonthlyRelease
from auditor.model.update_line import UpdateLine, second_tuesday

SERVER = "Windows Server 2022"


def fix(
    kb: int,
    build: str = "",
    supersedes: int = 0,
    subtype: str = "Security Update",
    flaws: int = 30,
    first: int = 0,
    of: str = "1",
) -> MonthlyFix:
    """An update that mends some flaws, numbered from `first`; two updates with the same numbers mend the same flaws."""
    cves = tuple(f"CVE-2024-{first + n:04}" for n in range(flaws))
    return MonthlyFix(kb, (of,), build, (supersedes,) if supersedes else (), subtype, cves)


def month(
    when: str,
    *fixes: MonthlyFix,
    name: str = SERVER,
    revised: date | None = None,
    more: dict[str, tuple[str, ...]] | None = None,
) -> MonthlyRelease:
    """A month as `2024-03`."""
    first = date.fromisoformat(f"{when}-01")
    cves = {c for f in fixes for c in f.cves}
    return MonthlyRelease(
        document=f"{first:%Y-%b}",
        month=first,
        released=second_tuesday(first),
        revised=revised or second_tuesday(first),
        products={"1": (name,), **(more or {})},
        fixes=fixes,
        flaws={c: MonthlyFlaw("important", c.endswith("7")) for c in cves},
    )


def line(releases: Iterable[MonthlyRelease], product: str = "windows-server-2022") -> UpdateLine:
    """The line of one product; the numbers of all updates are known."""
    given = list(releases)
    found = next(x for x in update_lines(given) if x.product == product)
    return UpdateLine(
        **{name: getattr(found, name) for name in found.__struct_fields__ if name != "known"},
        known=frozenset(f.kb for r in given for f in r.fixes).difference(found.unplaced),
    )
