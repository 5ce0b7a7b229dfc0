"""The laws of an honest audit, as properties of evaluate(): unknown never becomes good."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import date
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import fields, replace

from auditor.checks.combine import ALL_OF, ANY_OF, combine
from auditor.checks.judgement import Judgement
from auditor.evaluation.cache import EvaluationCache
from auditor.evaluation.evaluate import evaluate, matches
from auditor.model.facts import (
    Candidate,
    HostFacts,
    Hotfix,
    Kernels,
    Listener,
    MissingUpdate,
    Program,
    Reboot,
    Service,
    Setting,
    UpdateList,
)
from auditor.model.finding import Attestation, Waiver
from auditor.model.policy import Policy
from auditor.rulebook.rule import Rule
from auditor.rulebook.rulebook import checks
from tests.given import LINUX, NODE, NOTES, RULES, WHEN, find, package, platform

TODAY = WHEN.date()
WRITTEN = tuple(r for r in RULES if not r.generated)
GENERATED = tuple(r for r in RULES if r.generated)


def _kind(rule: Rule) -> tuple[object, ...]:
    """What two rules have alike that no property can tell apart."""
    kinds = tuple(type(check) for check in checks(rule))
    return kinds, tuple(b.products for b in rule.branches), rule.application is None, rule.component is None, rule.obligation


# One generated rule of each kind, beside all that people wrote: thousands differ in their numbers only.
KINDS = (*WRITTEN, *{_kind(r): r for r in GENERATED}.values())
GOOD, OPEN = {"compliant", "not_applicable"}, {"noncompliant", "pending", "unknown"}


def nullable(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path to every known fact that could be not known: struct fields, records in tuples, values in dicts."""
    if isinstance(value, msgspec.Struct):
        for f in fields(value):
            inner = getattr(value, f.name)
            if inner is not None and "None" in str(f.type):
                yield (*path, f.name)
            yield from nullable(inner, (*path, f.name))
    elif isinstance(value, tuple):
        for n, item in enumerate(value):
            yield from nullable(item, (*path, n))
    elif isinstance(value, dict):
        for key, item in value.items():
            if isinstance(item, Setting):
                yield (*path, key)
            yield from nullable(item, (*path, key))


def without(value: Any, path: tuple[Any, ...]) -> Any:
    """The same with the fact at `path` not known."""
    if not path:
        return None
    head, *rest = path
    if isinstance(value, msgspec.Struct):
        return replace(value, **{head: without(getattr(value, head), tuple(rest))})
    if isinstance(value, tuple):
        return (*value[:head], without(value[head], tuple(rest)), *value[head + 1 :])
    return value | {head: without(value[head], tuple(rest))}


