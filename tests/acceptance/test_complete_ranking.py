"""The complete ranking: everything beyond the top entries of a card, and nothing of others."""

import re
from typing import Any

import httpx
import pytest
from tests.acceptance.conftest import Server, server
from tests.acceptance.world import Person, World, make_world
from tests.factories import NOW, make_event

from outlay.domain.actor import Role
from outlay.kit.clock import to_us

__all__ = ["server"]

APPS = 130


@pytest.fixture(scope="module")
def used(server: Server) -> tuple[World, str]:
    """An organization with more apps than a page has rows, two of them used by a developer.

    Also returns the project that they were used in.
    """
    world = make_world(server)
    owner, developer = world.people[Role.OWNER], world.people[Role.DEVELOPER]
    project = world.project()
    facts: list[dict[str, Any]] = [
        {"app": f"app-{number:03}", "cost_pusd": number * 10**9, "input_tokens": APPS - number}
        for number in range(APPS)
    ]
    people = [owner.member.member_id] * APPS
    facts += [{"app": f"mine-{number}"} for number in range(2)]
    people += [developer.member.member_id] * 2
    world.server.services.ledger.append(
        [
            make_event(
                organization_id=world.organization.organization_id,
                event_time_us=to_us(NOW) - 3_600_000_000,
                project_id=project,
                member_id=member,
                user_id=member,
                **fact,
            )
            for fact, member in zip(facts, people, strict=True)
        ]
    )
    world.server.services.projection.catch_up()
    return world, project


@pytest.fixture
def world(used: tuple[World, str]) -> World:
    """The organization."""
    return used[0]


@pytest.fixture
def place(used: tuple[World, str]) -> str:
    """The ranking of its apps, in the project only."""
    return f"/organization/ranking?preset=7d&groupBy=app&projectId={used[1]}"


def ask(world: World, role: Role, path: str) -> httpx.Response:
    person: Person = world.people[role]
    return httpx.get(world.server.url + path, headers={**person.cookie, "Accept": "text/html"})


def names(world: World, role: Role, path: str) -> list[str]:
    answer = ask(world, role, path)
    assert answer.status_code == 200, answer.text
    found: list[str] = re.findall(r'title="Only ([^"]*)"', answer.text)
    return found


def test_every_value_is_on_exactly_one_page(world: World, place: str) -> None:
    first = names(world, Role.OWNER, place)
    second = names(world, Role.OWNER, f"{place}&page=2")

    assert first[0] == f"app-{APPS - 1:03}"
    assert len(first) == 100
    assert len([*first, *second]) == len({*first, *second}) == APPS + 2
    assert names(world, Role.OWNER, f"{place}&page=99") == second


def test_ranking_can_be_sorted_by_every_column_and_searched(world: World, place: str) -> None:
    ascending = names(world, Role.OWNER, f"{place}&sort=name&order=asc")
    assert ascending == sorted(ascending)
    tokens = names(world, Role.OWNER, f"{place}&sort=totalTokens&search=app-0")
    assert tokens == [f"app-{number:03}" for number in range(100)]
    for sort in ("requestCount", "errorRate", "cost"):
        assert len(names(world, Role.OWNER, f"{place}&sort={sort}")) == 100
    for wrong in ("sort=colour", "order=up", "groupBy=status", "page=x", "colour=red"):
        assert ask(world, Role.OWNER, f"/organization/ranking?{wrong}").status_code == 400, wrong


def test_names_link_to_detail_pages_with_period_and_filters(world: World, place: str) -> None:
    text = ask(world, Role.OWNER, f"{place}&search=app-129&model=gpt-5.5").text

    assert re.search(r'"/organization/analytics\?[^"]*model=gpt-5.5&amp;app=app-129"', text)


def test_developers_see_values_of_their_own_keys(used: tuple[World, str]) -> None:
    world, project = used
    place = f"/project/{project}/ranking?preset=7d&groupBy="

    assert len(names(world, Role.OWNER, f"{place}app")) == 100
    assert sorted(names(world, Role.DEVELOPER, f"{place}app")) == ["mine-0", "mine-1"]
    own = f"/me/ranking?preset=7d&groupBy=app&projectId={project}"
    assert sorted(names(world, Role.DEVELOPER, own)) == ["mine-0", "mine-1"]
    for dimension in ("user", "group"):
        assert ask(world, Role.DEVELOPER, place + dimension).status_code == 400, dimension
    assert ask(world, Role.DEVELOPER, "/organization/ranking").status_code == 403
