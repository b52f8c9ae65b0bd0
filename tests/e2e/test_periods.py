"""The period of a page: carried along, compared, and rejected at its field."""

import re
from datetime import date
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from tests.e2e.conftest import ANALYTICS, Demo, Watched
from tests.e2e.pages import LOOKS, check_access

STATES = [
    "preset=last-month&timezone=Asia/Kathmandu",
    "from=2026-11-03&to=2026-11-12&compare=custom&compareFrom=2026-11-02",
    pytest.param("preset=1M", marks=pytest.mark.long),
    pytest.param("preset=qtd&compare=year", marks=pytest.mark.long),
    pytest.param("compare=none&groupBy=group&metric=requestCount", marks=pytest.mark.long),
]

HREFS = """() => {
  addEventListener("click", (event) => event.preventDefault(), true);
  const links = [...document.querySelectorAll(".sidebar .nav-item, .switcher a")];
  for (const link of links) link.click();
  return links.map((link) => link.href);
}"""
"""Clicks all sidebar links without following them, and returns their URLs."""


@pytest.mark.parametrize("state", STATES)
def test_every_entry_link_opens_in_every_period(page: Page, demo: Demo, state: str) -> None:
    page.goto(f"{demo.url}{ANALYTICS}?{state}")
    hrefs = page.evaluate(HREFS)

    assert any("/organization/report?" in href for href in hrefs)
    for href in hrefs:
        answer = page.request.get(href)
        assert answer.status == 200, href
        assert answer.url.split("?")[0] == href.split("?")[0] or "/settings" in href


def test_report_is_of_the_viewed_month(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.url}{ANALYTICS}?preset=last-month&timezone=Asia/Kathmandu")
    page.get_by_role("link", name=re.compile("Monthly report")).click()
    first = demo.get("/api/v1/analytics/summary", preset="last-month")["meta"]["from"]
    expect(page.get_by_label("Month")).to_have_value(first[:7])
    expect(page.locator(".report-date")).to_contain_text("Asia/Kathmandu")
    page.get_by_role("link", name="Analytics").last.click()
    expect(page.locator(".range summary")).to_contain_text("Last month")

    page.goto(f"{demo.url}/organization/report?preset=mtd")
    now = demo.get("/api/v1/analytics/summary", preset="mtd")["meta"]["to"]
    expect(page.get_by_label("Month")).to_have_value(now[:7])
    page.goto(f"{demo.url}/organization/report?from=2026-01-01&to=2026-02-03")
    expect(page.get_by_label("Month")).to_have_value("2026-02")


def test_page_report_and_api_compare_with_the_same_dates(page: Page, demo: Demo) -> None:
    answer = demo.get("/api/v1/analytics/summary", preset="last-month", compare="previous")
    earlier = answer["meta"]["earlier"]
    moved = answer["summary"]["cost"] - answer["earlier"]["cost"]
    words = f"Spend is {'up' if moved > 0 else 'down'} ${abs(moved):,.2f}"
    page.goto(f"{demo.url}{ANALYTICS}?preset=last-month")
    expect(page.locator("[data-live=driver]")).to_contain_text(words)
    expect(page.locator(".kpi-title .versus").first).to_have_attribute("title", re.compile("vs "))
    data: Any = page.locator("#data-model").evaluate("node => JSON.parse(node.textContent)")
    begin = date.fromisoformat(earlier["from"])
    assert data["compared"]["label"].startswith(f"{begin:%b} {begin.day} – ")
    page.goto(f"{demo.url}/organization/report?preset=last-month")
    expect(page.locator(".report-driver").first).to_contain_text(words)


