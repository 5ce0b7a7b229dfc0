"""Which files of ssh_config(5) concern this user, and what their lines say, without understanding them."""

from __future__ import annotations

import os
import pwd
import re
import shlex
from collections.abc import Iterator
from glob import glob
from pathlib import Path

SYSTEM = Path("/etc/ssh/ssh_config")
_MOST_FILES, _MOST_BYTES, _DEEPEST = 200, 4_000_000, 16


def own_home() -> Path:
    """The home of this user: HOME, or what the system knows."""
    return Path(os.environ.get("HOME") or pwd.getpwuid(os.getuid()).pw_dir)


def _moved() -> bool:
    """Is HOME another folder than the one that the system knows, which is where ssh looks? Then its file is named."""
    return own_home().resolve() != Path(pwd.getpwuid(os.getuid()).pw_dir).resolve()


def named_file() -> list[str]:
    """The words by which ssh is told its file, where it would look at another one."""
    own = own_home() / ".ssh" / "config"
    return ["-F", str(own) if own.is_file() else "none"] if _moved() else []


def config_files() -> Iterator[Path]:
    """The user's file and the system's, as far as they are there."""
    own = own_home() / ".ssh" / "config"
    if own.is_file():
        yield own
    if not _moved() and SYSTEM.is_file():
        yield SYSTEM


def lines(file: str, left: list[int], depth: int = 0) -> Iterator[tuple[str, int, str, str]]:
    """File, number, keyword and value of each line, of included files too. A file that cannot be read so far counts as one
    that matters: ssh will say what is wrong with it."""
    left[0] -= 1
    try:
        text = Path(file).read_bytes()[:_MOST_BYTES].decode("utf-8", "replace") if Path(file).is_file() else ""
    except OSError:
        text = "match unreadable"
    if left[0] < 0 or depth > _DEEPEST:
        text = "match all"
    for number, line in enumerate(text.splitlines(), 1):
        found = re.match(r'\s*"?([A-Za-z]+)"?\s*[=\s]\s*(.*?)\s*$', line[:4096])
        if not found:
            continue
        keyword, value = found[1].lower(), found[2]
        yield file, number, keyword, value
        if keyword == "include":
            for part in _words(value):
                folder = SYSTEM.parent if file.startswith(f"{SYSTEM.parent}/") else own_home() / ".ssh"
                for path in sorted(glob(str(folder / os.path.expanduser(part)))):
                    yield from lines(path, left, depth + 1)


def budget() -> list[int]:
    """How many files one reading may open."""
    return [_MOST_FILES]


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text, comments=True)
    except ValueError:
        return text.split()


def where(keyword: str, value: str) -> str:
    """`file:line: ` of the first line that says this, for people; "" where none does in so many words."""
    wanted = value.split("#")[0].strip().strip('"')
    for file in config_files():
        for path, number, found, text in lines(str(file), budget()):
            if found == keyword and text.split("#")[0].strip().strip('"') == wanted:
                return f"{path}:{number}: "
    return ""
