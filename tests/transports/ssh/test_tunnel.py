"""WinRM through SSH jump hosts: the same host, the same checks, and whose fault it is where there is no way."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from auditor.audit.context import AuditContext
from tests.lab.hostile import Host, listening, says
from tests.lab.sshd import free_port, keygen
from tests.lab.windows.wsman_faults import Faults
from tests.lab.windows.wsman_tls import Authority
from tests.transports.test_faults_stop import stopped
from tests.transports.winrm.test_faults import FIRST, KEY, PROMPT
from tests.transports.winrm.test_reach import waits_for
from tests.transports.winrm.test_session import failed, read, reason, serving, target, verdicts


@pytest.fixture(scope="module")
def hop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    with Host(tmp_path_factory.mktemp("hop")) as h:
        yield h


def test_through_a_jump_host(hop: Host, audit: AuditContext) -> None:
    with serving() as server:
        direct = read(server, audit)
        result = read(server, audit, jump=(hop.target(name="hop"),))
    assert (result.outcome, result.error) == ("assessed", None)
    assert result.facts
    assert direct.facts
    assert result.facts.method == "winrm through hop, WMI"
    assert (result.facts.platform, result.facts.hotfixes) == (direct.facts.platform, direct.facts.hotfixes)


def test_tls_through_a_jump_host(hop: Host, audit: AuditContext, tmp_path: Path) -> None:
    """The certificate is held against the host's name, not the jump host's."""
    ca = Authority(tmp_path / "ca")
    jump = (hop.target(name="hop"),)
    with serving(tls=ca.server()) as server:
        assert read(server, audit, jump=jump, ca_file=str(ca.file)).outcome == "assessed"
    with serving(tls=ca.server("other.example")) as server:
        failed(read(server, audit, jump=jump, ca_file=str(ca.file)), "tls-name-mismatch")
        assert server.requests == 0


def test_two_jump_hosts_and_a_shell(hop: Host, audit: AuditContext, tmp_path: Path) -> None:
    with Host(tmp_path / "second") as second, serving(faults=Faults(no_wmi=True)) as server:
        result = read(server, audit, jump=(hop.target(name="one"), second.target(name="two")))
        assert server.shells.open == {}
    assert result.facts
    assert (result.facts.method or "").startswith("winrm through one, two, one shell command")
    assert verdicts(result)["windows-latest-service-pack"] == "compliant"


def test_jump_hosts_that_let_nothing_through(hop: Host, audit: AuditContext, tmp_path: Path) -> None:
    port = free_port()
    error = read(port, audit, jump=(hop.target(name="hop"),)).error
    assert error
    assert error.kind == "jump-failed"
    assert f"the jump host hop: refused: cannot reach 127.0.0.1 port {port} from there" in error.message
    with serving() as server:
        closed = hop.target(name="hop", port=free_port())
        failed(read(server, audit, jump=(closed,)), "jump-failed", "the jump host hop: refused")
        stranger = hop.target(name="hop", key_file=str(keygen(tmp_path / "wrong")))
        failed(read(server, audit, jump=(stranger,)), "jump-failed", "the jump host hop: auth-failed")
        with Host(tmp_path / "strict", "AllowTcpForwarding no") as strict:
            error = read(server, audit, jump=(strict.target(name="hop"),)).error
            assert error
            assert error.kind == "jump-failed"
            assert "prohibited" in error.message
        assert server.connections == 0


def test_time_limits_hold_behind_a_jump_host(hop: Host, audit: AuditContext) -> None:
    jump = (hop.target(name="hop"),)
    start = time.monotonic()
    with serving(faults=Faults(answer="trickle", match=KEY, pace=0.05)) as server:
        result = read(server, audit, jump=jump, times=(20, 1, 30))
    assert result.outcome == "partial"
    assert "no end within 1 s" in reason(result, "hotfixes")
    with listening(says(b"")) as (_, port):
        failed(read(port, audit, jump=jump, times=(0.5, 20, 30)), "timeout", "logging in")
    assert time.monotonic() - start < PROMPT


def test_a_connection_that_is_dropped_behind_a_jump_host(hop: Host, audit: AuditContext) -> None:
    with serving(faults=Faults(answer="drop", match=KEY)) as server:
        result = read(server, audit, jump=(hop.target(name="hop"),))
        assert server.connections == 2
    assert result.outcome == "partial"
    assert "closed the connection" in reason(result, "hotfixes")


def test_stopped_behind_a_jump_host(hop: Host, audit: AuditContext) -> None:
    with serving(faults=Faults(answer="silence", match=FIRST)) as server:
        through = target(server, jump=(hop.target(name="hop"),), times=(60, 60, 60))
        result, took = stopped(through, audit, waits_for(server, FIRST))
    failed(result, "interrupted", "stopped by the operator")
    assert took < 2