def test_compared_period_is_selected_in_the_picker(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.url}{ANALYTICS}?preset=mtd")
    chips = page.locator("[data-live=kpis] .chip")
    expect(chips).to_have_count(3)
    page.locator(".range summary").click()
    page.get_by_role("link", name="None").click()
    expect(chips).to_have_count(0)
    expect(page.locator("[data-live=driver] .notice")).to_have_count(0)
    assert "compare=none" in page.url
    expect(page.locator(".range summary")).to_contain_text("Month to date")

    page.locator(".range summary").click()
    page.get_by_label("Starting").fill("2026-01-01")
    page.get_by_role("button", name="Compare").click()
    expect(page.locator("[data-live=driver]")).to_contain_text("New since")
    expect(chips).to_have_count(0)
    page.get_by_role("link", name=re.compile("Dashboard")).click()
    assert "compareFrom=2026-01-01" in page.url


def bad(watched: Watched) -> None:
    """A rejected URL is an error for the browser, too."""
    watched.troubles[:] = [text for text in watched.troubles if "status of 400" not in text]


def test_error_is_shown_at_its_field_on_the_same_page(
    watched: Watched, page: Page, demo: Demo
) -> None:
    page.goto(f"{demo.url}{ANALYTICS}?preset=7d")
    page.locator(".range summary").click()
    page.get_by_label("From", exact=True).fill("2026-11-20")
    page.get_by_label("To", exact=True).fill("2026-11-10")
    page.get_by_label("Time zone", exact=True).fill("Mars/Olympus")
    page.get_by_role("button", name="Apply").click()

    start, zone = page.locator("[name=from]"), page.locator(".range-form [name=timezone]")
    expect(start).to_have_attribute("aria-invalid", "true")
    expect(start).to_be_focused()
    expect(zone).to_have_accessible_description(re.compile("Unknown time zone 'Mars/Olympus'"))
    expect(zone).to_have_value("Mars/Olympus")
    expect(start).to_have_value("2026-11-20")
    expect(page.locator("[name=to]")).to_have_value("2026-11-10")
    expect(page.locator(".kpi-value").first).to_be_visible()

    start.fill("2026-11-09")
    zone.fill("Asia/Kathmandu")
    page.get_by_role("button", name="Apply").click()
    expect(page.locator(".range summary")).to_contain_text("Nov 9 – Nov 10, 2026")
    expect(page.locator(".fresh")).to_contain_text("Asia/Kathmandu")
    bad(watched)


@pytest.mark.parametrize(
    ("query", "field", "message"),
    [
        ("from=2099-01-01&to=2099-01-31", "from", "The period is in the future"),
        ("from=2026-11-20&to=2026-11-10", "from", "The range is reversed"),
        ("from=2026-13-45&to=2026-11-10", "from", "must be a date"),
        ("from=2026-11-01", "to", "must be given together"),
        ("timezone=Mars", "timezone", "Unknown time zone"),
        ("compare=custom&compareFrom=1999-01-01", "compareFrom", "Dates must be after"),
    ],
)
@pytest.mark.parametrize("path", [ANALYTICS, "/monitoring/requests"])
def test_url_with_an_invalid_period_shows_page_and_error(
    watched: Watched, page: Page, demo: Demo, query: str, field: str, message: str, path: str
) -> None:
    if path != ANALYTICS and field == "compareFrom":
        pytest.skip("requests are compared with nothing")
    answer = page.goto(f"{demo.url}{path}?{query}")

    assert answer is not None
    assert answer.status == 400
    expect(page.locator(".range")).to_have_attribute("open", "")
    expect(page.locator(f".range [name={field}]")).to_have_accessible_description(
        re.compile(message)
    )
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    page.get_by_role("link", name="Last 7 days").click()
    expect(page.locator(".range summary")).to_contain_text("Last 7 days")
    bad(watched)


@LOOKS
def test_picker_is_accessible_and_fits(watched: Watched, demo: Demo) -> None:
    page = watched.page
    page.goto(f"{demo.url}{ANALYTICS}?from=2026-11-20&to=2026-11-10&timezone=Mars")
    check_access(page)
    width = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert width <= 0
    bad(watched)
