"""Windows hosts over WinRM, as a scan sees them: the whole host, and hosts that refuse a part, or all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from functools import cache
from typing import Any

import pytest

from auditor.audit.context import AuditContext
from auditor.audit.scan import scan
from auditor.collectors.windows.readers import wmi
from auditor.foundation.deadline import Stop
from auditor.model.run import TargetResult
from auditor.model.target import Target, Timeouts
from tests.lab.windows.host import RegValue, WindowsHost, load_host
from tests.lab.windows.wsman import WsmanServer
from tests.lab.windows.wsman_faults import Faults

os.environ["LAB_SECRET"], os.environ["LAB_WRONG"] = PASSWORD, WRONG = "Secret-1", "Other-7-secret"
MANAGER = r"HKLM\SYSTEM\CurrentControlSet\Control\Session Manager"
HOTFIX = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\HotFix"
_load = cache(load_host)


def posed(name: str = "windows-server-2003-r2-sp2") -> WindowsHost:
    """A host that a test may change."""
    return deepcopy(_load(name))


@contextmanager
def serving(host: WindowsHost | None = None, **given: Any) -> Iterator[WsmanServer]:
    with WsmanServer(host or posed(), **{"password": PASSWORD, **given}) as server:
        yield server


def target(server: Any, *, times: tuple[float, float, float] = (20, 20, 60), **more: Any) -> Target:
    """`server`: one of the lab's, or a port. `times`: connect, command, total."""
    scheme = "https" if getattr(server, "tls", None) else "http"
    said: dict[str, Any] = {
        "name": "w", "connection": "winrm", "address": "127.0.0.1", "port": getattr(server, "port", server),
        "scheme": scheme, "user": "auditor", "password": "env:LAB_SECRET", "timeouts": Timeouts(*times),
    }  # fmt: skip
    return Target(**said | more)


def read(server: Any, audit: AuditContext, **more: Any) -> TargetResult:
    result = scan(target(server, **more), audit, Stop())
    text = repr(result.error) + repr(result.facts)
    assert PASSWORD not in text  # whatever happens, a secret is in no message
    assert WRONG not in text
    return result


def failed(result: TargetResult, kind: str, *words: str, outcome: str = "unreachable") -> str:
    assert result.error, result.outcome
    assert (result.outcome, result.error.kind, result.findings) == (outcome, kind, ()), result.error
    for word in words:
        assert word in result.error.message, result.error.message
    for noise in ("HTTPConnection", "Errno", "Error(", "object at", "_ssl.c", "Max retries", "Exception", "Traceback"):
        assert noise not in result.error.message
    return result.error.message


def verdicts(result: TargetResult) -> dict[str, str]:
    return {f.rule: f.verdict for f in result.findings}


def reason(result: TargetResult, collector: str) -> str:
    assert result.facts
    return next(o.reason or "" for o in result.facts.outcomes if o.name == collector)


def test_a_whole_host(audit: AuditContext) -> None:
    with serving() as server:
        result = read(server, audit)
        assert (result.outcome, result.error, result.relaxed) == ("assessed", None, ())
        assert result.facts
        platform = result.facts.platform
        assert (platform.product, platform.service_pack, platform.build) == ("windows-server-2003-r2", "2", "3790")
        assert result.facts.method == "winrm, WMI"
        assert verdicts(result)["windows-latest-service-pack"] == "compliant"
        assert server.requests <= 45  # what the issue allows a host
        assert server.connections == 2  # an NTLM login's two, of which the second stays
        assert not any("shell" in line for line in server.log)


def test_by_an_ipv6_address(audit: AuditContext) -> None:
    with serving(address="::1") as server:
        assert read(server, audit, address="::1").outcome == "assessed"


