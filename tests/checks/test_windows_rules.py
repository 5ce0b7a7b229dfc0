"""The shipped rules for Windows, product line by product line, and the table of products they stand on."""

from __future__ import annotations

from datetime import date, datetime

import pytest
from msgspec.structs import replace

from auditor.checks.support import SupportCheck
from auditor.evaluation.applicability import covers
from auditor.evaluation.evaluate import evaluate
from auditor.model.facts import HostFacts, Hotfix, Platform, Reboot, Service, Setting
from auditor.model.finding import Attestation
from auditor.rulebook.rulebook import checks
from auditor.versions import service_pack
from auditor.versions.windows_products import PRODUCTS
from tests.given import NODE, RULES, WHEN, Attested, find, platform, verdict

AFD = r"registry:HKLM\SYSTEM\CurrentControlSet\Services\AFD\Parameters#"
TCPIP = r"registry:HKLM\SYSTEM\CurrentControlSet\Services\Tcpip\Parameters#"
NETBT = r"registry:HKLM\SYSTEM\CurrentControlSet\Services\NetBT\Parameters#"
INETINFO = r"registry:HKLM\SYSTEM\CurrentControlSet\Services\InetInfo\Parameters#ListenBacklog"
SNA = r"registry:HKLM\SOFTWARE\Microsoft\SNA Server\CurrentVersion#SNAVersion"
TN3270 = r"registry:HKLM\SYSTEM\CurrentControlSet\Services\TN3270\Parameters#TCPListenBacklog"
DYNAMIC = {
    f"{AFD}EnableDynamicBacklog": "1",
    f"{AFD}MinimumDynamicBacklog": "20",
    f"{AFD}MaximumDynamicBacklog": "20000",
    f"{AFD}DynamicBacklogGrowthDelta": "10",
}
# Of Q142641; what is not named in a test is absent.
REQUIREMENTS = (
    *DYNAMIC,
    f"{TCPIP}SynAttackProtect",
    f"{TCPIP}TcpMaxConnectResponseRetransmissions",
    f"{NETBT}BacklogIncrement",
    f"{NETBT}MaxConnBackLog",
)


def host(product: str, sp: str | None = "0", settings: dict[str, str | None] | None = None, **changes: object) -> HostFacts:
    """A Windows host; a setting of None is absent."""
    read = {k: Setting("absent") if v is None else Setting("present", v) for k, v in (settings or {}).items()}
    return replace(platform(NODE, product=product, service_pack=sp), services=(), settings=read, **changes)


def attested(rule: str, state: Attested = "done") -> Attestation:
    return Attestation(rule=rule, targets=("node-b",), state=state, by="kim", date=date(2026, 6, 1), expires=None, reference="")


def tcp(sp: str, product: str = "windows-nt-4.0-server", **values: str) -> HostFacts:
    """A host with everything that Q142641 asks for absent, but for `values` (by the last part of their key)."""
    return host(product, sp, {k: values.get(k.rpartition("#")[2]) for k in REQUIREMENTS})


ON = {k.rpartition("#")[2]: v for k, v in DYNAMIC.items()}
Q142641 = [
    (tcp("6a"), "noncompliant"),  # absent is off, for the global switch and for AFD's
    (tcp("6a", SynAttackProtect="2"), "compliant"),
    (tcp("6a", SynAttackProtect="1"), "noncompliant"),
    (tcp("6a", **ON), "compliant"),
    (tcp("6a", **ON | {"EnableDynamicBacklog": "0"}), "noncompliant"),
    (tcp("6a", **ON | {"MinimumDynamicBacklog": "19"}), "noncompliant"),
    (tcp("6a", **ON | {"DynamicBacklogGrowthDelta": "9"}), "noncompliant"),
    (tcp("1", **ON), "noncompliant"),  # drivers that do not know the values
    (tcp("2", **ON), "compliant"),
    # The article gives this one the default 2 and the default 3: an absent value and either figure are all compliant.
    (tcp("6a", SynAttackProtect="2", TcpMaxConnectResponseRetransmissions="2"), "compliant"),
    (tcp("6a", SynAttackProtect="2", TcpMaxConnectResponseRetransmissions="3"), "compliant"),
    (tcp("6a", SynAttackProtect="2", TcpMaxConnectResponseRetransmissions="5"), "noncompliant"),
    (tcp("6a", SynAttackProtect="2", BacklogIncrement="2"), "noncompliant"),
    (tcp("6a", SynAttackProtect="2", MaxConnBackLog="999"), "noncompliant"),
    (tcp("0", "windows-2000-server", SynAttackProtect="2"), "compliant"),
    (tcp("0", "windows-2000-server"), "noncompliant"),
    (tcp("6", "windows-nt-4.0-terminal-server"), "not_applicable"),  # Q304714 asks for less than 2 there
    (tcp("6a", "windows-nt-4.0-workstation"), "not_applicable"),
    (tcp("2", "windows-server-2003"), "not_applicable"),
    (host("windows-nt-4.0-server", "6a"), "unknown"),  # nothing was read
    (host("windows-nt-4.0-server", "6a", settings={}, hotfixes=None), "unknown"),
]


