"""The list of members and the page of one, compared with the API's numbers."""

import re

from playwright.sync_api import Page, expect
from tests.e2e.conftest import Demo
from tests.e2e.test_project import card, drawn, exact

from outlay.web.dashboard.formatting import format_exact_count

WINDOW = {"preset": "last-month"}


def test_members_are_sorted_by_spend_including_former_ones(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.url}/organization/members?preset=last-month")
    members = demo.get("/api/v1/analytics/members", **WINDOW)
    rows = page.locator(".members tbody tr")
    expect(rows).to_have_count(len(members["members"]))

    shown = [
        (
            row.locator("strong").locator("..").get_attribute("title"),
            row.locator("td.number").nth(2).get_attribute("title"),
            row.locator("td.number").nth(4).inner_text(),
        )
        for row in rows.all()
    ]
    assert shown == [
        (
            exact(member["cost"]),
            format_exact_count(member["requestCount"]),
            str(member["apiKeyCount"]),
        )
        for member in members["members"]
    ]
    total = page.locator(".members tfoot td.number").first
    assert total.get_attribute("title") == exact(members["totals"]["cost"])
    former = [member for member in members["members"] if member["isFormer"]]
    assert former
    expect(page.locator(".members .avatar.is-former")).to_have_count(len(former))


def test_search_finds_a_member_with_the_api_values(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.url}/organization/members?preset=last-month")
    somebody = demo.get("/api/v1/analytics/members", **WINDOW)["members"][0]
    page.get_by_label("Search members").fill(somebody["name"])
    page.get_by_label("Search members").press("Enter")
    expect(page.locator(".members tbody tr")).to_have_count(1)
    with page.expect_download() as download:
        page.get_by_role("link", name="Export").click()
    assert download.value.path().read_text().startswith("member,memberLabel,")
    page.get_by_role("link", name=somebody["name"]).click()
    drawn(page)

    answer = demo.get(f"/api/v1/analytics/members/{somebody['userId']}", **WINDOW)
    assert card(page, "Total spend") == exact(answer["summary"]["cost"])
    tiles = page.locator(".most-tile strong")
    assert [tile.text_content() for tile in tiles.all()] == [
        answer["mostUsed"][kind]["label"] for kind in ("model", "provider", "app")
    ]
    for title, name in (("Top providers", "topProviders"), ("Top apps", "topApps")):
        costs = page.get_by_role("region", name=title).locator("td:has(strong)")
        assert [cost.get_attribute("title") for cost in costs.all()] == [
            exact(entry["cost"]) for entry in answer[name]
        ]
    page.get_by_role("link", name="Members", exact=True).last.click()
    expect(page).to_have_url(re.compile("preset=last-month"))


def test_search_without_match(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.url}/organization/members?search=nobody+at+all")

    expect(page.get_by_role("heading", name="No members found")).to_be_visible()
