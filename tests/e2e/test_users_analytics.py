"""Users analytics, used like a reader would, compared with the API's numbers."""

import csv
import io
import json
import re
from decimal import Decimal
from pathlib import Path

from playwright.sync_api import Page, expect
from tests.e2e.conftest import Demo
from tests.e2e.test_project import exact, short

PAGE = "/monitoring/users"
WINDOW = {"preset": "last-month"}


def shown(page: Page) -> list[str | None]:
    return [row.get_attribute("data-user") for row in page.locator(".users tr[data-user]").all()]


def test_every_column_sorts_like_the_api(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.url}{PAGE}?preset=last-month&pageSize=100")
    for title, sort, order in (
        ("Total input tokens", "inputTokens", "desc"),
        ("Total output tokens", "outputTokens", "desc"),
        ("Average latency", "averageLatencyMs", "desc"),
        ("Requests", "requestCount", "desc"),
        ("User", "name", "asc"),
        ("Total cost", "cost", "desc"),
        ("Total cost", "cost", "asc"),
    ):
        head = page.get_by_role("columnheader", name=re.compile(f"^{title}"))
        head.get_by_role("link").click()
        state = "descending" if order == "desc" else "ascending"
        expect(head).to_have_attribute("aria-sort", state)
        expect(head.get_by_role("link")).to_be_focused()
        users = demo.get("/api/v1/analytics/users", **WINDOW, sort=sort, order=order, pageSize=100)
        assert shown(page) == [user["userId"] for user in users["users"]], title


def test_pages_are_consecutive(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.url}{PAGE}?preset=last-month&pageSize=10")
    count = demo.get("/api/v1/analytics/users", **WINDOW)["userCount"]
    pages = -(-count // 10)
    expect(page.get_by_text(f"Page 1 of {pages}")).to_be_visible()
    seen = shown(page)
    for number in range(2, pages + 1):
        page.get_by_role("link", name="Next page").click()
        expect(page.get_by_text(f"Page {number} of {pages}")).to_be_visible()
        seen += shown(page)

    assert len(seen) == len(set(seen)) == count
    page.get_by_role("link", name="First page").click()
    expect(page.get_by_text(f"Page 1 of {pages}")).to_be_visible()
    page.get_by_label("Rows per page").select_option("100")
    expect(page.get_by_text("Page 1 of 1")).to_be_visible()


def test_search_filters_while_typing(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.url}{PAGE}?preset=last-month")
    somebody = demo.get("/api/v1/analytics/users", **WINDOW)["users"][0]
    page.get_by_label("Search users").press_sequentially(somebody["name"], delay=15)
    expect(page.locator(".users tr[data-user]")).to_have_count(1)
    expect(page.get_by_label("Search users")).to_be_focused()
    assert shown(page) == [somebody["userId"]]

    page.get_by_label("Search users").fill("nobody of that name")
    expect(page.get_by_role("heading", name="No users found")).to_be_visible()
    page.get_by_role("link", name="Clear search").click()
    expect(page.locator(".users tr[data-user]").first).to_be_visible()


def test_selection_survives_paging_and_is_summed_and_exported(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.url}{PAGE}?preset=last-month&pageSize=10")
    first = shown(page)[0] or ""
    page.locator(f'[data-select="{first}"]').check()
    page.get_by_role("link", name="Next page").click()
    expect(page.get_by_text(re.compile("^Page 2 of"))).to_be_visible()
    second = shown(page)[0] or ""
    page.locator(f'[data-select="{second}"]').check()

    wanted = demo.get("/api/v1/analytics/users", **WINDOW, selected=[first, second])["selection"]
    bar = page.locator(".selection")
    expect(bar).to_contain_text("2 selected")
    expect(bar).to_contain_text(f"Σ {short(wanted['cost'])}")
    expect(bar.locator("[title]").first).to_have_attribute(
        "title", re.compile(re.escape(exact(wanted["cost"])))
    )
    bar.locator("summary").click()
    with page.expect_download() as download:
        bar.get_by_role("link", name="JSON").click()
    answer = json.loads(download.value.path().read_text(), parse_float=Decimal)
    assert {row["user"] for row in answer["rows"]} == {first, second}
    assert sum(row["cost"] for row in answer["rows"]) == wanted["cost"]
    page.go_back()
    expect(page.locator(f'[data-select="{first}"]')).to_be_checked()
    page.reload()
    expect(page.locator(f'[data-select="{first}"]')).to_be_checked()
    expect(bar).to_contain_text("2 selected")
    bar.get_by_role("button", name="Clear").click()
    expect(bar).to_be_hidden()


def test_exports_cover_everything_or_the_view(page: Page, demo: Demo, tmp_path: Path) -> None:
    somebody = demo.get("/api/v1/analytics/users", **WINDOW)["users"][0]
    page.goto(f"{demo.url}{PAGE}?preset=last-month&search={somebody['name'].split()[0]}")
    page.locator("summary", has_text="EXPORT ALL DATA").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="All users as CSV").click()
    rows = list(csv.DictReader(io.StringIO(download.value.path().read_text())))
    everybody = demo.get("/api/v1/analytics/users", **WINDOW, pageSize=500)
    assert {row["user"] for row in rows if row["user"] != "#trailer"} == {
        user["userId"] for user in everybody["users"]
    }
    assert sum(Decimal(row["cost"]) for row in rows if row["user"] != "#trailer") == (
        everybody["totals"]["cost"] - everybody["unattributed"]["cost"]
    )
    for kind in ("CSV", "JSON", "PARQUET", "XLSX"):
        page.locator("summary", has_text="EXPORT ALL DATA").click()
        with page.expect_download() as download:
            page.get_by_role("link", name=f"This view as {kind}").click()
        assert download.value.suggested_filename.endswith(f".{kind.lower()}")
        assert download.value.path().stat().st_size > 100


