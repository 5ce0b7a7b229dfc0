"""Recordings: a host's raw answers in a folder, read back by the same collectors.

recording.json   {"schema": "auditor.recording/1", "target", "recorded_at", "marker", "script", "way", "exit_status",
                  "seconds", "cut"}; `script` is the SHA-256 of the collection script that asked
stdout, stderr   the bytes, not compressed
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import msgspec

from auditor.errors import HostError
from auditor.model.run import TargetError
from auditor.model.target import Target
from auditor.transports.command import MAX_STDERR, MAX_STDOUT, Command, CommandResult
from auditor.transports.deadline import Deadline


class Recording(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What recording.json holds."""

    schema: Literal["auditor.recording/1"] = "auditor.recording/1"
    target: str
    recorded_at: datetime
    marker: str
    script: str
    way: str
    exit_status: int | None
    seconds: float
    cut: TargetError | None = None


def write(folder: Path, recording: Recording, stdout: bytes, stderr: bytes) -> None:
    """Keep one answer; OSError where the folder cannot be written."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    head = msgspec.json.format(msgspec.json.encode(recording), indent=1) + b"\n"
    for name, content in (("stdout", stdout), ("stderr", stderr), ("recording.json", head)):
        (folder / name).touch(mode=0o600)  # a package list and its holes: its owner's only
        (folder / name).write_bytes(content)


def load(folder: Path) -> Recording:
    """The head of a recording; HostError `protocol` where it is none."""
    try:
        return msgspec.json.decode((folder / "recording.json").read_bytes(), type=Recording)
    except (OSError, msgspec.MsgspecError) as e:
        raise HostError("protocol", f"{folder} is no recording: {getattr(e, 'strerror', None) or e}") from None


class ReplaySession:
    """Gives the recorded answer to whatever is asked; what was not asked then is not known now."""

    compress = False
    known_login = None

    def __init__(self, target: Target, deadline: Deadline) -> None:
        self._folder = Path(target.path or ".")
        self.recording = load(self._folder)
        self.recorded_at = self.recording.recorded_at

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        return None

    def run(self, command: Command) -> CommandResult:
        stdout, stderr = _read(self._folder / "stdout", MAX_STDOUT), _read(self._folder / "stderr", MAX_STDERR)
        asked = command.argv[4].encode()  # the marker of this run takes the place of the recorded one
        r = self.recording
        return CommandResult(r.exit_status, stdout.replace(r.marker.encode(), asked), stderr, r.seconds, r.cut)


def _read(path: Path, limit: int) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(limit)
    except OSError as e:
        raise HostError("protocol", f"{path}: {e.strerror}") from None
