"""The usage event: one LLM request as the ledger stores it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Final, NamedTuple, get_args, get_origin, get_type_hints

from outlay.domain.ids import EventId, OrganizationId

EARLIEST_EVENT: Final = datetime(2020, 1, 1, tzinfo=UTC)
"""No metered LLM is older than this; an earlier time is a unit mistake (seconds read as
milliseconds)."""

MAX_FUTURE: Final = timedelta(minutes=5)
"""How far in the future an event time may be: tolerated clock skew."""

MAX_TEXT: Final = 256
"""Longest id, model, app or other label, in characters."""


class Status(StrEnum):
    """How a request ended."""

    OK = "ok"
    CLIENT_ERROR = "client_error"
    UPSTREAM_ERROR = "upstream_error"
    GATEWAY_ERROR = "gateway_error"
    CANCELED = "canceled"

    @property
    def label(self) -> str:
        """Display name in lists and charts."""
        return "OK" if self is Status.OK else self.value.replace("_", " ").capitalize()


FAILED: Final = (Status.UPSTREAM_ERROR, Status.GATEWAY_ERROR, Status.CLIENT_ERROR)
"""Failed statuses, those that an operator can fix first."""

OPERATOR_FAULTS: Final = frozenset({401, 403, 407, 408, 429})
"""Upstream statuses below 500 that are not the client's fault: credentials and capacity."""


def status_of_code(code: int) -> Status:
    """The status of a request that an upstream answered with an HTTP status code."""
    if code < 400:
        return Status.OK
    is_client = code < 500 and code not in OPERATOR_FAULTS
    return Status.CLIENT_ERROR if is_client else Status.UPSTREAM_ERROR


class UsageSource(StrEnum):
    """Who counted the tokens."""

    PROVIDER = "provider"
    REPORTED = "reported"
    ESTIMATED = "estimated"
    UNKNOWN = "unknown"


class CostSource(StrEnum):
    """Where the cost comes from."""

    COMPUTED = "computed"
    REPORTED = "reported"
    OVERRIDE = "override"
    PARTIAL = "partial"
    """Computed, but not everything that the provider bills has a price."""
    UNPRICED = "unpriced"


class Amendment(StrEnum):
    """What an amendment row does to the row that it amends."""

    VOID = "void"
    """Cancels it: a copy with its own id that counts as minus one."""
    RESTATE = "restate"
    """Replaces it with other derived values; a void in the same commit cancels the original."""
    REPEAT = "witness"
    """A repeated report of a provider answer: kept, but never counted. Stored as `witness`."""


SIGN: Final = {"": 1, Amendment.VOID: -1, Amendment.RESTATE: 1, Amendment.REPEAT: 0}
"""The factor with which a row counts, by its amendment."""


class Column(NamedTuple):
    """Where the ledger keeps a field."""

    number: int
    """Position in a row. Numbers are never changed or reused; a new field gets the next one."""
    is_fact: bool = False
    """Whether the field must be the same if an event id is submitted again."""


