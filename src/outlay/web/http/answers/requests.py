"""Single requests."""

from msgspec import field

from outlay.domain.event import CostSource, Status, UsageSource
from outlay.web.http.answers.base import Answer, Instant
from outlay.web.http.answers.measures import QualityTotals
from outlay.web.http.answers.periods import Meta
from outlay.web.http.answers.sessions import Labelled
from outlay.wire.json_money import Money


class LoggedRequest(Answer):
    """A request."""

    event_id: str
    time: Instant
    status: Status
    http_status: int | None
    error_code: str | None
    model: str
    mapping: str
    provider: str
    operation: str
    project: Labelled | None
    api_key: Labelled | None
    user: Labelled | None
    groups: list[Labelled]
    end_user: str | None
    app: str | None
    session_id: str | None
    input_tokens: int
    output_tokens: int
    total_tokens: int
    cost: Money
    cost_source: CostSource
    reported_cost: Money | None
    computed_cost: Money | None
    unpriced_parts: list[str]
    unread_counters: list[str]
    usage_source: UsageSource
    latency_ms: float | None
    time_to_first_token_ms: float | None
    is_stream: bool
    recorded_at: Instant


class RequestPage(Answer):
    """A page of requests, and the totals of all of them; `next` and `previous` are cursors."""

    requests: list[LoggedRequest]
    totals: QualityTotals
    next: str | None
    previous: str | None
    meta: Meta


class TokenParts(Answer):
    """Tokens by kind; `cacheWrite1h` is part of `cacheWrite`, `reasoning` of `output`."""

    uncached_input: int
    cache_read: int
    cache_write: int
    cache_write_1h: int = field(name="cacheWrite1h")
    reasoning: int
    output: int


class CostParts(Answer):
    """The cost by kind of usage, and the computed and the reported cost."""

    input: Money
    cache_read: Money
    cache_write: Money
    output: Money
    meters: dict[str, Money]
    computed: Money | None
    reported: Money | None


class PriceLine(Answer):
    """A line of the computed cost: `quantity` at `unitPrice` USD per `per`."""

    kind: str
    title: str
    quantity: int
    unit: str
    unit_price: str
    per: int
    amount: Money


class AmendmentAnswer(Answer):
    """An amendment of a request."""

    kind: str
    recorded_at: Instant
    amendment_id: str | None
    cost: Money
    cost_source: CostSource
    price_ref: str | None


class RequestDetail(LoggedRequest):
    """A request in detail: what each part cost, how it was priced, and its amendments."""

    member_id: str | None
    source: str
    response_id: str | None
    response_model: str | None
    price_ref: str | None
    price_context: str | None
    meters: dict[str, int]
    is_adjusted: bool
    failure: str | None
    tokens: TokenParts
    costs: CostParts
    price_lines: list[PriceLine]
    price_note: str | None
    version: int
    is_counted: bool
    counted_as: list[str]
    amendments: list[AmendmentAnswer]
