"""SQL of the cube: named files filled with fragments from closed lists, values always bound."""

from collections.abc import Mapping
from functools import cache

from outlay.domain.dimension import Dimension
from outlay.domain.measure import MEASURES, Rank
from outlay.domain.period import Interval
from outlay.domain.query import UsageQuery
from outlay.kit.sqlfiles import load_sql
from outlay.storage.cube.rollups import MAX_MEASURE, USAGE, RollupSpec

_PACKAGE = "outlay.storage.cube.duckdb.sql"

_RANK_EXPRESSION = {
    Rank.COST: "sum(cost_pusd)",
    Rank.REQUESTS: "sum(requests)",
    Rank.TOKENS: "sum(input_tokens) + sum(output_tokens)",
}

_MEASURE_NAMES = tuple(measure.name for measure in MEASURES)
_BY_LABEL = "SELECT *, label AS value FROM cell"
_BY_GROUP = """SELECT step, coalesce(group_set.group_id, '') AS value, {sums}
    FROM cell LEFT JOIN group_set ON group_set.groups = cell.label
    GROUP BY ALL"""

Parameters = dict[str, str | int]


def schema(spec: RollupSpec) -> list[str]:
    """The statements that create a rollup and its delta twin."""
    columns = ", ".join(f"{name} {spec.column_type(name)} NOT NULL" for name in spec.columns)
    return [f"CREATE TABLE {table} ({columns})" for table in spec.tables]


@cache
def move(spec: RollupSpec) -> tuple[str, str]:
    """Statements that move pending rows into the rollup without summing them."""
    rollup, delta = spec.tables
    text = load_sql(_PACKAGE, "rollup.move").format(
        rollup=rollup, delta=delta, columns=", ".join(spec.columns)
    )
    return text, f"DELETE FROM {delta}"  # noqa: S608 - table names are constants


@cache
def fold(spec: RollupSpec) -> tuple[str, str]:
    """Statements that move pending rows into the rollup."""
    rollup, delta = spec.tables
    text = load_sql(_PACKAGE, "rollup.fold").format(
        rollup=rollup,
        delta=delta,
        columns=", ".join(spec.columns),
        dimensions=", ".join(spec.dimensions),
        sums=_cast_sums(spec),
    )
    return text, f"DELETE FROM {delta}"  # noqa: S608 - table names are constants


def overflow(spec: RollupSpec, start: int, end: int) -> str:
    """The statement that finds a cell whose sums need more than one row."""
    rollup, _ = spec.tables
    excess = " OR ".join(f"sum({name}) > {MAX_MEASURE}" for name in spec.measures)
    return (
        f"SELECT 1 FROM {rollup} WHERE bucket >= {int(start)} AND bucket < {int(end)} "  # noqa: S608 - integers and constants
        f"GROUP BY {', '.join(spec.dimensions)} HAVING {excess} LIMIT 1"
    )


def compact(spec: RollupSpec, start: int, end: int) -> tuple[str, str, str, str]:
    """Statements that rewrite the buckets [start, end) of a rollup, one sorted row per cell."""
    rollup, _ = spec.tables
    gather = load_sql(_PACKAGE, "rollup.compact").format(
        rollup=rollup,
        start=int(start),
        end=int(end),
        dimensions=", ".join(spec.dimensions),
        sums=_cast_sums(spec),
    )
    return (
        gather,
        f"DELETE FROM {rollup} WHERE bucket >= {int(start)} AND bucket < {int(end)}",  # noqa: S608 - integers and constants
        f"INSERT INTO {rollup} SELECT * FROM compacted ORDER BY organization_id, bucket",  # noqa: S608 - constants
        "DROP TABLE compacted",
    )


@cache
def load(spec: RollupSpec) -> str:
    """The statement that adds pending rows from one JSON object of columns."""
    structure = ", ".join(f'"{name}": ["{spec.column_type(name)}"]' for name in spec.columns)
    return load_sql(_PACKAGE, "rollup.load").format(
        delta=spec.tables[1],
        columns=", ".join(spec.columns),
        unnested=", ".join(f"unnest(cells.{name})" for name in spec.columns),
        structure="'{" + structure + "}'",
    )


def load_group_sets() -> str:
    """The statement that records the groups behind new group sets."""
    return load_sql(_PACKAGE, "group_set.load")


