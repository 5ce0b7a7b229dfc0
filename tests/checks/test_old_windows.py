"""Posed hosts of the NT years against the shipped rulebook: the lines that a knowledgeable auditor of 2002 would write.

The expected lines were written by hand from the articles, before anybody had seen what comes out. What careful readers may differ on (a
fix for a part that is on every host and does nothing there) is `arguable`: it may be told or not, and nothing else may be.
"""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from auditor.evaluation.evaluate import evaluate
from auditor.model.facts import HostFacts, Hotfix, Service, Setting
from auditor.model.finding import Finding
from auditor.model.policy import Policy
from auditor.report.grouping import Bundle, by_obligation
from tests.given import NODE, RULES, WHEN, platform

IIS = ("W3SVC", "MSFTPSVC", "IISADMIN")
EXCHANGE = ("MSExchangeIS", "MSExchangeMTA", "MSExchangeSA", "MSExchangeDS", "MSExchangeIMC")
ARGUABLE = {"Q242294"}  # MS99-041 is about the RAS manager's service, which is on every server
AFTER_SP6A = ["Q299444", "Q304158", "Q305399"]  # the rollup; MS00-079 and MS01-048, which it does not hold
SNA = r"registry:HKLM\SOFTWARE\Microsoft\SNA Server\CurrentVersion#SNAVersion"
BUILD = r"registry:HKLM\SOFTWARE\Microsoft\Exchange\Setup#NewestBuild"


def host(
    product: str,
    pack: str,
    services: tuple[str, ...] = (),
    hotfixes: tuple[str, ...] = (),
    settings: dict[str, str] | None = None,
    edition: str = "server",
) -> HostFacts:
    posed = replace(
        NODE,
        services=tuple(Service(s) for s in services),
        hotfixes=tuple(Hotfix(h, "registry claim: HotFix") for h in hotfixes),
        settings={k: Setting("present", v) for k, v in (settings or {}).items()},
        programs=(),
        listeners=(),
    )
    return platform(posed, product=product, service_pack=pack, edition=edition)


def required(facts: HostFacts, *, verdict: str = "noncompliant") -> list[Bundle | Finding]:
    """What is required and not there, as the report tells it: steps first, then single findings; support and restarts apart."""
    together, alone = by_obligation(evaluate(facts, RULES, today=WHEN.date()))["required"]
    apart = ("windows-end-of-support", "windows-pending-reboot")
    return [
        *(b for b in together if b.verdict == verdict),
        *(f for f in alone if f.verdict == verdict and f.rule not in apart),
    ]


def line(told: Bundle | Finding) -> str:
    """`Q299444`, `sna-server-4.0 4`, or a rule's id."""
    if isinstance(told, Finding):
        return told.rule
    return f"{told.remedy.line} {told.remedy.level}".strip()


HOSTS: dict[str, tuple[HostFacts, list[str], set[str]]] = {
    "NT 4.0 SP5": (host("windows-nt-4.0-server", "5"), ["windows-nt-4.0 6a", *AFTER_SP6A], set()),
    "NT 4.0 SP6a": (host("windows-nt-4.0-server", "6a"), AFTER_SP6A, set()),
    "NT 4.0 SP6a with the rollup": (
        host("windows-nt-4.0-server", "6a", hotfixes=("Q299444",)),
        ["Q304158", "Q305399"],
        set(),
    ),
    "NT 4.0 SP6a, IIS 4.0": (
        host("windows-nt-4.0-server", "6a", (*IIS, "cisvc")),
        [*AFTER_SP6A, "Q319733", "Q321599"],
        {"Q232449"},  # MS99-013: sample files to delete, or the fix
    ),
    "NT 4.0 SP6a, cluster node": (host("windows-nt-4.0-enterprise", "6a", ("ClusSvc",)), AFTER_SP6A, set()),
    "Terminal Server Edition SP5": (
        host("windows-nt-4.0-terminal-server", "5"),
        ["windows-nt-4.0-terminal-server 6", "Q317636"],
        {"Q238600"},  # posted after SP4; no list says that a later pack has it
    ),
    "Terminal Server Edition SP6": (host("windows-nt-4.0-terminal-server", "6"), ["Q317636"], {"Q238600"}),
    "NT 4.0 SP6a, SNA Server 4.0 SP2 and Exchange 5.5 SP3": (
        host(
            "windows-nt-4.0-server",
            "6a",
            ("SnaBase", "SnaServr", *EXCHANGE),
            settings={SNA: "4.0 Service Pack 2", BUILD: "2650"},
        ),
        ["sna-server-4.0 4", "exchange-5.5 4", *AFTER_SP6A, "Q304062", "Q326322"],
        {"Q303448"},
    ),
    "NT 3.51 SP5": (host("windows-nt-3.51", "5"), ["Q179129", "Q162567", "Q190288"], {"Q218473"}),
    "NT 3.51 SP4": (
        host("windows-nt-3.51", "4"),
        ["windows-nt-3.51 5", "Q179129", "Q162567", "Q190288"],
        {"Q218473"},
    ),
    "2000 SP2, IIS 5.0": (host("windows-2000-server", "2", (*IIS, "SMTPSVC")), ["windows-2000 4"], set()),
    "2000 SP4, IIS 5.0": (host("windows-2000-server", "4", (*IIS, "SMTPSVC")), [], set()),
    "2000 SP2, IIS 5.0, with Q319733 and SRP1": (
        host("windows-2000-server", "2", (*IIS, "SMTPSVC"), ("Q319733", "Q311401")),
        ["windows-2000 4"],
        set(),
    ),
}


@pytest.mark.parametrize("name", HOSTS)
def test_the_lines_of_a_host(name: str) -> None:
    facts, expected, arguable = HOSTS[name]
    told = [line(t) for t in required(facts)]
    assert set(expected) <= set(told)
    assert set(told) <= {*expected, *arguable, *ARGUABLE}
    assert len(told) == len(set(told))


def test_what_needs_the_service_pack_first_is_told_after_it() -> None:
    told = required(HOSTS["NT 4.0 SP5"][0])
    assert [line(t) for t in told][:2] == ["windows-nt-4.0 6a", "Q299444"]
    assert isinstance(told[1], Bundle)
    assert told[1].what == "Post-Windows NT 4.0 SP6a Security Rollup Package (SRP), Q299444 (needs Service Pack 6a)"
    assert len(told[1].findings) > 25


def test_a_rollup_settles_what_it_holds() -> None:
    without = {f.rule for t in required(HOSTS["NT 4.0 SP6a"][0]) for f in ([t] if isinstance(t, Finding) else t.findings)}
    with_it = {
        f.rule
        for t in required(HOSTS["NT 4.0 SP6a with the rollup"][0])
        for f in ([t] if isinstance(t, Finding) else t.findings)
    }
    assert len(without - with_it) > 25


def test_an_application_whose_version_is_not_known_is_one_question() -> None:
    facts = host("windows-nt-4.0-server", "6a", ("SnaBase", *EXCHANGE))
    asked = [t.what for t in required(facts, verdict="unknown") if isinstance(t, Bundle)]
    assert asked == [
        "Which version and service pack of Exchange Server is here",
        "Which version and service pack of SNA Server is here",
    ]


def test_a_fix_for_a_particular_problem_is_judged_where_it_is_asked_for() -> None:
    facts = HOSTS["NT 4.0 SP6a"][0]
    assert not [f for f in evaluate(facts, RULES, today=WHEN.date()) if f.obligation == "situational"]
    asked = evaluate(facts, RULES, today=WHEN.date(), policy=Policy(situational=True))
    assert [f for f in asked if f.obligation == "situational"]
