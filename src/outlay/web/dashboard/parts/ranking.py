"""The ranking by one metric: the rows of its table and the series of its chart."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from outlay.domain.answers import ZERO, Comparison, Entry, EntryKind, Totals, sum_totals
from outlay.domain.kind import KindEntry
from outlay.domain.measure import Rank
from outlay.web.dashboard.formatting import (
    format_change,
    format_exact_rank,
    format_percent,
    format_quantity,
    format_rank,
    format_signed_change,
)

SHOWN: Final = 8
"""Values with their own colour; the rest is Other."""

BAR: Final = 1000
"""Width of the track in which bars and ticks are drawn."""

STRONG_PERCENT: Final = 10
"""Changes of at least this size are shown as a chip."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """The change of a number from the previous period."""

    text: str
    is_up: bool
    is_down: bool
    is_strong: bool
    """Large enough to be highlighted in a table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RankRow:
    """A row of a ranking."""

    key: str
    label: str
    note: str
    """The quantity of a kind of usage, in its unit."""
    kind: EntryKind
    slot: int | None
    value: str
    exact: str
    share: str
    """Of the total, which counts each request once."""
    running: str | None
    """Cumulative share of this row and all rows above; None if the parts overlap, because then
    there is no such sum."""
    bar: int
    tick: int | None
    """Where the bar ended in the previous period."""
    change: Change


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """All rows by one metric."""

    metric: Rank
    rows: tuple[RankRow, ...]
    overlaps: bool
    """The rows may add up to more than the total, which counts each request once."""
    total: str
    exact_total: str
    total_change: Change


def change_between(current: int, earlier: int, *, signed: bool = False) -> Change:
    """The change from `earlier` to `current`."""
    moved = abs(current - earlier) * 100
    is_strong = (not earlier and bool(current)) or moved >= STRONG_PERCENT * abs(earlier) > 0
    render = format_signed_change if signed and not is_strong else format_change
    return Change(
        text=render(current, earlier),
        is_up=bool(earlier) and current > earlier,
        is_down=current < earlier,
        is_strong=is_strong,
    )


UNKNOWN_CHANGE: Final = Change(text="", is_up=False, is_down=False, is_strong=False)
"""Nothing to measure against: no chip, no figure."""


def change_in(
    comparison: Comparison, current: int, earlier: int, *, signed: bool = False
) -> Change:
    """The change of a number of a comparison; UNKNOWN_CHANGE if growth is not meaningful."""
    if not comparison.has_growth:
        return UNKNOWN_CHANGE
    return change_between(current, earlier, signed=signed)


def rank_values(comparison: Comparison, metric: Rank) -> list[Entry]:
    """The values in the ranking by a metric, largest first."""
    values = [entry for entry in comparison.current.entries if entry.kind is EntryKind.VALUE]
    values.sort(key=lambda entry: (-entry.total.rank_value(metric), entry.key))
    return [entry for entry in values if _is_present(entry, comparison, metric)]


def rank_entries(
    comparison: Comparison, metric: Rank, slots: Mapping[str, int], shown: int = SHOWN
) -> Ranking:
    """The ranking by a metric: the largest values, then Other, then Unattributed."""
    values = rank_values(comparison, metric)
    lines = [
        (entry.key, entry.label, entry.kind, entry.total, _before(comparison, entry))
        for entry in values[:shown]
    ]
    others = [*values[shown:], *_of_kind(comparison, EntryKind.OTHER)]
    if others:
        lines.append(_merged(comparison, others))
    lines.extend(
        (entry.key, entry.label, entry.kind, entry.total, _before(comparison, entry))
        for entry in _of_kind(comparison, EntryKind.UNATTRIBUTED)
    )
    return _ranking(comparison, metric, lines, slots)


_Line = tuple[str, str, EntryKind, Totals, Totals]


def _ranking(
    comparison: Comparison, metric: Rank, lines: Sequence[_Line], slots: Mapping[str, int]
) -> Ranking:
    total = comparison.current.total.rank_value(metric)
    before = comparison.earlier_total.rank_value(metric)
    longest = max(
        (max(line[3].rank_value(metric), line[4].rank_value(metric)) for line in lines), default=0
    )
    notes = _quantities(comparison)
    dimension = comparison.current.group_by
    overlaps = dimension is not None and not dimension.is_single_valued
    running = 0
    rows = []
    for key, label, kind, totals, earlier_totals in lines:
        value, earlier = totals.rank_value(metric), earlier_totals.rank_value(metric)
        running += value
        rows.append(
            RankRow(
                key=key,
                label=label,
                note=notes.get(key, ""),
                kind=kind,
                slot=slots.get(key),
                value=format_rank(value, metric),
                exact=format_exact_rank(value, metric),
                share=format_percent(value, total),
                running=None if overlaps else format_percent(running, total, 0),
                bar=value * BAR // longest if longest else 0,
                tick=earlier * BAR // longest if longest and earlier else None,
                change=change_in(comparison, value, earlier, signed=True),
            )
        )
    return Ranking(
        metric=metric,
        rows=tuple(rows),
        overlaps=overlaps,
        total=format_rank(total, metric),
        exact_total=format_exact_rank(total, metric),
        total_change=change_in(comparison, total, before),
    )


def _quantities(comparison: Comparison) -> Mapping[str, str]:
    """The quantity of each kind, if kinds of usage are compared."""
    return {
        entry.key: format_quantity(entry.quantity, entry.unit)
        for entry in comparison.current.entries
        if isinstance(entry, KindEntry) and entry.unit is not None
    }


def _is_present(entry: Entry, comparison: Comparison, metric: Rank) -> bool:
    """Values that are zero now and were zero before are not ranked."""
    return bool(entry.total.rank_value(metric) or _before(comparison, entry).rank_value(metric))


def _before(comparison: Comparison, entry: Entry) -> Totals:
    return comparison.earlier_entries.get(entry.key, ZERO)


def _of_kind(comparison: Comparison, kind: EntryKind) -> list[Entry]:
    return [entry for entry in comparison.current.entries if entry.kind is kind]


def _merged(comparison: Comparison, entries: Sequence[Entry]) -> _Line:
    count = sum(entry.members for entry in entries)
    return (
        EntryKind.OTHER.value,
        f"Other ({count})",
        EntryKind.OTHER,
        sum_totals([entry.total for entry in entries]),
        sum_totals([_before(comparison, entry) for entry in entries]),
    )
