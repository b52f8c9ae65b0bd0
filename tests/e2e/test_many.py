"""Five thousand users and names of two hundred characters remain usable."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect
from tests.acceptance.conftest import Server, server
from tests.acceptance.world import World, make_world
from tests.factories import NOW, make_event

from outlay.domain.actor import Role
from outlay.kit.clock import to_us

__all__ = ["server"]

USERS = 5_000
LONG = "A name that goes on and on, as those of some departments do, " * 4
PLACES = (
    "/organization/analytics?groupBy=user",
    "/organization/ranking?groupBy=user",
    "/organization/members",
    "/organization/users-and-groups",
    "/organization/report?month=2026-11",
    "/monitoring/dashboard",
    "/monitoring/users",
    "/monitoring/requests",
)


@pytest.fixture(scope="module")
def crowd(server: Server) -> World:
    """An organization in which everyone has usage, some with long names."""
    world = make_world(server)
    organization_id = world.organization.organization_id
    long = LONG[:200]
    project = world.administration.projects.create(world.operator, long[:100])
    for number in range(80):
        world.administration.keys.create(
            world.operator,
            project_id=project.project_id,
            description=f"gpt key {number:02}",
            member_id=world.people[Role.OWNER].member.member_id,
        )
    events = [
        make_event(
            organization_id=organization_id,
            event_time_us=to_us(NOW) - 60_000_000 * (1 + number % 1000),
            user_id=f"user-{number:04}" if number else long,
            cost_pusd=1_000_000,
            member_id=world.people[Role.OWNER].member.member_id,
            project_id=project.project_id,
            app=long if number % 2 else "short",
            model=f"{long[:190]}-{number % 12}",
            mapping=f"openai/{long[:180]}-{number % 12}",
        )
        for number in range(USERS)
    ]
    for start in range(0, USERS, 1000):
        server.services.ledger.append(events[start : start + 1000])
    server.services.projection.catch_up()
    return world


@pytest.fixture(params=[1440, 390])
def visit(browser: Browser, crowd: World, request: pytest.FixtureRequest) -> Iterator[Page]:
    """Its owner, signed in."""
    context = browser.new_context(viewport={"width": request.param, "height": 900})
    session = crowd.people[Role.OWNER].session
    context.add_cookies([{"name": "outlay_session", "value": session, "url": crowd.server.url}])
    yield context.new_page()
    context.close()


def test_many_long_names_do_not_break_the_layout(visit: Page, crowd: World) -> None:
    for path in PLACES:
        answer = visit.goto(crowd.server.url + path)
        assert answer is not None
        assert answer.status == 200, path
        assert len(answer.body()) < 400_000, path
        width = visit.viewport_size["width"] if visit.viewport_size else 0
        assert visit.evaluate("document.documentElement.scrollWidth") <= width, path
    visit.goto(crowd.server.url + "/settings/keys")
    visit.get_by_label("Search API keys").fill("gpt key 77")
    expect(visit.locator("tbody tr")).to_have_count(1)
    visit.goto(crowd.server.url + "/settings/keys?page=2")
    expect(visit.get_by_text("Page 2 of 2")).to_be_visible()
    visit.goto(crowd.server.url + "/organization/analytics")
    tails = visit.locator("[data-ranking=cost] .clipped-tail").all()
    assert len({tail.text_content() for tail in tails}) == 8
    for tail in tails:
        box = tail.bounding_box()
        name = tail.locator("xpath=ancestor::*[contains(@class, 'name')]").bounding_box()
        assert box is not None
        assert name is not None
        assert box["x"] + box["width"] <= name["x"] + name["width"] + 1
    visit.goto(crowd.server.url + "/organization/ranking?groupBy=user&page=51")
    expect(visit.get_by_text("Page 51 of 51")).to_be_visible()
    visit.goto(crowd.server.url + "/monitoring/users?pageSize=100")
    expect(visit.get_by_text(f"Total of {USERS + 3:,}".replace(",", ""))).to_be_visible()
    visit.get_by_label("Search users").fill("user-4321")
    expect(visit.locator(".users tr[data-user]")).to_have_count(1)
    expect(visit.locator(".users tbody th .clip")).to_have_text("user-4321")
