"""How configuration files are read: which of several lines with one key counts.

Most programs take the last one. OpenSSH takes the first, in the order in which Include brings other files in, and what
stands in a Match or Host block holds for some connections only (sshd_config(5), ssh_config(5)).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from auditor.errors import FactUnavailable

_FIRST_WINS = re.compile(r"(?:/etc/(?:ssh|openssh)|/(?:usr/local|opt/[^/]+)/etc(?:/ssh)?)/sshd?_config(?:\.d/[^/]+\.conf)?")
_COMMENT = re.compile(r"\s#.*")


def takes_first(path: str) -> bool:
    """Does the program that reads this file take the first of several lines?"""
    return _FIRST_WINS.fullmatch(path) is not None


def value(path: str, name: str, lines: Sequence[str], included: Mapping[str, Sequence[str]]) -> str | None:
    """The value of a key in a file, None where it has none. `lines`: those of the file that may matter; `included`: those of
    the files that the usual Include brings in, by path. FactUnavailable where it depends on a file that was not read."""
    if takes_first(path):
        return next(_unconditional(path, name, lines, included), None)
    found = [v for line in lines if (v := after(name, line)) is not None]
    return found[-1] if found else None


def after(name: str, line: str) -> str | None:
    """What follows the key in its line, without the separator, quotes and a trailing comment. None for a line that only
    resembles the key, whose dots the host's grep takes for any character."""
    text = _unquoted(line)
    if not text.lower().startswith(name.lower()):
        return None
    rest = text[len(name) :]
    if rest and not rest[0].isspace() and rest[0] not in '=:"':
        return None
    return _COMMENT.sub("", rest).strip(" \t=:").strip('"')


def _unquoted(line: str) -> str:
    """A line whose keyword stands in quotes, without them (OpenSSH takes both)."""
    return re.sub(r'^\s*"([A-Za-z0-9.]+)"', r"\1", line).strip()


def _unconditional(path: str, name: str, lines: Sequence[str], included: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """The values in force for every connection, the first first."""
    everywhere, brought = True, False
    for line in lines:
        words = re.split(r"[\s=]+", _unquoted(line), maxsplit=1)
        keyword, rest = words[0].lower(), _COMMENT.sub("", f" {words[1]}" if len(words) > 1 else "").strip()
        if keyword == "match":
            everywhere = rest.strip('"').lower() == "all"
        elif keyword == "host":
            everywhere = rest == "*"
        elif keyword == "include" and everywhere:
            for pattern in rest.replace('"', " ").split():
                if pattern not in (f"{path}.d/*.conf", f"{path.rpartition('/')[2]}.d/*.conf"):
                    raise FactUnavailable(f"{path} includes {pattern[:100]}, which is not read")
                for file in sorted(included) if not brought else ():
                    yield from _unconditional(file, name, included[file], {})
                brought = True  # what the first Include brought in wins over a second one's
        elif everywhere and (found := after(name, line)) is not None:
            yield found