assert LINUX.settings
assert LINUX.updates
# Each hypothesis example picks one of several values for each fact: good, bad, empty and unknown ones.
linux_hosts = st.builds(
    lambda **k: replace(LINUX, **k),
    platform=st.sampled_from(
        [replace(LINUX.platform, product=p) for p in ("debian-12", "debian-9", "ubuntu-18.04", "alpine-9.9", None)]
    ),
    packages=st.sampled_from(
        [LINUX.packages, (package("openssl", "3.0.9-1"), package("linux-image-6.1.0-28-amd64", "6.1.128-1")), None]
    ),
    kernels=st.sampled_from(
        [
            LINUX.kernels,
            Kernels("6.1.0-9-amd64", ("6.1.0-28-amd64",), None),
            Kernels("6.1.0-28-amd64", (), None),
            Kernels("x", ("y",), "1"),
            None,
        ]
    ),
    listeners=st.sampled_from(
        [LINUX.listeners, (Listener("0.0.0.0", 80, 5, "srv"),), (Listener("::", 80, None),), (Listener("::1", 1, 1),), (), None]
    ),
    settings=st.dictionaries(
        st.sampled_from(list(LINUX.settings)),
        st.sampled_from(
            [
                Setting("present", "1"),
                Setting("present", "4096"),
                Setting("absent"),
                Setting("unreadable", reason="denied"),
                None,
            ]
        ),
    ),
    reboot=st.sampled_from([LINUX.reboot, Reboot(True, ("dbus",)), Reboot(False), None]),
    stale_processes=st.sampled_from([(), None]),
    updates=st.sampled_from(
        [
            LINUX.updates,
            replace(LINUX.updates, candidates=(Candidate("openssl", "amd64", "3.0.16-1"), Candidate("openssl", "i386", "9"))),
            replace(LINUX.updates, lists=()),
            replace(
                LINUX.updates,
                lists=(
                    UpdateList("old", WHEN.replace(year=2025), "bookworm"),
                    UpdateList("other", WHEN, "bullseye"),
                ),
            ),
            None,
        ]
    ),
)
windows_hosts = st.builds(
    lambda product, sp, edition, **k: platform(replace(NODE, **k), product=product, service_pack=sp, edition=edition, version=None, build=None),
    product=st.sampled_from(
        ["windows-nt-4.0-server", "windows-nt-4.0-enterprise", "windows-nt-4.0-terminal-server", "windows-nt-4.0", "windows-nt-3.51",
         "windows-nt-4.0-workstation", "windows-2000-server", None]
    ),
    sp=st.sampled_from(["0", "5", "6", "6a", "6 RC 1.3", "strange", None]),
    edition=st.sampled_from(["server", "workstation", None]),
    services=st.sampled_from([(Service("clussvc"),), (Service("Lotus Domino Server (C:)"),), (), None]),
    hotfixes=st.sampled_from([(Hotfix("Q238009"),), (Hotfix("Q246467"),), (), None]),
    missing_updates=st.sampled_from([(MissingUpdate("KB1", "Critical", True), MissingUpdate("KB2", "Low")), (MissingUpdate("KB1"),), (), None]),
    programs=st.sampled_from([(Program("Lotus Domino", "4.6"),), (Program("Lotus Domino", "5.0"),), (Program("Lotus Notes 4.6"),), (), None]),
    listeners=st.sampled_from([(Listener("0.0.0.0", 1352, 5),), (Listener("0.0.0.0", 1352, 200),), (Listener("0.0.0.0", 1352),), (), None]),
)  # fmt: skip
done = Attestation(rule="Q181350", targets=("*",), state="done", by="a", date=date(2026, 1, 1))


@given(st.one_of(linux_hosts, windows_hosts), st.sampled_from([(), (done,)]))
def test_what_is_not_known_never_makes_it_better(facts: HostFacts, attestations: tuple[Attestation, ...]) -> None:
    before = {f.rule: f.verdict for f in evaluate(facts, KINDS, today=TODAY, attestations=attestations)}
    for path in nullable(facts):
        after = {f.rule: f.verdict for f in evaluate(without(facts, path), KINDS, today=TODAY, attestations=attestations)}
        for rule, verdict in before.items():
            if rule == "Q181350" and attestations and path[0] == "listeners":
                continue  # a backlog of five that is seen goes before a person's word; unseen, the word is all there is
            assert not (verdict in OPEN and after[rule] in GOOD), (rule, path, verdict, after[rule])


def test_a_generated_rule_about_another_product_is_not_even_mentioned() -> None:
    found = {f.rule: f for f in evaluate(NODE, GENERATED, today=TODAY)}
    assert all(f.generated for f in found.values())
    products = {r.id: {p for b in r.branches for p in b.products} for r in GENERATED}
    assert not [i for i in found if products[i] == {"windows-2000"}]
    assert not [i for i in found if any(r.id == i and r.application for r in GENERATED)]  # no Exchange, no SNA Server there
    unread = {
        f.rule: f.verdict
        for f in evaluate(replace(NODE, services=None), GENERATED, today=TODAY, policy=Policy(situational=True))
    }
    of_applications = {r.id for r in GENERATED if r.application and "windows-nt-4.0" in products[r.id]}
    assert of_applications <= unread.keys()
    assert {unread[i] for i in of_applications} == {"unknown", "compliant"}  # compliant where Windows' own pack has the fix


@given(st.one_of(linux_hosts, windows_hosts), st.randoms())
def test_the_order_of_rules_does_not_matter(facts: HostFacts, chance: random.Random) -> None:
    shuffled = [*WRITTEN, *GENERATED[::200]]
    rules = tuple(shuffled)
    chance.shuffle(shuffled)
    key = lambda f: f.rule  # noqa: E731  # short, and used twice
    assert sorted(evaluate(facts, rules, today=TODAY), key=key) == sorted(evaluate(facts, shuffled, today=TODAY), key=key)


