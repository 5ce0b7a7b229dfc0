"""How far a host's updates have come, step by step, and what each kind of evidence can tell."""

from __future__ import annotations

import random
import tarfile
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from auditor.advisories.feeds.msrc_cvrf import read
from auditor.advisories.feeds.update_lines import update_lines
from auditor.advisories.feeds.windows_updates import merged, of_windows
from auditor.checks.windows_standing import UpdateEvidence, standing
from auditor.checks.windows_update import state
from auditor.model.facts import Reboot
from auditor.model.monthly_release import MonthlyRelease
from auditor.model.update_line import UpdateLine
from tests.advisories.feeds.test_msrc_cvrf import SAMPLES
from tests.advisories.months import fix, line, month

YES, NO = Reboot(True), Reboot(False)
MONTHS = [
    month("2024-02", fix(9034770, "10.0.20348.2322", first=100)),
    month(
        "2024-03",
        fix(9035857, "10.0.20348.2340", 9034770, first=200),
        fix(9035959, "10.0.20348.2333", 0, "AzureHotpatch", 20, 200),
    ),
    month("2024-04", fix(9036909, "10.0.20348.2402", 9035857, first=300)),
]
SERVER = line(MONTHS)
_WORST = ("missing", "unknown", "pending", "fixed")


def verdicts(of: UpdateLine, evidence: UpdateEvidence) -> dict[str, str]:
    at = standing(of, evidence)
    return {m.ident: min((state(f, of, at, evidence) for f in m.fixes), key=_WORST.index) for m in of.months}


def short(of: UpdateLine, evidence: UpdateEvidence) -> str:
    """The months' states in their order: Fixed, Pending, Unknown, Missing."""
    return "".join(v[0].upper() for v in verdicts(of, evidence).values())


def told(ubr: int | None, *listed: int, reboot: Reboot | None = NO, hotpatch: bool | None = False) -> UpdateEvidence:
    return UpdateEvidence(ubr, None if listed == (0,) else frozenset(listed), reboot, hotpatch)


@pytest.mark.parametrize(
    ("evidence", "expected"),
    [
        # The UBR decides, whatever is listed or not.
        (told(2402, 9036909), "FFF"),
        (told(2402), "FFF"),
        (told(2402, 0), "FFF"),
        (told(2450, 9036909), "FFF"),  # a preview
        (told(2340, 9035857), "FFM"),
        (told(2339, 9034770), "FMM"),
        (told(2000), "MMM"),
        # A listed update that brings a higher UBR: a restart explains it, or nothing does.
        (told(2340, 9036909, reboot=YES), "FFP"),
        (told(2340, 9036909, reboot=NO), "FFU"),
        (told(2340, 9036909, reboot=None), "FFU"),
        (told(2322, 9036909, reboot=YES), "FPP"),
        # A hotpatch's UBR is lower than its month's.
        (told(2333, 9035959, hotpatch=True), "FFM"),
        (told(2333, hotpatch=None), "FFM"),
        (told(2335, hotpatch=True), "FUM"),  # one that nobody knows
        (told(2335, hotpatch=None), "FUM"),
        (told(2335, hotpatch=False), "FMM"),
        # Without a UBR the list tells, as far as every newer number is known.
        (told(None, 9036909), "FFF"),
        (told(None, 9035857), "FFM"),
        (told(None, 9035959), "FFM"),
        (told(None, 9035857, 9999999), "FFU"),
        (told(None, 9035857, 1000001), "FFM"),
        (told(None, 9999999), "UUU"),
        (told(None), "UUU"),
        (told(None, 0), "UUU"),
        (told(None, 9035857, reboot=YES), "PPM"),  # nothing tells what is in force
        (told(None, 9034770, 9035857, reboot=YES), "FPM"),
        (told(None, 9035857, reboot=None), "FFM"),  # the rule about restarts is unknown then
    ],
)
def test_the_ladder(evidence: UpdateEvidence, expected: str) -> None:
    assert short(SERVER, evidence) == expected


ROLLUP_MONTHS = [
    month(
        when,
        fix(kb, f"6.3.9600.{build}", before, "Monthly Rollup", 20, first),
        fix(only, "", 0, "Security Only", 20, first),
        name="Windows Server 2012 R2",
    )
    for when, kb, build, before, only, first in (
        ("2024-02", 9034819, 21813, 0, 9034900, 100),
        ("2024-03", 9035885, 21871, 9034819, 9035899, 200),
        ("2024-04", 9036960, 21924, 9035885, 9036999, 300),
    )
]
ROLLUPS = line(ROLLUP_MONTHS, "windows-server-2012-r2")


@pytest.mark.parametrize(
    ("evidence", "expected"),
    [
        (told(21924, 9036960), "FFF"),
        (told(21924, 9035885), "FFU"),  # a UBR of these systems does not decide
        (told(21924), "UUU"),
        (told(21813, 9036960, reboot=YES), "FPP"),
        (told(21813, 9036960, reboot=NO), "FUU"),
        (told(None, 9035885), "FFM"),
        (told(None, 9034819, 9035899), "FFM"),  # the rollup of one month, and the security-only update of the next
        (told(None, 9034819, 9036999), "FMF"),
        (told(None, 9036999), "UUF"),
    ],
)
def test_before_windows_10(evidence: UpdateEvidence, expected: str) -> None:
    assert short(ROLLUPS, evidence) == expected


