"""The compliance of the newest runs as a line: coordinates for an inline SVG, and the same in words."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from auditor.foundation.sanitize import counted
from auditor.model.past import Compared

_WIDTH, _HEIGHT, _PAD = 720, 120, 8


class Curve(Struct, frozen=True):
    """`line` and `dots` are in the SVG's units; `grid`: heights with their label."""

    width: int
    height: int
    line: str
    dots: list[tuple[float, float, str]]
    grid: list[tuple[float, str]]
    words: str


def curve(points: Sequence[Compared]) -> Curve | None:
    """None where fewer than two runs could judge any of the same findings. The scale ends at 100 % and begins at the next ten
    below the lowest value, and says so."""
    judged = [(p, p.share) for p in points if p.share is not None]
    if len(judged) < 2:
        return None
    lowest = min(10 * int(10 * min(share for _, share in judged)), 90)
    dots = []
    for n, (p, share) in enumerate(judged):
        x = _PAD + n * (_WIDTH - 2 * _PAD) / (len(judged) - 1)
        label = f"{_when(p)}: {p.met} of {p.judged} met, {share:.1%}"
        dots.append((round(x, 1), _height(100 * share, lowest), label))
    (first, share), (last, share_now) = judged[0], judged[-1]
    words = (
        f"The required findings that this run could judge, on the same hosts and by the same rules before: {share:.1%} met on"
        f" {_when(first)} (of {first.judged} that could be judged then), {share_now:.1%} on {_when(last)} (of {last.judged}); {counted(len(judged), 'run')}"
    )
    middle = (lowest + 100) // 2
    grid = [(_height(level, lowest), f"{level} %") for level in (lowest, middle, 100)]
    return Curve(_WIDTH, _HEIGHT, " ".join(f"{x},{y}" for x, y, _ in dots), dots, grid, words)


def _when(p: Compared) -> str:
    return f"{p.started[:16].replace('T', ' ')} UTC"


def _height(percent: float, lowest: int) -> float:
    return round(_PAD + (100 - percent) / (100 - lowest) * (_HEIGHT - 2 * _PAD), 1)
