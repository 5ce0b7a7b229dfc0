"""Asking one host, by the way its session has: a POSIX script, WMI, a Windows shell, the remote registry, or what was kept.
Where the inventory wants it, a PowerShell script besides.

Every way gives an Answer, which is read into facts by pure functions. Which Windows it is decides what is asked of it, so
the rules' wishes come as a function of the platform.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from auditor.collectors.linux.host_facts import arguments, read_answer
from auditor.collectors.linux.script import SUDO_CALLS
from auditor.collectors.linux.script import command as posix_command
from auditor.collectors.windows.host_facts import first_questions, platform_of, questions, read_windows
from auditor.collectors.windows.queries import OS, QFE, UNINSTALL, UPDATES, Questions
from auditor.collectors.windows.readers import offline, powershell, remote_registry, shell, wmi
from auditor.errors import HostError, Refused
from auditor.model.facts import HostFacts, Platform
from auditor.model.requirements import Asked
from auditor.model.run import TargetError
from auditor.model.target import KnownLogin
from auditor.model.windows import Readings, Table
from auditor.transports.command import CommandResult
from auditor.transports.session import Kept, RemoteRegistry, Session, Shell, Wmi

Wishes = Callable[[Platform], Asked]


class Posix(Struct, frozen=True, kw_only=True):
    """How the script is to run: `sudo` is none | sudo | sudo-password, then `password` is one line of stdin."""

    deep: bool = False
    sudo: str = "none"
    password: bytes = b""
    raw: bool = False


class Answer(Struct, frozen=True, kw_only=True):
    """What a host said: a stream framed by `marker`, or readings. `when` is set where it was not said just now;
    `relaxed` is what the session found relaxed beyond the inventory. `broken`: readings of a stream that was cut off."""

    marker: str
    asked: Asked
    result: CommandResult | None = None
    readings: Readings | None = None
    windows: bool = False
    relaxed: tuple[str, ...] = ()
    known_login: KnownLogin | None = None
    when: datetime | None = None
    broken: TargetError | None = None

    @property
    def cut(self) -> TargetError | None:
        return self.result.cut if self.result else self.broken

    def facts(self, *, target: str, way: str, now: datetime) -> HostFacts:
        """Read it; pure, nothing raises."""
        if self.readings is not None:
            return read_windows(self.readings, self.asked, target=target, way=way, now=now)
        assert self.result is not None
        if self.windows:
            readings = shell.read(self.result, self.marker, questions(self.asked))
            return read_windows(readings, self.asked, target=target, way=way, now=now)
        return read_answer(self.result, self.marker, target=target, way=way, now=now)


def ask(session: Session, wishes: Wishes, marker: str, posix: Posix, *, missing_updates: bool = False) -> Answer:
    """Ask everything. Raises HostError where there is no session, or where nothing at all may be asked."""
    windows = wishes(Platform(family="windows"))
    if isinstance(session, Wmi):
        answer = _by_wmi(session, wishes, marker)
    elif isinstance(session, RemoteRegistry):
        answer = Answer(marker=marker, asked=windows, readings=remote_registry.read(session, wishes))
    elif isinstance(session, Kept):
        kept = session.readings()
        readings = kept or offline.read(session.files(), questions(windows))
        answer = Answer(marker=marker, asked=wishes(platform_of(readings)) if kept else windows, readings=readings)
    elif isinstance(session, Shell):
        answer = _by_shell(session, wishes, marker, posix)
    else:
        raise HostError("internal", f"{type(session).__name__} has no way to ask")
    live = session.recorded_at is None
    if (missing_updates if live else getattr(session, "powershell", False)) and (answer.windows or answer.readings):
        answer = _with_missing_updates(session, answer)
    relaxed = getattr(session, "relaxed", ())
    return replace(answer, known_login=session.known_login, when=session.recorded_at, relaxed=relaxed)


def _by_shell(session: Shell, wishes: Wishes, marker: str, posix: Posix) -> Answer:
    """The POSIX script; what answers it like no POSIX system is asked as a Windows."""
    windows = wishes(Platform(family="windows"))
    if session.windows is not True:
        asked = wishes(Platform(family="linux"))
        form = "gzip" if session.compress and not posix.raw else "plain"
        # One line of stdin for each sudo: every one of them asks for itself.
        stdin = posix.password * SUDO_CALLS
        command = posix_command(marker, arguments(asked.linux), form=form, deep=posix.deep, sudo=posix.sudo, stdin=stdin)
        first = session.run(command)
        if session.windows is False or first.cut or not _is_windows(first, marker):
            return Answer(marker=marker, asked=asked, result=first)
    result = session.run(shell.command(questions(windows), marker))
    answer = Answer(marker=marker, asked=windows, result=result, windows=True)
    if session.windows is None and f"\n{marker}=".encode() not in result.stdout.replace(b"\r\n", b"\n"):
        return Answer(marker=marker, asked=asked, result=first)  # no Windows either: the first answer says what it is
    return answer


def _is_windows(result: CommandResult, marker: str) -> bool:
    """No POSIX shell ran the script, or one of Cygwin's kind did."""
    _, framed, stream = result.stdout.partition(f"{marker}=".encode())
    if not framed:
        return True
    form, _, body = stream.partition(b"\n")
    start = body[:4000]
    if form == b"gzip":
        try:
            start = zlib.decompressobj(wbits=31).decompress(start, 4000)
        except zlib.error:
            return False
    return re.search(rb"\nuname=(?:CYGWIN|MSYS|MINGW)", start) is not None


