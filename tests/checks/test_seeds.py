"""The two advisories the project started from, branch by branch."""

from __future__ import annotations

from datetime import date

import pytest
from msgspec.structs import replace

from auditor.model.facts import HostFacts, Hotfix, Listener, Program, Service
from auditor.model.finding import Attestation
from tests.given import NODE, NOTES, Attested, find, platform, verdict

Q238009 = [
    # product, service pack, hotfixes, verdict
    ("windows-nt-4.0-server", "5", [], "noncompliant"),
    ("windows-nt-4.0-enterprise", "0", [], "noncompliant"),
    ("windows-nt-4.0-enterprise", "6", [], "compliant"),
    ("windows-nt-4.0-enterprise", "6a", [], "compliant"),
    ("windows-nt-4.0-enterprise", None, [], "unknown"),
    ("windows-nt-4.0-enterprise", None, ["Q238009"], "compliant"),
    ("windows-nt-4.0-enterprise", "5", ["q238009"], "compliant"),
    ("windows-nt-4.0-enterprise", "5", None, "unknown"),
    ("windows-nt-4.0-enterprise", "Service Pack 6, RC 1.3", [], "unknown"),
    ("windows-nt-4.0-enterprise", "Service Pack 6, RC 1.3", ["Q246467"], "compliant"),
    ("windows-nt-4.0-terminal-server", "5", ["Q238009"], "noncompliant"),
    ("windows-nt-4.0-terminal-server", "6", [], "compliant"),
    ("windows-nt-4.0-terminal-server", "6, RC1.6", ["Q266433"], "compliant"),
    ("windows-nt-4.0-workstation", "1", [], "not_applicable"),
    ("windows-2000-server", "0", [], "not_applicable"),
    ("windows-server-2022", None, [], "not_applicable"),
    ("Windows-NT-4.0-Server", "5", [], "noncompliant"),
    ("windows-nt-4-server", "5", [], "unknown"),  # no product id that there is
    ("windows-nt-4.0-enterprise", "", [], "unknown"),
    ("windows-nt-4.0", "5", [], "unknown"),  # which edition is not known
    ("windows-nt-4.0", "6", [], "compliant"),  # compliant whatever edition it is
    ("windows-nt-4.0", "5", ["Q238009"], "unknown"),  # not on Terminal Server Edition
]


@pytest.mark.parametrize(("product", "sp", "hotfixes", "expected"), Q238009)
def test_q238009(product: str, sp: str | None, hotfixes: list[str] | None, expected: str) -> None:
    installed = None if hotfixes is None else tuple(Hotfix(h) for h in hotfixes)
    assert verdict("Q238009", replace(platform(NODE, product=product, service_pack=sp), hotfixes=installed)) == expected


def test_q238009_needs_the_cluster_service_in_whatever_state() -> None:
    assert verdict("Q238009", replace(NODE, services=())) == "not_applicable"
    assert verdict("Q238009", replace(NODE, services=None)) == "unknown"
    assert verdict("Q238009", replace(NODE, services=(Service("CLUSSVC", None, None),))) == "noncompliant"
    assert verdict("Q238009", platform(replace(NODE, services=None), service_pack="6")) == "compliant"


def test_q238009_says_that_the_hotfix_is_a_claim_and_where_the_article_is_at_odds() -> None:
    f = find("Q238009", replace(NODE, hotfixes=(Hotfix("Q238009", "registry claim"),)))
    assert "registry claim" in f.why
    assert "Service Pack 6 must be applied" in f.why


def said(state: Attested = "done", day: str = "2026-06-01", expires: str | None = None) -> Attestation:
    return Attestation(rule="Q181350", targets=("notes*",), state=state, by="kim", date=date.fromisoformat(day),
                       expires=date.fromisoformat(expires) if expires else None, reference="T-1")  # fmt: skip


def listening(backlog: int | None, port: int = 1352) -> HostFacts:
    return replace(NOTES, listeners=(Listener("0.0.0.0", port, backlog),))


Q181350: list[tuple[HostFacts, tuple[Attestation, ...], str]] = [
    (NOTES, (), "unknown"),
    (NOTES, (said(),), "compliant"),
    (NOTES, (said("not-done"),), "noncompliant"),
    (NOTES, (said("restart-pending"),), "pending"),
    (NOTES, (said(day="2027-01-01"),), "unknown"),
    (NOTES, (said(expires="2026-11-22"),), "unknown"),
    (NOTES, (said(expires="2026-11-23"),), "compliant"),
    (NOTES, (said("done"), said("not-done", "2026-07-01")), "noncompliant"),  # the newest counts
    (listening(5), (), "noncompliant"),
    (listening(5), (said(),), "noncompliant"),  # what is in force decides
    (listening(6), (), "compliant"),
    (listening(200), (said("not-done"),), "compliant"),
    (listening(None), (), "unknown"),
    (listening(5, 80), (), "unknown"),  # not the Notes port
    (platform(NOTES, product="windows-nt-4.0-workstation"), (said(),), "not_applicable"),
    (platform(NOTES, product="windows-2000-server"), (), "not_applicable"),
    (platform(NOTES, product="windows-nt-3.51", edition="server"), (said(),), "compliant"),
    (platform(NOTES, product="windows-nt-3.5", edition="workstation"), (said(),), "not_applicable"),
    (platform(NOTES, product="windows-nt-3.51", edition="Server"), (said(),), "compliant"),
    (platform(NOTES, product="windows-nt-3.51", edition="advanced-server"), (said("not-done"),), "unknown"),
    (platform(NOTES, product="windows-nt-3.51", edition=None), (said("not-done"),), "unknown"),
    (replace(NOTES, services=()), (said(),), "not_applicable"),
    (replace(NOTES, services=(), programs=None), (said("not-done"),), "unknown"),
    (replace(NOTES, services=(), programs=(Program("Lotus Notes"),)), (), "unknown"),  # only the client
    (replace(NOTES, services=(), programs=(Program("Lotus Domino Server", "4.6"),)), (said(),), "compliant"),
    (
        replace(NOTES, services=(), programs=(Program("Lotus Domino Server", "5.0.8"),)),
        (said("not-done"),),
        "unknown",
    ),  # not named
    (
        replace(NOTES, services=(), programs=(Program("Lotus Domino", None, r"HKLM\SOFTWARE\Lotus\Domino"),)),
        (said(),),
        "compliant",
    ),
    (replace(NOTES, services=(), programs=(Program("Lotus Notes", None, r"HKLM\SOFTWARE\Lotus\Notes"),)), (), "unknown"),
    (replace(NOTES, services=(), processes=None), (said("not-done"),), "not_applicable"),  # no list of processes is needed
    (replace(NOTES, services=(), programs=(Program("Lotus Domino", "Release 5.0.2"),)), (said("not-done"),), "unknown"),
    (replace(NOTES, services=(Service("Microsoft Exchange Connector for Lotus Notes"),)), (), "not_applicable"),
]


@pytest.mark.parametrize(("facts", "attestations", "expected"), Q181350)
def test_q181350(facts: HostFacts, attestations: tuple[Attestation, ...], expected: str) -> None:
    assert verdict("Q181350", facts, *attestations) == expected


def test_q181350_says_how_to_find_out() -> None:
    f = find("Q181350", NOTES)
    assert "auditor attest add" in f.why
