"""One request as a source reports it, before attribution and pricing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, Final

from outlay.domain.event import ReportedRequest, declared
from outlay.domain.usage import TokenUsage

BATCH: Final = "batch"
"""The operation of a batch job reported as a whole: its counts are sums over many requests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageReport(ReportedRequest):
    """One request as a gateway, an import or an SDK reports it."""

    usage: TokenUsage | None
    """None if tokens were not counted: the event then has unknown usage, not zero tokens."""
    groups: tuple[str, ...] = ()
    """Groups claimed for the user. For calls with an API key they count only if the key may set
    attribution; reports of usage are always trusted."""
    price_context: Mapping[str, str] = field(default_factory=dict)
    """Price variants, for example `{"service_tier": "flex"}`."""
    meters: Mapping[str, int] = field(default_factory=dict)
    """Other billed quantities, by the names of `domain.meter.METERS`."""
    unread: tuple[str, ...] = ()
    """Provider counters that the reader does not know."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """Tags of the sender; those with registered keys are kept."""
    names: Mapping[str, str] = field(default_factory=dict)
    """Display names of the projects, API keys, users and groups that are named by id."""


_REPORTED: Final = tuple(declared(ReportedRequest))
_values_of = attrgetter(*_REPORTED)


def reported_fields(report: UsageReport) -> dict[str, Any]:
    """The fields that an event copies from its report."""
    return dict(zip(_REPORTED, _values_of(report), strict=True))
