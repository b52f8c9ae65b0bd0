"""What a source says about one request, before it is attributed and priced."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, Final

from outlay.domain.event import ReportedRequest, declared
from outlay.domain.usage import TokenUsage

BATCH: Final = "batch"
"""The operation of a batch job that is told as one: its counts are sums of many requests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageReport(ReportedRequest):
    """The facts of one request as a gateway, an import or an SDK reports them."""

    usage: TokenUsage | None
    """None when nobody counted: the event is then of unknown usage, not of zero tokens."""
    groups: tuple[str, ...] = ()
    """Groups claimed for the user. Of a call with one of our API keys they are heard only where
    that key is trusted; whoever may record usage is believed."""
    price_context: Mapping[str, str] = field(default_factory=dict)
    """What selects price variants, e.g. `{"service_tier": "flex"}`."""
    meters: Mapping[str, int] = field(default_factory=dict)
    """What else is billed, by the names of `domain.meter.METERS`."""
    unread: tuple[str, ...] = ()
    """Counters of the provider that the reader does not understand."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """What the sender says of the request; values of registered keys are kept."""
    names: Mapping[str, str] = field(default_factory=dict)
    """What the source calls projects, API keys, users and groups that it names by id."""


_REPORTED: Final = tuple(declared(ReportedRequest))
_values_of = attrgetter(*_REPORTED)


def reported_fields(report: UsageReport) -> dict[str, Any]:
    """The fields that an event takes over from its report."""
    return dict(zip(_REPORTED, _values_of(report), strict=True))
