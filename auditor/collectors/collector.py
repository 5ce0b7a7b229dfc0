"""What a collector is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from auditor.collectors.linux.script_output import Answers


class Reading(Struct, frozen=True):
    """What a parse() found: fields of HostFacts by name, and the reason where it is only part of the truth."""

    facts: dict[str, Any]
    partial: str = ""


class Collector(Struct, frozen=True, kw_only=True):
    """`sh` defines one function `c_SECTION` for each of `sections`; `parse` reads their answers and raises CannotTell
    where they do not say. `privileged` are the commands it would run by sudo. `slow` ones run last."""

    name: str
    sections: tuple[str, ...]
    sh: str
    parse: Callable[[Answers], Reading]
    privileged: tuple[str, ...] = ()
    slow: bool = False
