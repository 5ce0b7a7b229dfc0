"""How far a Windows host's updates have come: step by step, each step with what it rests on.

1. The UBR is a fact of what runs: an update whose UBR it reaches is in force, one whose UBR is higher is not. (Before Windows 10 a UBR is written by
   some updates and not by others: it can contradict, and never decides.)
2. A UBR that a hotpatch brings stands for that of the cumulative update of its month, which is higher.
3. A listed update is there, and everything before it on its line. It is in force where no UBR says otherwise and no restart is waited for.
4. What is newer than the newest listed cumulative update is missing, where the line's order is known without a gap and the data know every listed
   update of a higher number: an update that nobody knows may hold all of it.
5. Whatever is left is not known. UpdateEvidence that contradicts itself is not known either, unless a restart explains it: then it is pending.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import Literal, NamedTuple

from auditor.model.facts import Reboot
from auditor.model.update_line import SERVER_SERIES, UpdateLine
from auditor.versions.windows_products import PRODUCTS

State = Literal["fixed", "pending", "unknown", "missing"]
_WINDOWS_10 = 10240  # its first build line; from then on one UBR tells of everything
_SHARED_LINES = (26100, 26200)
_HIGHEST = 99_999  # UBR; the highest that there has been are some 33,000
_BUILDS = {p.id: p.builds for p in PRODUCTS}


class UpdateEvidence(NamedTuple):
    """What a host tells of its updates. `ubr` is None where it is not known; `listed`: the numbers of the updates that it lists, None where the list is
    not known; `hotpatch`: does it take updates without restarts, None where that is not known; `build_line`: the build without its UBR."""

    ubr: int | None
    listed: AbstractSet[int] | None
    reboot: Reboot | None
    hotpatch: bool | None = False
    build_line: int | None = None


class Standing(NamedTuple):
    """By their places in the line's order, updates before `reached` are in force, those before `waiting` wait for a restart, those before `open` and from
    `lost` on are not known, and the others are missing. `contradiction`, `doubt`: why what is not known is not; `newest`: the newest update that is
    listed; `hotpatched`: by which hotpatch's UBR the place was told."""

    reached: int
    waiting: int
    open: int
    lost: int
    newest: int = 0
    contradiction: str = ""
    doubt: str = ""
    hotpatched: int = 0

    def of(self, level: int) -> State:
        """The state of the update at a place in the order."""
        if level < self.reached:
            return "fixed"
        if level < self.waiting:
            return "pending"
        return "unknown" if level < self.open or level >= self.lost else "missing"


def standing(line: UpdateLine, evidence: UpdateEvidence) -> Standing:
    """Where a host stands on its line. A build that is not of the product, or that no Windows has had, says nothing of it."""
    end, product = len(line.updates), line.product.partition(" ")[0]
    if evidence.build_line is not None and evidence.build_line not in _BUILDS.get(product, (evidence.build_line,)):
        return Standing(0, 0, end, end, contradiction=f"build line {evidence.build_line} is not one of {product}")
    if evidence.ubr is not None and evidence.ubr > _HIGHEST:
        return Standing(0, 0, end, end, contradiction=f"UBR {evidence.ubr} is higher than any Windows has had")
    return _by_ubr(line, evidence) if line.line >= _WINDOWS_10 and evidence.ubr is not None else _by_list(line, evidence)


def _by_ubr(line: UpdateLine, e: UpdateEvidence) -> Standing:
    """UBR first; the list lifts what the UBR leaves open, and contradicts."""
    ubr, end = e.ubr or 0, len(line.updates)
    if line.line in _SHARED_LINES and "server" not in line.product and ubr >= SERVER_SERIES:
        why = f"UBR {ubr} is of the series of Windows Server on build line {line.line}, not of this product"
        return Standing(0, 0, end, end, contradiction=why)
    reached = _reached(line, ubr)
    hotpatched = 0
    for h in line.hotpatches:
        if h.revision == ubr and h.level >= reached:
            reached, hotpatched = h.level + 1, h.kb
    higher = next((n for n in range(reached, end) if (line.updates[n].revision or 0) > ubr), end)
    listed = _listed(line, e.listed)
    if listed.held > higher:
        return _contradicted(reached, listed, ubr, e, listed.held, end)
    open_, doubt = higher, ""
    if reached < higher:  # updates whose UBR nobody knows
        reached = max(reached, listed.held)
        lost, doubt = _ordered_until(line, e, listed)
        if not doubt and line.updates[listed.held - 1].revision != ubr:
            lost, doubt = 0, f"UBR {ubr} is that of no update that is listed and known, and the UBRs of some are not known"
        open_ = higher if doubt and lost < higher else reached
    if line.hotpatches and not hotpatched and e.hotpatch is not False and higher == reached < end and not _is_one(line, ubr):
        open_ = reached + 1
        doubt = (
            f"this host takes hotpatches, and UBR {ubr} may be that of one which the data do not know"
            if e.hotpatch
            else f"UBR {ubr} may be a hotpatch's, and whether this host takes hotpatches is not known"
        )
    return Standing(reached, reached, max(open_, reached), end, listed.newest, doubt=doubt, hotpatched=hotpatched)