def fact(number: int) -> Column:
    """The column of a field that is part of the event's identity: a different value for its id is a
    conflict."""
    return Column(number, is_fact=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedRequest:
    """The fields that a report and its event share, declared once.

    A field added here is read from the wire, recorded and stored without further code; only the
    tables of the ledger need an upgrade.
    """

    event_id: Annotated[EventId, Column(0)]
    event_time_us: Annotated[int, fact(2)]
    """Start of the request, microseconds since the epoch, UTC."""
    provider: Annotated[str, fact(7)]
    mapping: Annotated[str, fact(8)]
    """The provider-tagged route as requested, `openai/gpt-5.5`."""
    project_id: Annotated[str, fact(3)] = ""
    api_key_id: Annotated[str, fact(4)] = ""
    user_id: Annotated[str, Column(24)] = ""
    """The user that the request is attributed to. In a report it is a claim, which counts if there
    is no API key or if the key may set attribution."""
    end_user: Annotated[str, fact(5)] = ""
    app: Annotated[str, fact(6)] = ""
    operation: Annotated[str, fact(9)] = "chat"
    status: Annotated[Status, fact(10)] = Status.OK
    usage_source: Annotated[UsageSource, fact(11)] = UsageSource.PROVIDER
    duration_us: Annotated[int | None, fact(18)] = None
    time_to_first_token_us: Annotated[int | None, fact(19)] = None
    reported_cost_pusd: Annotated[int | None, fact(20)] = None
    source: Annotated[str, fact(22)] = "native"
    """The source of the event: `native`, `demo`, `import:azure-llm-trace` …"""
    is_stream: Annotated[bool, Column(35)] = False
    """Whether the answer was streamed."""
    http_status: Annotated[int | None, Column(36)] = None
    """The status that the client received; None if it received none."""
    error_code: Annotated[str, Column(37)] = ""
    """Class of failure, `upstream-timeout`; never the provider's text, which may quote prompts."""
    response_id: Annotated[str, Column(38)] = ""
    """The provider's id of the answer."""
    response_model: Annotated[str, Column(39)] = ""
    """The model that answered, as the provider reports it."""
    session_id: Annotated[str, fact(42)] = ""
    """The conversation or agent run."""
    provider_batch_id: Annotated[str, fact(43)] = ""
    """The provider's batch job that the request was part of."""
    attempt: Annotated[int, fact(44)] = 1
    """Number of the upstream attempt, from 1."""
    trace_id: Annotated[str, Column(53)] = ""
    parent_id: Annotated[str, Column(54)] = ""
    """The span that made the request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageEvent(ReportedRequest):
    """One client request: attributed, counted and priced. Immutable.

    Ids that do not apply are empty strings, which are shown as unattributed. Token counts are
    meaningful unless `usage_source` is `unknown`. Costs are pico-USD, and 0 if `cost_source` is
    `unpriced`; both cases are counted separately so that neither appears as free. An event with
    unknown usage and no reported cost is `unpriced` as well, but counts as unknown usage only,
    because no price could fix it.
    """

    organization_id: Annotated[OrganizationId, Column(1)]

    # Reported, as the ledger stores it.
    input_tokens: Annotated[int, fact(12)] = 0
    output_tokens: Annotated[int, fact(13)] = 0
    cache_read_input_tokens: Annotated[int, fact(14)] = 0
    cache_write_input_tokens: Annotated[int, fact(15)] = 0
    cache_write_1h_input_tokens: Annotated[int, fact(16)] = 0
    reasoning_output_tokens: Annotated[int, fact(17)] = 0
    price_context: Annotated[str, fact(21)] = ""
    """The price variant, `service_tier=flex`, sorted and comma-separated."""
    meters: Annotated[str, fact(40)] = ""
    """Other billed quantities by meter (`join_meters`)."""
    unread: Annotated[str, fact(41)] = ""
    """Provider counters that Outlay does not know, sorted and comma-separated."""
    tags: Annotated[str, Column(48)] = ""
    """Registered tags, `key=value`, sorted and comma-separated."""

    # Derived at recording time from the directory and the price book.
    member_id: Annotated[str, Column(23)] = ""
    """The member who created the API key."""
    groups: Annotated[str, Column(25)] = ""
    """Ids of the user's groups at event time, sorted and comma-separated (`join_groups`)."""
    model: Annotated[str, Column(26)] = ""
    """The canonical model, independent of the route."""
    adjusted: Annotated[bool, Column(27)] = False
    """Whether contradictory counts were clamped."""
    cost_source: Annotated[CostSource, Column(28)] = CostSource.UNPRICED
    cost_pusd: Annotated[int, Column(29)] = 0
    input_cost_pusd: Annotated[int, Column(30)] = 0
    """Cost of uncached input."""
    cache_read_cost_pusd: Annotated[int, Column(31)] = 0
    cache_write_cost_pusd: Annotated[int, Column(32)] = 0
    output_cost_pusd: Annotated[int, Column(33)] = 0
    price_ref: Annotated[str, Column(34)] = ""
    """The applied price, for example `genai-prices:0.2.3/openai/gpt-5.5`."""
    computed_cost_pusd: Annotated[int | None, Column(49)] = None
    """The cost by the price book, even if a reported cost counts; None if it has no price."""
    meter_cost_pusd: Annotated[int, Column(50)] = 0
    """The part of the cost for meters."""
    meter_costs: Annotated[str, Column(51)] = ""
    """That part by meter, in pico-USD (`join_meters`)."""
    unpriced_parts: Annotated[str, Column(52)] = ""
    """Meters, counters and contexts without a price, sorted and comma-separated."""

    # Amendments.
    amends: Annotated[EventId, Column(45)] = EventId("")  # noqa: RUF009 - text, which does not change
    """The id of the row that this one amends."""
    amendment: Annotated[str, Column(46)] = ""
    """An `Amendment`; empty for a request."""
    amendment_id: Annotated[str, Column(47)] = ""
    """The repricing run or merge of duplicates that wrote the row."""

    @property
    def first_token_us(self) -> int | None:
        """Time to first token of a streamed answer; None for others.

        Earlier versions also recorded one for whole answers, which was their latency.
        """
        return self.time_to_first_token_us if self.is_stream else None

    @property
    def is_compared(self) -> bool:
        """Whether it has both a reported cost and a complete computed cost to compare it with."""
        return (
            self.reported_cost_pusd is not None
            and self.computed_cost_pusd is not None
            and not self.unpriced_parts
        )


def declared(kind: type[ReportedRequest]) -> dict[str, tuple[type, Column]]:
    """The stored fields of a report or an event with their types, in row order."""
    hints = get_type_hints(kind, include_extras=True)
    kept = {
        name: (get_args(hint)[0], get_args(hint)[1])
        for name, hint in hints.items()
        if get_origin(hint) is Annotated
    }
    return dict(sorted(kept.items(), key=lambda item: item[1][1].number))


def join_groups(group_ids: tuple[str, ...] | list[str]) -> str:
    """The stored form of a set of group ids: sorted, unique, comma-separated; empty for no
    groups."""
    return ",".join(sorted(set(group_ids)))


def split_groups(groups: str) -> list[str]:
    """The group ids in a stored set."""
    return groups.split(",") if groups else []