def _by_wmi(session: Wmi, wishes: Wishes, marker: str) -> Answer:
    """WMI; where it refuses everything, a shell; and a shell for what only it tells."""
    everything = wishes(Platform(family="windows"))
    reader = wmi.Reader(session)
    try:
        first = reader.first(first_questions(Asked()))
    except Refused as e:
        if e.kind not in ("access-denied", "protocol", "timeout"):
            raise
        return _refused(session, everything, marker, e)
    asked = wishes(platform_of(first))
    wanted = questions(asked)
    readings = reader.rest(first, wanted)
    refused = [a for a in wanted.values if (v := readings.values.get(a.what)) and v.state == "unreadable"]
    if wanted.programs or (refused and len(refused) == len([a for a in wanted.values if a.what in readings.values])):
        keys = tuple(k for k in wanted.keys if (s := readings.keys.get(k.what)) and s.state == "unreadable")
        readings = _filled(session, readings, Questions(values=tuple(refused), keys=keys, programs=wanted.programs), marker)
    return Answer(marker=marker, asked=asked, readings=readings)


def _refused(session: Wmi, asked: Asked, marker: str, why: Refused) -> Answer:
    try:
        result = session.run(shell.command(questions(asked), marker))
    except HostError as e:
        raise HostError(why.kind, f"WMI: {why}; a shell: {e}") from None
    readings = shell.read(result, marker, questions(asked))
    note = f"because WMI refused: {why}"
    return Answer(marker=marker, asked=asked, readings=replace(readings, notes=(*readings.notes, note)), broken=result.cut)


def _filled(session: Wmi, readings: Readings, missing: Questions, marker: str) -> Readings:
    """What WMI does not tell or was not allowed to, by a shell; where that is refused too, the reason."""
    try:
        told = shell.read(session.run(shell.command(missing, marker)), marker, missing)
    except HostError as e:
        tables = {key: Table("unreadable", reason=f"only a shell lists programs: {e}") for key in UNINSTALL}
        return replace(readings, tables=readings.tables | (tables if missing.programs else {}))
    what = "installed programs" if missing.programs and not missing.values else "what WMI did not give"
    return replace(
        readings,
        values=readings.values | {k: v for k, v in told.values.items() if v.state != "unreadable"},
        keys=readings.keys | {k: v for k, v in told.keys.items() if v.state != "unreadable"},
        tables=readings.tables | told.tables,
        notes=(*readings.notes, f"{what} by {shell.WAY}"),
    )


def _with_missing_updates(session: Session, answer: Answer) -> Answer:
    """The Windows Update Agent's view, by PowerShell, which also tells what the first way could not: the list of hotfixes
    of Vista and later, where that was a shell. Its failure costs nothing else."""
    readings = answer.readings
    if readings is None:
        assert answer.result is not None
        readings = shell.read(answer.result, answer.marker, questions(answer.asked))
    wanted = Questions(tables=(OS, QFE))
    try:
        if not isinstance(session, (Wmi, Shell)):
            raise HostError("protocol", "this way runs no command, and only PowerShell asks the Windows Update Agent")
        result = session.run(powershell.command(wanted, answer.marker, True))
        told = powershell.read(result, answer.marker, wanted, True)
    except HostError as e:
        told = Readings(way=powershell.WAY, tables={UPDATES: Table("unreadable", reason=f"PowerShell was not run: {e}")})
    known = {name for name, table in readings.tables.items() if table.state == "present"}
    found = {name: t for name, t in told.tables.items() if t.state == "present" and name not in known}
    filled = tuple(f"{name} by PowerShell" for name in found if name != UPDATES)
    readings = replace(
        readings,
        tables=told.tables | readings.tables | found,
        texts=told.texts | readings.texts,
        notes=(*readings.notes, *told.notes, *filled),
    )
    return replace(answer, readings=readings, result=None, broken=answer.cut)