@pytest.mark.parametrize(("facts", "expected"), Q142641)
def test_q142641(facts: HostFacts, expected: str) -> None:
    assert verdict("Q142641", facts) == expected


def test_q142641_on_351_rests_on_an_attested_update_and_on_the_values() -> None:
    good = platform(tcp("5", "windows-nt-3.51", **ON), edition="server")
    assert verdict("Q142641", good) == "unknown"
    assert verdict("Q142641", good, attested("Q142641")) == "compliant"
    bare = platform(tcp("5", "windows-nt-3.51", SynAttackProtect="2"), edition="server")  # 3.51 has no such value
    assert verdict("Q142641", bare, attested("Q142641")) == "noncompliant"
    assert verdict("Q142641", platform(good, edition="workstation"), attested("Q142641")) == "not_applicable"


def test_q142641_says_that_its_article_is_at_odds_with_itself() -> None:
    rule = next(r for r in RULES if r.id == "Q142641")
    assert any("contradicts itself" in n and "TcpMaxConnectResponseRetransmissions" in n for n in rule.provenance.notes)
    assert rule.obligation == "situational"


def test_q229814_and_q235461_keep_each_its_own_default() -> None:
    notes = {r.id: " ".join(r.provenance.notes) for r in RULES if r.id in ("Q229814", "Q235461")}
    assert "this article gives ServerListenBacklog 40" in notes["Q229814"]
    assert "this article gives 200" in notes["Q235461"]
    web = replace(host("windows-nt-4.0-server", "6a"), services=(Service("W3SVC"),))
    for rule in notes:
        assert verdict(rule, web) == "unknown"
        assert verdict(rule, web, attested(rule)) == "compliant"
        assert verdict(rule, web, attested(rule, "restart-pending")) == "pending"
        assert verdict(rule, replace(web, services=())) == "not_applicable"
    assert verdict("Q235461", platform(web, product="windows-2000-server")) == "not_applicable"
    assert verdict("Q229814", platform(web, product="windows-2000-server")) == "unknown"


@pytest.mark.parametrize(
    ("value", "expected"), [(None, "noncompliant"), ("25", "noncompliant"), ("50", "compliant"), ("250", "compliant")]
)
def test_q301310(value: str | None, expected: str) -> None:
    web = replace(host("windows-2000-server", "4", {INETINFO: value}), services=(Service("IISADMIN"),))
    assert verdict("Q301310", web) == expected
    assert verdict("Q301310", platform(web, product="windows-nt-4.0-server")) == "not_applicable"


@pytest.mark.parametrize(
    ("version", "backlog", "expected"),
    [
        ("4.0 Service Pack 4", "50", "compliant"),
        ("4.0 Service Pack 4", "6", "compliant"),
        ("4.0 Service Pack 4", "5", "noncompliant"),
        ("4.0 Service Pack 4", None, "noncompliant"),  # the pack alone does nothing
        ("4.0 Service Pack 3", "50", "noncompliant"),  # the value alone neither
        ("4.0", "50", "noncompliant"),
        (None, "50", "unknown"),
        (None, None, "noncompliant"),
    ],
)
def test_q276330_asks_for_the_service_pack_and_the_setting(version: str | None, backlog: str | None, expected: str) -> None:
    sna = replace(host("windows-nt-4.0-server", "6a", {SNA: version, TN3270: backlog}), services=(Service("TN3270"),))
    assert verdict("Q276330", sna) == expected
    assert verdict("Q276330", replace(sna, services=(Service("SnaServr"),))) == "not_applicable"


@pytest.mark.parametrize(("value", "expected"), [(None, "compliant"), ("1", "compliant"), ("2", "noncompliant")])
def test_q304714_wants_less_than_q142641_does(value: str | None, expected: str) -> None:
    tse = host("windows-nt-4.0-terminal-server", "6", {f"{TCPIP}SynAttackProtect": value})
    assert verdict("Q304714", tse) == expected
    assert verdict("Q304714", platform(tse, product="windows-nt-4.0-server")) == "not_applicable"


