"""Results are given together where they arrive together, and none waits for a slow host."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from auditor.audit import executor
from auditor.audit.context import new_context
from auditor.audit.executor import LONGEST_WAIT, MOST_TOGETHER, scan_all
from auditor.foundation.deadline import Stop
from auditor.inventory.inventory import Inventory
from auditor.model.run import TargetResult
from auditor.model.target import Target
from auditor.rulebook.loader import load


def test_none_waits_for_a_slow_host(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, slow = threading.Event(), threading.Event()

    def scan(target: Target, *_: object) -> TargetResult:
        if target.name == "slow":
            asked.set()
            slow.wait(30)
        return TargetResult(target=target, outcome="unreachable")

    monkeypatch.setattr(executor, "scan", scan)
    targets = [Target(name="slow", connection="replay"), *(Target(name=f"h{n}", connection="replay") for n in range(70))]
    context = new_context(load(()), Inventory())
    with ThreadPoolExecutor(2) as pool:
        batches = scan_all(targets, context, pool, Stop())
        began = time.monotonic()
        first = [next(batches), next(batches), next(batches)]
        waited = time.monotonic() - began
        assert asked.is_set()
        slow.set()
        last = list(batches)
    assert [len(b) for b in first] == [MOST_TOGETHER, MOST_TOGETHER, 70 - 2 * MOST_TOGETHER]
    assert waited < LONGEST_WAIT + 10, "the third batch came although the slow host said nothing"
    assert [[r.target.name for r in b] for b in last] == [["slow"]]
