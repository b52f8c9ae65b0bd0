"""SQL of the cube's tables: named files with fragments from closed lists."""

import secrets
from collections.abc import Sequence
from functools import cache
from typing import Final

from outlay.kit.sqlfiles import load_sql
from outlay.storage.cube.fragments import PACKAGE as SHARED
from outlay.storage.cube.rollups import MAX_MEASURE, NarrowSpec, RollupSpec

PACKAGE = "outlay.storage.cube.duckdb.sql"

PRIME: Final = 2**31 - 1
"""The modulus of fingerprints: the product of two smaller numbers fits 64 bits."""


def schema(spec: RollupSpec) -> list[str]:
    """The statements that create a rollup and its delta twin."""
    columns = ", ".join(f"{name} {_stored_type(spec, name)} NOT NULL" for name in spec.columns)
    return [f"CREATE TABLE {table} ({columns})" for table in spec.tables]


@cache
def move(spec: RollupSpec) -> tuple[str, str]:
    """Statements that move pending rows into the rollup without summing them."""
    rollup, delta = spec.tables
    text = load_sql(PACKAGE, "rollup.move").format(
        rollup=rollup, delta=delta, columns=", ".join(spec.columns)
    )
    return text, f"DELETE FROM {delta}"  # noqa: S608 - table names are constants


@cache
def fold(spec: RollupSpec) -> tuple[str, str]:
    """Statements that fold pending rows into the rollup."""
    rollup, delta = spec.tables
    text = load_sql(PACKAGE, "rollup.fold").format(
        rollup=rollup,
        delta=delta,
        columns=", ".join(spec.columns),
        dimensions=", ".join(spec.dimensions),
        sums=_cast_sums(spec),
    )
    return text, f"DELETE FROM {delta}"  # noqa: S608 - table names are constants


def schema_of_narrow(narrow: NarrowSpec) -> str:
    """The statement that creates a narrow rollup."""
    return schema(narrow.shape)[0]


@cache
def fold_narrow(narrow: NarrowSpec) -> str:
    """The statement that folds pending rows into a narrow rollup, before they are folded into its
    source."""
    return _into_narrow(narrow, _cast_sums(narrow.shape), is_summed=True)


@cache
def move_narrow(narrow: NarrowSpec) -> str:
    """Like `fold_narrow`, without summing them."""
    return _into_narrow(narrow, ", ".join(narrow.shape.measures), is_summed=False)


def _into_narrow(narrow: NarrowSpec, measures: str, *, is_summed: bool) -> str:
    cells = cells_of_narrow(narrow)
    names = ", ".join(narrow.shape.dimensions)
    inner = ", ".join(narrow.shape.measures)
    grouped = f" GROUP BY {names} ORDER BY organization_id, bucket" if is_summed else ""
    return (
        f"INSERT INTO {narrow.table} ({', '.join(narrow.shape.columns)}) "  # noqa: S608 - constants
        f"SELECT {names}, {measures} FROM "
        f"(SELECT {cells}, {inner} FROM {narrow.source.tables[1]}){grouped}"
    )


def cells_of_narrow(narrow: NarrowSpec) -> str:
    """The dimensions of a narrow rollup as columns over its source."""
    names = narrow.shape.dimensions
    return ", ".join(
        f"{value} AS {name}" for value, name in zip(_names_of_narrow(narrow), names, strict=True)
    )


def _names_of_narrow(narrow: NarrowSpec) -> list[str]:
    """The dimensions of a narrow rollup as expressions over its source, or over itself."""
    start = f"bucket // {narrow.grain} * {narrow.grain}"
    return [start if name == "bucket" else name for name in narrow.shape.dimensions]


def random_factors(spec: RollupSpec) -> list[int]:
    """A random factor per measure of a rollup, with which fingerprints reduce a row to one
    number."""
    return [secrets.randbelow(PRIME - 1) + 1 for _ in spec.measures]


def source_fingerprints(narrows: Sequence[NarrowSpec], factors: Sequence[int]) -> str:
    """The statement that computes, from one source, the fingerprint that each of its narrow rollups
    must have.

    A row is a linear combination of its measures, weighted by a hash of its narrow cell. The sum
    over all rows, modulo a prime, does not depend on how rows are summed.
    """
    (source,) = {narrow.source for narrow in narrows}
    sums = ", ".join(f"sum({_weight_of_narrow(narrow)} * combined)" for narrow in narrows)
    return (
        f"SELECT {sums} FROM "  # noqa: S608 - constants and integers
        f"(SELECT *, {_combined(source, factors)} AS combined FROM {source.tables[0]})"
    )