@pytest.mark.parametrize(
    ("version", "expected"),
    [("4.0.1381.7094", "noncompliant"), ("4.0.1381.7095", "compliant"), ("4.0.1381.7144", "compliant"), (None, "unknown")],
)
def test_q293841_goes_by_the_file(version: str | None, expected: str) -> None:
    afd = {r"file-version:%SystemRoot%\system32\drivers\afd.sys": version}
    assert verdict("Q293841", host("windows-nt-4.0-server", "6a", afd, hotfixes=(Hotfix("Q293841"),))) == expected


LAST = [
    # product, service pack, hotfixes, verdict of windows-latest-service-pack, of Q246009
    ("windows-nt-3.5", "2", [], "noncompliant", "not_applicable"),
    ("windows-nt-3.5", "3", [], "compliant", "not_applicable"),
    ("windows-nt-3.51", "4", [], "noncompliant", "not_applicable"),
    ("windows-nt-3.51", "5", [], "compliant", "not_applicable"),
    ("windows-nt-4.0-server", "5", [], "noncompliant", "not_applicable"),
    ("windows-nt-4.0-server", "6", ["Q246009"], "compliant", "compliant"),
    ("windows-nt-4.0-server", "6", [], "noncompliant", "noncompliant"),
    ("windows-nt-4.0-server", "6a", [], "compliant", "compliant"),
    ("windows-nt-4.0-server", "6", None, "unknown", "unknown"),
    ("windows-nt-4.0-workstation", "6", [], "noncompliant", "noncompliant"),
    ("windows-nt-4.0-enterprise", "6a", [], "compliant", "compliant"),
    ("windows-nt-4.0-server", None, [], "unknown", "unknown"),
    # A candidate's name over the final pack's: the stamp must be explained and the mark of 6a be there.
    ("windows-nt-4.0-server", "Service Pack 6, RC 1.3", ["Q246467", "Q246009"], "compliant", "compliant"),
    ("windows-nt-4.0-server", "Service Pack 6, RC 1.3", ["Q246009"], "compliant", "compliant"),
    ("windows-nt-4.0-server", "Service Pack 6, RC 1.3", ["Q246467"], "noncompliant", "noncompliant"),
    ("windows-nt-4.0-server", "Service Pack 4 RC 1.2", ["Q246467", "Q246009"], "noncompliant", "not_applicable"),
    ("windows-nt-4.0-terminal-server", "5", [], "noncompliant", "not_applicable"),
    ("windows-nt-4.0-terminal-server", "6", [], "compliant", "not_applicable"),
    ("windows-nt-4.0-terminal-server", "Service Pack 6, RC1.6", ["Q266433"], "compliant", "not_applicable"),
    ("windows-nt-4.0-terminal-server", "Service Pack 6, RC1.6", [], "unknown", "not_applicable"),
    ("windows-nt-4.0", "6", [], "unknown", "unknown"),  # enough on Terminal Server Edition, not on the others
    ("windows-nt-4.0", "6a", [], "compliant", "compliant"),
    ("windows-2000-server", "3", [], "noncompliant", "not_applicable"),
    ("windows-2000-server", "Service Pack 1, RC 1.1", ["Q266433"], "noncompliant", "not_applicable"),
    ("windows-2000-datacenter", "4", [], "compliant", "not_applicable"),
    ("windows-2000", "4", [], "compliant", "not_applicable"),
    ("windows-xp", "3", [], "compliant", "not_applicable"),
    ("windows-xp", "2", [], "noncompliant", "not_applicable"),
    ("windows-xp-x64", "2", [], "compliant", "not_applicable"),
    ("windows-server-2003-r2", "2", [], "compliant", "not_applicable"),
    ("windows-server-2003", "1", [], "noncompliant", "not_applicable"),
    ("windows-vista", "2", [], "compliant", "not_applicable"),
    ("windows-server-2008", "1", [], "noncompliant", "not_applicable"),
    ("windows-7", "1", [], "compliant", "not_applicable"),
    ("windows-server-2008-r2", "0", [], "noncompliant", "not_applicable"),
    ("windows-server-2012", "0", [], "not_applicable", "not_applicable"),
    ("windows-server-2025", "0", [], "not_applicable", "not_applicable"),
    ("windows-nt-3.1", "CSD003", [], "unknown", "not_applicable"),
]


@pytest.mark.parametrize(("product", "sp", "hotfixes", "last", "six_a"), LAST)
def test_latest_service_pack_and_the_mark_of_6a(
    product: str, sp: str | None, hotfixes: list[str] | None, last: str, six_a: str
) -> None:
    facts = replace(host(product, sp), hotfixes=None if hotfixes is None else tuple(map(Hotfix, hotfixes)))
    assert (verdict("windows-latest-service-pack", facts), verdict("Q246009", facts)) == (last, six_a)