def _by_list(line: UpdateLine, e: UpdateEvidence) -> Standing:
    """The list of updates alone, with the UBR of an older Windows beside it."""
    end = len(line.updates)
    listed = _listed(line, e.listed)
    if not listed.newest:
        why = "the list of updates is not known" if e.listed is None else _NONE_LISTED
        return Standing(0, 0, end, end, doubt=f"the UBR is not known, and {why}" if line.line >= _WINDOWS_10 else why)
    lost, doubt = _ordered_until(line, e, listed)
    held = listed.held
    last = line.updates[held - 1] if held else None
    if e.ubr is not None and last and last.revision is not None:
        if last.revision > e.ubr:
            return _contradicted(_reached(line, e.ubr), listed, e.ubr, e, held, lost)._replace(doubt=doubt)  # what both tell of
        if (by_ubr := _reached(line, e.ubr)) > held:
            why = f"UBR {e.ubr} is that of a newer update than any that is listed, and before Windows 10 it does not decide"
            return Standing(held, held, by_ubr, max(lost, by_ubr), listed.newest, doubt=why)
    elif e.reboot is not None and e.reboot.required:
        earlier = 1 + max((n for n in listed.places if n < held - 1), default=-1)
        why = f"KB{listed.newest} is listed, the host asks for a restart, and no UBR tells whether it is in force"
        return Standing(earlier, held, held, lost, listed.newest, contradiction=why, doubt=doubt)
    return Standing(held, held, held, lost, listed.newest, doubt=doubt)


_NONE_LISTED = "no cumulative update of this Windows is listed, and absence from the list proves little"


def _contradicted(reached: int, listed: _Listed, ubr: int, e: UpdateEvidence, held: int, lost: int) -> Standing:
    """A listed update brings a higher UBR than there is: a restart explains it, or nothing does."""
    asked = e.reboot is not None and e.reboot.required is True
    told = f"KB{listed.newest} is listed, and the UBR is {ubr}, lower than it brings"
    why = f"{told}: the restart that the host asks for puts it in force" if asked else f"{told}, with no restart asked for"
    return Standing(reached, held if asked else reached, held, max(lost, held), listed.newest, contradiction=why)


def _reached(line: UpdateLine, ubr: int) -> int:
    own = (n for n, u in enumerate(line.updates) if u.revision is not None and u.revision <= ubr)
    others = (o.level for o in line.others if o.revision is not None and o.revision <= ubr)
    return 1 + max((*own, *others), default=-1)


def _is_one(line: UpdateLine, ubr: int) -> bool:
    return any(u.revision == ubr for u in line.updates) or any(u.revision == ubr for u in line.others)


class _Listed(NamedTuple):
    """`held`: how many updates of the line the listed ones are sure to hold; `newest`: the number of the newest, 0 for none; `places`: of all that
    are listed; `unsure`: a listed one whose place is not sure."""

    held: int
    newest: int
    places: tuple[int, ...]
    unsure: int


def _listed(line: UpdateLine, listed: AbstractSet[int] | None) -> _Listed:
    """Cumulative updates, and what stands for them."""
    found = [(n, u.kb, u.placed, u.holds) for n, u in enumerate(line.updates) if u.kb in (listed or ())]
    found += [(h.level, h.kb, True, h.level) for h in (*line.hotpatches, *line.others) if h.kb in (listed or ())]
    if not found:
        return _Listed(0, 0, (), 0)
    held, newest = max((n + 1 if placed else holds, kb) for n, kb, placed, holds in found)
    unsure = next((kb for n, kb, placed, _ in found if not placed and (n >= held or kb > newest)), 0)
    return _Listed(held, newest, tuple(sorted(n for n, _, _, _ in found)), unsure)


def _ordered_until(line: UpdateLine, e: UpdateEvidence, listed: _Listed) -> tuple[int, str]:
    """From which place on an update that is not listed cannot be called missing, and why."""
    end = len(line.updates)
    if e.listed is None:
        return 0, "the list of updates is not known"
    if not listed.newest:
        return 0, _NONE_LISTED
    if listed.unsure:
        return listed.held, f"KB{listed.unsure} is listed, and the documents do not tell where it stands among the others"
    strange = sorted(kb for kb in e.listed if kb > listed.newest and kb not in line.known)
    if strange:
        shown = ", ".join(f"KB{kb}" for kb in strange[:3]) + (f" and {len(strange) - 3} more" if len(strange) > 3 else "")
        are = "is" if len(strange) == 1 else "are"
        return listed.held, f"{shown} {are} listed, which no monthly document names: it may be a newer cumulative update"
    since = line.updates[listed.held - 1].month if listed.held else line.updates[0].month
    for gap in line.gaps:
        if gap >= since:
            lost = next((n for n in range(listed.held, end) if line.updates[n].month > gap), end)
            if lost < end:
                return lost, f"the document of {gap:%Y-%m} is missing, and nothing is ordered across it"
    return end, ""
