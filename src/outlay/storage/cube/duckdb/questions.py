"""SQL of questions: named files filled with fragments from closed lists, values always bound."""

from collections.abc import Collection, Sequence
from typing import Final

from outlay.domain.dimension import Dimension
from outlay.domain.discovery import DISCOVERABLE
from outlay.domain.measure import MEASURES, Rank
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

_MERGED: Final = tuple(dimension for dimension in DISCOVERABLE if dimension is not Dimension.GROUP)
"""Dimensions whose values stand in the rows themselves."""

_MEASURE_NAMES = tuple(measure.name for measure in MEASURES)
_BY_LABEL = "SELECT *, label AS value FROM cell"
_BY_GROUP = """SELECT step, coalesce(group_set.group_id, '') AS value, {sums}
    FROM cell LEFT JOIN {group_set} AS group_set ON group_set.groups = cell.label
    GROUP BY ALL"""

Parameters = dict[str, str | int | list[str]]
Question = UsageQuery | RowQuery


def breakdown(query: UsageQuery, marks: Sequence[int]) -> tuple[str, Parameters]:
    """The statement and parameters of a grouped question.

    `marks` are the start buckets of the steps and the end of the last, here and below.
    """
    if query.group_by is None:
        raise ValueError("a breakdown needs a dimension")
    filters, parameters = _filters(query)
    is_group = query.group_by is Dimension.GROUP
    text = load_sql(PACKAGE, "usage.breakdown").format(
        column=query.group_by.column,
        stepped=_BY_GROUP.format(sums=_sums(query.measures), group_set=_group_set(query))
        if is_group
        else _BY_LABEL,
        place=_place(query, parameters),
        source=_source(query, marks, query.group_by),
        sums=_sums(query.measures),
        stepped_sums=_sums(query.measures, "stepped."),
        filters=filters,
        step=step_of(marks),
    )
    return _bound(text, query, {**parameters, "top": query.top})


def nested(
    query: UsageQuery, marks: Sequence[int], named: tuple[str, ...]
) -> tuple[str, Parameters]:
    """The statement and parameters of the second level, under the `named` values of the first."""
    if query.group_by is None or query.then_by is None:
        raise ValueError("a nested breakdown needs two dimensions")
    filters, parameters = _filters(query)
    names = {f"named_{index}": value for index, value in enumerate(named)}
    first, first_join = _expanded(query, query.group_by, "label", "first_set")
    second, second_join = _expanded(query, query.then_by, "second_label", "second_set")
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
    return _bound(text, query, {**parameters, **names, "top": query.top})


def rows(query: RowQuery, marks: Sequence[int]) -> tuple[str, Parameters]:
    """The statement and parameters that read every combination of some dimensions."""
    filters, parameters = _filters(query)
    values, group_join = [], ""
    for index, dimension in enumerate(query.group_by):
        value, join = _expanded(query, dimension, f"cell.label_{index}", "group_set")
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
    return _bound(text, query, parameters)


def distinct(
    query: UsageQuery, marks: Sequence[int], dimension: Dimension
) -> tuple[str, Parameters]:
    """The statement and parameters that count the values of a dimension which had usage."""
    filters, parameters = _filters(query)
    value, group_join = _expanded(query, dimension, f"cell.{dimension.column}", "group_set")
    text = load_sql(PACKAGE, "usage.distinct").format(
        columns=dimension.column,
        counts=f"count(DISTINCT nullif({value}, ''))",
        group_join=group_join,
        source=_source(query, marks, dimension, measures=()),
        filters=filters,
        step=step_of(marks),
    )
    return _bound(text, query, parameters)


def buckets(query: UsageQuery) -> tuple[str, Parameters]:
    """The statement and parameters that find where something matches."""
    filters, parameters = _filters(query)
    rollup, delta = USAGE.tables
    every = f"SELECT * FROM {rollup} UNION ALL SELECT * FROM {delta}"  # noqa: S608 - constants
    merged = _merged(query, {dimension.column for dimension in query.filters}, every)
    text = load_sql(PACKAGE, "usage.buckets").format(source=merged, filters=filters)
    return _bound(text, query, parameters)


def totals(query: UsageQuery, marks: Sequence[int]) -> tuple[str, Parameters]:
    """The statement and parameters of the ungrouped question."""
    filters, parameters = _filters(query)
    text = load_sql(PACKAGE, "usage.totals").format(
        source=_source(query, marks),
        sums=_sums(query.measures),
        filters=filters,
        step=step_of(marks),
    )
    return _bound(text, query, parameters)


def latency_bins(query: UsageQuery) -> tuple[str, Parameters]:
    """The statement and parameters that read the latency histogram of a question's window."""
    filters, parameters = _filters(query)
    text = load_sql(PACKAGE, "latency.bins").format(source=_bins(query), filters=filters)
    return _bound(text, query, parameters)


