"""Every posed host by every way gives the facts that are true of it, as far as that way can tell; the rest is unknown."""

from __future__ import annotations

import re
import shutil
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from auditor.audit.scan import scan
from auditor.foundation.deadline import Stop
from auditor.model.facts import HostFacts
from auditor.model.finding import Attestation
from tests.collectors.windows.reading import AUDIT, WAYS, Way, audited, over_ssh, scanned, verdicts
from tests.given import Attested
from tests.lab.windows.host import HOSTS, load_host
from tests.lab.windows.offline import KEYS

NT3 = frozenset(h for h in HOSTS if h.startswith("nt3"))
NT31 = frozenset({"nt31-advanced-server-sp3"})
NO_REG_NT4 = frozenset({"nt40-server-sp6-iis4"})
NO_REG_2000 = frozenset({"windows-2000-advanced-server-sp4-cluster"})
VISTA = frozenset(h for h in HOSTS if h.startswith("windows") and not re.match(r"windows-(2000|xp|server-2003)", h))
SINCE_2000 = frozenset(h for h in HOSTS if h.startswith("windows"))
REGISTRY = {"service_pack", "edition", "suites", "hotfixes", "reboot"}
LIVE, FILES = frozenset({"wmi", "shell"}), frozenset({"regedit4", "unicode"})

# What each way cannot tell of which hosts. There a fact is None (or, of the product, the id without its edition), and
# everywhere else it is what host.yaml expects.
CANNOT_TELL: list[tuple[frozenset[str], frozenset[str], set[str], str]] = [
    (LIVE, NT3, REGISTRY | {"build"}, "no WMI and no reg.exe: only `ver` answers"),
    (frozenset({"shell"}), NO_REG_NT4, REGISTRY | {"build", "product"}, "no reg.exe, and `ver` names no build"),
    (frozenset({"shell"}), NO_REG_2000, REGISTRY | {"product"}, "no reg.exe"),
    (frozenset({"shell"}) | FILES, VISTA, {"hotfixes"}, "from Vista on only WMI has a list of them"),
    (frozenset({"regedit4"}), SINCE_2000, {"reboot"}, "of six keys exported none shows it"),
    (FILES, NT31, {"hotfixes"}, "it names no build, and later versions keep them elsewhere"),
    (frozenset({"regedit4"}), NT31, {"reboot"}, "it names no build, and later versions keep more signs"),
]
NOT_COMPARED: list[tuple[frozenset[str], frozenset[str], set[str], str]] = [
    (FILES, NT31, {"service_pack"}, "0x300 may be its second or third pack: CSD003 is what it says"),
    (FILES, NT3, {"reboot"}, "no article tells what NT 3.x leaves where a restart is due"),
    (frozenset({"unicode"}), frozenset({"windows-server-2022-core"}), {"reboot"}, "an export leaves closed keys out unsaid"),
]


def in_table(table: Any, method: Way, name: str) -> set[str]:
    return set().union(*(fields for ways, hosts, fields, _ in table if method in ways and name in hosts))


def facts(name: str, method: Way) -> HostFacts:
    found = scanned(name, method).facts
    assert found
    return found


def compared(found: HostFacts) -> dict[str, Any]:
    """The facts in the words of host.yaml."""
    p = found.platform
    return {
        "product": p.product,
        "version": p.version,
        "service_pack": p.service_pack,
        "build": p.build,
        "edition": p.edition,
        "suites": None if p.suites is None else list(p.suites),
        "hotfixes": None if found.hotfixes is None else sorted({h.id for h in found.hotfixes}),
        "reboot": found.reboot.required if found.reboot else None,
    }


