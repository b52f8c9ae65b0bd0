"""Parameters of questions about single requests: of the log's page, endpoint and file."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Final

from outlay.domain.actor import Actor
from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Invalid
from outlay.domain.event import CostSource, UsageSource
from outlay.domain.period import BUCKET_US, BUCKETS_PER_HOUR, Interval, period_of_buckets
from outlay.domain.query import UsageQuery
from outlay.kit.clock import to_us
from outlay.services.analytics.analytics import Analytics
from outlay.services.analytics.own_usage import own_requests_only
from outlay.services.analytics.request_log import LogCursor, LogQuery
from outlay.storage.ledger.log import LogConditions, LogOrder, LogSort
from outlay.web.http.parameters import (
    Choice,
    Choices,
    Direction,
    Flag,
    Instant,
    Label,
    Labels,
    Number,
    Params,
    Text,
    Usd,
)
from outlay.web.http.usage_params import FilterParams
from outlay.wire.cursors import read_cursor

MAX_LATENCY_MS: Final = 86_400_000
MAX_ERROR_CODES: Final = 20


@dataclass(frozen=True, kw_only=True)
class ConditionParams(Params):
    """Filters of single requests."""

    min_latency_ms: Annotated[
        int | None, Number("Only requests that took at least this long.", 0, MAX_LATENCY_MS)
    ] = None
    min_cost: Annotated[int | None, Usd("Only requests that cost at least this many USD.")] = None
    error_code: Annotated[
        tuple[str, ...],
        Labels(
            "Why a request failed, repeatable: values are combined with OR.",
            MAX_ERROR_CODES,
        ),
    ] = ()
    session: Annotated[str, Label("Only requests of this session.")] = ""
    search: Annotated[str, Label("Part of a request's id.")] = ""
    cost_source: Annotated[
        tuple[CostSource, ...],
        Choices(
            "Where the cost comes from, repeatable.", CostSource, ErrorCode.UNKNOWN_COST_SOURCE
        ),
    ] = ()
    usage_source: Annotated[
        tuple[UsageSource, ...],
        Choices("Who counted the tokens, repeatable.", UsageSource, ErrorCode.UNKNOWN_USAGE_SOURCE),
    ] = ()
    has_reported_cost: Annotated[bool | None, Flag("Whether the sender reported a cost.")] = None
    has_computed_cost: Annotated[
        bool | None, Flag("Whether the price book has a price for all of the usage.")
    ] = None
    missing: Annotated[
        str,
        Label("A meter, counter or context without a price, or an unknown counter."),
    ] = ""

    def conditions(self) -> LogConditions:
        """The conditions on a request."""
        latency_ms = self.min_latency_ms
        return LogConditions(
            min_duration_us=None if latency_ms is None else latency_ms * 1000,
            min_cost_pusd=self.min_cost,
            error_codes=self.error_code,
            id_part=self.search,
            cost_sources=self.cost_source,
            usage_sources=self.usage_source,
            has_reported_cost=self.has_reported_cost,
            has_computed_cost=self.has_computed_cost,
            missing=self.missing,
            session_id=self.session,
        )


@dataclass(frozen=True, kw_only=True)
class PlaceParams(Params):
    """The order and the page of the log, and a single hour of it."""

    hour: Annotated[
        str | None, Instant("Only the hour that begins at this instant, within the period.")
    ] = None
    sort: Annotated[LogSort, Choice("The order.", LogSort, ErrorCode.UNKNOWN_SORT)] = LogSort.TIME
    is_descending: Annotated[bool, Direction("Ascending or descending.", name="order")] = True
    cursor: Annotated[
        str | None, Text("`next` or `previous` of another page of the same query.")
    ] = None


@dataclass(frozen=True, kw_only=True)
class LogParams(PlaceParams, ConditionParams, FilterParams):
    """Parameters of a question about single requests."""

    def log_query(self, actor: Actor, analytics: Analytics, interval: Interval) -> LogQuery:
        """The query for requests that the actor may see, summed by `interval`."""
        usage = own_requests_only(actor, self.query(actor, analytics))
        return self.log_query_of(usage, interval)

    def log_query_of(self, usage: UsageQuery, interval: Interval | None = None) -> LogQuery:
        """The query for the single requests of a question, summed by `interval` instead of the
        question's own."""
        usage = _in_hour(usage, self.hour)
        return LogQuery(
            usage=usage if interval is None else replace(usage, interval=interval),
            conditions=self.conditions(),
            order=LogOrder(self.sort, self.is_descending),
            cursor=read_cursor(self.cursor, LogCursor) if self.cursor else None,
        )


CONDITIONS: Final = ConditionParams.names()
"""Names of filters of single requests."""

LOG: Final = LogParams.names()


def _in_hour(query: UsageQuery, text: str | None) -> UsageQuery:
    """The question, limited to the hour that begins at an instant."""
    if text is None:
        return query
    try:
        instant = datetime.fromisoformat(text)
        start, rest = divmod(to_us(instant), BUCKET_US)
    except (ValueError, TypeError, OverflowError):
        rest = -1
    if rest:
        raise Invalid(
            "`hour` must be the start of an hour, such as 2026-11-20T09:00:00Z.",
            field="hour",
        )
    period = query.period
    if not period.start_bucket <= start < period.end_bucket:
        raise Invalid("`hour` must be within the period.", field="hour")
    end = min(start + BUCKETS_PER_HOUR, period.end_bucket)
    return replace(
        query, period=period_of_buckets(start, end, period.timezone), interval=Interval.HOUR
    )
