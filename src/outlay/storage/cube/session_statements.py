"""SQL of questions about sessions, built from the same fragments as other questions."""

from collections.abc import Collection
from typing import Final

from outlay.domain.query import UsageQuery
from outlay.domain.session import SHOWN_OF, SessionQuery, SessionSort
from outlay.kit.sqlfiles import load_sql
from outlay.storage.cube.fragments import PACKAGE, Fragments, Parameters
from outlay.storage.cube.rollups import SESSIONS

_ORDERS: Final = {
    SessionSort.LAST: "summed.last_at",
    SessionSort.FIRST: "summed.first_at",
    SessionSort.COST: "summed.cost_pusd",
    SessionSort.REQUESTS: "summed.requests",
    SessionSort.TOKENS: "summed.input_tokens + summed.output_tokens",
}
_PART_MEASURES: Final = ("requests", "cost_pusd")


class SessionStatements(Fragments):
    """The statement of each question about sessions, with its parameters."""

    def page(self, query: SessionQuery) -> tuple[str, Parameters]:
        """The statement and parameters of a page of sessions."""
        filters, parameters = self._of_sessions(query)
        direction = "DESC" if query.is_descending else "ASC"
        text = load_sql(PACKAGE, "session.list").format(
            source=self._rows(query.usage, SESSIONS.measures),
            sums=self._sums(SESSIONS.measures),
            summed=", ".join(
                f"{self._dialect.sum(f'cell.{name}')} AS {name}" for name in SESSIONS.measures
            ),
            found=self._dialect.select_sums({name: f"summed.{name}" for name in SESSIONS.measures}),
            filters=filters,
            order=f"{_ORDERS[query.sort]} {direction}",
            limit=int(query.page_size),
            offset=(int(query.page) - 1) * int(query.page_size),
        )
        return self._bound(text, query.usage, parameters)

    def totals(self, query: SessionQuery) -> tuple[str, Parameters]:
        """The statement and parameters of the sums over all sessions."""
        filters, parameters = self._of_sessions(query)
        text = load_sql(PACKAGE, "session.totals").format(
            source=self._rows(query.usage, SESSIONS.measures),
            sums=self._sums(SESSIONS.measures),
            found=self._found(SESSIONS.measures, "cell."),
            filters=filters,
        )
        return self._bound(text, query.usage, parameters)

    def parts(self, query: SessionQuery) -> tuple[str, Parameters]:
        """The statement and parameters of the cost of sessions by model, key, user and so on."""
        filters, parameters = self._of_sessions(query)
        values, joins = [], ""
        for index, dimension in enumerate(SHOWN_OF):
            value, join = self._expanded(
                query.usage, dimension, f"cell.label_{index}", f"known_{index}"
            )
            values.append(value)
            joins += join
        columns = {dimension.column for dimension in SHOWN_OF}
        text = load_sql(PACKAGE, "session.parts").format(
            source=self._rows(query.usage, _PART_MEASURES, columns),
            columns="".join(
                f", {dimension.column} AS label_{index}" for index, dimension in enumerate(SHOWN_OF)
            ),
            values="".join(f", {value}" for value in values),
            sums=self._sums(_PART_MEASURES),
            found=self._found(_PART_MEASURES, "cell."),
            filters=filters,
            join=joins,
        )
        return self._bound(text, query.usage, parameters)

    def buckets(self, query: SessionQuery) -> tuple[str, Parameters]:
        """The statement and parameters that find the buckets in which sessions have requests."""
        filters, parameters = self._of_sessions(query)
        text = load_sql(PACKAGE, "usage.buckets").format(
            source=self._rows(query.usage, ("requests",)), filters=filters
        )
        return self._bound(text, query.usage, parameters)

    def _rows(
        self, query: UsageQuery, measures: tuple[str, ...], columns: Collection[str] = ()
    ) -> str:
        """The source of the requests of sessions."""
        wanted = {dimension.column for dimension in query.filters} | {
            *columns,
            "session_id",
            "second",
        }
        return self._merged(query, wanted, self._dialect.every(SESSIONS, wanted, measures))

    def _of_sessions(self, query: SessionQuery) -> tuple[str, Parameters]:
        """The filters of a question, including those of sessions."""
        filters, parameters = self._filters(query.usage)
        names = []
        for index, session_id in enumerate(query.session_ids):
            parameters[f"session_{index}"] = session_id
            names.append(f"$session_{index}")
        if names:
            filters += f"\n      AND session_id IN ({', '.join(names)})"
        return filters, parameters
