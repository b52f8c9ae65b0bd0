"""Repricing recorded requests: with the same book they cost the same."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.clocks import FixedClock
from tests.factories import NOW

from outlay.bootstrap.installation import open_installation
from outlay.domain.event import Status, UsageEvent
from outlay.domain.ids import EventId, OrganizationId
from outlay.domain.meter import METERS, join_meters, join_names
from outlay.domain.price_context import read_context, render_context
from outlay.domain.usage import TokenUsage
from outlay.domain.usage_report import UsageReport
from outlay.kit.clock import to_us
from outlay.pricing.book import PriceBook, PricedUsage
from outlay.services.bundle import Services
from outlay.services.repricing.repricer import reprice_event
from outlay.settings import Settings

FILE: Final = """
[[price]]
model = "my-deployment"
input = "2"

[[price]]
provider = "anthropic"
percent_of_list = "85"
"""

tokens = st.integers(0, 400_000)
texts = st.text("aä=,%é ", max_size=5)
reports = st.builds(
    UsageReport,
    event_id=st.just("evt_1"),
    event_time_us=st.just(to_us(NOW)),
    provider=st.sampled_from(["openai", "anthropic", "openrouter", "azure", "unknown"]),
    mapping=st.sampled_from(
        [
            "openai/gpt-5.5",
            "anthropic/claude-sonnet-4-5",
            "openai/gpt-image-1",
            "azure/my-deployment",
            "x/y",
        ]
    ),
    usage=st.none() | st.builds(TokenUsage, *[tokens] * 6),
    operation=st.sampled_from(["chat", "image_generation", "speech", "batch"]),
    status=st.sampled_from(Status),
    reported_cost_pusd=st.none() | st.integers(0, 10**12),
    response_model=st.sampled_from(["", "gpt-5.5-2026-04-23", "claude-sonnet-4-5", "unknown"]),
    price_context=st.sampled_from([{}, {"service_tier": "flex"}, {"speed": "fast"}])
    | st.dictionaries(texts, texts, max_size=2),
    meters=st.dictionaries(st.sampled_from(list(METERS)), st.integers(0, 10_000), max_size=4),
    unread=st.lists(st.sampled_from(["a_tokens", "b_tokens"]), max_size=2).map(tuple),
)


@pytest.fixture(scope="module")
def installation(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Services, PriceBook, str]]:
    """An installation with its own prices, its book, and the id of an organization."""
    settings = Settings(data=tmp_path_factory.mktemp("repricing"))
    settings.prices_path.write_text(FILE)
    with open_installation(settings, FixedClock(NOW)) as services:
        acme = services.administration.organizations.create("Acme")
        yield services, PriceBook.load(settings.prices_path), acme.organization_id


@given(report=reports)
def test_repricing_with_the_same_book_changes_nothing(
    installation: tuple[Services, PriceBook, str], report: UsageReport
) -> None:
    services, book, organization_id = installation
    event = services.recorder.event(OrganizationId(organization_id), report, to_us(NOW))
    again = reprice_event(book, event)

    assert stored(again) == {name: getattr(event, name) for name in stored(again)}


def stored(priced: PricedUsage) -> Mapping[str, Any]:
    """The stored fields of an event that concern its price."""
    return {
        **priced._asdict(),
        "meter_costs": join_meters(dict(priced.meter_costs)),
        "unpriced_parts": join_names(priced.unpriced_parts),
    }


@given(context=st.dictionaries(texts, texts))
def test_price_context_round_trips(context: dict[str, str]) -> None:
    assert read_context(render_context(context)) == context


def test_images_of_earlier_versions_are_priced_as_images(
    installation: tuple[Services, PriceBook, str],
) -> None:
    _, book, organization_id = installation
    event = UsageEvent(
        event_id=EventId("evt_1"),
        organization_id=OrganizationId(organization_id),
        event_time_us=to_us(NOW),
        provider="google",
        mapping="google/gemini-2.5-flash-image",
        operation="image_generation",
        output_tokens=1_000_000,
    )
    again = reprice_event(book, event)

    assert again.meter_costs == (("output_image_tokens", 30 * 10**12),)
