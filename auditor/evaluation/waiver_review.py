"""Which waivers are over, end soon, or match nothing. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date, timedelta
from fnmatch import fnmatchcase

from auditor.evaluation.evaluate import matches
from auditor.model.finding import Waiver
from auditor.model.run import TargetResult
from auditor.model.target import Target

SOON = timedelta(days=14)
_OPEN = ("noncompliant", "pending", "unknown")


def state(w: Waiver, today: date) -> str:
    """In force or not, in words."""
    if w.expires is None:
        return "permanent"
    if w.expires < today:
        return f"over since {w.expires}"
    return f"until {w.expires}" + (f", in {(w.expires - today).days} days" if w.expires <= today + SOON else "")


def lapsed(waivers: Sequence[Waiver], results: Sequence[TargetResult], today: date) -> list[str]:
    """A line for each pinned waiver that held until something else was found; it does not take effect again by itself."""
    found = []
    for w in waivers:
        if w.observed is None or (w.expires and w.expires < today):
            continue
        hosts = [
            r.target.name
            for r in results
            if matches(w.targets, r.target.name, (*r.target.groups, "all"))
            and any(
                f.waiver is None
                and f.verdict in _OPEN
                and f.observed != w.observed
                and any(fnmatchcase(f.rule, p) for p in w.rules)
                for f in r.findings
            )
        ]
        if hosts:
            more = f" and {len(hosts) - 5} more" if len(hosts) > 5 else ""
            found.append(
                f"waiver of {w.owner} for {', '.join(w.rules)} is pinned to what was found then, and holds no more on"
                f" {', '.join(hosts[:5])}{more}: look at it again, and renew it or let it go"
            )
    return found


def remarks(waivers: Sequence[Waiver], rules: Collection[str], targets: Sequence[Target], today: date) -> list[str]:
    """A line for each waiver that somebody should look at. `targets`: of the inventory; with none, none is missed."""
    found = []
    for w in waivers:
        name = f"waiver of {w.owner} for {', '.join(w.rules)} on {', '.join(w.targets)}"
        if w.expires and w.expires < today:
            found.append(f"{name} is over since {w.expires}: renew it, or let it go")
        elif w.expires and w.expires <= today + SOON:
            found.append(f"{name} ends on {w.expires}")
        if not any(fnmatchcase(r, p) for p in w.rules for r in rules):
            found.append(f"{name} matches no rule that is loaded")
        elif targets and not any(matches(w.targets, t.name, t.groups) for t in targets):
            found.append(f"{name} matches no host of the inventory")
    return found
