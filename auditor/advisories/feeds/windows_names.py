"""What Microsoft's security documents call a Windows, as one of our products. The names are the documents', and say nothing of hosts: a
host is known by its build, installation type and edition.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from auditor.versions.windows_products import PRODUCTS

_ARCHITECTURES = {"32-bit": "x86", "x64-based": "x64", "arm64-based": "arm64", "itanium-based": "ia64", "x64": "x64"}
_ON = r"(?: for (?P<on>32-bit|x64-based|ARM64-based|Itanium-Based)(?: Systems)?)?"
_FORMS = tuple(
    re.compile(form + r"(?: \((?P<core>Server Core installation)\))?", re.I)
    for form in (
        rf"Windows (?P<client>10|11)(?:,? Version (?P<version>\d\dH[12]|1[5-9]\d\d|2004))?{_ON}",
        rf"Windows (?P<old>7|8|8\.1){_ON}(?: Service Pack \d)?",
        rf"Windows Vista(?P<vista>)(?: (?P<x64>x64) Edition)?(?: Service Pack \d)?{_ON}",
        rf"Windows Server (?P<server>2008 R2|2008|2012 R2|2012|2016|2019|2022|2025)(?P<annual>, 23H2 Edition)?(?: Azure Edition Core Hotpatch)?{_ON}(?: Service Pack \d)?",
        r"Windows Server, version (?P<channel>\d\dH[12]|1[5-9]\d\d|2004)",
    )
)
# Windows 10 and 11 without a version are the first of each.
_FIRST = {"10": "1507", "11": "21h2"}
_IDS = frozenset(p.id for p in PRODUCTS)


class WindowsName(NamedTuple):
    """`product`: our id; `architecture`: x86, x64, arm64 or ia64, "" where the name tells none; `core`: of a Server Core installation."""

    product: str
    architecture: str
    core: bool


def named(name: str) -> WindowsName | None:
    """The Windows of a name; None where it is another product, or a Windows that is none of ours (HoloLens, RT)."""
    folded = " ".join(name.split())
    for form in _FORMS:
        if m := form.fullmatch(folded):
            product = _product({k: v for k, v in m.groupdict().items() if v is not None})
            on = (m.groupdict().get("on") or m.groupdict().get("x64") or "").lower()
            return WindowsName(product, _ARCHITECTURES.get(on, ""), bool(m["core"])) if product in _IDS else None
    return None


def _product(told: dict[str, str]) -> str:
    if "client" in told:
        return f"windows-{told['client']}-{told.get('version', _FIRST[told['client']]).lower()}"
    if "old" in told:
        return f"windows-{told['old']}"
    if "vista" in told:
        return "windows-vista"
    if "channel" in told:
        return f"windows-server-{told['channel'].lower()}"
    if "annual" in told:
        return "windows-server-23h2"
    return f"windows-server-{told['server'].lower().replace(' ', '-')}"
