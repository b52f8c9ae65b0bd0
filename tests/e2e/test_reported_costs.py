"""Reported beside computed costs, and what has no price, as somebody finds their way to them."""

import re
from datetime import UTC, datetime, timedelta

import httpx
from playwright.sync_api import Page, expect
from tests.e2e.conftest import Demo
from tests.e2e.figures import shows
from tests.e2e.pages import check_access

PROVIDER = "reporter"


def send(demo: Demo) -> None:
    """Requests of a model of known price: with a reported cost, and with a part without one."""
    now = datetime.now(UTC)
    events = [
        {
            "eventId": f"reported-{number}",
            "eventTime": (now - timedelta(minutes=10 + number)).isoformat(),
            "provider": "openai",
            "model": "openai/gpt-5.5",
            "app": PROVIDER,
            "usage": {"inputTokens": 10_000 + number, "outputTokens": 100},
            **(
                {"meters": {"code_sessions": 2}}
                if number % 4 == 0
                else {"reportedCost": f"0.{number + 1:02}"}
            ),
        }
        for number in range(12)
    ]
    answer = httpx.post(
        f"{demo.url}/v1/usage/events",
        json=events,
        headers={"Authorization": f"Bearer {demo.token}"},
    )
    assert answer.status_code == 200, answer.text


def test_the_drift_leads_to_its_requests_and_a_missing_part_to_its_own(
    page: Page, demo: Demo
) -> None:
    send(demo)
    page.goto(f"{demo.url}/organization/reported-costs?preset=24h&app={PROVIDER}")
    expect(page.get_by_role("row").filter(has_text="gpt-5.5")).to_be_visible()
    check_access(page)
    row = page.get_by_role("row").filter(has_text="gpt-5.5")
    told = demo.get("/analytics/reported-costs", preset="24h", app=PROVIDER)["models"][0]
    assert shows(row.locator("td.is-lead").inner_text(), told["costDrift"])

    row.get_by_role("link", name="gpt-5.5").click()
    expect(page.get_by_role("heading", name="Requests, largest difference first")).to_be_visible()
    shown = page.locator("table.log tbody tr")
    expect(shown).to_have_count(told["reportedCostRequestCount"])
    check_access(page)

    page.goto(f"{demo.url}/organization/analytics?preset=24h&app={PROVIDER}")
    banner = page.locator(".notice").filter(has_text="partly priced requests")
    expect(banner).to_contain_text(re.compile(r"3 partly priced requests.*Code sessions.*\(3\)"))
    banner.get_by_role("link", name="Code sessions").click()
    expect(page.locator("table.log tbody tr")).to_have_count(3)
    expect(page.locator("table.log .log-cost").first).to_contain_text("partial")
    page.locator("table.log tbody tr a").first.click()
    expect(page.locator(".drawer")).to_contain_text("without Code sessions")
    check_access(page)