def test_density_and_presets_are_in_the_url(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.url}{PAGE}")
    row = page.locator(".users tbody tr").first
    heights = []
    for name in ("Comfortable", "Standard", "Compact"):
        page.get_by_label("Density").click()
        page.get_by_role("link", name=name).click()
        expect(page.locator(f".users.is-{name.lower()}")).to_be_visible()
        box = row.bounding_box()
        heights.append(round(box["height"]) if box else 0)
    assert [abs(height - wanted) <= 2 for height, wanted in zip(heights, (44, 36, 28), strict=True)]
    assert heights == sorted(heights, reverse=True)
    page.get_by_role("link", name="3M").click()
    expect(page).to_have_url(re.compile("preset=3m"))
    expect(page).to_have_url(re.compile("density=compact"))


def test_page_has_one_period_one_download_and_ten_rows(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.url}{PAGE}?preset=last-month")
    expect(page.locator(".range")).to_have_count(1)
    expect(page.get_by_role("group", name="Period").locator(".range")).to_be_visible()
    expect(page.locator("summary", has=page.locator("[href$='#download']"))).to_have_count(1)
    expect(page.locator(".users tr[data-user]")).to_have_count(10)
    user = demo.get("/api/v1/analytics/users", **WINDOW, pageSize=10)["users"][0]
    expect(page.locator(".users tr[data-user] .sub").first).to_contain_text("@")

    page.get_by_role("link", name=user["name"]).click()
    expect(page.locator(".kpi-value").first).to_have_attribute("title", exact(user["cost"]))
    assert "preset=last-month" in page.url


def test_table_can_fill_the_screen(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.url}{PAGE}")
    page.get_by_role("button", name="Full screen").click()

    page.wait_for_timeout(300)
    assert page.evaluate("document.fullscreenElement?.id") == "users-table"


def test_table_header_stays_visible(page: Page, demo: Demo) -> None:
    page.set_viewport_size({"width": 1440, "height": 500})
    page.goto(f"{demo.url}{PAGE}?pageSize=100")
    page.mouse.wheel(0, 500)
    page.wait_for_timeout(200)

    assert page.evaluate("scrollY") > 300
    box = page.locator(".users thead").bounding_box()
    assert box is not None
    assert abs(box["y"]) < 2
