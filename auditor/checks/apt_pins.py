"""The priority that apt gives to what a suite offers (apt_preferences(5)).

The first specific record that matches a package decides; where there is none, the first general one (`Package: *`). A
record's `Pin` names the place a suite is from (`origin HOST`) or what its Release file says (`release o=…, n=…`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase

from auditor.model.facts import UpdateList

_DEFAULT = 500
_NEVER = -1


def priority(pins: Sequence[str], x: UpdateList, package: str = "") -> int:
    """Of a package (or of `src:SOURCE`) in a suite; without one, of whatever no specific record is about. `pins` are records in
    apt's order, their lines joined by ` · `."""
    general = None
    for pin in pins:
        said = dict(line.partition(": ")[::2] for line in pin.split(" · "))
        names = said.get("Package", "").split()
        number = _number(said.get("Pin-Priority", "").strip())
        if number is None or not _matches(said.get("Pin", "").strip(), x):
            continue
        if "*" in names:
            general = number if general is None else general
        elif package and any(_names(name, package) for name in names):
            return number
    return _DEFAULT if general is None else general


def _number(text: str) -> int | None:
    if text == "never":
        return _NEVER
    return int(text) if re.fullmatch(r"-?\d{1,6}", text) else None


def _names(pattern: str, package: str) -> bool:
    """A name, a glob, or `src:` before either; a regular expression between slashes is taken for no name."""
    return not pattern.startswith("/") and fnmatchcase(
        package, pattern.partition(":")[0] if not pattern.startswith("src:") else pattern
    )


def _matches(pin: str, x: UpdateList) -> bool:
    kind, _, rest = pin.partition(" ")
    if kind == "origin":
        host = rest.strip().strip('"')
        return bool(host) and re.match(rf"{re.escape(host)}(?:[_:]|%3a)", x.name) is not None  # "" is for files of this machine
    if kind != "release" or not rest.strip():
        return False
    dist = x.name.rpartition("_dists_")[2]
    known = {"o": (x.origin,), "l": (x.label,), "n": (x.release, dist), "a": (dist,)}
    wanted = [part.strip().partition("=")[::2] for part in rest.split(",")]
    return all(any(fnmatchcase(name or "", value.strip('"')) for name in known.get(key, ())) for key, value in wanted)
