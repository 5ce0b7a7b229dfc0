"""What rules found on one host is used on another: the findings are those of judging each host alone, whatever was judged before."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from auditor.evaluation import shared
from auditor.evaluation.cache import EvaluationCache
from auditor.evaluation.evaluate import evaluate
from auditor.evaluation.shared import Shared, watched
from auditor.model.encoded_facts import encode_facts
from auditor.model.facts import CollectorOutcome, HostFacts, Hotfix, Listener, Package, Program, Service, Setting, Volatile
from auditor.model.finding import SEVERITIES, Attestation, Waiver
from auditor.model.policy import Policy
from tests.given import LINUX, NODE, NOTES, RULES, package

TODAY = date(2026, 11, 30)
RULE = "Q181350"
# Other values for a field: each is one that some rule looks at, on one system or the other.
OTHERS: dict[str, tuple[Any, ...]] = {
    "platform": (NODE.platform, NOTES.platform, LINUX.platform, replace(NODE.platform, product="windows-2000-server")),
    "packages": (None, LINUX.packages, (package("openssl", "3.0.14-1"),)),
    "kernels": (None, LINUX.kernels),
    "hotfixes": (None, (), (Hotfix("Q246009", "registry"),)),
    "services": (None, (), NODE.services, NOTES.services, (Service("DNS"),)),
    "programs": (None, (), (Program("Notes", "5"),)),
    "processes": (None, (), ("nserver.exe",)),
    "settings": ({}, LINUX.settings, {"sysctl:net.core.somaxconn": Setting("present", "128")}),
    "listeners": (None, (), LINUX.listeners, (Listener("0.0.0.0", 1352, 5, "nserver"),)),
    "reboot": (None, LINUX.reboot),
    "updates": (None, LINUX.updates),
    "method": ("ssh", "winrm", None),
    "volatile": (None, LINUX.volatile, Volatile(uptime=1.0, counters={"ListenOverflows": 7, "ListenDrops": 7})),
    "outcomes": ((), (CollectorOutcome("listeners", "failed", "not allowed"),), (CollectorOutcome("updates", "failed", "why"),)),
}  # fmt: skip


def hosts(seed: int, count: int) -> Iterator[HostFacts]:
    """Hosts that differ from each other in one field and in many."""
    chance = random.Random(seed)
    host = chance.choice((LINUX, NODE, NOTES))
    for number in range(count):
        if number % 20 == 0:
            host = chance.choice((LINUX, NODE, NOTES))
        field = chance.choice(list(OTHERS))
        host = replace(host, target=f"h{number % 7}", **{field: chance.choice(OTHERS[field])})
        yield host


@pytest.mark.parametrize("seed", range(6))
def test_it_is_what_judging_alone_finds(seed: int) -> None:
    cache, chance = EvaluationCache(), random.Random(seed)
    hand = [r for r in RULES if not r.generated]
    rules = (*hand, *[r for r in RULES if r.generated][seed::60])
    by: dict[str, Any] = {
        "attestations": [Attestation(rule=RULE, targets=("h1", "@web"), state="done", by="kim", date=TODAY, expires=None, reference="")],
        "waivers": [Waiver(rules=("linux-*",), targets=("h2",), owner="kim", reason="so", expires=TODAY)],
    }  # fmt: skip
    policies = (Policy(), Policy(deadlines={s: timedelta(days=7) for s in SEVERITIES}, situational=True))
    for facts in hosts(seed, 120):
        more = {
            **by,
            "policy": chance.choice(policies),
            "groups": chance.choice(((), ("web",))),
            "failing_since": {r.id: TODAY - timedelta(days=chance.randrange(9)) for r in hand if facts.target == "h3"},
        }
        assert cache.evaluate(facts, rules, today=TODAY, **more).findings == evaluate(facts, rules, today=TODAY, **more)


def test_what_differs_is_judged_and_nothing_else() -> None:
    """Another count of overflows, the volatile part, is a question for the rules that count."""
    cache = EvaluationCache()
    one = cache.evaluate(LINUX, RULES, today=TODAY).findings
    other = replace(LINUX, volatile=Volatile(uptime=1.0, counters={"ListenOverflows": 7, "ListenDrops": 7}))
    two = cache.evaluate(other, RULES, today=TODAY).findings
    anew = [b.rule for a, b in zip(one, two, strict=True) if a is not b]
    assert anew
    assert len(anew) <= 2


def test_a_look_at_what_was_worked_out_before_is_a_look() -> None:
    """The second question is answered by what the first one found out, and depends on the same facts."""
    cache = EvaluationCache()
    for rule in [r for r in RULES if r.component or r.application][:40]:
        for services in (NOTES.services, (), None):
            facts = replace(NOTES, services=services)
            pair = (replace(rule, id="first"), replace(rule, id="second"))
            assert cache.evaluate(facts, pair, today=TODAY).findings == evaluate(facts, pair, today=TODAY)


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared, "_MOST", 50)
    known = Shared()
    for number in range(200):
        facts = replace(LINUX, packages=(Package(f"p{number}", None, "1", None, "amd64", None, None),))
        seen = watched(facts)
        share = known.host(facts, encode_facts(facts), b"")
        assert share("q", seen, lambda seen=seen: seen.packages and seen.packages[0].name) == f"p{number}"  # type: ignore[misc]
    assert len(known._known) <= 50
    for number in range(200):  # what holds many findings counts as many
        seen = watched(replace(LINUX, method=str(number)))
        known.host(replace(LINUX, method=str(number)), encode_facts(replace(LINUX, method=str(number))), b"")(
            "many",
            seen,
            lambda seen=seen: (seen.method, (1,) * 20),  # type: ignore[misc]
        )
    assert len(known._known) <= 3
