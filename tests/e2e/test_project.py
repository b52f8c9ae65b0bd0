"""The pages of a project, used like a reader would, compared with the API's numbers."""

import re
from decimal import Decimal
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from tests.e2e.conftest import Demo
from tests.e2e.pages import fill_in, take_secret

from outlay.domain.money import parse_usd
from outlay.web.dashboard.formatting import format_exact_count, format_exact_money, format_money


@pytest.fixture(scope="module")
def project(demo: Demo) -> dict[str, Any]:
    """The project of the demo with the highest cost."""
    found: dict[str, Any] = demo.get("/api/v1/analytics/projects")["projects"][0]
    return found


def exact(cost: Decimal) -> str:
    return format_exact_money(parse_usd(cost))


def short(cost: Decimal) -> str:
    return format_money(parse_usd(cost))


def drawn(page: Page) -> None:
    for chart in page.locator("usage-area:visible").all():
        expect(chart).to_have_attribute("data-drawn", re.compile("."))


def card(page: Page, title: str) -> str:
    named = re.compile(rf"^{title}( vs .+)?$")
    found = page.locator(".kpi", has=page.locator(".kpi-title", has_text=named))
    return found.locator(".kpi-value").get_attribute("title") or ""


def test_overview_equals_the_api(page: Page, demo: Demo, project: dict[str, Any]) -> None:
    project_id = project["projectId"]
    page.goto(f"{demo.url}/project/{project_id}?preset=last-month")
    drawn(page)
    answer = demo.get(f"/api/v1/analytics/projects/{project_id}", preset="last-month")
    summary = answer["summary"]

    expect(page.get_by_role("heading", level=1)).to_have_text(project["name"])
    assert card(page, "Total spend") == exact(summary["cost"])
    assert card(page, "Requests") == format_exact_count(summary["requestCount"])
    assert card(page, "Tokens") == format_exact_count(summary["totalTokens"])
    assert card(page, "Error rate").startswith(f"{summary['errorCount']:,} of ")

    keys = demo.get(
        "/api/v1/analytics/activity",
        groupBy="apiKey",
        projectId=project_id,
        preset="last-month",
        top=6,
    )["totals"]["breakdown"]
    shown = page.get_by_role("region", name="Top API keys").locator("li")
    expect(shown).to_have_count(len(keys))
    assert [row.locator("strong").get_attribute("title") for row in shown.all()] == [
        exact(key["cost"]) for key in keys
    ]
    latest = demo.get("/api/v1/requests", projectId=project_id, preset="last-month", limit=8)[
        "requests"
    ]
    times = page.locator(".log tbody time")
    expect(times).to_have_count(8)
    assert [time.get_attribute("datetime") for time in times.all()] == [
        request["time"].replace("Z", "+00:00") for request in latest
    ]


def test_model_ids_and_canonical_models_can_be_switched(
    page: Page, demo: Demo, project: dict[str, Any]
) -> None:
    project_id = project["projectId"]
    page.goto(f"{demo.url}/project/{project_id}/analytics?preset=last-month")
    drawn(page)
    for view, dimension in (("Mappings", "mapping"), ("Canonical", "model")):
        page.locator("[data-view]:visible").get_by_role("button", name=view).first.click()
        drawn(page)
        answer = demo.get(
            "/api/v1/analytics/activity",
            groupBy=dimension,
            projectId=project_id,
            preset="last-month",
            top=8,
        )
        rows = page.locator('[data-view]:visible [data-ranking="cost"] tbody tr')
        assert [row.get_attribute("data-key") for row in rows.all()] == [
            entry["key"] for entry in answer["totals"]["breakdown"]
        ]
        assert [row.locator(".value").get_attribute("title") for row in rows.all()] == [
            exact(entry["cost"]) for entry in answer["totals"]["breakdown"]
        ]
        assert f"view={dimension}" in page.url


