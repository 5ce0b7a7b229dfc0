"""known_hosts (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT), read line by line: a bad line costs only itself.

paramiko's own reader refuses the whole file for one malformed, `@revoked` or `@cert-authority` line and does not match
patterns. Here plain, hashed and pattern entries and `@revoked` are honoured; what is known only by a host CA cannot be
checked by this transport, and is said so.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from msgspec import Struct

MAX_BYTES = 32_000_000
_MOST_BAD = 50  # places of bad lines that are kept


class KnownHost(Struct, frozen=True):
    """One usable line. `hosts` as written; `marker` is "", "@revoked" or "@cert-authority"."""

    marker: str
    hosts: str
    key_type: str
    key: bytes
    place: str


class KnownHosts:
    """The entries of some files, in their order. `bad` are the places of lines that could not be read.

    Plain names are found by an index; hashed names and patterns have to be tried one by one."""

    def __init__(self) -> None:
        self.bad: list[str] = []
        self._plain: dict[str, list[tuple[int, KnownHost]]] = {}
        self._others: list[tuple[int, KnownHost]] = []
        self._count = 0
        self._found: dict[tuple[str, int], list[KnownHost]] = {}

    def add(self, entry: KnownHost) -> None:
        """Take one line in."""
        self._count += 1
        self._found.clear()
        if re.search(r"[|*?!]", entry.hosts):
            self._others.append((self._count, entry))
        else:
            for name in entry.hosts.lower().split(","):
                self._plain.setdefault(name, []).append((self._count, entry))

    def keys(self, host: str, port: int) -> list[KnownHost]:
        """The entries for a host: certificates' authorities and revoked keys too."""
        if (host, port) not in self._found:
            self._found[host, port] = self._look(host, port)
        return self._found[host, port]

    def _look(self, host: str, port: int) -> list[KnownHost]:
        name = host.lower() if port == 22 else f"[{host.lower()}]:{port}"
        found = [*self._plain.get(name, ()), *(other for other in self._others if _covers(other[1].hosts, name))]
        return [entry for _, entry in sorted(found, key=lambda numbered: numbered[0])]


def read(paths: Iterable[str | Path]) -> KnownHosts:
    """Read files; one that does not exist holds nothing. Raises OSError where one exists and cannot be read."""
    known = KnownHosts()
    for path in map(Path, paths):
        try:
            with path.open("rb") as file:
                text = file.read(MAX_BYTES).decode("utf-8", "replace")
        except FileNotFoundError:
            continue
        for number, line in enumerate(text.split("\n"), 1):
            entry = parse_line(line, f"{path}:{number}")
            if isinstance(entry, KnownHost):
                known.add(entry)
            elif entry and len(known.bad) < _MOST_BAD:
                known.bad.append(f"{path}:{number}")
    return known


def parse_line(line: str, place: str = "") -> KnownHost | bool:
    """One line: an entry, False for a blank or comment, True for a line that cannot be read."""
    words = line.split()
    if not words or words[0].startswith("#"):
        return False
    marker = words.pop(0) if words[0].startswith("@") else ""
    if marker not in ("", "@revoked", "@cert-authority") or len(words) < 3:
        return True
    try:
        key = base64.b64decode(words[2], validate=True)
        length = int.from_bytes(key[:4], "big")
        inner = key[4 : 4 + length].decode("ascii")
    except ValueError:  # binascii.Error is one, and so are characters that are not ASCII
        return True
    if inner != words[1]:  # the blob names its own type; a line whose words differ is damaged
        return True
    return KnownHost(marker, words[0], words[1], key, place)


def _covers(hosts: str, name: str) -> bool:
    if hosts.startswith("|1|"):
        _, _, salt, digest = (*hosts.split("|"), "", "")[:4]
        try:
            key, wanted = base64.b64decode(salt), base64.b64decode(digest)
        except ValueError:
            return False
        return hmac.compare_digest(hmac.new(key, name.encode(), hashlib.sha1).digest(), wanted)
    covered = False
    for pattern in hosts.lower().split(","):
        if _pattern(pattern.removeprefix("!")).fullmatch(name):
            if pattern.startswith("!"):
                return False
            covered = True
    return covered


@lru_cache(maxsize=65536)
def _pattern(text: str) -> re.Pattern[str]:
    """`*` and `?` only: brackets are those of [host]:port. Many `*` in a row are one."""
    parts = re.split(r"(\*+|\?)", text)
    return re.compile("".join(".*" if p.startswith("*") else "." if p == "?" else re.escape(p) for p in parts), re.DOTALL)


def fingerprint(key: bytes) -> str:
    """`SHA256:…`, as ssh-keygen -l prints it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(key).digest()).decode().rstrip("=")


def line(host: str, port: int, key_type: str, key: bytes) -> str:
    """A known_hosts line for a key."""
    name = host if port == 22 else f"[{host}]:{port}"
    return f"{name} {key_type} {base64.b64encode(key).decode()}\n"
