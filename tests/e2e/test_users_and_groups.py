"""Users & groups, used like a reader would, compared with the API's numbers."""

import re

from playwright.sync_api import Page, expect
from tests.e2e.conftest import Demo
from tests.e2e.test_project import card, exact

from outlay.web.dashboard.formatting import format_exact_count

PAGE = "/organization/users-and-groups"
API = "/api/v1/analytics/users-and-groups"
WINDOW = {"preset": "last-month"}


def costs(page: Page, title: str) -> list[str | None]:
    rows = page.get_by_role("region", name=title).locator(".ranking tbody tr")
    return [row.locator(".value").get_attribute("title") for row in rows.all()]


def test_tiles_bars_and_tables_equal_the_api(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.url}{PAGE}?preset=last-month")
    answer = demo.get(API, **WINDOW)
    tiles = answer["tiles"]

    assert card(page, "Requests") == format_exact_count(tiles["requestCount"])
    assert card(page, "Total spend") == exact(tiles["cost"])
    for noun in ("User", "Project", "Group"):
        assert card(page, f"Active {noun.lower()}s") == str(tiles[f"active{noun}Count"])
    top = answer["topUsersByCost"]
    assert costs(page, "Top 10 users by spend")[: len(top)] == [exact(u["cost"]) for u in top]
    groups = [entry for entry in answer["groups"] if entry["kind"] == "value"]
    assert costs(page, "User groups by spend")[: len(groups)] == [
        exact(group["cost"]) for group in groups
    ]
    page.get_by_role("button", name="Top 20 users by requests").click()
    rows = page.locator('[data-view="requests"] tbody tr')
    assert [
        row.locator("td[data-after=requests]").get_attribute("title") for row in rows.all()
    ] == [format_exact_count(user["requestCount"]) for user in answer["topUsersByRequests"]]
    page.get_by_role("button", name="Users overview").click()
    expect(page.locator('[data-view="overview"] tbody tr').first).to_be_visible()
    assert "view=overview" in page.url


def test_filters_combine_and_contradictions_are_named(page: Page, demo: Demo) -> None:
    groups = demo.get("/api/v1/groups")["groups"]
    user, outside = next(
        (user, group)
        for user in demo.get("/api/v1/analytics/users", **WINDOW)["users"]
        for group in groups
        if user["userId"] not in {one["memberId"] for one in group["memberships"]}
        and user["isMember"]
        and user["requestCount"]
    )
    page.goto(f"{demo.url}{PAGE}?preset=last-month&userId={user['userId']}")
    answer = demo.get(API, **WINDOW, userId=user["userId"])
    assert card(page, "Total spend") == exact(answer["tiles"]["cost"])

    page.get_by_text("User groups", exact=True).first.click()
    page.get_by_label("Find a user group").fill(outside["name"])
    page.locator(".choices label", has_text=outside["name"]).click()
    page.get_by_role("button", name="Apply").last.click()
    expect(page.get_by_role("heading", level=2).first).to_have_text(
        f"No data: {user['name']} is not in {outside['name']}"
    )
    page.get_by_role("link", name=re.compile(f"Remove user group {outside['name']}")).click()
    expect(page.locator(".tiles")).to_be_visible()


def test_overlap_of_groups_is_explained(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.url}{PAGE}?preset=last-month")

    expect(page.get_by_text("groups can add up to more than the total")).to_be_visible()
