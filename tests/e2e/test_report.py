"""The monthly report: its numbers, its scopes, and its print version."""

import re
from pathlib import Path

from playwright.sync_api import Page, expect
from tests.e2e.conftest import Demo
from tests.e2e.test_project import exact

REPORT = "/organization/report"


def section_costs(page: Page, title: str) -> list[str | None]:
    rows = page.get_by_role("region", name=title).locator("tbody tr")
    return [row.locator("td.number").first.get_attribute("title") for row in rows.all()]


def test_every_section_equals_the_api_and_adds_up(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.url}{REPORT}")  # the last completed month
    sections = {
        "Models": "model",
        "Projects": "project",
        "User groups": "group",
        "Users": "user",
        "Apps": "app",
    }
    for title, dimension in sections.items():
        answer = demo.get(
            "/api/v1/analytics/activity", groupBy=dimension, preset="last-month", top=8
        )
        assert section_costs(page, title) == [
            exact(entry["cost"]) for entry in answer["totals"]["breakdown"]
        ], title
        foot = page.get_by_role("region", name=title).locator("tfoot td.number").first
        assert foot.get_attribute("title") == exact(answer["totals"]["cost"])


def test_changes_say_whether_they_are_up_or_down(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.url}{REPORT}")

    changes = page.locator(".report-table td:last-child").all_text_contents()

    assert changes
    for change in changes:
        assert re.match(r"(up|down) |[+\u2212]|new|\u2013|0", " ".join(change.split())), change


def test_report_of_a_project_and_of_a_group(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.url}{REPORT}")
    page.get_by_label("Report of").select_option("project")
    expect(page.get_by_label("Which")).to_be_visible()
    page.get_by_label("Which").select_option(index=1)
    expect(page).to_have_url(re.compile("projectId=prj_"))
    project_id = page.get_by_label("Which").input_value()
    answer = demo.get(f"/api/v1/analytics/projects/{project_id}", preset="last-month")
    expect(page.get_by_role("region", name="Projects")).to_have_count(0)
    assert page.locator(".report-card .kpi-value").first.get_attribute("title") == exact(
        answer["summary"]["cost"]
    )

    page.get_by_label("Report of").select_option("group")
    expect(page.get_by_role("region", name="User groups")).to_have_count(0)
    expect(page.get_by_role("region", name="Projects")).to_be_visible()


def test_report_prints_without_navigation(page: Page, demo: Demo, tmp_path: Path) -> None:
    page.goto(f"{demo.url}{REPORT}")
    page.emulate_media(media="print", color_scheme="dark")

    expect(page.locator(".sidebar")).to_be_hidden()
    expect(page.locator(".report-tools")).to_be_hidden()
    ink = page.locator("h1").evaluate("node => getComputedStyle(node).color")
    assert ink == "rgb(16, 20, 28)"  # dark on white, in any theme
    printed = tmp_path / "report.pdf"
    page.pdf(path=printed, format="A4", prefer_css_page_size=True)
    pages = len(re.findall(rb"/Type\s*/Page[^s]", printed.read_bytes()))
    assert 1 <= pages <= 4


def test_future_month_is_refused(page: Page, demo: Demo) -> None:
    answer = page.request.get(f"{demo.url}{REPORT}?month=2099-01")

    assert answer.status == 400
    assert "this month has not started yet" in answer.text().lower()
