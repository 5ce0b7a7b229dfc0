"""What is to be said of waivers: which are over, will soon be, or match nothing. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date, timedelta
from fnmatch import fnmatchcase

from auditor.evaluate import matches
from auditor.model.finding import Waiver
from auditor.model.target import Target

SOON = timedelta(days=14)


def state(w: Waiver, today: date) -> str:
    """In force or not, in words."""
    if w.expires is None:
        return "permanent"
    if w.expires < today:
        return f"over since {w.expires}"
    return f"until {w.expires}" + (f", in {(w.expires - today).days} days" if w.expires <= today + SOON else "")


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