def test_the_rule_asks_for_the_service_pack_that_the_table_has() -> None:
    for product in PRODUCTS:
        at = verdict("windows-latest-service-pack", host(product.id, product.service_pack or "0"))
        assert at == ("compliant" if product.service_pack else "not_applicable"), product
        if product.service_pack:
            assert product.service_pack_source, product
            below = str(service_pack.parse(product.service_pack).number - 1)
            assert verdict("windows-latest-service-pack", host(product.id, below)) == "noncompliant", product


ENDED = [
    # product, edition, day, verdict
    ("windows-nt-3.51", None, "2001-12-31", "compliant"),
    ("windows-nt-3.51", None, "2002-10-01", "noncompliant"),
    ("windows-nt-4.0-terminal-server", "terminal-server", "2004-12-31", "compliant"),
    ("windows-nt-4.0-terminal-server", "terminal-server", "2005-01-01", "noncompliant"),
    ("windows-nt-4.0-workstation", "workstation", "2004-07-01", "noncompliant"),
    ("windows-2000-server", None, "2010-07-13", "compliant"),
    ("windows-2000", None, "2010-07-14", "noncompliant"),
    ("windows-server-2003-r2", None, "2015-07-15", "noncompliant"),
    ("windows-server-2008-r2", None, "2020-01-14", "compliant"),
    ("windows-server-2008-r2", None, "2021-01-01", "unknown"),  # extended updates, or not
    ("windows-server-2012", None, "2026-10-13", "unknown"),
    ("windows-server-2012", None, "2026-10-14", "noncompliant"),
    ("windows-server-2016", "ServerStandard", "2026-11-23", "compliant"),
    ("windows-server-2016", "ServerStandardNano", "2026-11-23", "noncompliant"),
    ("windows-server-1809", "ServerStandardACor", "2026-11-23", "noncompliant"),
    ("windows-server-2019", "ServerStandard", "2026-11-23", "compliant"),
    ("windows-server-2025", None, "2034-11-15", "noncompliant"),
    ("windows-10-22h2", "Professional", "2025-10-15", "unknown"),
    ("windows-10-1809", "EnterpriseS", "2026-11-23", "compliant"),
    ("windows-10-1809", "Enterprise", "2026-11-23", "noncompliant"),
    ("windows-10-1809", None, "2026-11-23", "unknown"),  # the edition decides
    ("windows-10-1809", None, "2020-11-10", "compliant"),
    ("windows-10-21h2", "IoTEnterpriseS", "2030-01-01", "compliant"),
    ("windows-10-21h2", "EnterpriseS", "2030-01-01", "noncompliant"),
    ("windows-11-24h2", "Professional", "2026-11-23", "noncompliant"),
    ("windows-11-24h2", "Enterprise", "2026-11-23", "compliant"),
    ("windows-11-24h2", "ServerRdsh", "2026-11-23", "compliant"),
    ("windows-11-24h2", "EnterpriseEval", "2026-11-23", "compliant"),
    ("windows-11-24h2", "Unheard", "2026-11-23", "unknown"),
    ("windows-11-25h2", "Core", "2026-11-23", "compliant"),
    ("windows-11-27h2", "Professional", "2026-11-23", "unknown"),  # not listed
    ("windows-10", None, "2026-11-23", "unknown"),
]


@pytest.mark.parametrize(("product", "edition", "day", "expected"), ENDED)
def test_end_of_support(product: str, edition: str | None, day: str, expected: str) -> None:
    facts = platform(host(product), edition=edition)
    assert find("windows-end-of-support", facts, day=datetime.fromisoformat(day)).verdict == expected


def test_bought_updates_count_when_they_are_attested() -> None:
    facts = host("windows-server-2008-r2", "1")
    assert verdict("windows-end-of-support", facts) == "noncompliant"
    assert verdict("windows-end-of-support", facts, attested("windows-end-of-support")) == "compliant"


def test_every_product_of_the_table_has_an_end_of_support() -> None:
    rule = next(r for r in RULES if r.id == "windows-end-of-support")
    last = rule.branches[-1].check
    assert isinstance(last, SupportCheck)
    ids = {p.id for p in PRODUCTS} - {"azure-stack-hci"}
    assert ids <= set(last.products)
    assert set(last.products) - ids == {"windows-nt-4.0", "windows-2000"}  # where the edition is not known
    for check in checks(rule):
        for support in check.products.values() if isinstance(check, SupportCheck) else ():
            assert support.paid is None or (support.paid > support.ends and support.program)