@pytest.mark.parametrize("method", WAYS)
@pytest.mark.parametrize("name", HOSTS)
def test_facts(name: str, method: Way) -> None:
    expected, found = load_host(name).expected, compared(facts(name, method))
    assert set(expected) <= set(found)
    cannot = in_table(CANNOT_TELL, method, name)
    for what in set(expected) - in_table(NOT_COMPARED, method, name):
        if what == "product" and what in cannot:
            assert expected[what].startswith(f"{found[what]}-")
        elif what in cannot:
            assert found[what] is None, what
        elif what == "hotfixes" and expected[what] is not None:
            assert found[what] == sorted(expected[what])
        else:
            assert found[what] == expected[what], what


def test_the_table_names_nothing_twice_or_in_vain() -> None:
    for method in WAYS:
        for name in HOSTS:
            expected = load_host(name).expected
            told = [f for ways, hosts, fields, _ in CANNOT_TELL if method in ways and name in hosts for f in fields]
            assert len(told) == len(set(told)), (method, name)
            assert set(told) <= {*expected, "build", "edition", "suites"}, (method, name)


@pytest.mark.parametrize("name", sorted(NT31))
def test_the_number_of_windows_nt_31_is_no_service_pack(name: str) -> None:
    for method in ("regedit4", "unicode"):
        p = facts(name, method).platform
        assert (p.service_pack, p.csd_version) == ("CSD003", "CSD003")


# --------------------------------------------------------------------------------------- services, settings and the rest
@pytest.mark.parametrize("method", WAYS)
@pytest.mark.parametrize("name", HOSTS)
def test_services(name: str, method: Way) -> None:
    host, found = load_host(name), facts(name, method)
    if (method == "shell" and not host.sc_exe) or (method == "wmi" and not host.wmi):
        assert found.services is None
        return
    told = {s.name: (s.state, s.start) for s in found.services or ()}
    expected = {n: (s["state"].lower(), s["start"].lower()) for n, s in host.services.items()}
    if method == "regedit4":  # the key with the code pages was not exported: names beyond ASCII cannot be compared
        expected = {
            n: (told[n][0] and e[0], e[1]) if not host.services[n]["display"].isascii() else e for n, e in expected.items()
        }
    assert told == expected


def exported(key: str) -> bool:
    """Is a key, or one above it, among those that an administrator of NT 4.0 exports?"""
    return any(f"{key}\\".lower().startswith(f"{k}\\".lower()) for k in KEYS.values())


@pytest.mark.parametrize("method", WAYS)
@pytest.mark.parametrize("name", HOSTS)
def test_settings(name: str, method: Way) -> None:
    host, found = load_host(name), facts(name, method)
    for key, setting in (found.settings or {}).items():
        kind, _, place = key.partition(":")
        assert setting
        if kind == "file-version":
            path = place.replace("%SystemRoot%", r"C:\WINNT").lower()
            there = next((v for f, v in host.files.items() if f.lower() == path), None) if method == "wmi" else None
            assert (setting.state, setting.value) == (("present", there) if there else ("unreadable", ""))
        elif (method in LIVE and name in NT3) or (method == "shell" and not host.reg_exe):
            assert setting.state == "unreadable"
        elif method == "regedit4" and not exported(place.partition("#")[0]):
            assert setting.state == "unreadable"  # no such key was exported
        else:
            value = host.value(*place.split("#"))
            assert (setting.state, setting.value) == (("present", str(value.data)) if value else ("absent", "")), key


def test_the_settings_compared_are_of_every_kind() -> None:
    states = {s.state for n in HOSTS for s in (facts(n, "wmi").settings or {}).values() if s}
    assert states == {"present", "absent", "unreadable"}


@pytest.mark.parametrize("method", ["wmi", "shell"])
def test_a_value_that_the_account_may_not_read_is_not_absent(method: Way) -> None:
    host = load_host("nt40-server-sp6a-domino")
    host.denied_keys += [
        r"HKLM\SYSTEM\CurrentControlSet\Services\AFD\Parameters",
        r"HKLM\SYSTEM\CurrentControlSet\Control\ProductOptions",
    ]
    found = audited(host, method).facts
    assert found
    settings = found.settings or {}
    closed = [s.state for k, s in settings.items() if s and r"\AFD\Parameters#" in k]
    assert closed == ["unreadable"] * 4
    assert found.platform.product == "windows-nt-4.0"  # which edition is not known, and not guessed