def test_tabs_name_the_shown_content(page: Page, demo: Demo, project: dict[str, Any]) -> None:
    page.goto(f"{demo.url}/project/{project['projectId']}/analytics")
    drawn(page)
    page.locator("[data-view]:visible").get_by_role("tab", name="Requests").first.click()

    expect(page.locator("[data-view]:visible h2").first).to_have_text("Requests by model")
    expect(page.locator("[data-view]:visible h2").last).to_have_text("Requests by model over time")
    expect(page.locator('[data-view]:visible [data-ranking="requestCount"]')).to_be_visible()
    page.reload()
    expect(page.locator("[data-view]:visible h2").first).to_have_text("Requests by model")


def test_key_is_created_used_viewed_and_revoked(
    page: Page, demo: Demo, project: dict[str, Any]
) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=demo.url)
    page.goto(f"{demo.url}/project/{project['projectId']}/keys")
    fill_in(page, "Create key", Description="page-test key")
    secret = take_secret(page)
    assert secret.startswith("otl_")

    row = page.get_by_role("row", name=re.compile("page-test key"))
    expect(row.locator(".status")).to_have_text("active")
    page.get_by_label("Search keys").fill("page-test")
    page.get_by_label("Search keys").press("Enter")
    expect(page.locator(".list tbody tr")).to_have_count(1)
    row.get_by_role("link", name="View Statistics").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("page-test key")
    expect(page.get_by_role("heading", name="No usage in this period")).to_be_visible()

    page.go_back()
    row.locator("summary").click()
    row.get_by_role("button", name="Revoke").click()
    page.get_by_role("button", name="Revoke").last.click()
    expect(row.locator(".status")).to_have_text("revoked")


def test_key_statistics_equal_the_api(page: Page, demo: Demo, project: dict[str, Any]) -> None:
    page.goto(f"{demo.url}/project/{project['projectId']}/keys?preset=last-month")
    first = page.locator(".list tbody tr", has=page.locator(".spark-small")).first
    cost = first.locator("td.is-lead").get_attribute("title")
    first.get_by_role("link", name="View Statistics").click()
    expect(page.locator(".kpi").first).to_be_visible()
    drawn(page)
    key_id = page.url.partition("/keys/")[2].partition("?")[0]
    summary = demo.get(f"/api/v1/analytics/keys/{key_id}", preset="last-month")["summary"]

    assert "preset=last-month" in page.url  # the period was carried along
    assert card(page, "Total spend") == exact(summary["cost"]) == cost
    assert card(page, "Requests") == format_exact_count(summary["requestCount"])
    page.get_by_role("link", name="Requests with this key").click()
    expect(page.get_by_role("heading", name="Requests", level=1)).to_be_visible()
    expect(page.locator(".filter")).to_contain_text("API key")


def test_ranking_row_filters_and_back_undoes_it(
    page: Page, demo: Demo, project: dict[str, Any]
) -> None:
    page.goto(f"{demo.url}/project/{project['projectId']}?preset=last-month")
    drawn(page)
    before = card(page, "Total spend")
    row = page.locator('[data-ranking="cost"] tbody tr').first
    cost = row.locator(".value").get_attribute("title")
    row.locator("a.name").click()
    expect(page.locator(".filter")).to_be_visible()

    assert card(page, "Total spend") == cost
    page.go_back()
    expect(page.locator(".filter")).to_have_count(0)
    assert card(page, "Total spend") == before
    page.locator('[data-ranking="cost"] tbody .bar').first.click()
    expect(page.locator(".filter")).to_be_visible()
    assert card(page, "Total spend") == cost


def test_export_adds_up_to_the_page(page: Page, demo: Demo, project: dict[str, Any]) -> None:
    page.goto(f"{demo.url}/project/{project['projectId']}?preset=last-month")
    with page.expect_download() as download:
        page.get_by_role("link", name="Export").click()
    lines = download.value.path().read_text().splitlines()
    columns = lines[0].split(",")

    total = lines[-1].split(",")[columns.index("cost")]
    assert format_exact_money(parse_usd(Decimal(total))) == card(page, "Total spend")


def test_project_switcher_changes_the_project(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.url}/organization/analytics")
    page.locator(".switcher summary").click()
    entry = page.locator(".switcher .menu-item").last
    name = (entry.text_content() or "").strip()
    entry.click()
    expect(page.get_by_role("heading", level=1)).to_have_text(name)

    page.goto(f"{demo.url}/organization/analytics")
    expect(page.locator(".switcher strong")).to_have_text(name)
