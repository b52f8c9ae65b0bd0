"""Tags of requests: registered keys are kept, their values are bounded."""

import itertools
from collections.abc import Mapping

import pytest
from tests.backdoor import wait_for_tag_values
from tests.factories import NOW

from outlay.domain.actor import Actor, Plan
from outlay.domain.audit import AuditFilter
from outlay.domain.errors import Conflict, Invalid, NotFound
from outlay.domain.ids import EventId, OrganizationId
from outlay.domain.organization import Organization, operator_of
from outlay.domain.tag import MAX_KEYS, MAX_VALUES, MORE
from outlay.domain.usage import TokenUsage
from outlay.domain.usage_report import UsageReport
from outlay.kit.clock import to_us
from outlay.services.bundle import Services
from outlay.storage.directory.organizations import create_organization

_numbers = itertools.count(1)


@pytest.fixture
def actor(services: Services) -> Actor:
    organization = Organization(
        organization_id=OrganizationId("org_test"),
        name="Test",
        slug="test",
        plan=Plan.ENTERPRISE,
        timezone="UTC",
    )
    with services.directory.write() as session:
        create_organization(session, organization, to_us(NOW))
    return operator_of(organization)


def recorded(services: Services, *claims: Mapping[str, str]) -> list[str]:
    """The stored tags of events."""
    reports = [
        UsageReport(
            event_id=EventId(f"tagged-{next(_numbers)}"),
            event_time_us=to_us(NOW),
            provider="openai",
            mapping="openai/gpt-5.5",
            usage=TokenUsage(1, 1),
            tags=tags,
        )
        for tags in claims
    ]
    services.recorder.record(OrganizationId("org_test"), reports)
    return [
        found.event.tags
        for report in reports
        for found in services.ledger.read_history(OrganizationId("org_test"), report.event_id)
    ]


def test_only_registered_keys_are_stored(services: Services, actor: Actor) -> None:
    claim = {"team": " search\n", "env": "a,b=c", "other": "x", "empty": ""}
    assert recorded(services, claim) == [""]
    services.administration.tags.add(actor, "team")
    services.administration.tags.add(actor, "env")
    services.administration.tags.add(actor, "empty")

    assert recorded(services, claim) == ["env=abc,team=search"]

    services.administration.tags.remove(actor, "env")
    services.watch.check()
    assert recorded(services, claim) == ["team=search"]


def test_values_beyond_the_bound_are_merged(services: Services, actor: Actor) -> None:
    services.administration.tags.add(actor, "build")
    claims = [{"build": f"b-{number}"} for number in range(MAX_VALUES + 3)]

    found = recorded(services, *claims)

    assert found[MAX_VALUES - 1 : MAX_VALUES + 1] == [
        f"build=b-{MAX_VALUES - 1}",
        f"build={MORE}",
    ]
    assert recorded(services, {"build": "b-7"}, {"build": "new"}) == [
        "build=b-7",
        f"build={MORE}",
    ]
    wait_for_tag_values(services.recorder)
    services.watch.check()
    assert recorded(services, {"build": "b-7"}, {"build": "later"}) == [
        "build=b-7",
        f"build={MORE}",
    ]


def test_keys_are_checked_bounded_and_audited(services: Services, actor: Actor) -> None:
    tags = services.administration.tags
    tags.add(actor, "team")
    with pytest.raises(Conflict):
        tags.add(actor, "team")
    with pytest.raises(Invalid):
        tags.add(actor, "Team")
    with pytest.raises(NotFound):
        tags.remove(actor, "env")
    for number in range(MAX_KEYS - 1):
        tags.add(actor, f"key-{number}")
    with pytest.raises(Invalid, match="at most"):
        tags.add(actor, "one-more")
    tags.remove(actor, "team")

    assert [one.key for one in tags.list_for(actor)] == sorted(
        f"key-{n}" for n in range(MAX_KEYS - 1)
    )
    entries = services.administration.audit.all(actor, AuditFilter())
    assert {shown.entry.action for shown in entries} >= {"tag.add", "tag.remove"}