@cache
def cells(spec: RollupSpec) -> str:
    """The statement that reads every cell of an organization in a run of buckets."""
    rollup, delta = spec.tables
    return load_sql(_PACKAGE, "rollup.cells").format(
        rollup=rollup,
        delta=delta,
        dimensions=", ".join(spec.dimensions),
        sums=", ".join(f"sum({name}) AS {name}" for name in spec.measures),
    )


def breakdown(query: UsageQuery, edges: str) -> tuple[str, Parameters]:
    """The statement and parameters of a grouped question; `edges` are step starts plus the end."""
    if query.group_by is None:
        raise ValueError("a breakdown needs a dimension")
    filters, parameters = _filters(query.filters)
    is_group = query.group_by is Dimension.GROUP
    text = load_sql(_PACKAGE, "usage.breakdown").format(
        column=query.group_by.column,
        stepped=_BY_GROUP.format(sums=_sums(query)) if is_group else _BY_LABEL,
        place=_place(query, parameters),
        sums=_sums(query),
        stepped_sums=_sums(query, "stepped."),
        filters=filters,
        **_steps(query.interval),
    )
    return text, {**_window(query, edges), **parameters, "top": query.top}


def totals(query: UsageQuery, edges: str) -> tuple[str, Parameters]:
    """The statement and parameters of the ungrouped question."""
    filters, parameters = _filters(query.filters)
    text = load_sql(_PACKAGE, "usage.totals").format(
        sums=_sums(query), filters=filters, **_steps(query.interval)
    )
    return text, {**_window(query, edges), **parameters}


def latency_bins(query: UsageQuery) -> tuple[str, Parameters]:
    """The statement and parameters that read the latency histogram of a question's window."""
    filters, parameters = _filters(query.filters)
    text = load_sql(_PACKAGE, "latency.bins").format(filters=filters)
    window = _window(query, "")
    del window["edges"]
    return text, {**window, **parameters}


def _steps(interval: Interval) -> Mapping[str, str]:
    """Fragments that map buckets to steps; a total needs no map."""
    if interval is Interval.TOTAL:
        return {"step": "0", "step_join": ""}
    return {
        "step": "step.step",
        "step_join": "\n    JOIN step ON step.bucket = usage.bucket",
    }


def _place(query: UsageQuery, parameters: Parameters) -> str:
    """A value's best place in any of the rankings, ties by value; or whether it is to be named."""
    if query.named is not None:
        names = [f"named_{index}" for index in range(len(query.named))]
        parameters.update(zip(names, query.named, strict=True))
        listed = ", ".join(f"${name}" for name in names) or "''"
        return f"CASE WHEN value IN ({listed}) THEN 0 ELSE $top + 1 END"
    places = ", ".join(
        f"row_number() OVER (ORDER BY {_RANK_EXPRESSION[rank]} DESC, value)" for rank in query.ranks
    )
    return f"least({places})" if len(query.ranks) > 1 else places


def _sums(query: UsageQuery, prefix: str = "") -> str:
    return ", ".join(f"sum({prefix}{name}) AS {name}" for name in query.measures)


def _cast_sums(spec: RollupSpec) -> str:
    return ", ".join(
        f"CAST(sum({name}) AS {spec.column_type(name)}) AS {name}" for name in spec.measures
    )


def _window(query: UsageQuery, edges: str) -> Parameters:
    return {
        "organization_id": query.organization_id,
        "start": query.period.start_bucket,
        "end": query.period.end_bucket,
        "edges": edges,
    }


def _filters(filters: Mapping[Dimension, tuple[str, ...]]) -> tuple[str, Parameters]:
    """WHERE fragments with one named parameter per value: OR within a filter, AND between."""
    clauses: list[str] = []
    parameters: Parameters = {}
    for dimension in sorted(filters):
        names = []
        for value in filters[dimension]:
            name = f"filter_{len(parameters)}"
            parameters[name] = value
            names.append(f"${name}")
        within = ", ".join(names)
        if dimension is Dimension.GROUP:
            within = f"SELECT groups FROM group_set WHERE group_id IN ({within})"  # noqa: S608 - parameter names
        clauses.append(f"\n      AND {dimension.column} IN ({within})")
    return "".join(clauses), parameters


if USAGE.measures != _MEASURE_NAMES:
    raise AssertionError("the usage rollup has the measures of the catalogue")