def test_three_connections_only_where_they_pay(audit: AuditContext, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving() as server:
        near = read(server, audit)
        monkeypatch.setattr(wmi, "FAR", -1.0)
        before = server.connections
        far = read(server, audit)
        assert server.connections - before in (4, 6)  # a spare one that comes when all is done asks nothing
    assert far.facts
    assert near.facts
    assert (far.outcome, far.facts.platform, far.facts.hotfixes) == ("assessed", near.facts.platform, near.facts.hotfixes)
    assert verdicts(far) == verdicts(near)


def test_a_spare_connection_that_fails_gives_its_question_back(audit: AuditContext, monkeypatch: pytest.MonkeyPatch) -> None:
    """The service drops one of three connections at its first question; nothing is missing in the end."""
    monkeypatch.setattr(wmi, "FAR", -1.0)
    with serving(faults=Faults(answer="drop", match="Updates#UpdateExeVolatile", delay=0.05)) as server:
        whole = read(server, audit)
        asked = sum("UpdateExeVolatile" in line for line in server.log)
    # It was a spare one's question, or the first one's: then what is over is over, and the others did what was left.
    assert (whole.outcome, asked) in {("assessed", 2), ("partial", 1), ("partial", 2)}
    assert verdicts(whole)["windows-latest-service-pack"] == "compliant"


@pytest.mark.parametrize(
    ("keys", "classes", "collector", "told"),
    [
        ([], ["Win32_Service"], "services", "Win32_Service: this account may not"),
        ([HOTFIX], [], "hotfixes", f"{HOTFIX}: access denied"),
    ],
    ids=["class", "key"],
)
def test_one_thing_denied(audit: AuditContext, keys: list[str], classes: list[str], collector: str, told: str) -> None:
    """Partial with the reason, and the rest is judged."""
    host = posed()
    host.denied_keys, host.denied_classes = keys, classes
    with serving(host) as server:
        result = read(server, audit)
        assert not any("shell" in line for line in server.log)  # no second way for one refusal
    assert (result.outcome, result.error) == ("partial", None)
    assert told in reason(result, collector)
    assert verdicts(result)["windows-latest-service-pack"] == "compliant"
    assert verdicts(result)["windows-pending-reboot"] == "compliant"


@pytest.mark.parametrize("faults", [Faults(no_wmi=True), Faults(denied_namespaces=("root/default",))], ids=["all", "registry"])
def test_a_shell_where_wmi_is_refused(audit: AuditContext, faults: Faults) -> None:
    with serving(faults=faults) as server:
        result = read(server, audit)
        assert server.log[-1] == "Delete shell"
        assert server.log[-2] == "Signal"
        assert server.shells.open == {}
    assert result.facts
    assert "one shell command" in (result.facts.method or "")
    assert (result.facts.platform.product, result.facts.platform.service_pack) == ("windows-server-2003-r2", "2")
    assert verdicts(result)["windows-latest-service-pack"] == "compliant"


def test_all_refused(audit: AuditContext) -> None:
    with serving(faults=Faults(unauthorised=True)) as server:
        failed(read(server, audit), "access-denied", "this account may not", "docs/windows.md")
    with serving(faults=Faults(no_wmi=True, no_shell=True)) as server:
        failed(read(server, audit), "access-denied", "WMI: ", "a shell: ")


def test_quotas(audit: AuditContext) -> None:
    with serving(faults=Faults(quota="operations")) as server:
        failed(read(server, audit), "quota", "raise the quota", "2150859174")
    for kind in ("shells", "users"):
        with serving(faults=Faults(quota=kind, no_wmi=True)) as server:
            assert "raise the quota" in failed(read(server, audit), "access-denied", "WMI: ")


def test_programs_that_print_nothing_and_end_well(audit: AuditContext) -> None:
    """Nothing is known then, and nothing is compliant."""
    with serving(faults=Faults(no_wmi=True, no_output=True)) as server:
        failed(read(server, audit), "protocol", "no platform could be read", outcome="failed")
    with serving(faults=Faults(denied_namespaces=("root/default",), no_output=True)) as server:
        result = read(server, audit)
    assert result.outcome == "partial"
    assert verdicts(result)["windows-pending-reboot"] == "unknown"


def test_values_that_are_too_long_or_hold_nuls(audit: AuditContext) -> None:
    host = posed()
    values = host.key(MANAGER)
    assert values is not None
    values["PendingFileRenameOperations"] = RegValue("REG_MULTI_SZ", ["x" * 2_000_000, ""])
    product = host.key(r"HKLM\SYSTEM\CurrentControlSet\Control\ProductOptions")
    assert product is not None
    product["ProductSuite"] = RegValue("REG_MULTI_SZ", ["Enter\0prise", "", "Terminal Server\0"])
    with serving(host) as server:
        result = read(server, audit)
    assert "larger than the service's envelope" in reason(result, "reboot")
    assert verdicts(result)["windows-pending-reboot"] == "unknown"
    assert result.facts
    assert result.facts.platform.suites  # read, not given up for its NULs
    assert all("\0" not in suite for suite in result.facts.platform.suites)
    assert verdicts(result)["windows-latest-service-pack"] == "compliant"


def test_envelopes_that_are_too_small(audit: AuditContext) -> None:
    """Smaller batches first; what fits none is unknown."""
    with serving(faults=Faults(service_envelope=5_000)) as server:
        assert read(server, audit).outcome == "assessed"
        assert server.log.count("Pull") > 2
    with serving(faults=Faults(answer="soap-500", match="Win32_Service", times=None, code=2150858824)) as server:
        result = read(server, audit)
        assert sum("Win32_Service" in line for line in server.log) == 3
    assert "larger than the service's envelope" in reason(result, "services")