def test_every_product_of_the_table_is_one_that_rules_can_name() -> None:
    for p in PRODUCTS:
        # For an id that applicability.py does not know, a rule for another product would be left open.
        assert covers("windows-none", Platform(family="windows", product=p.id)) is False, p.id
        assert p.source, p.id


def test_no_two_rows_of_the_table_say_the_same() -> None:
    signs = [(p.builds, p.type, p.suites, p.editions, p.r2) for p in PRODUCTS]
    assert len(set(signs)) == len(signs)
    left_over = [(build, p.type) for p in PRODUCTS for build in p.builds if not (p.suites or p.editions or p.r2)]
    assert len(set(left_over)) == len(left_over)  # where nothing decides, one row at most is left


@pytest.mark.parametrize(("required", "expected"), [(True, "pending"), (None, "unknown"), (False, "compliant")])
def test_pending_reboot(required: bool | None, expected: str) -> None:
    facts = replace(host("windows-server-2022"), reboot=Reboot(required, (), ("Session Manager",)))
    assert verdict("windows-pending-reboot", facts) == expected


def test_no_rule_of_windows_is_judged_on_linux() -> None:
    linux = replace(NODE, platform=Platform(family="linux", product="debian-12"))
    assert not [f for f in evaluate(linux, RULES, today=WHEN.date()) if f.rule.startswith(("Q", "windows"))]


LSA = r"registry:HKLM\SYSTEM\CurrentControlSet\Control\Lsa#"
PROTECTION = r"registry:HKLM\SYSTEM\CurrentControlSet\Control\Session Manager#ProtectionMode"
FTP = r"registry:HKLM\SYSTEM\CurrentControlSet\Services\MSFTPSVC\Parameters#"
SMB = r"registry:HKLM\SYSTEM\CurrentControlSet\Services\LanmanServer\Parameters#EnableSecuritySignature"
SECURITY = [
    # rule, key, product, value: verdict
    ("Q244995", PROTECTION, "windows-nt-4.0-server", {None: "noncompliant", "0": "noncompliant", "1": "compliant"}),
    ("Q244995", PROTECTION, "windows-nt-4.0-terminal-server", {"1": "not_applicable", "0": "not_applicable"}),  # Q253821
    ("Q217336", f"{TCPIP}DisableIPSourceRouting", "windows-nt-4.0-server", {None: "noncompliant", "1": "noncompliant", "2": "compliant"}),
    ("Q217336", f"{TCPIP}DisableIPSourceRouting", "windows-2000-server", {None: "not_applicable"}),
    ("Q143474", f"{LSA}RestrictAnonymous", "windows-nt-4.0-server", {None: "noncompliant", "0": "noncompliant", "1": "compliant", "2": "compliant"}),
    ("Q161372", SMB, "windows-nt-4.0-server", {None: "noncompliant", "1": "compliant"}),
    ("Q161372", SMB, "windows-nt-4.0-workstation", {None: "not_applicable"}),
    ("Q147706", f"{LSA}LMCompatibilityLevel", "windows-nt-4.0-server", {None: "noncompliant", "0": "noncompliant", "1": "compliant", "5": "compliant"}),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "key", "product", "expected"), SECURITY)
def test_what_the_vendor_asks_for_security(rule: str, key: str, product: str, expected: dict[str | None, str]) -> None:
    for value, wanted in expected.items():
        assert verdict(rule, host(product, "6", {key: value})) == wanted, value


def test_values_that_must_not_be_switched_on() -> None:
    keys: dict[str, str | None] = {f"{FTP}EnablePortAttack": None, f"{FTP}EnablePASVTheft": None}
    ftp = (Service("MSFTPSVC"),)
    assert verdict("Q247132", replace(host("windows-2000-server", "3", keys), services=ftp)) == "compliant"
    for on in keys:
        assert verdict("Q247132", replace(host("windows-2000-server", "3", {**keys, on: "1"}), services=ftp)) == "noncompliant"
    assert verdict("Q247132", host("windows-2000-server", "3", keys)) == "not_applicable"


def test_what_no_patch_brings_is_a_person_s_word() -> None:
    rule = "iis-4.0-administrative-actions"
    iis = replace(host("windows-nt-4.0-server", "6a"), services=(Service("W3SVC"),))
    assert [verdict(rule, iis), verdict(rule, iis, attested(rule))] == ["unknown", "compliant"]
    assert verdict(rule, host("windows-nt-4.0-server", "6a")) == "not_applicable"
    assert verdict(rule, replace(iis, platform=replace(iis.platform, product="windows-2000-server"))) == "not_applicable"
