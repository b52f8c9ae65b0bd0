"""SQL of questions: named files filled with fragments from closed lists, values always bound."""

from collections.abc import Mapping, Sequence
from typing import Final

from outlay.domain.dimension import Dimension
from outlay.domain.measure import MEASURES, Rank
from outlay.domain.period import Period
from outlay.domain.query import RowQuery, UsageQuery
from outlay.kit.sqlfiles import load_sql
from outlay.storage.cube.duckdb.sources import source
from outlay.storage.cube.duckdb.statements import PACKAGE
from outlay.storage.cube.duckdb.steps import step_of
from outlay.storage.cube.rollups import LATENCY, USAGE

_RANK_MEASURES: Final = {
    Rank.COST: ("cost_pusd",),
    Rank.REQUESTS: ("requests",),
    Rank.TOKENS: ("input_tokens", "output_tokens"),
}
_RANK_EXPRESSION: Final = {
    rank: " + ".join(f"sum({measure})" for measure in measures)
    for rank, measures in _RANK_MEASURES.items()
}

_MEASURE_NAMES = tuple(measure.name for measure in MEASURES)
_BY_LABEL = "SELECT *, label AS value FROM cell"
_BY_GROUP = """SELECT step, coalesce(group_set.group_id, '') AS value, {sums}
    FROM cell LEFT JOIN group_set ON group_set.groups = cell.label
    GROUP BY ALL"""

Parameters = dict[str, str | int]
Filters = Mapping[Dimension, tuple[str, ...]]


def breakdown(query: UsageQuery, marks: Sequence[int]) -> tuple[str, Parameters]:
    """The statement and parameters of a grouped question.

    `marks` are the start buckets of the steps and the end of the last, here and below.
    """
    if query.group_by is None:
        raise ValueError("a breakdown needs a dimension")
    filters, parameters = _filters(query.filters)
    is_group = query.group_by is Dimension.GROUP
    text = load_sql(PACKAGE, "usage.breakdown").format(
        column=query.group_by.column,
        stepped=_BY_GROUP.format(sums=_sums(query.measures)) if is_group else _BY_LABEL,
        place=_place(query, parameters),
        source=_source(query, marks, query.group_by),
        sums=_sums(query.measures),
        stepped_sums=_sums(query.measures, "stepped."),
        filters=filters,
        step=step_of(marks),
    )
    window = _window(query.organization_id, query.period)
    return text, {**window, **parameters, "top": query.top}


def nested(
    query: UsageQuery, marks: Sequence[int], named: tuple[str, ...]
) -> tuple[str, Parameters]:
    """The statement and parameters of the second level, under the `named` values of the first."""
    if query.group_by is None or query.then_by is None:
        raise ValueError("a nested breakdown needs two dimensions")
    filters, parameters = _filters(query.filters)
    names = {f"named_{index}": value for index, value in enumerate(named)}
    first, first_join = _expanded(query.group_by, "label", "first_set")
    second, second_join = _expanded(query.then_by, "second_label", "second_set")
    text = load_sql(PACKAGE, "usage.nested").format(
        column=query.group_by.column,
        second=query.then_by.column,
        first_value=first,
        first_join=first_join,
        second_value=second,
        second_join=second_join,
        named=", ".join(f"${name}" for name in names) or "NULL",
        source=_source(query, marks, query.group_by, query.then_by),
        rank=_RANK_EXPRESSION[query.ranks[0]],
        ranked_sums=_sums(_RANK_MEASURES[query.ranks[0]]),
        ranked_measures=", ".join(_RANK_MEASURES[query.ranks[0]]),
        sums=_sums(query.measures),
        measures=", ".join(query.measures),
        filters=filters,
        step=step_of(marks),
    )
    window = _window(query.organization_id, query.period)
    return text, {**window, **parameters, **names, "top": query.top}


def rows(query: RowQuery, marks: Sequence[int]) -> tuple[str, Parameters]:
    """The statement and parameters that read every combination of some dimensions."""
    filters, parameters = _filters(query.filters)
    values, group_join = [], ""
    for index, dimension in enumerate(query.group_by):
        value, join = _expanded(dimension, f"cell.label_{index}", "group_set")
        values.append(value)
        group_join += join
    after, limit = "", ""
    if query.after is not None:
        step, keys = query.after
        parameters["after_step"] = step
        parameters.update({f"after_{index}": key for index, key in enumerate(keys)})
        names = ["$after_step", *(f"$after_{index}" for index in range(len(keys)))]
        after = f"\nWHERE ({', '.join(['step', *values])}) > ({', '.join(names)})"
    if query.limit is not None:
        limit = f"\nLIMIT {int(query.limit)}"
    text = load_sql(PACKAGE, "usage.rows").format(
        after=after,
        limit=limit,
        columns="".join(
            f", {dimension.column} AS label_{index}"
            for index, dimension in enumerate(query.group_by)
        ),
        values="".join(f", {value}" for value in values),
        group_join=group_join,
        source=_source(query, marks, *query.group_by),
        sums=_sums(query.measures),
        filters=filters,
        step=step_of(marks),
    )
    return text, {**_window(query.organization_id, query.period), **parameters}