def latency_steps(query: UsageQuery, marks: Sequence[int]) -> tuple[str, Parameters]:
    """The statement and parameters that read the latency histogram of each step."""
    filters, parameters = _filters(query)
    text = load_sql(PACKAGE, "latency.steps").format(
        source=_bins(query, marks=marks), filters=filters, step=step_of(marks)
    )
    return _bound(text, query, parameters)


def latency_by(query: UsageQuery, dimension: Dimension) -> tuple[str, Parameters]:
    """The statement and parameters that read the latency histogram of each value."""
    filters, parameters = _filters(query)
    value, join = _expanded(query, dimension, "label", "group_set")
    text = load_sql(PACKAGE, "latency.by").format(
        column=dimension.column,
        value=value,
        join=join,
        source=_bins(query, dimension),
        filters=filters,
    )
    return _bound(text, query, parameters)


def _source(
    query: Question,
    marks: Sequence[int],
    *dimensions: Dimension,
    measures: tuple[str, ...] | None = None,
) -> str:
    """Where usage by some dimensions is read from; the question's measures unless others are."""
    columns = {dimension.column for dimension in (*dimensions, *query.filters)}
    wanted = query.measures if measures is None else measures
    return _merged(query, columns, source(USAGE, columns, wanted, marks))


def _bins(query: UsageQuery, *dimensions: Dimension, marks: Sequence[int] = ()) -> str:
    """Where latency by some dimensions is read from; `marks` are the edges of steps, if any."""
    columns = {dimension.column for dimension in (*dimensions, *query.filters)} | {"latency_bin"}
    marks = marks or (query.period.start_bucket, query.period.end_bucket)
    return _merged(query, columns, source(LATENCY, columns, LATENCY.measures, marks))


def _merged(query: Question, columns: Collection[str], source: str) -> str:
    """A subquery in whose rows each merged value is the one that it counts as."""
    joins, replacements = "", []
    for dimension in _MERGED:
        if dimension.column in columns and query.merges.of(dimension):
            name = f"merged_{dimension.column}"
            joins += (
                f"\nLEFT JOIN {_pairs(dimension)} AS {name} "
                f"ON {name}.value = unmerged.{dimension.column}"
            )
            replacements.append(
                f"coalesce({name}.target, unmerged.{dimension.column}) AS {dimension.column}"
            )
    if not replacements:
        return source
    return (
        f"SELECT unmerged.* REPLACE ({', '.join(replacements)}) "  # noqa: S608 - constants
        f"FROM ({source}) AS unmerged{joins}"
    )


def _group_set(query: Question) -> str:
    """The table of which groups a stored set has, or what stands for it where some are merged."""
    if not query.merges.of(Dimension.GROUP):
        return "group_set"
    return (
        "(SELECT DISTINCT groups, coalesce(target, group_id) AS group_id "  # noqa: S608 - constants
        f"FROM group_set LEFT JOIN {_pairs(Dimension.GROUP)} ON value = group_id)"
    )


def _pairs(dimension: Dimension) -> str:
    """Merged values beside their targets."""
    name = dimension.column
    return f"(SELECT unnest($merged_{name}) AS value, unnest($target_{name}) AS target)"


def _expanded(query: Question, dimension: Dimension, label: str, alias: str) -> tuple[str, str]:
    """A dimension's value as an expression over its label, and the join that it needs."""
    if dimension is not Dimension.GROUP:
        return label, ""
    return (
        f"coalesce({alias}.group_id, '')",
        f"\nLEFT JOIN {_group_set(query)} AS {alias} ON {alias}.groups = {label}",
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


def _bound(text: str, query: Question, parameters: Parameters) -> tuple[str, Parameters]:
    """A statement with all that it names: DuckDB refuses parameters that are not named."""
    bound: Parameters = {
        **parameters,
        "organization_id": query.organization_id,
        "start": query.period.start_bucket,
        "end": query.period.end_bucket,
    }
    for dimension in DISCOVERABLE:
        pairs = query.merges.of(dimension)
        if pairs and f"$merged_{dimension.column})" in text:
            bound[f"merged_{dimension.column}"] = list(pairs)
            bound[f"target_{dimension.column}"] = list(pairs.values())
    return text, bound


def _filters(query: Question) -> tuple[str, Parameters]:
    """WHERE fragments with one named parameter per value: OR within a filter, AND between."""
    clauses: list[str] = []
    parameters: Parameters = {}
    for dimension in sorted(query.filters):
        names = []
        for value in query.filters[dimension]:
            name = f"filter_{len(parameters)}"
            parameters[name] = query.merges.target(dimension, value)
            names.append(f"${name}")
        within = ", ".join(names)
        if dimension is Dimension.GROUP:
            within = f"SELECT groups FROM {_group_set(query)} WHERE group_id IN ({within})"  # noqa: S608 - parameter names
        clauses.append(f"\n      AND {dimension.column} IN ({within})")
    return "".join(clauses), parameters


if USAGE.measures != _MEASURE_NAMES:
    raise AssertionError("the usage rollup has the measures of the catalogue")
