"""Windows file versions (VS_FIXEDFILEINFO): up to four numbers of 16 bits, `6.1.7601.17514`, compared number by number.

What resources add after the numbers ("6.1.7601.17514 (win7sp1_rtm.101119-1850)") takes no part in the order; neither do
the notations "6, 1, 7601, 17514" and "6.01" differ from their plain forms.
"""

from __future__ import annotations

import re

_NUMBERS = re.compile(r"\s*(\d{1,5}(?:\s*[.,]\s*\d{1,5}){0,3})(?:\s+\(?\D.*)?\s*", re.DOTALL)


def parse(text: str) -> tuple[int, ...]:
    """The four numbers, missing ones as 0. Raises ValueError for anything else."""
    found = _NUMBERS.fullmatch(text[:200])
    if not found:
        raise ValueError(f"not a file version: {text!r}")
    numbers = [int(n) for n in re.findall(r"\d+", found[1])]
    if max(numbers) > 0xFFFF:
        raise ValueError(f"not a file version, a part is above 65535: {text!r}")
    return (*numbers, 0, 0, 0)[:4]


def older(version: str, than: str) -> bool:
    """True if `version` sorts before `than`; ValueError as `parse`."""
    return parse(version) < parse(than)