@pytest.mark.parametrize("name", HOSTS)
def test_what_is_told_by_two_ways_is_the_same(name: str) -> None:
    for what in ("arch", "installation", "csd_version"):
        told = {getattr(facts(name, method).platform, what) for method in WAYS} - {None}
        assert len(told) <= 1, what
    assert len({facts(name, method).machine_id for method in WAYS} - {None}) <= 1
    programs = [p for method in WAYS if (p := facts(name, method).programs) is not None]
    # WMI asks for programs only where a rule may apply that looks at them.
    assert len({p for p in programs if p}) <= 1


@pytest.mark.parametrize("method", WAYS)
def test_the_way_taken_is_named(method: Way) -> None:
    named = facts("windows-server-2019", method).method or ""
    words = {"wmi": "winrm, WMI", "shell": "ssh, one shell command", "regedit4": "replay, files", "unicode": "replay, files"}
    assert named.startswith(words[method])


# --------------------------------------------------------------------------------------------------------- over real sshd
@pytest.mark.parametrize(
    ("name", "shell"),
    [("windows-server-2019-ja", "cmd"), ("windows-server-2022", "powershell"), ("windows-server-2012-r2-ru", "cmd")],
)
def test_over_ssh_it_is_the_shell_way(name: str, shell: Any, tmp_path: Path) -> None:
    with over_ssh(tmp_path, name, shell) as (_, target):
        same_as_the_shell(name, scan(target, AUDIT, Stop()), "ssh")


@pytest.mark.skipif(not shutil.which("ssh"), reason="there is no ssh here")
def test_over_openssh_too(tmp_path: Path) -> None:
    with over_ssh(tmp_path, "windows-xp-sp3-de", "cmd") as (_, target):
        same_as_the_shell("windows-xp-sp3-de", scan(replace(target, connection="openssh"), AUDIT, Stop()), "openssh")


def same_as_the_shell(name: str, result: Any, connection: str) -> None:
    assert result.facts, result.error
    usual = facts(name, "shell")
    method = (usual.method or "").replace("ssh", connection, 1)
    assert result.facts == replace(usual, method=method)
    assert {f.rule: f.verdict for f in result.findings} == verdicts(scanned(name, "shell"))


# ------------------------------------------------------------------------------------------------------------ the verdicts
C, N, U, X, P = "compliant", "noncompliant", "unknown", "not_applicable", "pending"
# By hand from the articles: Q238009 (a cluster node on Windows NT 4.0 Server, Enterprise or Terminal Server Edition: Service
# Pack 6, or the update), Q181350 (a Notes server on Windows NT Server 3.5 to 4.0; nothing shows the vendor's fix), Q246009
# (Windows NT 4.0 with Service Pack 6, but for Terminal Server Edition).
VERDICTS: dict[str, tuple[str, str, str]] = {
    #                                     Q238009 Q181350 Q246009
    "nt31-advanced-server-sp3": (X, X, X),
    "nt35-server-sp3": (X, X, X),
    "nt351-server-sp5-notes": (X, U, X),
    "nt40-enterprise-sp5-node": (N, X, X),
    "nt40-enterprise-sp5-node-q238009": (C, X, X),
    "nt40-enterprise-sp6a-rc": (C, X, C),  # Q246467 stamps the candidate's name; it comes after Service Pack 6
    "nt40-server-sp0": (X, X, X),
    "nt40-server-sp3-rc": (X, X, X),
    "nt40-server-sp4-rc": (X, X, X),
    "nt40-server-sp6-iis4": (X, X, N),
    "nt40-server-sp6a-domino": (X, U, C),
    "nt40-server-sp6a-sna4-sp3": (X, X, C),
    "nt40-server-sp6a-sna4-sp4": (X, X, C),
    "nt40-terminal-server-sp5": (X, X, X),
    "nt40-terminal-server-sp6-rc": (X, X, X),
    "nt40-workstation-sp6a": (X, X, C),
    **dict.fromkeys(SINCE_2000, (X, X, X)),  # also the cluster nodes: neither article names Windows 2000 or later
}
SEEDS = ("Q238009", "Q181350", "Q246009")
# A way that cannot read what a verdict stands on leaves it unknown.
UNREAD: list[tuple[Way, frozenset[str], tuple[str, ...], str]] = [
    ("wmi", NT3 - NT31, ("Q181350",), "neither WMI nor reg.exe: whether it is a server, and has Notes, is not known"),
    ("shell", NT3 - NT31, ("Q181350",), "no reg.exe"),
    ("shell", NO_REG_NT4, SEEDS, "no reg.exe: neither edition, service pack nor services are known"),
    ("wmi", NO_REG_NT4, ("Q181350",), "only a shell lists programs, and there is no reg.exe"),
]


