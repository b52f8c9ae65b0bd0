"""What a source says about one request, before it is attributed and priced."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from outlay.domain.event import Status, UsageSource
from outlay.domain.usage import TokenUsage

BATCH: Final = "batch"
"""The operation of a batch job that is told as one: its counts are sums of many requests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageReport:
    """The facts of one request as a gateway, an import or an SDK reports them."""

    event_id: str
    event_time_us: int
    """Start of the request, microseconds since the epoch, UTC."""
    provider: str
    mapping: str
    """The provider-tagged route as requested, `openai/gpt-5.5`."""
    usage: TokenUsage | None
    """None when nobody counted: the event is then of unknown usage, not of zero tokens."""
    project_id: str = ""
    api_key_id: str = ""
    user_id: str = ""
    """A claim: used where no API key says whose request it was, or where the key trusts it."""
    end_user: str = ""
    app: str = ""
    operation: str = "chat"
    status: Status = Status.OK
    usage_source: UsageSource = UsageSource.PROVIDER
    duration_us: int | None = None
    time_to_first_token_us: int | None = None
    reported_cost_pusd: int | None = None
    source: str = "native"
    groups: tuple[str, ...] = ()
    """Groups claimed for the user. Of a call with one of our API keys they are heard only where
    that key is trusted; whoever may record usage is believed."""
    is_stream: bool = False
    http_status: int | None = None
    error_code: str = ""
    response_id: str = ""
    response_model: str = ""
    price_context: Mapping[str, str] = field(default_factory=dict)
    """What selects price variants, e.g. `{"service_tier": "flex"}`."""
    meters: Mapping[str, int] = field(default_factory=dict)
    """What else is billed, by the names of `domain.meter.METERS`."""
    unread: tuple[str, ...] = ()
    """Counters of the provider that the reader does not understand."""
    session_id: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    """What the sender says of the request; values of registered keys are kept."""
    provider_batch_id: str = ""
    attempt: int = 1
    trace_id: str = ""
    parent_id: str = ""
    names: Mapping[str, str] = field(default_factory=dict)
    """What the source calls projects, API keys, users and groups that it names by id."""
