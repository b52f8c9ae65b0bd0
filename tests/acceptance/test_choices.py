"""Filters and the palette offer what exists, and nothing of other organizations."""

import json
from typing import Any

import httpx
from tests.acceptance.conftest import Server
from tests.acceptance.world import Person, World, make_world
from tests.factories import NOW, make_event

from outlay.domain.actor import Plan, Role
from outlay.kit.clock import to_us


def ask(world: World, person: Person, path: str) -> httpx.Response:
    return httpx.get(world.server.url + path, headers=person.cookie)


def choices(world: World, person: Person, param: str, q: str = "") -> dict[str, Any]:
    answer = ask(world, person, f"/choices.json?param={param}&q={q}&preset=7d")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = json.loads(answer.text)
    return found


def use(world: World, person: Person, **facts: Any) -> None:
    event = make_event(
        organization_id=world.organization.organization_id,
        event_time_us=to_us(NOW) - 3_600_000_000,
        member_id=person.member.member_id,
        user_id=person.member.member_id,
        **facts,
    )
    world.server.services.ledger.append([event])
    world.server.services.projection.catch_up()


def test_admin_filters_list_active_and_used_entities(server: Server) -> None:
    world = make_world(server)
    owner = world.people[Role.OWNER]
    project = world.project()
    use(world, owner, project_id=project, app="used-app")
    use(world, owner, project_id="never-declared", app="used-app")

    found = choices(world, owner, "projectId")["choices"]
    values = [choice["value"] for choice in found]
    assert {project, "never-declared"} <= set(values)
    assert {choice["hint"] for choice in found if choice["value"] == project} == {"1"}
    assert values.index(project) < len(values) - 1  # used values come before unused ones
    assert [choice["value"] for choice in choices(world, owner, "app", "USED")["choices"]] == [
        "used-app"
    ]
    assert choices(world, owner, "app", "nothing")["choices"] == []


def test_more_than_one_page_of_choices_is_indicated(server: Server) -> None:
    world = make_world(server)
    owner = world.people[Role.OWNER]
    for number in range(55):
        use(world, owner, app=f"app-{number:02}")

    found = choices(world, owner, "app")
    assert (len(found["choices"]), found["more"]) == (50, True)
    assert choices(world, owner, "app", "app-5")["more"] is False


def test_developer_choices_are_limited_to_own_keys(server: Server) -> None:
    world = make_world(server)
    developer, other = world.people[Role.DEVELOPER], world.people[Role.ADMIN]
    use(world, developer, app="my-app", project_id=world.project())
    use(world, other, app="their-app", project_id=world.project())

    assert [choice["value"] for choice in choices(world, developer, "app")["choices"]] == ["my-app"]
    assert len(choices(world, developer, "projectId")["choices"]) == 1
    for param in ("userId", "groupId", "memberId", "endUser"):
        answer = ask(world, developer, f"/choices.json?param={param}")
        assert (answer.status_code, other.member.name in answer.text) == (403, False), param


def test_choices_exclude_other_organizations(server: Server) -> None:
    world, stranger = make_world(server), make_world(server)
    use(stranger, stranger.people[Role.OWNER], app=stranger.canary, end_user=stranger.canary)
    owner = world.people[Role.OWNER]

    for param in ("projectId", "apiKeyId", "userId", "groupId", "app", "endUser", "model"):
        assert stranger.canary not in ask(world, owner, f"/choices.json?param={param}").text
    for q in (stranger.canary, "canary", ""):
        assert stranger.canary not in ask(world, owner, f"/palette.json?q={q}").text


def test_palette_offers_members_and_groups_to_permitted_roles(server: Server) -> None:
    world, free = make_world(server), make_world(server, Plan.FREE)
    for some, role, may in (
        (world, Role.OWNER, True),
        (world, Role.ADMIN, True),
        (world, Role.DEVELOPER, False),
        (free, Role.OWNER, False),
    ):
        answer = ask(some, some.people[role], f"/palette.json?q={some.canary}").json()
        kinds = {item["kind"].split(" · ")[0] for item in answer["items"]}
        assert ("Member" in kinds) is may, (role, kinds)
        assert "Project" in kinds
    others = world.api_key(world.people[Role.ADMIN].member)
    answer = ask(world, world.people[Role.DEVELOPER], f"/palette.json?q={world.canary}")
    assert others not in answer.text


def test_unknown_filters_are_refused(server: Server) -> None:
    world = make_world(server)
    answer = ask(world, world.people[Role.OWNER], "/choices.json?param=colour")

    assert answer.status_code == 400
