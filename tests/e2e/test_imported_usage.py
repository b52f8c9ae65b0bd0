"""Usage of other systems, used like a reader would: discovered entities and a provider's bill."""

import re
from dataclasses import replace
from pathlib import Path

from playwright.sync_api import Page, expect
from tests.acceptance.conftest import server
from tests.acceptance.world import World
from tests.e2e.pages import check_access
from tests.e2e.test_settings import visit, world
from tests.factories import NOW

from outlay.domain.ids import EventId
from outlay.domain.usage import TokenUsage
from outlay.domain.usage_report import UsageReport
from outlay.kit.clock import to_us

__all__ = ["server", "visit", "world"]


def report(event_id: str, project: str, name: str) -> UsageReport:
    return UsageReport(
        event_id=EventId(event_id),
        event_time_us=to_us(NOW) - 3_600_000_000,
        provider="openai",
        mapping="openai/gpt-4o",
        usage=TokenUsage(1_000_000, 0),
        project_id=project,
        names={project: name},
    )


def record(world: World, *reports: UsageReport) -> None:
    services = world.server.services
    services.recorder.record(world.organization.organization_id, reports)
    services.projection.catch_up()
    services.watch.check()


def test_discovered_projects_are_renamed_and_merged(visit: Page, world: World) -> None:
    page, url = visit, world.server.url
    record(
        world,
        report("a", "team-1", "<b>Growth</b>"),
        report("b", "team-2", "Expansion"),
        report("c", "team-2", "Expansion"),
    )

    page.goto(f"{url}/settings/discovered")
    row = page.get_by_role("row", name="team-1")
    expect(row).to_contain_text("<b>Growth</b>")
    row.get_by_role("button", name="Rename").click()
    page.locator("dialog[open]").get_by_label("Name").fill("Growth")
    page.locator("dialog[open]").get_by_role("button", name="Save").click()
    expect(row.locator(".clip").first).to_have_text("Growth")
    row.get_by_role("button", name="Merge").click()
    check_access(page)
    page.locator("dialog[open]").get_by_label("Merge into").select_option(
        label="Expansion (team-2)"
    )
    page.locator("dialog[open]").get_by_role("button", name="Save").click()
    expect(row).to_contain_text("Expansion")

    world.server.services.watch.check()
    page.goto(f"{url}/organization/analytics?groupBy=project&preset=24h")
    ranking = page.locator(".ranking, table").filter(has_text="Expansion").first
    expect(ranking).to_contain_text("$7.50")
    expect(page.get_by_text("Growth", exact=True)).to_have_count(0)


def test_discovered_key_of_a_project_links_to_its_statistics(visit: Page, world: World) -> None:
    page, url = visit, world.server.url
    project = world.administration.projects.create(world.operator, "Merged here")
    record(world, replace(report("a", "merged here", "Merged here"), api_key_id="hash-7"))

    page.goto(f"{url}/project/{project.project_id}?preset=24h")
    page.get_by_role("link", name="hash-7").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("hash-7")
    expect(page.locator(".kpi-value").first).to_have_attribute("title", "$2.50")
    page.get_by_role("link", name="Requests with this key").click()
    expect(page).to_have_url(re.compile(r"/monitoring/requests\?.*apiKeyId=hash-7"))
    expect(page.locator(".log tbody tr")).to_have_count(1)


def test_discovered_entities_can_be_found_and_opened(visit: Page, world: World) -> None:
    page, url = visit, world.server.url
    everything = replace(report("a", "team/7 & co", "Growth"), api_key_id="k/1", user_id="ada@x.y")
    record(world, everything)

    page.goto(f"{url}/organization/analytics?preset=24h")
    page.keyboard.press("Control+k")
    page.get_by_role("combobox").fill("grow")
    page.get_by_role("option", name="Growth").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Growth")
    expect(page.locator(".subject-facts")).to_contain_text("discovered")
    expect(page.locator(".switcher summary")).to_contain_text("Growth")
    expect(page.locator(".kpi-value").first).to_have_attribute("title", "$2.50")
    check_access(page)
    page.locator(".sidebar").get_by_role("link", name="API keys").click()
    expect(page.get_by_role("button", name="Create key")).to_have_count(0)
    page.get_by_role("link", name="k/1").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("k/1")
    page.get_by_role("link", name="Growth").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Growth")

    page.keyboard.press("Control+k")
    page.get_by_role("combobox").fill("ada@")
    page.get_by_role("option", name="ada@x.y").click()
    expect(page.locator(".subject-facts")).to_contain_text("not a member")
    expect(page.locator(".kpi-value").first).to_have_attribute("title", "$2.50")
    check_access(page)
    page.goto(f"{url}/settings/projects")
    expect(page.get_by_role("row", name="Growth")).to_contain_text("discovered")
    page.get_by_role("row", name="Growth").get_by_role("link", name="Rename or merge").click()
    expect(page.locator("tbody tr")).to_have_count(1)


def test_bill_is_reconciled(visit: Page, world: World, tmp_path: Path) -> None:
    page, url = visit, world.server.url
    record(world, report("a", "proj_1", "Search"), report("b", "proj_2", "Growth"))
    costs = tmp_path / "costs.csv"
    costs.write_text(
        "start_time_iso,amount_value,line_item,project_id\n"
        '2026-11-20T00:00:00Z,2.5,"gpt-4o, input",proj_1\n'
        '2026-11-20T00:00:00Z,3.75,"gpt-4o, input",proj_2\n'
    )

    page.goto(f"{url}/organization/reconciliation")
    expect(page.get_by_text("No bills compared yet")).to_be_visible()
    page.get_by_role("button", name="Compare a bill").click()
    dialog = page.locator("dialog[open]")
    dialog.get_by_role("button", name="Compare").click()
    expect(dialog.locator(".field-error")).to_contain_text("required")
    dialog.get_by_label("Cost file").set_input_files(costs)
    dialog.get_by_role("button", name="Compare").click()

    reasons = page.locator("section[aria-labelledby=reasons] tbody tr")
    expect(reasons.filter(has_text="Unexplained")).to_contain_text("$1.25")
    rows = page.locator("section[aria-label=Lines] tbody tr")
    expect(rows).to_have_count(1)
    for text in ("Nov 20, 2026", "Growth", "gpt-4o", "$2.50", "$3.75", "$1.25", "Unexplained"):
        expect(rows.first).to_contain_text(text)
    check_access(page)
    page.locator("select[name=lines]").select_option("All lines")
    expect(rows.filter(has_text="Search")).to_contain_text("agrees")
