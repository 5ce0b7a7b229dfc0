"""Posed hosts asked by every way there is, each host and way once in a session; and readings made by hand."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import pytest
from msgspec.structs import replace

import auditor.audit.scan
from auditor.audit.assessment import evaluate_facts
from auditor.audit.context import AuditContext
from auditor.audit.scan import scan
from auditor.foundation.deadline import Deadline, Stop
from auditor.model.finding import Attestation
from auditor.model.run import TargetResult
from auditor.model.target import Target
from auditor.model.windows import Subkeys, Table, Value, WindowsRawData
from auditor.rulebook.loader import load
from auditor.transports.command import Command, CommandResult
from auditor.transports.session import LiveSession, SessionKind
from tests.lab.sshd import Sshd, keygen, user
from tests.lab.windows import cmd, offline
from tests.lab.windows.host import WindowsHost, load_host
from tests.lab.windows.sshd import Shell, windows_sshd
from tests.lab.windows.wsman import WsmanServer

Way = Literal["wmi", "shell", "regedit4", "unicode"]
WAYS: tuple[Way, ...] = ("wmi", "shell", "regedit4", "unicode")
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
MARKER = "0123456789abcdef01234567"
RULEBOOK = load()
AUDIT = AuditContext(rulebook=RULEBOOK, clock=lambda: NOW, marker=lambda: MARKER)
# What somebody exports who only knows that it is about Windows, from Windows 2000 on.
WHOLE = {"software.reg": r"HKLM\SOFTWARE", "system.reg": r"HKLM\SYSTEM"}


class Console(LiveSession):
    """A session that runs the lab's cmd in this process."""

    kind: SessionKind = "shell"
    compress = False
    windows: bool | None = True

    def __init__(self, host: WindowsHost) -> None:
        self._host = host

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        return None

    def run(self, command: Command) -> CommandResult:
        out, err, status = cmd.run(self._host, " ".join(command.argv), command.stdin)
        return CommandResult(status, out, err, 0.0)


@cache
def scanned(name: str, method: Way) -> TargetResult:
    """The whole audit of a posed host by one way."""
    return audited(load_host(name), method)


def audited(host: WindowsHost, method: Way) -> TargetResult:
    name = host.name
    if method == "wmi":
        with WsmanServer(host) as server, environment("LAB_PASSWORD", "Secret-1"):
            target = Target(name=name, connection="winrm", address="127.0.0.1", port=server.port, scheme="http", user="auditor",
                            password="env:LAB_PASSWORD")  # fmt: skip
            return scan(target, AUDIT, Stop())
    if method == "shell":
        with transport("ssh", lambda target, deadline: Console(host)):
            return scan(Target(name=name, connection="ssh", address="127.0.0.1"), AUDIT, Stop())
    with tempfile.TemporaryDirectory() as folder:
        offline.carry_home(host, Path(folder), method, offline.KEYS if method == "regedit4" else WHOLE)
        return scan(Target(name=name, connection="replay", path=folder), AUDIT, Stop())


@contextmanager
def over_ssh(folder: Path, name: str, shell: Shell) -> Iterator[tuple[Sshd, Target]]:
    """The posed host behind a real sshd, and the target that reaches it."""
    folder.mkdir(parents=True, exist_ok=True)
    key = keygen(folder / "key")
    with windows_sshd(folder / "sshd", name, shell) as server:
        server.allow(key.with_suffix(".pub"))
        known = folder / "known_hosts"
        known.write_text(server.known_hosts_line())
        yield server, Target(name=name, connection="ssh", address="127.0.0.1", port=server.port, user=user(), key_file=str(key),
                             known_hosts=(str(known),))  # fmt: skip


@contextmanager
def environment(name: str, value: str) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(name, value)
        yield


@contextmanager
def transport(name: str, factory: Any) -> Iterator[None]:
    """Another maker of sessions in the place of one transport's."""

    def opened(target: Target, deadline: Deadline, permits: Any) -> Any:
        assert target.connection == name
        return factory(target, deadline)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(auditor.audit.scan, "open_session", opened)
        yield


def verdicts(result: TargetResult, *attestations: Attestation) -> dict[str, str]:
    """The verdict of every shipped rule."""
    assert result.facts
    judged = evaluate_facts(result.facts, result.target, replace(AUDIT, attestations=attestations))
    return {f.rule: f.verdict for f in judged.findings}


# ------------------------------------------------------------------------------------------------------ readings by hand
# What a value holds, where it is there.
Data = str | int | tuple[str, ...]


def value(data: Data) -> Value:
    kind = "REG_DWORD" if isinstance(data, int) else "REG_SZ" if isinstance(data, str) else "REG_MULTI_SZ"
    return Value("present", kind, data)


def data(
    values: Mapping[str, Data | Value | None] | None = None,
    keys: Mapping[str, tuple[str, ...] | Subkeys | None] | None = None,
    tables: Mapping[str, Sequence[dict[str, Any]] | Table] | None = None,
    **texts: str,
) -> WindowsRawData:
    """What is None is absent, what is missing was not read."""
    return WindowsRawData(
        method="by hand",
        values={
            k: Value("absent") if v is None else v if isinstance(v, Value) else value(v) for k, v in (values or {}).items()
        },
        keys={
            k: Subkeys("absent") if v is None else v if isinstance(v, Subkeys) else Subkeys("present", v)
            for k, v in (keys or {}).items()
        },
        tables={k: v if isinstance(v, Table) else Table("present", tuple(v)) for k, v in (tables or {}).items()},
        texts=texts,
    )


def all_answers(read: WindowsRawData) -> list[Value | Subkeys | Table]:
    """Every answer that says whether it could be read."""
    return [*read.values.values(), *read.keys.values(), *read.tables.values()]
