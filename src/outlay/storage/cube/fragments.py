"""Fragments of the cube's statements: sources, filters and values, from closed lists."""

from collections.abc import Collection, Sequence
from typing import Final

from outlay.domain.dimension import Dimension, Grouping
from outlay.domain.discovery import DISCOVERABLE
from outlay.domain.measure import MEASURES, Rank
from outlay.domain.query import RowQuery, UsageQuery
from outlay.domain.tag import Tag
from outlay.storage.cube.dialect import Dialect
from outlay.storage.cube.rollups import LATENCY, USAGE

PACKAGE: Final = "outlay.storage.cube.sql"

RANK_MEASURES: Final = {
    Rank.COST: ("cost_pusd",),
    Rank.REQUESTS: ("requests",),
    Rank.TOKENS: ("input_tokens", "output_tokens"),
}
_MERGED: Final = tuple(dimension for dimension in DISCOVERABLE if dimension is not Dimension.GROUP)
"""Dimensions whose values are stored in the rows themselves."""

Parameters = dict[str, str | int | list[str]]
Query = UsageQuery | RowQuery


class Fragments:
    """Builds the fragments of statements."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect

    def organization(self, organization_id: str) -> str | int:
        """The parameters of every statement for an organization."""
        return self._dialect.bound("organization_id", organization_id)

    def _source(
        self,
        query: Query,
        edges: Sequence[int],
        *dimensions: Grouping,
        measures: tuple[str, ...] | None = None,
    ) -> str:
        """The source of usage by some dimensions, with the question's measures or others."""
        columns = {dimension.column for dimension in (*dimensions, *query.filters)}
        wanted = ("requests", *(query.measures if measures is None else measures))
        return self._merged(query, columns, self._dialect.source(USAGE, columns, wanted, edges))

    def _bins(self, query: UsageQuery, *dimensions: Grouping, edges: Sequence[int] = ()) -> str:
        """The source of latency by some dimensions; `edges` are the edges of steps, if any."""
        columns = {dimension.column for dimension in (*dimensions, *query.filters)} | {
            "latency_bin"
        }
        edges = edges or (query.period.start_bucket, query.period.end_bucket)
        return self._merged(
            query, columns, self._dialect.source(LATENCY, columns, LATENCY.measures, edges)
        )

    def _merged(self, query: Query, columns: Collection[str], source: str) -> str:
        """A subquery in which merged values are replaced by their targets, as text."""
        joins, replacements = "", []
        for dimension in _MERGED:
            if dimension.column in columns and query.merges.of(dimension):
                column, name = dimension.column, f"merged_{dimension.column}"
                text, join = self._dialect.text(column, f"unmerged.{column}", f"known_{column}")
                joins += (
                    f"{join}\nLEFT JOIN {self._pairs(dimension)} AS {name} ON {name}.value = {text}"
                )
                replacements.append(f"coalesce({name}.target, {text}) AS {column}")
        if not replacements:
            return source
        return (
            f"SELECT unmerged.* REPLACE ({', '.join(replacements)}) "  # noqa: S608 - constants
            f"FROM ({source}) AS unmerged{joins}"
        )

    def _group_set(self, query: Query) -> str:
        """The table with the groups of each stored set, in which merged groups are replaced by
        their targets."""
        if not query.merges.of(Dimension.GROUP):
            return self._dialect.group_set
        return (
            "(SELECT DISTINCT known.groups AS groups, "  # noqa: S608 - constants
            "coalesce(merged.target, known.group_id) AS group_id "
            f"FROM {self._dialect.group_set} AS known "
            f"LEFT JOIN {self._pairs(Dimension.GROUP)} AS merged ON merged.value = known.group_id)"
        )

    def _pairs(self, dimension: Dimension) -> str:
        """Merged values and their targets."""
        name = dimension.column
        return self._dialect.pairs(f"$merged_{name}", f"$target_{name}")

    def _expanded(
        self, query: Query, dimension: Grouping, label: str, alias: str
    ) -> tuple[str, str]:
        """The value of a dimension as an expression over its label, and the join that it needs."""
        if isinstance(dimension, Tag):  # its key is letters that need no quoting
            tags = (
                f"(SELECT tags, value FROM {self._dialect.tag_set} WHERE key = '{dimension.key}')"  # noqa: S608 - a checked key
            )
            return (
                f"coalesce({alias}.value, '')",
                f"\nLEFT JOIN {tags} AS {alias} ON {alias}.tags = {label}",
            )
        if dimension is not Dimension.GROUP:
            if query.merges.of(dimension):  # as text
                return label, ""
            return self._dialect.text(dimension.column, label, alias)
        return (
            f"coalesce({alias}.group_id, '')",
            f"\nLEFT JOIN {self._group_set(query)} AS {alias} ON {alias}.groups = {label}",
        )

    def _place(self, query: UsageQuery, parameters: Parameters) -> str:
        """The best rank of a value in any ranking, ties by value; or whether it is in `named`."""
        if query.named is not None:
            names = [f"named_{index}" for index in range(len(query.named))]
            parameters.update(zip(names, query.named, strict=True))
            listed = ", ".join(f"${name}" for name in names) or "''"
            return f"CASE WHEN value IN ({listed}) THEN 0 ELSE $top + 1 END"
        places = ", ".join(
            f"row_number() OVER (ORDER BY {self._rank(rank)} DESC, value)" for rank in query.ranks
        )
        return f"least({places})" if len(query.ranks) > 1 else places

    def _rank(self, rank: Rank) -> str:
        return " + ".join(self._dialect.sum(name) for name in RANK_MEASURES[rank])

    def _sums(self, measures: tuple[str, ...]) -> str:
        return ", ".join(f"{self._dialect.sum(name)} AS {name}" for name in measures)

    def _found(self, measures: tuple[str, ...], prefix: str = "") -> str:
        """The sums as the last columns of an answer."""
        return self._dialect.select_sums(
            {name: self._dialect.sum(prefix + name) for name in measures}
        )

    def _compared(self, query: Query, dimension: Grouping, value: str) -> str | int:
        """The value to bind in a filter: groups are compared by id, merged values as text."""
        if isinstance(dimension, Tag):
            return value
        if dimension is Dimension.GROUP or query.merges.of(dimension):
            return query.merges.target(dimension, value)
        return self._dialect.bound(dimension.column, value)

    def _bound(self, text: str, query: Query, parameters: Parameters) -> tuple[str, Parameters]:
        """A statement and the parameters that it names; DuckDB rejects any others."""
        bound: Parameters = {
            **parameters,
            "organization_id": self.organization(query.organization_id),
            "start": query.period.start_bucket,
            "end": query.period.end_bucket,
        }
        for dimension in DISCOVERABLE:
            pairs = query.merges.of(dimension)
            if pairs and f"$merged_{dimension.column})" in text:
                bound[f"merged_{dimension.column}"] = list(pairs)
                bound[f"target_{dimension.column}"] = list(pairs.values())
        return text, bound

    def _filters(self, query: Query) -> tuple[str, Parameters]:
        """WHERE fragments with one named parameter per value: OR within a filter, AND between."""
        clauses: list[str] = []
        parameters: Parameters = {}
        for dimension in sorted(query.filters):
            names = []
            for value in query.filters[dimension]:
                name = f"filter_{len(parameters)}"
                parameters[name] = self._compared(query, dimension, value)
                names.append(f"${name}")
            within = ", ".join(names)
            if dimension is Dimension.GROUP:
                within = f"SELECT groups FROM {self._group_set(query)} WHERE group_id IN ({within})"  # noqa: S608 - parameter names
            elif isinstance(dimension, Tag):
                within = (
                    f"SELECT tags FROM {self._dialect.tag_set} "  # noqa: S608 - a checked key
                    f"WHERE key = '{dimension.key}' AND value IN ({within})"
                )
            clauses.append(f"\n      AND {dimension.column} IN ({within})")
        return "".join(clauses), parameters


if USAGE.measures != tuple(measure.name for measure in MEASURES):
    raise AssertionError("the usage rollup has the measures of the catalogue")
