"""Converting rows of the cube to the entries of a breakdown."""

from collections.abc import Mapping, Sequence

from outlay.domain.answers import BreakdownRow, Entry, EntryKind, Totals, sum_totals
from outlay.domain.dimension import Grouping
from outlay.domain.measure import Rank
from outlay.domain.query import QUALITY_MEASURES, UsageQuery
from outlay.domain.questions import Rows
from outlay.storage.cube.store import CubeReader


def with_quality(measures: tuple[str, ...]) -> tuple[str, ...]:
    """The measures, and those that show how complete and exact totals are."""
    return tuple(dict.fromkeys((*measures, *QUALITY_MEASURES)))


def by_value(reader: CubeReader, query: UsageQuery, dimension: Grouping) -> dict[str, Totals]:
    """Totals of a period by value of a dimension; the key is empty for requests without one."""
    return {row.keys[0]: row.measures for row in reader.ask(Rows(query.by(dimension)))}


def sum_by_step(rows: Sequence[BreakdownRow]) -> dict[int, Totals]:
    """The totals of each step, for groups that do not overlap."""
    by_step: dict[int, Totals] = {}
    for row in rows:
        known = by_step.get(row.step)
        by_step[row.step] = row.measures if known is None else known.plus(row.measures)
    return by_step


def cut_entries(
    values: Mapping[str, Totals], top: int, ranks: tuple[Rank, ...]
) -> tuple[Entry, ...]:
    """Entries of totals by value: the `top` by any rank, then Other and Unattributed."""
    kept: set[str] = {""}
    for rank in ranks:
        placed = sorted(values, key=lambda key: (-values[key].rank_value(rank), key))
        kept.update([key for key in placed if key][:top])
    others = values.keys() - kept
    rows = [
        BreakdownRow(0, EntryKind.VALUE if key else EntryKind.UNATTRIBUTED, key, len(others), total)
        for key, total in values.items()
        if key in kept
    ]
    if others:
        rest = sum_totals([values[key] for key in others])
        rows.append(BreakdownRow(0, EntryKind.OTHER, "", len(others), rest))
    return entries_of(rows, ranks[0], {})


def entries_of(
    rows: Sequence[BreakdownRow], rank: Rank, labels: Mapping[str, str]
) -> tuple[Entry, ...]:
    """Entries by a rank, descending, ties by key; then Other, then Unattributed."""
    grouped: dict[tuple[str, str], dict[int, Totals]] = {}
    others = rows[0].others if rows else 0
    for row in rows:
        grouped.setdefault((row.kind, row.key), {})[row.step] = row.measures
    entries = [
        Entry(
            kind=EntryKind(kind),
            key=key or kind,
            label=labels.get(key, key) if key else kind.capitalize(),
            total=sum_totals(list(by_step.values())),
            by_step=by_step,
            members=others if kind == EntryKind.OTHER else 1,
        )
        for (kind, key), by_step in grouped.items()
    ]
    order = list(EntryKind)
    entries.sort(
        key=lambda entry: (order.index(entry.kind), -entry.total.rank_value(rank), entry.key)
    )
    return tuple(entries)
