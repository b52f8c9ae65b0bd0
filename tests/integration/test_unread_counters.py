"""A provider's unknown counter never hides in a cost that looks exact."""

from tests.factories import NOW

from outlay.domain.event import CostSource, Status, UsageSource
from outlay.domain.ids import EventId, OrganizationId
from outlay.domain.usage import TokenUsage
from outlay.domain.usage_report import UsageReport
from outlay.kit.clock import to_us
from outlay.services.bundle import Services

USAGES = (None, TokenUsage(), TokenUsage(1_000, 50, 10))
MAPPINGS = ("openai/gpt-5.5", "openai/whisper-1", "perplexity/sonar", "acme/house-model")
METERS: tuple[dict[str, int], ...] = (
    {},
    {"web_searches": 2},
    {"social_searches": 1},
    {"audio_milliseconds": 60_000},
)


def test_event_with_unknown_counters_is_never_computed(services: Services) -> None:
    found = [
        services.recorder.event(
            OrganizationId("org"),
            UsageReport(
                event_id=EventId("e"),
                event_time_us=to_us(NOW),
                provider=mapping.partition("/")[0],
                mapping=mapping,
                operation=operation,
                status=status,
                usage=usage,
                usage_source=UsageSource.PROVIDER,
                meters=meters,
                unread=("hologram_seconds",),
            ),
            to_us(NOW),
        )
        for mapping in MAPPINGS
        for usage in USAGES
        for meters in METERS
        for operation in ("chat", "transcription", "batch")
        for status in (Status.OK, Status.CLIENT_ERROR)
    ]

    assert {event.cost_source for event in found} == {CostSource.PARTIAL, CostSource.UNPRICED}
    for event in found:
        assert event.unread == "hologram_seconds"
        if event.cost_source is CostSource.PARTIAL:
            assert "hologram_seconds" in event.unpriced_parts.split(",")
