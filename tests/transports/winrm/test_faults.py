"""Faults of a WinRM service in the middle of a session: each ends, is told, and costs no more than it must."""

from __future__ import annotations

import gzip
import time
import tracemalloc

import pytest

from auditor.audit.context import AuditContext
from auditor.model.run import TargetResult
from tests.lab.hostile import listening, says
from tests.lab.windows.wsman_faults import Faults, RawCollection
from tests.transports.winrm.test_session import failed, posed, read, reason, serving, verdicts

FIRST, KEY = "Win32_OperatingSystem", "EnumKey HKLM\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion\\HotFix"
SHORT = (2, 0.5, 30)  # a command has half a second
PROMPT = 10  # seconds; without a deadline it would be 20 at least, or for ever


def partly(result: TargetResult, *words: str) -> None:
    """What one fault took is told and unknown, what was read before and beside it is judged."""
    assert (result.outcome, result.error) == ("partial", None)
    for word in words:
        assert word in reason(result, "hotfixes")
    assert verdicts(result)["windows-latest-service-pack"] == "compliant"


@pytest.mark.parametrize("answer", ["http-500", "soap-500", "garbage", "garbage-500"])
def test_a_question_that_is_answered_badly(audit: AuditContext, answer: RawCollection) -> None:
    """It costs one fact; the connection goes on."""
    with serving(faults=Faults(answer=answer, match=KEY)) as server:
        result = read(server, audit)
        assert server.connections == 2
    partly(result, "no XML" if answer == "garbage" else "the host ")
    assert verdicts(result)["windows-pending-reboot"] == "compliant"


@pytest.mark.parametrize("answer", ["http-500", "soap-500", "garbage"])
def test_a_first_question_that_is_answered_badly(audit: AuditContext, answer: RawCollection) -> None:
    """WMI is broken there, which a shell does not need."""
    with serving(faults=Faults(answer=answer, match=FIRST)) as server:
        result = read(server, audit)
    assert result.facts
    assert "because WMI refused" in (result.facts.method or "")
    assert verdicts(result)["windows-latest-service-pack"] == "compliant"


OVER: dict[RawCollection, str] = {
    "bomb": "declares XML entities",
    "bomb-500": "declares XML entities",
    "tampered": "altered",
    "short": "altered",
    "plain": "came unencrypted",
    "empty": "came unencrypted",
    "drop": "closed the connection",
    "close": "in the middle of an answer",
    "gigantic": "more than 4 MB",
}


@pytest.mark.parametrize("answer", OVER)
def test_a_connection_that_cannot_go_on(audit: AuditContext, answer: RawCollection) -> None:
    """No second login behind its back: the seals of the first would not fit, and what is lost is told."""
    tracemalloc.start()
    try:
        with serving(faults=Faults(answer=answer, match=KEY)) as server:
            result = read(server, audit)
            assert server.connections == 2
            assert server.log[-1].endswith("HotFix")
        with serving(faults=Faults(answer=answer, match=FIRST)) as server:
            failed(read(server, audit), "unencrypted-refused" if answer in ("plain", "empty") else "protocol", OVER[answer])
            assert server.connections == 2
        assert tracemalloc.get_traced_memory()[1] < 60_000_000  # nothing was expanded, nor read to its end
    finally:
        tracemalloc.stop()
    partly(result, OVER[answer])


@pytest.mark.parametrize("answer", ["silence", "trickle", "long"])
def test_a_deadline_that_holds_from_outside(audit: AuditContext, answer: RawCollection) -> None:
    start = time.monotonic()
    with serving(faults=Faults(answer=answer, match=KEY, pace=0.05)) as server:
        partly(read(server, audit, times=SHORT), "no end within 0.5 s", "`timeouts`")
    with serving(faults=Faults(answer=answer, match=FIRST, pace=0.05)) as server:
        failed(read(server, audit, times=SHORT), "timeout", "no end within 0.5 s while reading", "`timeouts`")
    assert time.monotonic() - start < PROMPT


def test_a_packed_answer_that_swells(audit: AuditContext) -> None:
    body = gzip.compress(bytes(200_000_000), 1)
    head = f"HTTP/1.1 401 x\r\nContent-Encoding: gzip\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    tracemalloc.start()
    try:
        with listening(says(head + body)) as (_, port):
            failed(read(port, audit), "protocol", "more than 4 MB")
        assert tracemalloc.get_traced_memory()[1] < 60_000_000
    finally:
        tracemalloc.stop()


def test_an_enumeration_that_never_ends(audit: AuditContext) -> None:
    with serving(faults=Faults(endless=True)) as server:
        result = read(server, audit)
        assert server.log.count("Pull") < 1000
        assert server.log.count("Release") == 1
        assert server.wmi._open == {}
    assert result.facts
    assert "the enumeration has no end" in (result.facts.method or "")
    assert verdicts(result)["windows-latest-service-pack"] == "compliant"  # by a shell


@pytest.mark.parametrize(
    "faults",
    [
        Faults(no_wmi=True, answer="silence", match="Receive"),
        Faults(no_wmi=True, answer="soap-500", match="Receive", times=None, code=2150858793, delay=0.1),
    ],
    ids=["silent", "says-so"],
)
def test_a_receive_that_goes_on_past_its_time(audit: AuditContext, faults: Faults) -> None:
    """Our deadline ends it, and the shell does not stay on the host."""
    start = time.monotonic()
    with serving(faults=faults) as server:
        result = read(server, audit, times=SHORT)
        assert result.outcome == "failed"
        assert "no end within 0.5 s" in reason(result, "services")
        assert server.log[-2:] == ["Signal", "Delete shell"]
        assert server.shells.open == {}
    assert time.monotonic() - start < PROMPT


def test_a_receive_that_times_out_once_is_asked_again(audit: AuditContext) -> None:
    with serving(faults=Faults(no_wmi=True, answer="soap-500", match="Receive", code=2150858793)) as server:
        assert verdicts(read(server, audit))["windows-latest-service-pack"] == "compliant"


def test_a_shell_of_which_a_part_is_told(audit: AuditContext) -> None:
    """The connection ends after the first piece: that much is known."""
    host = posed()
    host.services |= {f"svc{n}": {"display": "x" * 200, "state": "Running", "start": "Auto"} for n in range(300)}
    with serving(host, faults=Faults(no_wmi=True, answer="drop", match="Receive", nth=2)) as server:
        result = read(server, audit)
        assert server.log[-2:] == ["Signal", "Delete shell"]
    assert result.outcome == "partial"
    assert verdicts(result)["windows-latest-service-pack"] == "compliant"
    assert "closed the connection" in reason(result, "services")


def test_the_error_of_a_shell_that_was_cut_off(audit: AuditContext) -> None:
    with serving(faults=Faults(no_wmi=True, answer="silence", match="Receive")) as server:
        failed(read(server, audit, times=SHORT), "timeout", "0.5 s", outcome="failed")
