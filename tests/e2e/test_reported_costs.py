"""Reported and computed costs, and unpriced requests, as a user finds them."""

import re
from datetime import UTC, datetime, timedelta
from time import monotonic, sleep

import httpx
from playwright.sync_api import Page, expect
from tests.e2e.conftest import Demo
from tests.e2e.figures import shows
from tests.e2e.pages import check_access

PROVIDER = "reporter"


def send(demo: Demo) -> None:
    """Send requests of a model with a known price: with a reported cost, and with an unpriced
    part."""
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


def wait_until(demo: Demo, requests: int) -> None:
    """Wait until this many of them are counted."""
    deadline = monotonic() + 20
    while monotonic() < deadline:
        found = demo.get("/api/v1/analytics/summary", preset="24h", app=PROVIDER)["summary"]
        if found["requestCount"] == requests:
            return
        sleep(0.2)
    raise AssertionError("what was sent is not counted")


def send_twice(demo: Demo) -> None:
    """Send a request that is reported by two sources, without a common id."""
    now = datetime.now(UTC) - timedelta(minutes=2)
    head = {"Authorization": f"Bearer {demo.token}"}
    usage = {"inputTokens": 987_654, "outputTokens": 321}
    event = {
        "eventId": "twin",
        "eventTime": now.isoformat(),
        "provider": "openai",
        "model": "openai/gpt-5.5",
        "usage": usage,
    }
    httpx.post(f"{demo.url}/v1/usage/events", json=[event], headers=head).raise_for_status()
    answer = {
        "gen_ai.operation.name": {"stringValue": "chat"},
        "gen_ai.request.model": {"stringValue": "gpt-5.5"},
        "gen_ai.usage.input_tokens": {"intValue": "987654"},
        "gen_ai.usage.output_tokens": {"intValue": "321"},
    }
    span = {
        "traceId": "7" * 32,
        "spanId": "7" * 16,
        "name": "chat gpt-5.5",
        "startTimeUnixNano": str(int(now.timestamp() * 1e9)),
        "endTimeUnixNano": str(int(now.timestamp() * 1e9) + 10**9),
        "attributes": [{"key": key, "value": value} for key, value in answer.items()],
    }
    body = {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}
    httpx.post(f"{demo.url}/v1/traces", json=body, headers=head).raise_for_status()


def test_possible_duplicate_is_merged_with_a_click(page: Page, demo: Demo) -> None:
    send_twice(demo)
    page.goto(f"{demo.url}/monitoring/dashboard")
    duplicates = page.get_by_role("region", name="Possible duplicates")
    row = duplicates.get_by_role("row").filter(has_text="988K → 321")
    deadline = monotonic() + 70  # the search result is shown for a minute
    while not row.count() and monotonic() < deadline:
        page.wait_for_timeout(1_000)
        page.reload()
    expect(row).to_contain_text("native")
    expect(row).to_contain_text("otel")
    check_access(page)
    row.get_by_role("button", name="Remove duplicate").click()
    expect(row).to_have_count(0)


def test_drift_and_missing_parts_link_to_requests(page: Page, demo: Demo) -> None:
    send(demo)
    wait_until(demo, 12)
    page.goto(f"{demo.url}/organization/reported-costs?preset=24h&app={PROVIDER}")
    expect(page.get_by_role("row").filter(has_text="gpt-5.5")).to_be_visible()
    check_access(page)
    row = page.get_by_role("row").filter(has_text="gpt-5.5")
    answer = demo.get("/api/v1/analytics/reported-costs", preset="24h", app=PROVIDER)["models"][0]
    assert shows(row.locator("td.is-lead").inner_text(), answer["costDrift"])

    row.get_by_role("link", name="gpt-5.5").click()
    expect(page.get_by_role("heading", name="Requests, largest difference first")).to_be_visible()
    shown = page.locator("table.log tbody tr")
    expect(shown).to_have_count(answer["reportedCostRequestCount"])
    check_access(page)

    page.goto(f"{demo.url}/organization/analytics?preset=24h&app={PROVIDER}")
    banner = page.locator(".notice").filter(has_text="partly priced requests")
    missing = re.compile(r"3 partly priced\s+requests[\s\S]*Code sessions[\s\S]*\(3\)")
    expect(banner).to_contain_text(missing)
    banner.get_by_role("link", name="Code sessions").click()
    expect(page.locator("table.log tbody tr")).to_have_count(3)
    expect(page.locator("table.log .log-cost").first).to_contain_text("partial")
    page.locator("table.log tbody tr a").first.click()
    expect(page.locator(".drawer")).to_contain_text("excluding Code sessions")
    check_access(page)
