"""Secret references: the inventory names where a secret lies, never the secret itself.

env:NAME            an environment variable
file:PATH           the first line of a file that only its owner may read (mode 0600 or stricter), or of a systemd credential
keyring:SERVICE/USER  the desktop's or server's keyring, where the extra `keyring` is installed
prompt:             what the operator typed at `--ask-password`, kept in memory for this call
zone:NAME           of a host in a zone: what its worker's own file has under this name
command:WORDS       the first line a command prints (a password manager's, for example); no shell is used
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import stat
import subprocess
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from auditor.errors import HostError

_TYPED: dict[str, str] = {}
_PATIENCE = 30.0  # seconds for a command
_RUNNING: set[subprocess.Popen[str]] = set()
_GIVEN: dict[str, str] = {}  # what was given out, by its reference: a host may say it back
SCHEMES = ("env:", "file:", "keyring:", "command:")
ZONE = "zone:"


def is_reference(text: str) -> bool:
    """Does the text name a place rather than a secret?"""
    return text.startswith((*SCHEMES, ZONE)) and len(text.split(":", 1)[1].strip()) > 0


def problem(reference: str) -> str | None:
    """Why this reference could not be followed now, without fetching the secret; None where it seems fit."""
    scheme, _, rest = reference.partition(":")
    if not is_reference(reference):
        return "is not a secret reference; write env:NAME, file:PATH, keyring:SERVICE/USER or command:WORDS"
    if f"{scheme}:" == ZONE:
        return "is for hosts of a zone, whose worker knows the secret"
    if scheme == "env" and rest not in os.environ:
        return f"the environment variable {rest} is not set"
    if scheme == "file":
        return _file_problem(Path(rest).expanduser())
    if scheme == "keyring" and _keyring() is None:
        return "needs the keyring extra: pip install 'auditor[keyring]'"
    if scheme == "command" and not shutil.which((_words(rest) or [""])[0]):
        return f"the command {rest.split()[0]!r} is not found"
    return None


def keep_typed(secret: str) -> str:
    """Remember a typed secret for this call and return its reference."""
    _TYPED["prompt:"] = secret
    return "prompt:"


def resolve(reference: str) -> str:
    """The secret itself; HostError `secret-unavailable`, whose message never holds it."""
    secret = _resolve(reference)
    _GIVEN[reference] = secret
    return secret


def given(references: Iterable[str | None]) -> tuple[str, ...]:
    """The secrets that were given out by these references: whoever got one can say it back (audit/redaction.py)."""
    return tuple(secret for reference in references if (secret := _GIVEN.get(reference or "")))


def _resolve(reference: str) -> str:
    if reference in _TYPED:
        return _TYPED[reference]
    scheme, _, rest = reference.partition(":")
    wrong = problem(reference)
    if wrong:
        raise HostError("secret-unavailable", f"{scheme}: {wrong}")
    if scheme == "env":
        return os.environ[rest]
    if scheme == "file":
        try:
            return _first_line(Path(rest).expanduser().read_text(encoding="utf-8"), reference)
        except (OSError, UnicodeDecodeError):
            raise HostError("secret-unavailable", f"{reference} cannot be read as UTF-8 text") from None
    if scheme == "keyring":
        service, _, user = rest.rpartition("/")
        found = _keyring().get_password(service, user)
        if found is None:
            raise HostError("secret-unavailable", f"keyring: no entry for {rest}; store it with `keyring set {service} {user}`")
        return str(found)
    return _first_line(_printed(_words(rest)), reference)


def _printed(words: list[str]) -> str:
    """What a command prints. HostError where it fails, says nothing for 30 s, or `end_commands` was called."""
    name = repr(words[0])
    try:
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
    except OSError as e:
        raise HostError("secret-unavailable", f"command: {name} cannot be started: {e.strerror}") from None
    _RUNNING.add(process)
    try:
        out, _ = process.communicate(timeout=_PATIENCE)
    except (subprocess.TimeoutExpired, UnicodeDecodeError) as e:
        raise HostError("secret-unavailable", f"command: {name} did not answer: {type(e).__name__}") from None
    finally:
        ended = process not in _RUNNING
        _RUNNING.discard(process)
        _end(process)
        process.wait()
    if ended:
        raise HostError("interrupted", f"stopped by the operator while {name} was asked for a secret; run it again")
    if process.returncode:
        raise HostError("secret-unavailable", f"command: {name} ended with exit status {process.returncode}")
    return out


def end_commands() -> None:
    """End the commands that are asked for secrets now: the operator stopped what they are for. From any thread."""
    for process in list(_RUNNING):
        _RUNNING.discard(process)
        _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    """It and what it started; it may be gone."""
    if process.poll() is None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)


def _file_problem(path: Path) -> str | None:
    try:
        mode = path.stat().st_mode
    except OSError as e:
        return f"{path}: {e.strerror}"
    if not stat.S_ISREG(mode) or not os.access(path, os.R_OK):
        return f"{path} is not a readable file"
    if mode & (0o037 if _is_credential(path) else 0o077):
        return f"{path} can be read by others (mode {mode & 0o777:04o}); chmod 600 it"
    return None


def _is_credential(path: Path) -> bool:
    """Is it in the folder that systemd made for this service alone (systemd.exec(5), LoadCredential)? From 254 on an access
    list lets the service's user in, and the group bits show that list's mask, 0440."""
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    return bool(folder) and path.resolve().is_relative_to(Path(folder or "").resolve())


def _first_line(text: str, reference: str) -> str:
    line = text.split("\n", 1)[0].rstrip("\r")
    if not line:
        raise HostError("secret-unavailable", f"{reference} is empty")
    return line


def _words(rest: str) -> list[str]:
    try:
        return shlex.split(rest)
    except ValueError:
        return []


def _keyring() -> Any:
    """The optional extra, or None."""
    try:
        import keyring
    except ImportError:
        return None
    return keyring