def expected_verdicts(name: str, method: Way) -> dict[str, str]:
    unread = {rule for w, hosts, rules, _ in UNREAD if w == method and name in hosts for rule in rules}
    return {rule: U if rule in unread else v for rule, v in zip(SEEDS, VERDICTS[name], strict=True)}


@pytest.mark.parametrize("method", ["wmi", "shell", "unicode"])
@pytest.mark.parametrize("name", HOSTS)
def test_verdicts(name: str, method: Way) -> None:
    found = verdicts(scanned(name, method))
    assert {rule: found[rule] for rule in SEEDS} == expected_verdicts(name, method)


@pytest.mark.parametrize("name", HOSTS)
def test_verdicts_of_six_exported_keys(name: str) -> None:
    """A vendor's key was not exported: whether there is a Notes server that is no service cannot be told."""
    found = verdicts(scanned(name, "regedit4"))
    for rule, verdict in zip(SEEDS, VERDICTS[name], strict=True):
        assert found[rule] == verdict or (rule == "Q181350" and found[rule] == U and name not in SINCE_2000), rule


def attested(name: str, state: Attested) -> Attestation:
    return Attestation(
        rule="Q181350", targets=(name,), state=state, by="kim", date=date(2026, 6, 1), expires=None, reference=""
    )


@pytest.mark.parametrize(
    ("name", "ways"),
    [("nt351-server-sp5-notes", ("regedit4", "unicode")), ("nt40-server-sp6a-domino", WAYS)],
)
@pytest.mark.parametrize(("state", "verdict"), [("done", C), ("restart-pending", P), ("not-done", N)])
def test_the_verdicts_that_need_an_attestation(name: str, ways: tuple[Way, ...], state: Attested, verdict: str) -> None:
    for method in ways:
        assert verdicts(scanned(name, method), attested(name, state))["Q181350"] == verdict, method
    if name in NT3:
        assert verdicts(scanned(name, "wmi"), attested(name, state))["Q181350"] in (U, verdict)


def test_between_them_all_five_verdicts_occur() -> None:
    seen = {v for name in HOSTS for rule, v in verdicts(scanned(name, "unicode")).items() if rule in SEEDS}
    states: tuple[Attested, ...] = ("done", "restart-pending")
    for state in states:
        seen.add(verdicts(scanned("nt40-server-sp6a-domino", "wmi"), attested("nt40-server-sp6a-domino", state))["Q181350"])
    assert seen == {C, N, U, X, P}


def test_no_two_ways_judge_a_host_differently() -> None:
    """Every shipped rule: a way may leave a verdict open, and that is all it may do."""
    for name in HOSTS:
        by_way = {method: verdicts(scanned(name, method)) for method in WAYS}
        for rule in by_way["wmi"]:
            told = {by_way[method][rule] for method in WAYS if rule in by_way[method]} - {U}
            if (name, rule) == ("windows-server-2022-core", "windows-pending-reboot"):
                continue  # NOT_COMPARED
            assert len(told) <= 1, (name, rule, {method: by_way[method][rule] for method in WAYS})
