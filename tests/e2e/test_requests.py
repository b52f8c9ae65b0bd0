"""The log of requests and one of them, compared with the API's answers."""

import re

from playwright.sync_api import Page, expect
from tests.e2e.conftest import Demo
from tests.e2e.test_project import exact

LOG = "/monitoring/requests"


def shown_times(page: Page) -> list[str]:
    return [
        (time.get_attribute("datetime") or "").replace("+00:00", "Z")
        for time in page.locator(".log tbody time").all()
    ]


def test_pages_of_the_log_follow_each_other_without_gap_or_repeat(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.url}{LOG}?preset=last-month")
    first = demo.get("/requests", preset="last-month", limit=50)
    second = demo.get("/requests", preset="last-month", limit=50, cursor=first["next"])

    assert shown_times(page) == [request["time"] for request in first["requests"]]
    page.get_by_role("link", name="Older").click()
    expect(page).to_have_url(re.compile("cursor="))
    expect(page.get_by_role("link", name="Newest")).to_be_visible()
    assert shown_times(page) == [request["time"] for request in second["requests"]]


def test_filters_of_the_toolbar_hold_together(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.url}{LOG}?preset=last-month")
    page.get_by_label("Status").select_option("Upstream error")
    expect(page).to_have_url(re.compile("status=upstream_error"))
    page.get_by_label("Latency").fill("500")
    page.get_by_role("button", name="Show").click()
    expect(page).to_have_url(re.compile("minLatencyMs=500"))

    wanted = demo.get(
        "/requests", preset="last-month", status="upstream_error", minLatencyMs=500, limit=50
    )["requests"]
    assert shown_times(page) == [request["time"] for request in wanted]
    assert {dot.get_attribute("class") for dot in page.locator(".log .dot").all()} == {
        "dot is-upstream_error"
    }


def test_a_request_stands_beside_the_list_with_what_it_cost(page: Page, demo: Demo) -> None:
    listed = demo.get("/requests", preset="last-month", status="ok", limit=50)["requests"]
    event_id = next(one["eventId"] for one in listed if one["outputTokens"])
    detail = demo.get(f"/requests/{event_id}")
    page.goto(f"{demo.url}{LOG}?preset=last-month&status=ok")
    page.locator(f".log tbody a[href*='id={event_id}']").click()
    expect(page.locator("#request-id")).to_have_text(event_id)

    expect(page.locator(".drawer-sum strong")).to_have_attribute("title", exact(detail["cost"]))
    lines = {
        line.locator("th").text_content(): line.locator("td").nth(1).text_content()
        for line in page.locator(".prices tbody tr").all()
    }
    assert lines["Input"] == exact(detail["costs"]["input"])
    assert lines["Output"] == exact(detail["costs"]["output"])
    expect(page.locator(".facts")).to_contain_text(detail["project"]["label"])
    page.keyboard.press("Escape")
    expect(page.locator(".drawer")).to_have_count(0)


def test_a_request_is_found_by_its_id_and_an_unknown_one_is_said(page: Page, demo: Demo) -> None:
    event_id = demo.get("/requests", limit=1)["requests"][0]["eventId"]
    page.goto(f"{demo.url}{LOG}")
    page.get_by_label("Request id").fill(event_id)
    page.get_by_label("Request id").press("Enter")
    expect(page.locator("#request-id")).to_have_text(event_id)

    page.goto(f"{demo.url}{LOG}?search=nothing-of-the-kind")
    expect(page.get_by_role("status").filter(has_text="There is no request")).to_be_visible()


def test_a_bar_of_the_histogram_leads_into_its_day(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.url}{LOG}?preset=last-month")
    page.locator(".histogram a").nth(3).click()

    expect(page).to_have_url(re.compile(r"from=\d{4}-\d{2}-04&to=\d{4}-\d{2}-04"))
    expect(page.locator(".histogram a")).to_have_count(24)
