"""Recordings: what was kept of a host's answers, read back by the same collectors. A folder or a zip archive holds

recording.json   {"schema": "auditor.recording/1", "target", "recorded_at", "kind", "marker", "script", "way", "exit_status",
                  "seconds", "cut"}; `script` is the SHA-256 of the collection script that asked
stdout, stderr   the bytes of a command, not compressed (kinds posix and windows-shell)
readings.json    what WMI or the remote registry told (kind windows-readings)

or, without recording.json, what was carried home from a Windows host: answer.txt, which collect.cmd writes, or exported
registry files and texts (collectors/windows/offline_scripts.py). A file that is no archive is what was carried home from a Linux
host (collectors/linux/offline_script.py).
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Annotated, Literal, Self

import msgspec

from auditor.errors import HostError
from auditor.foundation import own_files
from auditor.foundation.deadline import Deadline
from auditor.model.run import TargetError
from auditor.model.target import Target
from auditor.model.windows import WindowsRawData
from auditor.transports.command import MAX_STDERR, MAX_STDOUT, Command, CommandResult
from auditor.transports.permits import Permits
from auditor.transports.session import SessionKind

RecordingKind = Literal["posix", "windows-shell", "windows-readings"]
# What collect.cmd writes, and the word that frames it.
ANSWER, POWERSHELL_ANSWER, CARRIED_MARKER = "answer.txt", "answer-powershell.txt", "auditor-offline"
MAX_FILES, MAX_BYTES = 500, 64_000_000


class Recording(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What recording.json holds."""

    schema: Literal["auditor.recording/1"] = "auditor.recording/1"
    target: str
    recorded_at: datetime
    kind: RecordingKind = "posix"
    marker: Annotated[str, msgspec.Meta(min_length=8)]
    script: str
    method: str = msgspec.field(name="way")
    exit_status: int | None
    seconds: float
    truncated: TargetError | None = msgspec.field(default=None, name="cut")


def write(folder: Path, recording: Recording, contents: dict[str, bytes]) -> None:
    """Keep one answer, whose files are `contents`; OSError where the folder cannot be written."""
    own_files.check(folder)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    head = msgspec.json.format(msgspec.json.encode(recording), indent=1) + b"\n"
    for name, content in (contents | {"recording.json": head}).items():
        own_files.replace(folder / name, content, 0o600)  # a package list and its holes: its owner's only


def open_recording(target: Target, deadline: Deadline, permits: Permits) -> RecordedShell | RecordedWindows:
    """The session of a recording; HostError `protocol` where the path is none. Nothing leaves for a host."""
    path = Path(target.path or ".")
    if (carried_home := _carried_from_linux(path, target.name)) is not None:
        return carried_home
    contents, newest = _contents(path)
    if ANSWER in contents:
        carried = Recording(target=target.name, recorded_at=newest, kind="windows-shell", marker=CARRIED_MARKER, script="",
                            method="carried home", exit_status=None, seconds=0.0)  # fmt: skip
        kept = {"stdout": contents[ANSWER]} | {k: v for k, v in contents.items() if k == POWERSHELL_ANSWER}
        return RecordedShell(carried, kept)
    if "recording.json" not in contents:
        if not any(name.lower().endswith((".reg", ".txt")) for name in contents):
            raise HostError(
                "protocol",
                f"{path} is no recording: it holds neither recording.json nor files of a Windows host (*.reg, ver.txt)",
            )
        return RecordedWindows(contents, None, newest)
    try:
        recording = msgspec.json.decode(contents["recording.json"], type=Recording)
        if recording.kind == "windows-readings":
            data = msgspec.json.decode(contents.get("readings.json", b""), type=WindowsRawData)
            return RecordedWindows({}, data, recording.recorded_at)
    except msgspec.MsgspecError as e:
        raise HostError("protocol", f"{path} is no recording: {e}") from None
    if "stdout" not in contents:
        raise HostError("protocol", f"{path} is no recording: it has no file stdout")
    return RecordedShell(recording, contents)


