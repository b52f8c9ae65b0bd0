"""Columns of money over days, drawn by the server: for print, where no script draws."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from outlay.domain.money import PUSD_PER_USD
from outlay.web.dashboard.formatting import format_exact_money

HEIGHT: Final = 160
BOTTOM: Final = 20
TOP: Final = 6
STEPS: Final = (1, 2, 5, 10)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartColumn:
    """One day: x in percent, so that columns fit any width; y in pixels."""

    x: float
    middle: float
    y: float
    width: float
    height: float
    title: str
    label: str
    """Shown under every few columns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A grid line and its label."""

    y: float
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnChart:
    """The whole chart, for any width: text keeps its size on paper and on phones."""

    columns: Sequence[ChartColumn]
    marks: Sequence[Mark]
    height: int = HEIGHT
    foot: int = HEIGHT - 4


def draw_columns(values: Sequence[tuple[str, int]]) -> ColumnChart:
    """Columns of pico-USD by date, `2026-11-20`, over three or four round lines."""
    step = _round_step(max((value for _, value in values), default=0))
    highest = step * max(1, -(-max((value for _, value in values), default=0) // step))
    room = HEIGHT - BOTTOM - TOP
    slot = 100 / max(1, len(values))

    def top_of(value: int) -> float:
        return round(TOP + room * (1 - value / highest), 2)

    columns = [
        ChartColumn(
            x=round((index + 0.15) * slot, 3),
            middle=round((index + 0.5) * slot, 3),
            y=top_of(value),
            width=round(slot * 0.7, 3),
            height=round(HEIGHT - BOTTOM - top_of(value), 2),
            title=f"{label}: {format_exact_money(value)}",
            label=str(date.fromisoformat(label[:10]).day) if index % 3 == 0 else "",
        )
        for index, (label, value) in enumerate(values)
    ]
    marks = [Mark(y=top_of(mark), label=_dollars(mark)) for mark in range(0, highest + 1, step)]
    return ColumnChart(columns=columns, marks=marks)


def _round_step(highest: int) -> int:
    """About a third of the highest value, rounded up to 1, 2 or 5 times a power of ten."""
    rough = max(1, -(-highest // 3))
    power: int = 10 ** (len(str(rough)) - 1)
    return next(base * power for base in STEPS if base * power >= rough)


def _dollars(pusd: int) -> str:
    whole, rest = divmod(pusd, PUSD_PER_USD)
    if rest:
        return f"${pusd / PUSD_PER_USD:.3g}"
    return f"${whole:,}"
