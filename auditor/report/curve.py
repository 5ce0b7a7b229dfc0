"""The compliance of the newest runs as a line: coordinates for an inline SVG, and the same in words."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from auditor.model.past import Point

_WIDTH, _HEIGHT, _PAD = 720, 120, 8


class Curve(Struct, frozen=True):
    """`line` and `dots` are in the SVG's units; `grid`: heights with their label."""

    width: int
    height: int
    line: str
    dots: list[tuple[float, float, str]]
    grid: list[tuple[float, str]]
    words: str


def curve(points: Sequence[Point]) -> Curve | None:
    """None where fewer than two runs had anything to judge. The scale ends at 100 % and begins at the next ten below
    the lowest value, and says so."""
    judged = [(p, p.compliance) for p in points if p.compliance is not None]
    if len(judged) < 2:
        return None
    lowest = min(10 * int(10 * min(share for _, share in judged)), 90)
    dots = []
    for n, (p, share) in enumerate(judged):
        x = _PAD + n * (_WIDTH - 2 * _PAD) / (len(judged) - 1)
        left = sum(p.open.values())
        label = f"{p.started[:10]}: {share:.1%} met, {left} missing or pending, {p.unassessed} of {p.hosts} hosts not assessed"
        dots.append((round(x, 1), _height(100 * share, lowest), label))
    first, last = judged[0], judged[-1]
    words = (
        f"Required findings that are met, of those that could be judged: {first[1]:.1%} on {first[0].started[:10]}, "
        f"{last[1]:.1%} on {last[0].started[:10]} ({len(judged)} runs; a host that was not assessed counts as it was last known)"
    )
    middle = (lowest + 100) // 2
    grid = [(_height(level, lowest), f"{level} %") for level in (lowest, middle, 100)]
    return Curve(_WIDTH, _HEIGHT, " ".join(f"{x},{y}" for x, y, _ in dots), dots, grid, words)


def _height(percent: float, lowest: int) -> float:
    return round(_PAD + (100 - percent) / (100 - lowest) * (_HEIGHT - 2 * _PAD), 1)