@given(st.one_of(linux_hosts, windows_hosts))
def test_a_waiver_changes_no_verdict(facts: HostFacts) -> None:
    waiver = Waiver(rules=("*",), targets=("*",), owner="o", reason="r", expires=TODAY)
    plain = evaluate(facts, KINDS, today=TODAY)
    waived = evaluate(facts, KINDS, today=TODAY, waivers=(waiver,))
    assert [f.verdict for f in plain] == [f.verdict for f in waived]
    assert all(f.waiver and f.waiver.owner == "o" for f in waived)
    assert [replace(f, waiver=None) for f in waived] == list(plain)


@given(st.one_of(linux_hosts, windows_hosts))
def test_every_finding_has_its_texts(facts: HostFacts) -> None:
    for f in evaluate(facts, KINDS, today=TODAY):
        assert all((f.observed, f.required, f.why, f.remediation, f.evidence)), f
        assert f.verdict != "unknown" or f.resolved_by, f


def test_an_expired_waiver_is_none() -> None:
    waiver = Waiver(rules=("linux-*",), targets=("web1",), owner="o", reason="r", expires=date(2026, 11, 22))
    assert find("linux-somaxconn", LINUX, waivers=(waiver,)).waiver is None
    assert find("linux-somaxconn", LINUX, waivers=(replace(waiver, expires=TODAY),)).waiver
    assert find("linux-somaxconn", LINUX, waivers=(replace(waiver, expires=None, targets=("@web",)),)).waiver
    assert find("linux-somaxconn", LINUX, waivers=(replace(waiver, expires=TODAY, targets=("@db", "web2")),)).waiver is None


def test_another_family_is_not_judged_and_an_unknown_one_is_unknown() -> None:
    asked = Policy(situational=True)
    assert {f.rule for f in evaluate(NODE, WRITTEN, today=TODAY, policy=asked)} == {
        r.id for r in WRITTEN if r.family == "windows"
    }
    unknown = evaluate(platform(NODE, family=None, product=None), WRITTEN, today=TODAY, policy=asked)
    assert len(unknown) == len(WRITTEN)
    # Whatever it is, it has none of these rules' components: every list that would show them was read.
    absent = {f.rule for f in unknown if f.verdict == "not_applicable"}
    parts = {r.id: r.component or r.application for r in WRITTEN}
    assert absent == {i for i, part in parts.items() if part and "ClusSvc" not in part.services}
    assert {f.verdict for f in unknown if f.rule not in absent} == {"unknown"}


ORDERS = [
    ("any", "compliant unknown noncompliant", "compliant"),
    ("any", "unknown pending noncompliant", "unknown"),
    ("any", "pending noncompliant", "pending"),
    ("any", "noncompliant not_applicable", "noncompliant"),
    ("any", "not_applicable not_applicable", "not_applicable"),
    ("all", "compliant noncompliant unknown", "noncompliant"),
    ("all", "compliant unknown pending", "unknown"),
    ("all", "compliant pending", "pending"),
    ("all", "compliant not_applicable", "compliant"),
]


@pytest.mark.parametrize(("kind", "children", "expected"), ORDERS)
def test_combining(kind: str, children: str, expected: str) -> None:
    given = [Judgement(v, "o", "r", "w") for v in children.split()]  # type: ignore[arg-type]
    for order in (given, given[::-1]):
        assert combine(order, ANY_OF if kind == "any" else ALL_OF, " or ").verdict == expected


def test_matching() -> None:
    assert matches(["web*"], "web1", ())
    assert matches(["@db"], "x", ("db",))
    assert not matches(["@db"], "db", ())
    assert NOTES.target == "notes1"


def test_hosts_in_the_same_state_are_judged_once_and_never_by_others_words() -> None:
    """What is attested of one host, and another rulebook, are part of the question."""
    states = EvaluationCache()
    host, other, rules = NOTES, replace(NOTES, target="other"), WRITTEN
    first = states.evaluate(host, rules, today=TODAY)
    assert states.evaluate(other, rules, today=TODAY) is first
    said = Attestation(rule="Q181350", targets=("other",), state="done", by="kim", date=TODAY, expires=None, reference="")
    assert states.evaluate(other, rules, today=TODAY, attestations=(said,)) is not first
    assert states.evaluate(host, rules, today=TODAY, attestations=(said,)) is first
    one = tuple(r for r in rules if r.id == "Q238009")
    assert len(states.evaluate(host, one, today=TODAY).findings) == 1
