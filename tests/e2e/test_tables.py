"""Tables of usage: complete, sorted by the server, and usable on a phone."""

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from tests.e2e.conftest import Demo
from tests.e2e.pages import every_page
from tests.e2e.test_project import exact

from outlay.web.dashboard.formatting import format_exact_count

TABLES = ("ranking", "members", "member", "project-keys", "users-analytics", "dashboard")


def ranked(page: Page) -> list[str]:
    """Exact cost by row of a complete ranking."""
    cells = page.locator(".is-stacked tbody .is-lead").all()
    return [cell.get_attribute("title") or "" for cell in cells]


def test_other_links_to_its_members(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.url}/organization/analytics?preset=last-month&groupBy=apiKey&metric=cost")
    page.locator('[data-ranking="cost"] [data-kind="other"] a.name').click()
    expect(page.get_by_role("heading", level=1)).to_have_text("All API keys")

    answer = demo.get("/api/v1/analytics/activity", preset="last-month", groupBy="apiKey", top=1000)
    keys = answer["totals"]["breakdown"]
    assert ranked(page) == [exact(key["cost"]) for key in keys]
    assert "preset=last-month" in page.url
    total = page.locator(".is-stacked tfoot .is-lead")
    expect(total).to_have_attribute("title", exact(answer["totals"]["cost"]))

    head = page.get_by_role("columnheader", name="Requests", exact=True)
    head.get_by_role("link").click()
    expect(head).to_have_attribute("aria-sort", "descending")
    counts = [
        cell.get_attribute("title")
        for cell in page.locator(".is-stacked tbody [data-after=requests]").all()
    ]
    wanted = sorted((key["requestCount"] for key in keys), reverse=True)
    assert counts == [format_exact_count(count) for count in wanted]

    page.get_by_label("Search API keys").fill(keys[-1]["label"])
    expect(page.locator(".is-stacked tbody tr")).to_have_count(1)
    page.get_by_role("link", name=keys[-1]["label"]).click()
    expect(page.locator(".filter")).to_contain_text(keys[-1]["label"])
    expect(page.get_by_role("heading", level=1)).to_have_text("Organization analytics")


def test_every_card_links_to_its_complete_ranking(page: Page, demo: Demo) -> None:
    pages = every_page(demo.get)
    for name, link in (
        ("organization-analytics", "All models"),
        ("project-overview", "All models"),
        ("key-statistics", "All models"),
        ("member", "All apps"),
        ("users-and-groups", "All user groups"),
        ("my-usage", "All models"),
    ):
        page.goto(f"{demo.url}{pages[name]}?preset=last-month")
        total = page.locator(".kpi-value").first.get_attribute("title")
        page.get_by_role("link", name=link).first.click()
        expect(page.get_by_role("heading", level=1)).to_have_text(link)
        foot = page.locator(".is-stacked tfoot")
        titles = [cell.get_attribute("title") for cell in foot.locator("td").all()]
        assert total in titles, name
    export = page.get_by_role("link", name="Export")
    with page.expect_download() as download:
        export.click()
    assert download.value.path().stat().st_size > 100


def test_overlapping_groups_have_no_running_share(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.url}/organization/analytics?preset=last-month&groupBy=group")
    table = page.locator('[data-ranking="cost"]')

    expect(table.get_by_role("columnheader", name="Of total")).to_be_visible()
    expect(table.get_by_role("columnheader", name="Running")).to_have_count(0)
    expect(table.locator("tfoot")).not_to_contain_text("100%")


@pytest.mark.parametrize("width", [390, 320])
def test_name_and_cost_are_visible_on_a_phone(page: Page, demo: Demo, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 844})
    for name, path in every_page(demo.get).items():
        if name not in (*TABLES, "users-and-groups"):
            continue
        page.goto(demo.url + path)
        for table in page.locator("table.is-stacked:visible").all():
            row = table.locator("tbody tr").first
            for cell in (row.locator("th"), row.locator(".is-lead")):
                if not cell.count():
                    continue
                box = cell.bounding_box()
                assert box is not None, name
                assert box["x"] >= 0, name
                assert box["x"] + box["width"] <= width, name
            wide = table.evaluate("node => node.scrollWidth > node.parentElement.clientWidth + 1")
            assert not wide, name


def test_tables_are_sorted_with_a_menu_on_a_phone(page: Page, demo: Demo) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    for name, path in every_page(demo.get).items():
        if name not in TABLES or name == "member":
            continue
        page.goto(demo.url + path)
        page.locator("summary", has_text="Sort: ").click()
        page.locator(".menu[open]").get_by_role("link", name="Requests").click()
        page.wait_for_url("**sort=requestCount**")
        expect(page.locator("summary", has_text="Sort: Requests")).to_be_visible()


def test_members_keys_and_providers_can_be_sorted_by_every_column(page: Page, demo: Demo) -> None:
    pages = every_page(demo.get)
    for name in ("members", "project-keys", "dashboard", "users-and-groups"):
        view = "?view=overview" if name == "users-and-groups" else ""
        page.goto(demo.url + pages[name] + view)
        table = page.locator("table.sorts:visible")
        for title in table.locator("thead th a").all_text_contents():
            head = table.get_by_role("columnheader", name=title, exact=True)
            before = head.get_attribute("aria-sort")
            head.get_by_role("link").click()
            expect(head).to_have_attribute("aria-sort", re.compile("ending$"))
            assert head.get_attribute("aria-sort") != before
        head = table.get_by_role("columnheader", name="Cost", exact=True)
        head.get_by_role("link").click()
        expect(head).to_have_attribute("aria-sort", "descending")
        costs = [
            cell.get_attribute("title") or "" for cell in table.locator("tbody .is-lead").all()
        ]
        numbers = [float(cost.replace("$", "").replace(",", "")) for cost in costs]
        ordered = numbers[:-1] if "Unattributed" in table.inner_text() else numbers
        assert ordered == sorted(ordered, reverse=True), name


@pytest.mark.parametrize("watched", [{"forced_colors": "active"}], indirect=True)
def test_marks_and_selected_tab_are_visible_in_forced_colours(watched: Any, demo: Demo) -> None:
    page: Page = watched.page
    page.goto(f"{demo.url}/organization/analytics?preset=last-month")

    def style(selector: str, what: str) -> str:
        text: str = page.locator(selector).first.evaluate(f"node => getComputedStyle(node).{what}")
        return text

    tones = {
        style(f"[data-ranking=cost] tbody tr:nth-child({row}) .swatch", "backgroundColor")
        for row in range(1, 6)
    }
    assert len(tones) == 5
    pressed = style("[data-metric-tabs] [aria-selected=true]", "backgroundColor")
    assert pressed != style("[data-metric-tabs] [aria-selected=false]", "backgroundColor")


def test_ranking_names_are_targets_of_24_pixels(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.url}/organization/analytics?preset=last-month")
    for name in page.locator("[data-ranking=cost] a.name").all():
        box = name.bounding_box()
        assert box is not None
        assert box["height"] >= 24
