"""Choosing the table to read: the rollup with the fewest rows that has all dimensions.

A narrow rollup serves the whole cells in the window. Cells that the window cuts, and rows that are
not folded yet, are read from the rollup that it is derived from.
"""

from collections.abc import Collection, Sequence

from outlay.storage.cube.rollups import NARROWS, NarrowSpec, RollupSpec


def source(
    spec: RollupSpec, columns: Collection[str], measures: Sequence[str], edges: Sequence[int]
) -> str:
    """A subquery over some dimensions and measures of a rollup.

    `edges` are the start buckets of the steps and the end of the last one; empty for single
    buckets.
    """
    wanted = [name for name in spec.dimensions if name in columns]
    names = ", ".join(dict.fromkeys(("organization_id", "bucket", *wanted, *measures)))
    rollup, delta = spec.tables
    narrow = _narrowest(spec, columns, edges) if edges else None
    if narrow is None:
        return f"SELECT {names} FROM {rollup} UNION ALL SELECT {names} FROM {delta}"  # noqa: S608 - constants
    first, last = _inside(narrow, edges)
    parts = [f"{narrow.table} WHERE bucket >= {first} AND bucket < {last}", delta]
    if edges[0] < first:
        parts.append(f"{rollup} WHERE bucket >= {edges[0]} AND bucket < {first}")
    if last < edges[-1]:
        parts.append(f"{rollup} WHERE bucket >= {last} AND bucket < {edges[-1]}")
    return " UNION ALL ".join(f"SELECT {names} FROM {part}" for part in parts)  # noqa: S608 - constants and integers


def _narrowest(
    spec: RollupSpec, columns: Collection[str], edges: Sequence[int]
) -> NarrowSpec | None:
    for narrow in NARROWS:
        if narrow.source is not spec or not set(columns) <= set(narrow.shape.dimensions):
            continue
        first, last = _inside(narrow, edges)
        if first < last and not any(mark % narrow.grain for mark in edges[1:-1]):
            return narrow
    return None


def _inside(narrow: NarrowSpec, edges: Sequence[int]) -> tuple[int, int]:
    """The whole cells in a period."""
    grain = narrow.grain
    return -(-edges[0] // grain) * grain, edges[-1] // grain * grain
