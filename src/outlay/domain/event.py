"""The usage event: one LLM request as it stands in the ledger."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

EARLIEST_EVENT: Final = datetime(2020, 1, 1, tzinfo=UTC)
"""Older than any metered LLM; an earlier time is a unit mistake (seconds read as milliseconds)."""

MAX_FUTURE: Final = timedelta(minutes=5)
"""How far ahead of our clock an event may lie before it is refused."""

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
        """What it is called in lists and charts."""
        return "OK" if self is Status.OK else self.value.replace("_", " ").capitalize()


OPERATOR_FAULTS: Final = frozenset({401, 403, 407, 408, 429})
"""Upstream statuses below 500 that are not the client's doing: our credential, their capacity."""


def status_of_code(code: int) -> Status:
    """How a request ended that an upstream answered with an HTTP status."""
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
    """What a row that is no request of its own does to the one that it amends."""

    VOID = "void"
    """Takes it back: the same in all but its id, and counted as once less."""
    RESTATE = "restate"
    """Stands in its place, with other derived values; it was taken back in the same commit."""
    WITNESS = "witness"
    """Another report of the same answer of a provider: kept, and counted in nothing."""


SIGN: Final = {"": 1, Amendment.VOID: -1, Amendment.RESTATE: 1, Amendment.WITNESS: 0}
"""How often a row counts, by its amendment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageEvent:
    """One request of a client: attributed, counted and priced. Immutable.

    Ids of things that do not apply are empty strings, which is what "unattributed" is made of.
    Token counts are meaningful unless `usage_source` is `unknown`; costs are pico-USD and 0 when
    `cost_source` is `unpriced`: both are counted separately so that neither reads as free. An event
    of unknown usage without a reported cost is `unpriced` as well, but counts as unknown usage
    alone: no price could mend it.
    """

    # Facts, as reported. They identify the event: the same id with other facts is a conflict.
    event_id: str
    organization_id: str
    event_time_us: int
    """Start of the request, microseconds since the epoch, UTC."""
    project_id: str = ""
    api_key_id: str = ""
    end_user: str = ""
    app: str = ""
    provider: str = ""
    mapping: str = ""
    """The provider-tagged route as requested, `openai/gpt-5.5`."""
    operation: str = "chat"
    status: Status = Status.OK
    usage_source: UsageSource = UsageSource.PROVIDER
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_input_tokens: int = 0
    cache_write_input_tokens: int = 0
    cache_write_1h_input_tokens: int = 0
    reasoning_output_tokens: int = 0
    duration_us: int | None = None
    time_to_first_token_us: int | None = None
    reported_cost_pusd: int | None = None
    price_context: str = ""
    """What selected a price variant, `service_tier=flex`, sorted and comma-joined."""
    source: str = "native"
    """What put the event in: `native`, `demo`, `import:azure-llm-trace` …"""

    # Derived when recorded, from the directory and the price book of that moment.
    member_id: str = ""
    """The member who created the API key."""
    user_id: str = ""
    """Whom the request is attributed to."""
    groups: str = ""
    """Ids of the user's groups at event time, sorted, joined by commas (`join_groups`)."""
    model: str = ""
    """The canonical model, whatever the route."""
    adjusted: int = 0
    """1 when contradictory counts were clamped, else 0."""
    cost_source: CostSource = CostSource.UNPRICED
    cost_pusd: int = 0
    input_cost_pusd: int = 0
    """Of uncached input."""
    cache_read_cost_pusd: int = 0
    cache_write_cost_pusd: int = 0
    output_cost_pusd: int = 0
    price_ref: str = ""
    """The price that was applied, e.g. `genai-prices:0.2.3/openai/gpt-5.5`."""

    # Details, for whoever looks into one request. They neither identify nor count.
    is_stream: int = 0
    """1 when the answer was sent piece by piece, else 0."""
    http_status: int | None = None
    """What the client was answered; None when it was never answered."""
    error_code: str = ""
    """The class of failure, `upstream-timeout`; never the provider's words, which may quote."""
    response_id: str = ""
    """The provider's id of its answer."""
    response_model: str = ""
    """The model that the provider says has answered."""

    # Since schema 4. Facts are those of NEW_FACTS, the others are derived or details.
    meters: str = ""
    """What else is billed: quantities by meter (`join_meters`)."""
    unread: str = ""
    """Counters of the provider that nobody here understands, sorted and comma-joined."""
    session_id: str = ""
    """One conversation or run of an agent."""
    provider_batch_id: str = ""
    """The provider's batch job that the request was part of."""
    attempt: int = 1
    """Which upstream try of a request it is, from 1."""
    amends: str = ""
    """The id of the row that this one amends."""
    amendment: str = ""
    """An `Amendment`; empty for a request."""
    amendment_id: str = ""
    """What it is part of: a run of `outlay reprice`, a merge of doubles."""
    tags: str = ""
    """Registered tags, `key=value`, sorted, joined by commas."""
    computed_cost_pusd: int | None = None
    """What the price book says, also where a reported cost counts; None where it says nothing."""
    meter_cost_pusd: int = 0
    """The part of the cost that is for meters."""
    meter_costs: str = ""
    """That part by meter, in pico-USD (`join_meters`)."""
    unpriced_parts: str = ""
    """Meters, counters and contexts without a price, sorted and comma-joined."""
    trace_id: str = ""
    parent_id: str = ""
    """The span within the trace that made the request."""

    @property
    def first_token_us(self) -> int | None:
        """The time to the first token that counts: that of a streamed answer.

        Earlier versions recorded one for whole answers, too, which was their latency.
        """
        return self.time_to_first_token_us if self.is_stream else None

    @property
    def is_compared(self) -> bool:
        """Whether it has a reported cost, and one at the price book of all that was used."""
        return (
            self.reported_cost_pusd is not None
            and self.computed_cost_pusd is not None
            and not self.unpriced_parts
        )


FACTS: Final = (
    "event_time_us",
    "project_id",
    "api_key_id",
    "end_user",
    "app",
    "provider",
    "mapping",
    "operation",
    "status",
    "usage_source",
    "input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "cache_write_input_tokens",
    "cache_write_1h_input_tokens",
    "reasoning_output_tokens",
    "duration_us",
    "time_to_first_token_us",
    "reported_cost_pusd",
    "price_context",
    "source",
)
"""The fields that must agree when an event id is seen again."""

NEW_FACTS: Final = (
    "meters",
    "unread",
    "session_id",
    "provider_batch_id",
    "attempt",
)
"""More of them, which earlier versions did not have: they must agree where they are given."""


def join_groups(group_ids: tuple[str, ...] | list[str]) -> str:
    """The stored form of a set of group ids: sorted, unique, comma-joined; empty for none."""
    return ",".join(sorted(set(group_ids)))


def split_groups(groups: str) -> list[str]:
    """The group ids in a stored set."""
    return groups.split(",") if groups else []
