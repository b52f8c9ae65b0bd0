"""The small line in a card, drawn by the server as SVG paths."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

WIDTH: Final = 160
HEIGHT: Final = 44
_TOP: Final = 4


@dataclass(frozen=True, slots=True)
class Sparkline:
    """Path data in a box of WIDTH × HEIGHT."""

    line: str
    area: str
    earlier: str


def draw_sparkline(values: Sequence[int], earlier: Sequence[int]) -> Sparkline | None:
    """Paths of a series and of the previous period; None for fewer than two points."""
    if len(values) < 2:
        return None
    highest = max(*values, *earlier[: len(values)], 1)
    line = _path(values, highest)
    return Sparkline(
        line=line,
        area=f"{line}L{WIDTH} {HEIGHT}L0 {HEIGHT}Z",
        earlier=_path(earlier[: len(values)], highest) if len(earlier) > 1 else "",
    )


def _path(values: Sequence[int], highest: int) -> str:
    span = len(values) - 1
    points = []
    for index, value in enumerate(values):
        x = index * WIDTH * 10 // span
        y = (HEIGHT * 10) - value * (HEIGHT - _TOP) * 10 // highest
        points.append(f"{x / 10:g} {y / 10:g}")
    return "M" + "L".join(points)
