"""The order of a build line's updates: builds that do not fit are distrusted, and gaps stay gaps."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.versions.update_order import CumulativeUpdate, order
from auditor.versions.windows_build import Build

MONTHS = tuple(date(2021 + n // 12, n % 12 + 1, 1) for n in range(24))


def update(kb: int, month: int, build: str = "", *supersedes: int, also: dict[int, int] | None = None) -> CumulativeUpdate:
    mended = {MONTHS[month]: 50} | {MONTHS[m]: n for m, n in (also or {}).items()}
    line, _, revision = build.partition(".")
    return CumulativeUpdate(kb, mended, Build(int(line), int(revision)) if build else None, frozenset(supersedes))


def told(
    *updates: CumulativeUpdate, line: int = 17763, documents: tuple[date, ...] = MONTHS
) -> tuple[list[int], dict[int, str]]:
    found = order(updates, line, documents)
    return [u.kb for u in found.updates], found.distrusted


# The cases are the vendor's own, of the documents of 2019 to 2023.
CASES = {
    "by build": ([update(5, 1, "17763.20"), update(9, 0, "17763.10")], [9, 5], set()),
    "an update that stands in an earlier document, too": (  # KB5021249: November and December 2022
        [update(1, 0, "17763.10"), update(2, 1, "17763.20", 1, also={0: 3}), update(3, 2, "17763.30", 2)], [1, 2, 3], set()
    ),
    "out of band and the regular one in one month": (  # KB5004947 is older than KB5004244
        [update(5004244, 6, "17763.2061", 5004947), update(5004947, 6, "17763.2029"), update(5005030, 7, "17763.2114")],
        [5004947, 5004244, 5005030],
        set(),
    ),
    "a build of another line": (  # KB5005568 as 17784.2183
        [update(1, 7, "17763.2114"), update(5005568, 8, "17784.2183", 1), update(3, 9, "17763.2237")], [1, 5005568, 3], {5005568}
    ),
    "a build that is too low": (  # KB5008210 as 17763.2120
        [update(1, 9, "17763.2237"), update(2, 10, "17763.2300"), update(5008210, 11, "17763.2120"), update(5008218, 11, "17763.2366")],
        [1, 2, 5008218, 5008210],
        {5008210},
    ),
    "no build at all": ([update(1, 0), update(2, 1, "", 1), update(3, 2, "", 2)], [1, 2, 3], set()),
    "by what it takes the place of, whatever month it stands in": (  # KB4538461 stands in August 2019 alone
        [update(4532691, 13), update(4538461, 7, "", 4532691), update(4549949, 15, "", 4538461)], [4532691, 4538461, 4549949], set()
    ),
    "in between two with builds": ([update(1, 0, "17763.10"), update(2, 1, "", 1), update(3, 2, "17763.30", 2)], [1, 2, 3], set()),
    "a circle": ([update(1, 0, "", 2), update(2, 1, "", 1)], [1, 2], set()),
    "itself": ([update(1, 0, "", 1)], [1], set()),
}  # fmt: skip


@pytest.mark.parametrize(("updates", "kbs", "distrusted"), CASES.values(), ids=CASES)
def test_order(updates: list[CumulativeUpdate], kbs: list[int], distrusted: set[int]) -> None:
    for given_ in (updates, updates[::-1]):
        found, why = told(*given_)
        assert (found, set(why)) == (kbs, distrusted)


@pytest.mark.parametrize(
    ("line", "build", "trusted"), [(19042, "19041.1165", True), (19042, "17763.1165", False), (22621, "22631.10", True), (22621, "22000.10", False)]
)  # fmt: skip
def test_lines_that_get_the_same_updates(line: int, build: str, trusted: bool) -> None:
    assert (told(update(1, 0, build), line=line)[1] == {}) is trusted


def test_nothing_is_ordered_across_a_gap() -> None:
    updates = [update(1, 0, "17763.10"), update(2, 1, "17763.20"), update(4, 3, "17763.40")]
    found = order(updates, 17763, [m for m in MONTHS[:5] if m != MONTHS[2]])
    assert found.gaps == (MONTHS[2],)
    assert found.after(1) is None
    assert found.after(2) is None
    assert found.after(4) == ()
    assert found.after(9) is None
    whole = order(updates, 17763, MONTHS[:5])
    assert [u.kb for u in whole.after(1) or ()] == [2, 4]


def test_more_updates_than_a_line_can_have() -> None:
    with pytest.raises(ValueError, match="more than 5,000"):
        order([update(n, 0) for n in range(5_001)], 17763, MONTHS)


_UPDATES = st.lists(
    st.builds(
        lambda kb, month, revision, supersedes: update(kb, month, f"17763.{revision}" if revision else "", *supersedes),
        st.integers(1, 15), st.integers(0, 23), st.integers(0, 9), st.sets(st.integers(1, 15), max_size=3),
    ),
    unique_by=lambda u: u.kb, max_size=12,
)  # fmt: skip


@given(_UPDATES, st.randoms(use_true_random=False))
def test_whatever_they_say(updates: list[CumulativeUpdate], random: object) -> None:
    """None is lost, trusted builds never fall, and the order in which they are given is no matter."""
    found = order(updates, 17763, MONTHS)
    assert sorted(u.kb for u in found.updates) == sorted(u.kb for u in updates)
    trusted = [u.build.revision or 0 for u in found.updates if u.build and u.kb not in found.distrusted]
    assert trusted == sorted(trusted)
    shuffled = list(updates)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert order(shuffled, 17763, MONTHS) == found


@given(_UPDATES, st.sets(st.sampled_from(MONTHS)))
def test_documents_that_are_taken_away_make_nothing_known(updates: list[CumulativeUpdate], gone: set[date]) -> None:
    """With fewer documents what came after an update is what it was, or not known."""
    whole, fewer = order(updates, 17763, MONTHS), order(updates, 17763, [m for m in MONTHS if m not in gone])
    for u in updates:
        assert fewer.after(u.kb) in (None, whole.after(u.kb))
