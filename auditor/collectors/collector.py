"""What a collector is."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from msgspec import Struct

if TYPE_CHECKING:  # the package of the Linux collectors is made of what is defined here
    from auditor.collectors.linux.script_output import ScriptOutput


class CollectorResult(Struct, frozen=True):
    """What a parse() found: fields of HostFacts by name, and the reason where it is only part of the truth."""

    facts: dict[str, Any]
    partial: str = ""


class Collector(Struct, frozen=True, kw_only=True):
    """`sh` defines one function `c_SECTION` for each of `sections`; `parse` reads their answers and raises FactUnavailable
    where they do not say. `privileged` are the commands it would run by sudo. `slow` ones run last.

    What joins it to others is declared: `provides` are shell variables and functions that it leaves for later collectors,
    `uses` those of earlier ones, `reads` other collectors' sections that `parse` looks at."""

    name: str
    sections: tuple[str, ...]
    sh: str
    parse: Callable[[ScriptOutput], CollectorResult]
    privileged: tuple[str, ...] = ()
    slow: bool = False
    provides: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