def distinct(
    query: UsageQuery, marks: Sequence[int], dimension: Dimension
) -> tuple[str, Parameters]:
    """The statement and parameters that count the values of a dimension which had usage."""
    filters, parameters = _filters(query.filters)
    value, group_join = _expanded(dimension, f"cell.{dimension.column}", "group_set")
    text = load_sql(PACKAGE, "usage.distinct").format(
        columns=dimension.column,
        counts=f"count(DISTINCT nullif({value}, ''))",
        group_join=group_join,
        source=_source(query, marks, dimension, measures=()),
        filters=filters,
        step=step_of(marks),
    )
    window = _window(query.organization_id, query.period)
    return text, {**window, **parameters}


def buckets(query: UsageQuery) -> tuple[str, Parameters]:
    """The statement and parameters that find where something matches."""
    filters, parameters = _filters(query.filters)
    rollup, delta = USAGE.tables
    every = f"SELECT * FROM {rollup} UNION ALL SELECT * FROM {delta}"  # noqa: S608 - constants
    text = load_sql(PACKAGE, "usage.buckets").format(source=every, filters=filters)
    return text, {**_window(query.organization_id, query.period), **parameters}


def totals(query: UsageQuery, marks: Sequence[int]) -> tuple[str, Parameters]:
    """The statement and parameters of the ungrouped question."""
    filters, parameters = _filters(query.filters)
    text = load_sql(PACKAGE, "usage.totals").format(
        source=_source(query, marks),
        sums=_sums(query.measures),
        filters=filters,
        step=step_of(marks),
    )
    window = _window(query.organization_id, query.period)
    return text, {**window, **parameters}


def latency_bins(query: UsageQuery) -> tuple[str, Parameters]:
    """The statement and parameters that read the latency histogram of a question's window."""
    filters, parameters = _filters(query.filters)
    text = load_sql(PACKAGE, "latency.bins").format(source=_bins(query), filters=filters)
    return text, {**_window(query.organization_id, query.period), **parameters}


def latency_steps(query: UsageQuery, marks: Sequence[int]) -> tuple[str, Parameters]:
    """The statement and parameters that read the latency histogram of each step."""
    filters, parameters = _filters(query.filters)
    text = load_sql(PACKAGE, "latency.steps").format(
        source=_bins(query, marks=marks), filters=filters, step=step_of(marks)
    )
    window = _window(query.organization_id, query.period)
    return text, {**window, **parameters}


def latency_by(query: UsageQuery, dimension: Dimension) -> tuple[str, Parameters]:
    """The statement and parameters that read the latency histogram of each value."""
    filters, parameters = _filters(query.filters)
    value, join = _expanded(dimension, "label", "group_set")
    text = load_sql(PACKAGE, "latency.by").format(
        column=dimension.column,
        value=value,
        join=join,
        source=_bins(query, dimension),
        filters=filters,
    )
    return text, {**_window(query.organization_id, query.period), **parameters}


def _source(
    query: UsageQuery | RowQuery,
    marks: Sequence[int],
    *dimensions: Dimension,
    measures: tuple[str, ...] | None = None,
) -> str:
    """Where usage by some dimensions is read from; the question's measures unless others are."""
    columns = {dimension.column for dimension in (*dimensions, *query.filters)}
    wanted = query.measures if measures is None else measures
    return source(USAGE, columns, wanted, marks)


def _bins(query: UsageQuery, *dimensions: Dimension, marks: Sequence[int] = ()) -> str:
    """Where latency by some dimensions is read from; `marks` are the edges of steps, if any."""
    columns = {dimension.column for dimension in (*dimensions, *query.filters)} | {"latency_bin"}
    marks = marks or (query.period.start_bucket, query.period.end_bucket)
    return source(LATENCY, columns, LATENCY.measures, marks)


def _expanded(dimension: Dimension, label: str, alias: str) -> tuple[str, str]:
    """A dimension's value as an expression over its label, and the join that it needs."""
    if dimension is not Dimension.GROUP:
        return label, ""
    return (
        f"coalesce({alias}.group_id, '')",
        f"\nLEFT JOIN group_set AS {alias} ON {alias}.groups = {label}",
    )


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


def _sums(measures: tuple[str, ...], prefix: str = "") -> str:
    return ", ".join(f"sum({prefix}{name}) AS {name}" for name in measures)


def _window(organization_id: str, period: Period) -> Parameters:
    return {
        "organization_id": organization_id,
        "start": period.start_bucket,
        "end": period.end_bucket,
    }


def _filters(filters: Filters) -> tuple[str, Parameters]:
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
