"""The operator's dashboard, compared with the API's numbers."""

import re

import httpx
from playwright.sync_api import Page, expect
from tests.e2e.conftest import Demo
from tests.e2e.test_project import card, drawn, exact

from outlay.web.dashboard.formatting import format_exact_count, format_latency, format_percent

PAGE = "/monitoring/dashboard"
WINDOW = {"preset": "last-month"}


def test_cards_providers_and_health_equal_the_api(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.url}{PAGE}?preset=last-month")
    drawn(page)
    summary = demo.get("/api/v1/analytics/summary", **WINDOW)["summary"]
    latency = demo.get("/api/v1/analytics/latency", **WINDOW, groupBy="provider", top=100)

    assert card(page, "Requests") == format_exact_count(summary["requestCount"])
    assert card(page, "Total spend") == exact(summary["cost"])
    median = page.locator(".kpi", has_text="Median latency").locator(".kpi-value")
    assert median.text_content() == format_latency(float(summary["latencyMs"]["p50"]) * 1000)
    cache = page.locator(".kpi", has_text="Read from cache").locator(".kpi-value")
    assert cache.text_content() == format_percent(
        summary["cacheReadInputTokens"], summary["inputTokens"]
    )
    rows = page.get_by_role("region", name="Providers").locator("tbody tr")
    assert [
        (row.locator("th").inner_text(), row.locator("[data-after=p95]").inner_text())
        for row in rows.all()
    ] == [
        (entry["label"], format_latency(float(entry["latencyMs"]["p95"]) * 1000))
        for entry in latency["latency"]
    ]
    health = demo.get("/api/v1/analytics/health", **WINDOW)
    estimated = health["quality"]["estimatedRequestCount"]["count"]
    expect(page.locator(".health")).to_contain_text(f"{estimated:,} (")


def test_operator_sees_refused_calls(page: Page, demo: Demo) -> None:
    for path in ("/chat/completions", "/v1/chat/completions"):
        headers = {"authorization": "Bearer otl_old"}
        assert httpx.post(demo.url + path, json={}, headers=headers).status_code in {401, 404}
    page.goto(f"{demo.url}{PAGE}")
    refused = page.locator(".health div", has_text="Refused calls").locator("dd")
    expect(refused).to_have_text(re.compile(r"\d+ wrong key, \d+ unknown path"))


def test_top_lists_filter_the_page(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.url}{PAGE}?preset=last-month")
    first = page.get_by_role("region", name="Top projects").locator("li").first
    cost = first.locator("strong").get_attribute("title")
    first.locator("a").click()
    expect(page).to_have_url(re.compile("projectId="))
    expect(page.locator(".filter")).to_be_visible()

    assert card(page, "Total spend") == cost


def test_errors_by_kind_add_up(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.url}{PAGE}?preset=last-month")
    drawn(page)
    shown = page.evaluate("JSON.parse(document.getElementById('data-status').textContent).metrics")
    summary = demo.get("/api/v1/analytics/summary", **WINDOW)["summary"]
    counts = {one["key"]: int(one["total"]) for one in shown["requestCount"]["bands"]}

    assert counts["client_error"] == summary["clientErrorCount"]
    assert counts["upstream_error"] + counts.get("gateway_error", 0) == summary["errorCount"]