def narrow_fingerprint(narrow: NarrowSpec, factors: Sequence[int]) -> str:
    """The statement that computes the fingerprint of a narrow rollup itself."""
    combined = _combined(narrow.shape, factors)
    return f"SELECT sum({_weight_of_narrow(narrow)} * ({combined})) FROM {narrow.table}"  # noqa: S608 - constants and integers


def _weight_of_narrow(narrow: NarrowSpec) -> str:
    return f"CAST(hash({', '.join(_names_of_narrow(narrow))}, $salt) >> 33 AS BIGINT)"


def _combined(spec: RollupSpec, factors: Sequence[int]) -> str:
    """A row's measures combined into one number below the prime, in 64-bit arithmetic."""
    parts = (
        f"({name} % {PRIME}) * {factor} % {PRIME}"
        for name, factor in zip(spec.measures, factors, strict=True)
    )
    return f"({' + '.join(parts)}) % {PRIME}"


@cache
def narrow_differences(narrow: NarrowSpec) -> str:
    """The statement that counts cells in which a narrow rollup and its source differ."""
    names = ", ".join(narrow.shape.dimensions)
    negative = ", ".join(f"-{name} AS {name}" for name in narrow.shape.measures)
    inner = ", ".join(narrow.shape.measures)
    return load_sql(SHARED, "narrow.differences").format(
        mine=f"SELECT {names}, {inner} FROM {narrow.table}",  # noqa: S608 - constants
        theirs=f"SELECT {cells_of_narrow(narrow)}, {negative} FROM {narrow.source.tables[0]}",  # noqa: S608 - constants
        dimensions=names,
        differs=" OR ".join(f"sum({name}) <> 0" for name in narrow.shape.measures),
    )


def overflow(spec: RollupSpec, start: int, end: int) -> str:
    """The statement that finds a cell whose sums do not fit one row."""
    rollup, _ = spec.tables
    excess = " OR ".join(f"sum({name}) > {MAX_MEASURE}" for name in spec.measures)
    return (
        f"SELECT 1 FROM {rollup} WHERE bucket >= {int(start)} AND bucket < {int(end)} "  # noqa: S608 - integers and constants
        f"GROUP BY {', '.join(spec.dimensions)} HAVING {excess} LIMIT 1"
    )


def compact(spec: RollupSpec, start: int, end: int) -> tuple[str, str, str, str]:
    """Statements that rewrite the buckets [start, end) of a rollup, one sorted row per cell."""
    rollup, _ = spec.tables
    gather = load_sql(PACKAGE, "rollup.compact").format(
        rollup=rollup,
        start=int(start),
        end=int(end),
        dimensions=", ".join(spec.dimensions),
        sums=_cast_sums(spec),
    )
    return (
        gather,
        f"DELETE FROM {rollup} WHERE bucket >= {int(start)} AND bucket < {int(end)}",  # noqa: S608 - integers and constants
        f"INSERT INTO {rollup} SELECT * FROM compacted ORDER BY {', '.join(spec.order)}",  # noqa: S608 - constants
        "DROP TABLE compacted",
    )


@cache
def load(spec: RollupSpec) -> str:
    """The statement that adds pending rows from one JSON object of columns."""
    structure = ", ".join(f'"{name}": ["{_stored_type(spec, name)}"]' for name in spec.columns)
    return load_sql(PACKAGE, "rollup.load").format(
        delta=spec.tables[1],
        columns=", ".join(spec.columns),
        unnested=", ".join(f"unnest(cells.{name})" for name in spec.columns),
        structure="'{" + structure + "}'",
    )


def load_group_sets() -> str:
    """The statement that stores the groups of new group sets."""
    return load_sql(PACKAGE, "group_set.load")


def load_tag_sets() -> str:
    """The statement that stores the tags of new tag sets."""
    return load_sql(PACKAGE, "tag_set.load")


def _stored_type(spec: RollupSpec, column: str) -> str:
    """The stored SQL type of a column: texts are codes."""
    return "INTEGER" if column in spec.coded else spec.column_type(column)


def _cast_sums(spec: RollupSpec) -> str:
    return ", ".join(
        f"CAST(sum({name}) AS {spec.column_type(name)}) AS {name}" for name in spec.measures
    )
