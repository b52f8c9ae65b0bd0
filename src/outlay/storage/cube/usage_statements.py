"""SQL of questions about usage: named files and fragments from closed lists, with bound values."""

from collections.abc import Sequence

from outlay.domain.dimension import Dimension, Grouping
from outlay.domain.query import RowQuery, UsageQuery
from outlay.kit.sqlfiles import load_sql
from outlay.storage.cube.fragments import PACKAGE, RANK_MEASURES, Fragments, Parameters
from outlay.storage.cube.rollups import METERS, USAGE
from outlay.storage.cube.steps import step_of

_BY_LABEL = "SELECT cell.*, {value} AS value FROM cell{join}"
_BY_GROUP = "SELECT step, {value} AS value, {sums} FROM cell{join} GROUP BY ALL"


class UsageStatements(Fragments):
    """The statement of each question about usage, with its parameters."""

    def groups(self, query: UsageQuery, edges: Sequence[int]) -> tuple[str, Parameters]:
        """The statement and parameters of a grouped question.

        `edges` are the start buckets of the steps and the end of the last one, here and below.
        """
        if query.group_by is None:
            raise ValueError("a breakdown needs a dimension")
        filters, parameters = self._filters(query)
        stepped = _BY_GROUP if query.group_by is Dimension.GROUP else _BY_LABEL
        value, join = self._expanded(query, query.group_by, "cell.label", "known")
        text = load_sql(PACKAGE, "usage.breakdown").format(
            column=query.group_by.column,
            stepped=stepped.format(value=value, join=join, sums=self._sums(query.measures)),
            place=self._place(query, parameters),
            source=self._source(query, edges, query.group_by),
            sums=self._sums(query.measures),
            found=self._found(query.measures, "stepped."),
            filters=filters,
            step=step_of(edges, self._dialect.quotient),
        )
        return self._bound(text, query, {**parameters, "top": query.top})

    def nested_groups(
        self,
        query: UsageQuery,
        edges: Sequence[int],
        named: tuple[str, ...],
        measures: tuple[str, ...],
    ) -> tuple[str, Parameters]:
        """The statement and parameters of the second level, under `named` values of the first.

        `measures` are those of the question that are summed.
        """
        if query.group_by is None or query.then_by is None:
            raise ValueError("a nested breakdown needs two dimensions")
        levels = (query.group_by, query.then_by)
        filters, parameters = self._filters(query)
        names = {f"named_{index}": value for index, value in enumerate(named)}
        first, first_join = self._expanded(query, query.group_by, "label", "first_known")
        second, second_join = self._expanded(query, query.then_by, "second_label", "second_known")
        text = load_sql(PACKAGE, "usage.nested").format(
            column=query.group_by.column,
            second=query.then_by.column,
            first_value=first,
            first_join=first_join,
            second_value=second,
            second_join=second_join,
            named=", ".join(f"${name}" for name in names) or "NULL",
            placing=self._source(query, edges, *levels, measures=RANK_MEASURES[query.ranks[0]]),
            source=self._source(query, edges, *levels, measures=measures),
            rank=self._rank(query.ranks[0]),
            ranked_sums=self._sums(RANK_MEASURES[query.ranks[0]]),
            ranked_measures=", ".join(RANK_MEASURES[query.ranks[0]]),
            sums=self._sums(measures),
            found=self._dialect.select_sums({name: name for name in measures}),
            filters=filters,
            step=step_of(edges, self._dialect.quotient),
        )
        return self._bound(text, query, {**parameters, **names, "top": query.top})

    def rows(self, query: RowQuery, edges: Sequence[int]) -> tuple[str, Parameters]:
        """The statement and parameters that read every combination of some dimensions."""
        filters, parameters = self._filters(query)
        values, group_join = [], ""
        for index, dimension in enumerate(query.group_by):
            value, join = self._expanded(query, dimension, f"cell.label_{index}", f"known_{index}")
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
            source=self._source(query, edges, *query.group_by),
            sums=self._sums(query.measures),
            found=self._found(query.measures),
            filters=filters,
            step=step_of(edges, self._dialect.quotient),
        )
        return self._bound(text, query, parameters)

    def distinct_values(
        self, query: UsageQuery, edges: Sequence[int], dimension: Grouping
    ) -> tuple[str, Parameters]:
        """The statement and parameters that count the values of a dimension with usage."""
        filters, parameters = self._filters(query)
        value, group_join = self._expanded(query, dimension, f"cell.{dimension.column}", "known")
        text = load_sql(PACKAGE, "usage.distinct").format(
            columns=dimension.column,
            counts=f"count(DISTINCT nullif({value}, ''))",
            group_join=group_join,
            source=self._source(query, edges, dimension, measures=()),
            filters=filters,
            step=step_of(edges, self._dialect.quotient),
        )
        return self._bound(text, query, parameters)

    def meters(self, query: UsageQuery, edges: Sequence[int]) -> tuple[str, Parameters]:
        """The statement and parameters that read the quantity of each meter."""
        filters, parameters = self._filters(query)
        meter, join = self._dialect.text("meter", "cell.meter", "known")
        columns = {dimension.column for dimension in query.filters} | {"meter"}
        source = self._dialect.source(METERS, columns, METERS.measures, edges)
        text = load_sql(PACKAGE, "usage.meters").format(
            meter=meter,
            join=join,
            source=self._merged(query, columns, source),
            sums=self._sums(METERS.measures),
            found=self._found(METERS.measures, "cell."),
            filters=filters,
            step=step_of(edges, self._dialect.quotient),
        )
        return self._bound(text, query, parameters)

    def buckets(self, query: UsageQuery) -> tuple[str, Parameters]:
        """The statement and parameters that find the buckets with matches."""
        filters, parameters = self._filters(query)
        columns = {dimension.column for dimension in query.filters}
        every = self._dialect.every(USAGE, columns, ("requests",))
        merged = self._merged(query, columns, every)
        text = load_sql(PACKAGE, "usage.buckets").format(source=merged, filters=filters)
        return self._bound(text, query, parameters)

    def totals(self, query: UsageQuery, edges: Sequence[int]) -> tuple[str, Parameters]:
        """The statement and parameters of the ungrouped question."""
        filters, parameters = self._filters(query)
        text = load_sql(PACKAGE, "usage.totals").format(
            source=self._source(query, edges),
            found=self._found(query.measures),
            filters=filters,
            step=step_of(edges, self._dialect.quotient),
        )
        return self._bound(text, query, parameters)

    def latency_bins(self, query: UsageQuery) -> tuple[str, Parameters]:
        """The statement and parameters that read the latency histogram of a period."""
        filters, parameters = self._filters(query)
        text = load_sql(PACKAGE, "latency.bins").format(source=self._bins(query), filters=filters)
        return self._bound(text, query, parameters)

    def latency_by_step(self, query: UsageQuery, edges: Sequence[int]) -> tuple[str, Parameters]:
        """The statement and parameters that read the latency histogram of each step."""
        filters, parameters = self._filters(query)
        text = load_sql(PACKAGE, "latency.steps").format(
            source=self._bins(query, edges=edges),
            filters=filters,
            step=step_of(edges, self._dialect.quotient),
        )
        return self._bound(text, query, parameters)

    def latency_by_value(self, query: UsageQuery, dimension: Grouping) -> tuple[str, Parameters]:
        """The statement and parameters that read the latency histogram of each value."""
        filters, parameters = self._filters(query)
        value, join = self._expanded(query, dimension, "label", "known")
        text = load_sql(PACKAGE, "latency.by").format(
            column=dimension.column,
            value=value,
            join=join,
            source=self._bins(query, dimension),
            filters=filters,
        )
        return self._bound(text, query, parameters)