def _carried_from_linux(path: Path, name: str) -> RecordedShell | None:
    """The answer of collect.sh; None where the path is something else."""
    try:
        if not path.is_file() or zipfile.is_zipfile(path):
            return None
        _bounded(path, 1, path.stat().st_size)
        content, when = path.read_bytes(), datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except OSError as e:
        raise HostError("protocol", f"{path} cannot be read: {e.strerror}") from None
    if f"\n{CARRIED_MARKER}=plain\n".encode() not in content[:4096]:
        return None
    carried = Recording(
        target=name, recorded_at=when, marker=CARRIED_MARKER, script="", method="carried home", exit_status=0, seconds=0.0
    )
    return RecordedShell(carried, {"stdout": content})


class _Recorded:
    relaxed: tuple[str, ...] = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        return None


class RecordedShell(_Recorded):
    """Gives the recorded answer to whatever is asked; what was not asked then is not known now."""

    kind: SessionKind = "shell"
    compress = False

    def __init__(self, recording: Recording, contents: dict[str, bytes]) -> None:
        self._recording, self._contents = recording, contents
        self.windows: bool | None = recording.kind == "windows-shell"
        self.recorded_at: datetime | None = recording.recorded_at
        self.has_update_agent_answer: bool | None = POWERSHELL_ANSWER in contents

    def run(self, command: Command) -> CommandResult:
        r = self._recording
        kept = self._contents[POWERSHELL_ANSWER if command.argv[0] == "powershell" else "stdout"]
        # The marker of this run takes the place of the recorded one.
        stdout = kept[:MAX_STDOUT].replace(r.marker.encode(), command.marker.encode())[:MAX_STDOUT]
        return CommandResult(r.exit_status, stdout, self._contents.get("stderr", b"")[:MAX_STDERR], r.seconds, r.truncated)


class RecordedWindows(_Recorded):
    """Windows data that was recorded, or files to make some of."""

    kind: SessionKind = "recorded"
    has_update_agent_answer: bool | None = False

    def __init__(self, files: dict[str, bytes], data: WindowsRawData | None, when: datetime) -> None:
        self._files, self._data = files, data
        self.recorded_at: datetime | None = when

    def data(self) -> WindowsRawData | None:
        return self._data

    def files(self) -> dict[str, bytes]:
        return self._files


def _contents(path: Path) -> tuple[dict[str, bytes], datetime]:
    """The files of a folder or a zip archive, by name, and the time of the oldest one, which is how old the answer may be
    (an archive's times have no zone and are read as UTC). Nothing is unpacked to disk."""
    try:
        if path.is_dir():
            files = [p for p in sorted(path.rglob("*")) if p.is_file()]
            _bounded(path, len(files), sum(p.stat().st_size for p in files))
            _one_folder({str(p.parent) for p in files})
            oldest = min((p.stat().st_mtime for p in files), default=0.0)
            return _by_name((p.name, p.read_bytes()) for p in files), datetime.fromtimestamp(oldest, UTC)
        with zipfile.ZipFile(path) as archive:
            members = [m for m in archive.infolist() if not m.is_dir()]
            _bounded(path, len(members), sum(m.file_size for m in members))
            _one_folder({m.filename.replace("\\", "/").rpartition("/")[0] for m in members})
            at = min((datetime(*m.date_time, tzinfo=UTC) for m in members), default=datetime.fromtimestamp(0, UTC))
            return _by_name((m.filename.replace("\\", "/").rpartition("/")[2], _member(archive, m)) for m in members), at
    except (OSError, zipfile.BadZipFile, RuntimeError, NotImplementedError, ValueError, EOFError, zlib.error) as e:
        raise HostError("protocol", f"{path} is no recording: {getattr(e, 'strerror', None) or e}") from None


def _one_folder(folders: set[str]) -> None:
    if len(folders) > 1:
        raise ValueError("its files lie in several folders; give one host's folder")


def _by_name(files: Iterable[tuple[str, bytes]]) -> dict[str, bytes]:
    """Two files of one name are two hosts' files, or two times of one."""
    found: dict[str, bytes] = {}
    for name, content in files:
        if name in found:
            raise ValueError(f"it holds {name} twice; give one host's folder")
        found[name] = content
    return found


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """At most what the archive's directory promises: a member that holds more lies."""
    with archive.open(member) as file:
        content = file.read(member.file_size + 1)
    if len(content) > member.file_size:
        raise ValueError(f"{member.filename} is larger than its archive says")
    return content


def _bounded(path: Path, files: int, size: int) -> None:
    if files > MAX_FILES or size > MAX_BYTES:
        raise HostError("protocol", f"{path} holds {files} files and {size} bytes: too many for a recording of one host")
