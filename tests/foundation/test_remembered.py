"""What was worked out before, within a size."""

from __future__ import annotations

import random
from functools import partial
from operator import neg

import pytest

from auditor.foundation.remembered import Remembered


def test_worked_out_once_while_it_is_remembered() -> None:
    known, calls = Remembered[str, str](10), list[str]()

    def get(word: str) -> str:
        def work() -> str:
            calls.append(word)
            return word.upper()

        return known.get(word, len(word), work)

    assert [get(w) for w in ("aaaa", "bbbb", "aaaa", "cccc", "aaaa", "bbbb")] == [
        "AAAA",
        "BBBB",
        "AAAA",
        "CCCC",
        "AAAA",
        "BBBB",
    ]
    assert calls == ["aaaa", "bbbb", "cccc", "bbbb"], "bbbb was used longest ago when cccc came"


def test_the_size_holds_and_what_is_larger_is_not_kept() -> None:
    chance, known = random.Random(1), Remembered[int, int](1000)
    for _ in range(2000):
        key = chance.randrange(300)
        assert known.get(key, key * 7, partial(neg, key)) == -key
        assert known._held == sum(size for size, _ in known._known.values()) <= 1000
        assert key * 7 <= 1000 or key not in known._known


def test_what_fails_is_not_remembered() -> None:
    known = Remembered[str, float](10)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            known.get("a", 1, lambda: 1 / 0)
    assert known.get("a", 1, lambda: 2.0) == 2.0
