"""Who a request is attributed to."""

from datetime import timedelta

import pytest
from tests.factories import NOW

from outlay.domain.actor import Actor
from outlay.domain.ids import EventId, OrganizationId
from outlay.domain.organization import Member
from outlay.domain.usage import TokenUsage
from outlay.domain.usage_report import UsageReport
from outlay.kit.clock import to_us
from outlay.services.bundle import Administration
from outlay.services.recording.attribution import Attribution
from outlay.storage.directory.engine import Directory


@pytest.fixture
def attribution(directory: Directory) -> Attribution:
    return Attribution(directory)


def test_members_are_found_by_id_or_address_in_any_case(
    attribution: Attribution, operator: Actor, owner: Member
) -> None:
    org = operator.organization_id

    assert attribution.find_member_by_email(org, owner.email.upper()) == owner.member_id
    assert attribution.find_member_by_email(org, owner.member_id) == owner.member_id
    assert attribution.find_member_by_email(org, "eve@example.test") is None
    assert attribution.find_member_by_email(OrganizationId("another"), owner.email) is None


def test_groups_are_those_of_the_time_of_a_request(
    administration: Administration, attribution: Attribution, operator: Actor, owner: Member
) -> None:
    group = administration.groups.create(operator, "Team")
    start, end = NOW - timedelta(days=2), NOW - timedelta(days=1)
    administration.groups.add_member(operator, group.group_id, owner.member_id, start)
    administration.groups.remove_member(operator, group.group_id, owner.member_id, end)
    org, who = operator.organization_id, owner.member_id

    moments = [to_us(start) - 1, to_us(start), to_us(end) - 1, to_us(end)]
    found = [attribution.groups_at(org, who, us) for us in moments]
    assert found == ["", group.group_id, group.group_id, ""]


def test_unknown_groups_are_left_out_or_kept_as_reported(
    administration: Administration, attribution: Attribution, operator: Actor
) -> None:
    group = administration.groups.create(operator, "Team")
    org, claims = operator.organization_id, ("TEAM", "other, thing")

    assert attribution.groups_named(org, claims) == group.group_id
    assert set(attribution.groups_claimed(org, claims).split(",")) == {
        group.group_id,
        "other  thing",
    }


def test_new_entities_in_a_report_are_looked_up(
    administration: Administration, attribution: Attribution, operator: Actor, owner: Member
) -> None:
    org = operator.organization_id
    attribution.load(org)
    project = administration.projects.create(operator, "Web")
    api_key, _ = administration.keys.create(
        operator, project_id=project.project_id, description="k", member_id=owner.member_id
    )
    report = UsageReport(
        event_id=EventId("e"),
        event_time_us=to_us(NOW),
        provider="openai",
        mapping="openai/gpt",
        usage=TokenUsage(1, 1),
        api_key_id=api_key.api_key_id,
    )
    assert attribution.key(org, api_key.api_key_id) is None
    attribution.meet(org, [report])

    assert attribution.key(org, api_key.api_key_id) == api_key