def test_nothing_is_ordered_across_a_gap_by_the_list() -> None:
    """No release information tells what came for this system in March."""
    gapped = line([m for m in ROLLUP_MONTHS if m.month.month != 3], "windows-server-2012-r2")
    assert short(gapped, told(None, 9034819)) == "FU"
    assert "2024-03 is missing" in standing(gapped, told(None, 9034819)).doubt
    server = line([MONTHS[0], MONTHS[2]])
    assert short(server, told(2322, 9034770)) == "FM"  # a UBR needs no order


def test_windows_11_has_no_build_of_the_server_s_series() -> None:
    eleven = line(
        [month("2026-03", fix(5079473, "10.0.26100.8037"), name="Windows 11 Version 24H2 for x64-based Systems")],
        "windows-11-24h2",
    )
    assert short(eleven, told(8037)) == "F"
    assert short(eleven, told(32522)) == "U"
    assert "Windows Server" in standing(eleven, told(32522)).contradiction


def _better(before: str, after: str) -> bool:
    """Is it better to be told `after`? Unknown is no better than missing."""
    return {"fixed": 2, "pending": 1}.get(after, 0) > {"fixed": 2, "pending": 1}.get(before, 0)


@given(
    st.sampled_from([SERVER, ROLLUPS]),
    st.sampled_from([2000, 2322, 2333, 2335, 2340, 2402, 2500, 21813, 21850, 21924]),
    st.sampled_from([YES, NO, None]),
    st.sampled_from([True, False, None]),
    st.data(),
)
def test_forgetting_a_fact_makes_nothing_better(
    of: UpdateLine, ubr: int, reboot: Reboot | None, hotpatch: bool | None, data: st.DataObject
) -> None:
    """Of a host whose UBR and list agree. (Evidence that contradicts itself is unknown, and half of it may not be.)"""
    reached = [u.kb for u in of.updates if (u.revision or 0) <= ubr]
    waiting = [u.kb for u in of.updates if u.kb not in reached][:1] if reboot is YES and reached else []
    listed = set(data.draw(st.lists(st.sampled_from([*reached, 1000001]), unique=True))) | set(reached[-1:]) | set(waiting)
    whole = UpdateEvidence(ubr, frozenset(listed), reboot, hotpatch)
    before = verdicts(of, whole)
    forgotten = [
        whole._replace(ubr=None), whole._replace(listed=None), whole._replace(hotpatch=None), whole._replace(reboot=None),
        *(whole._replace(listed=frozenset(listed - {kb})) for kb in listed),
    ]  # fmt: skip
    for less in forgotten:
        after = verdicts(of, less)
        assert not [m for m in before if _better(before[m], after[m])], (whole, less)


def _as_documents(releases: Iterable[MonthlyRelease]) -> dict[str, UpdateLine]:
    given = list(releases)
    known = frozenset(f.kb for r in given for f in r.fixes)
    return {x.product: replace(x, known=known.difference(x.unplaced)) for x in update_lines(given)}


_FULL = SAMPLES.with_name("msrc-cvrf-full.tar.xz")


class Documents:
    """Microsoft's documents of ten years, and what they say together."""

    def __init__(self) -> None:
        found = []
        with tarfile.open(_FULL) as samples:
            for member in samples:
                opened = samples.extractfile(member) if member.name.endswith(".xml") else None
                if opened:
                    found.append(of_windows(read(opened.read())))
        self.months = merged(found)
        self.whole = _as_documents(self.months)


@pytest.fixture(scope="module")
def documents() -> Documents:
    return Documents()


@pytest.mark.skipif(not _FULL.exists(), reason="needs the shared documents of Microsoft's; made ones are judged above")
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_documents_that_are_taken_away_turn_nothing_round(documents: Documents, seed: int) -> None:
    """Cut off at any day, or with any documents left out: missing becomes never fixed, and fixed never missing."""
    rnd = random.Random(seed)
    if rnd.random() < 0.5:
        end = rnd.choice(documents.months).month
        kept = [r for r in documents.months if r.month <= end]
    else:
        share = rnd.choice([0.5, 0.9, 0.97])
        kept = [r for r in documents.months if rnd.random() < share] or documents.months[:1]
    for product, part in _as_documents(kept).items():
        full = documents.whole[product]
        for _ in range(8 if full.updates else 0):
            place = rnd.randrange(len(full.updates))
            own = full.updates[place]
            listed = frozenset({own.kb} | {u.kb for u in full.updates[:place] if rnd.random() < 0.1})
            for evidence in (
                told(own.revision, *listed),
                told(None, *listed),
                told(own.revision),
                told(own.revision, *listed, reboot=YES),
            ):
                before, after = verdicts(full, evidence), verdicts(part, evidence)
                turned = [m for m, v in after.items() if {before.get(m), v} == {"fixed", "missing"}]
                assert not turned, (product, turned, evidence, own)
