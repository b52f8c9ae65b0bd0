"""Settings, audit trail and my usage: every form, every screen, hostile names."""

import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import orjson
import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from tests.acceptance.conftest import Server, server
from tests.acceptance.test_api import event_body
from tests.acceptance.world import PASSWORD, World, make_world
from tests.e2e.conftest import Demo
from tests.e2e.pages import SIZES, check_access, fill_in, take_secret
from tests.factories import NOW

from outlay.domain.actor import Role, Scope
from outlay.domain.ids import EventId
from outlay.domain.organization import Member
from outlay.domain.usage import TokenUsage
from outlay.domain.usage_report import UsageReport
from outlay.kit.clock import to_us
from outlay.web.dashboard.navigation import SETTINGS
from outlay.wire.native import parse_events

__all__ = ["server"]

OTHERS = (
    "/me/usage",
    "/monitoring/audit",
    "/monitoring/dashboard",
    "/monitoring/requests",
    "/monitoring/users",
    "/organization/analytics",
    "/organization/members",
    "/organization/users-and-groups",
    "/organization/report?month=2026-11",
    "/organization/reconciliation",
)
ACTIVE = "iframe, script:not([src]):not([type='application/json']), [onerror], [onload]"
HOSTILE = (
    "<script>window.pwned=1</script>",
    '"><img src=x onerror="window.pwned=1">',
    "' onfocus=window.pwned=1 autofocus='",
    "</textarea><svg onload=window.pwned=1>",
    "javascript:window.pwned=1",
    "{{7*7}}${7*7}<%=7*7%>",
    "<iframe srcdoc='<script>parent.pwned=1</script>'>",
    "</title><style>*{display:none}</style>",
    "'; DROP TABLE member; --",
)


@pytest.fixture
def world(server: Server) -> World:
    """An organization with one of everything."""
    return make_world(server)


@pytest.fixture
def visit(browser: Browser, world: World) -> Iterator[Page]:
    """Its owner, signed in; unexpected events fail the test."""
    context = browser.new_context(
        viewport={"width": 1440, "height": 900}, permissions=["clipboard-read", "clipboard-write"]
    )
    context.add_cookies(
        [
            {
                "name": "outlay_session",
                "value": world.people[Role.OWNER].session,
                "url": world.server.url,
            }
        ]
    )
    page = context.new_page()
    page.set_default_timeout(10_000)
    troubles: list[str] = []
    page.on("pageerror", lambda error: troubles.append(f"error: {error}"))
    page.on("dialog", lambda dialog: troubles.append(f"dialog: {dialog.message}"))
    page.on("console", lambda said: troubles.append(said.text) if said.type == "error" else None)
    yield page
    context.close()
    assert [text for text in troubles if "status of 40" not in text] == []


def press(opener: Locator) -> None:
    """Click a button, opening its menu first if it is in one."""
    menu = opener.locator("xpath=ancestor::details[not(@open)]/summary")
    if menu.count():
        menu.click()
    opener.click()


@pytest.mark.parametrize(
    "watched",
    # The other two of each size and theme differ only in what tests/e2e/test_every_page.py checks.
    [
        {"viewport": size, "color_scheme": scheme}
        for size, scheme in zip(SIZES, ("light", "dark"), strict=True)
    ],
    indirect=True,
    ids=lambda options: f"{options['viewport']['width']}-{options['color_scheme']}",
)
def test_every_page_is_accessible_and_fits(watched: Any, demo: Demo) -> None:
    for path in (*(item.path for item in SETTINGS), "/me/usage", "/monitoring/audit"):
        watched.page.goto(demo.url + path)
        expect(watched.page.get_by_role("heading", level=1)).to_be_visible()
        check_access(watched.page)
        width = watched.page.viewport_size["width"]
        assert watched.page.evaluate("document.documentElement.scrollWidth") <= width, path
        for opener in watched.page.locator("button[data-dialog]:not([disabled])").all()[:4]:
            press(opener)
            dialog = watched.page.locator("dialog[open]")
            expect(dialog).to_be_visible()
            check_access(watched.page)
            box = dialog.bounding_box()
            assert box is not None
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= width
            watched.page.keyboard.press("Escape")
            expect(dialog).to_have_count(0)


def test_groups_prices_limits_and_tokens_are_created_and_deleted(visit: Page, world: World) -> None:
    page, url = visit, world.server.url
    developer = world.people[Role.DEVELOPER].member

    page.goto(f"{url}/settings/groups")
    fill_in(page, "New group", Name="Data science")
    expect(page.get_by_role("heading", name="Data science")).to_be_visible()
    card = page.get_by_role("region", name="Data science")
    card.get_by_role("button", name="Add member").click()
    page.locator("dialog[open] select").select_option(label=developer.name)
    page.locator("dialog[open]").get_by_role("button", name="Add").click()
    expect(card.get_by_text("1 member")).to_be_visible()
    card.get_by_role("button", name="Remove").click()
    page.locator("#confirm-button").click()
    expect(card.get_by_text("0 members")).to_be_visible()

    page.goto(f"{url}/settings/prices")
    fill_in(page, "New price", Model="openai/gpt-5.5", Input="a lot")
    expect(page.locator("dialog[open] .field-error")).to_be_visible()
    page.locator("dialog[open]").get_by_label("Input").fill("4.25")
    page.locator("dialog[open]").get_by_role("button", name="Create").click()
    expect(page.get_by_role("cell", name="$4.25")).to_be_visible()
    page.get_by_role("row", name="$4.25").get_by_role("button", name="Delete").click()
    page.locator("dialog[open]").get_by_role("button", name="Delete").click()
    expect(page.get_by_role("cell", name="$4.25")).to_have_count(0)

    page.goto(f"{url}/settings/limits")
    fill_in(page, "New limit", For=developer.name, USD="10,5", Per="day")
    said = page.locator("dialog[open] .field-error")
    expect(said).to_have_text("Enter an amount in USD such as 250 or 0.50.")
    page.locator("dialog[open]").get_by_label("USD").fill("12.50")
    page.locator("dialog[open]").get_by_role("button", name="Save").click()
    row = page.get_by_role("row", name=developer.name)
    expect(row).to_contain_text("$12.5")
    row.get_by_role("button", name="Remove").click()
    page.locator("#confirm-button").click()
    expect(row).to_have_count(0)

    page.goto(f"{url}/settings/tokens")
    fill_in(page, "New token", Description="Chargeback")
    token = take_secret(page)
    assert world.server.services.access.actor_of_token(token).role is Role.OWNER
    page.get_by_role("row", name="Chargeback").get_by_role("button", name="Revoke").click()
    page.locator("#confirm-button").click()
    expect(page.get_by_role("row", name="Chargeback")).to_have_count(0)


def test_requests_are_repriced_and_reverted(visit: Page, world: World) -> None:
    page, url, services = visit, world.server.url, world.server.services
    events = [event_body(model="acme/rocket-1") for _ in range(3)]
    organization_id = world.organization.organization_id
    services.recorder.record(organization_id, parse_events(orjson.dumps(events), "native"))
    services.administration.prices.create(
        world.operator, {"model": "acme/rocket-1", "input": "2", "output": "10"}
    )
    services.watch.check()
    services.projection.catch_up()

    page.goto(f"{url}/settings/repricing")
    offer = page.locator(".notice", has_text="3 requests of acme/rocket-1")
    offer.get_by_role("link", name="Preview").click()
    expect(page.get_by_text("would cost $0.0090 instead of $0.00").first).to_be_visible()
    expect(page.get_by_role("row", name="Had no price")).to_contain_text("+$0.0090")
    fill_in(page, "Reprice", Reason="The price was missing")
    run = page.get_by_role("row", name="The price was missing")
    expect(run).to_be_visible()
    wait_for_runs(world, 1)
    page.goto(f"{url}/settings/repricing")
    expect(run).to_contain_text("Finished")
    expect(run).to_contain_text("3 requests, +$0.0090")
    expect(page.get_by_text("3 requests of acme/rocket-1")).to_have_count(0)

    page.goto(f"{url}/monitoring/requests?id={events[0]['eventId']}")
    expect(page.get_by_text("Repriced: $0.0030 instead of")).to_be_visible()

    page.goto(f"{url}/settings/repricing")
    fill_in(page, "Revert", Reason="A mistake")
    wait_for_runs(world, 2)
    page.goto(f"{url}/settings/repricing")
    expect(run).to_contain_text("Reverted")


def wait_for_runs(world: World, count: int) -> None:
    """Wait until this many repricing runs are finished and in the cube."""
    services = world.server.services
    for _ in range(400):
        runs = services.reprices.list_for(world.operator)
        if len(runs) == count and all(run.finished_at_us is not None for run in runs):
            break
        time.sleep(0.05)
    services.projection.catch_up()


def test_percentage_is_previewed_before_saving(visit: Page, world: World) -> None:
    page, url = visit, world.server.url
    report = UsageReport(
        event_id=EventId("evt_last_month"),
        event_time_us=to_us(NOW - timedelta(days=30)),
        provider="openai",
        mapping="openai/gpt-4o",
        usage=TokenUsage(1_000_000, 0),
    )
    world.server.services.recorder.record(world.organization.organization_id, [report])
    page.goto(f"{url}/settings/prices")
    page.get_by_role("button", name="New percentage").click()
    dialog = page.locator("dialog[open]")
    dialog.get_by_label("Provider").fill("openai")
    dialog.get_by_label("Percent of list price").fill("0")
    dialog.get_by_role("button", name="Preview last month").click()
    expect(dialog.locator(".field-error")).to_contain_text("Must be between 1 and 500 percent")
    dialog.get_by_label("Percent of list price").fill("80")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # adds a percentage, and the focus moves to its subject
    expect(dialog.locator("[data-key]")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.type("1000")
    dialog.get_by_role("button", name="Preview last month").click()
    expect(dialog.locator(".is-row .field-error")).to_contain_text("not 1000")
    dialog.locator("[data-value]").fill("90")
    dialog.get_by_role("button", name="Preview last month").click()
    expect(dialog.get_by_text("1 request of October 2026")).to_be_visible()
    total = dialog.get_by_role("row", name="All")
    expect(total).to_contain_text("$2.50")
    expect(total).to_contain_text("$2.25")
    expect(dialog.get_by_role("row", name="gpt-4o")).to_contain_text("\N{MINUS SIGN}$0.2500")
    check_access(page)
    dialog.get_by_role("button", name="Create").click()
    expect(page.get_by_role("cell", name="90 %").first).to_be_visible()


def test_sso_organization_and_account_settings(visit: Page, world: World) -> None:
    page, url = visit, world.server.url

    page.goto(f"{url}/settings/sso")
    page.get_by_label("Issuer").fill("http://id.example.test")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".field-error")).to_contain_text("https")
    page.get_by_label("Issuer").fill("https://id.example.test")
    with page.expect_navigation():
        page.get_by_role("button", name="Save").click()
    expect(page.locator(".field-error")).to_have_count(0)
    page.get_by_role("button", name="Turn off").click()
    page.locator("#confirm-button").click()
    expect(page.get_by_role("button", name="Turn off")).to_have_count(0)

    page.goto(f"{url}/settings/organization")
    page.get_by_label("Time zone").fill("Europe/Nowhere")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".field-error")).to_contain_text("Europe/Nowhere")
    page.get_by_label("Time zone").fill("Asia/Kathmandu")
    with page.expect_navigation():
        page.get_by_role("button", name="Save").click()
    expect(page.get_by_label("Time zone")).to_have_value("Asia/Kathmandu")

    page.goto(f"{url}/settings/account")
    page.get_by_label("Current password").fill("not this one, I think")
    page.get_by_label("New password").fill("quite another password")
    page.get_by_role("button", name="Change password").click()
    expect(page.locator(".field-error")).to_contain_text("The current password is wrong")
    page.get_by_label("Current password").fill(PASSWORD)
    page.get_by_role("button", name="Change password").click()
    expect(page.get_by_label("Current password")).to_have_value("")
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text("Account")


def test_hostile_names_are_shown_as_text(visit: Page, world: World) -> None:
    plant(world)

    for path in (*(item.path for item in SETTINGS), *OTHERS, "/organization/analytics?groupBy=app"):
        visit.goto(world.server.url + path)
        for summary in visit.locator(".trail summary").all()[:40]:
            summary.click()
        for opener in visit.locator("button[data-fill], button[data-confirm]").all()[:30]:
            press(opener)
            visit.keyboard.press("Escape")
        assert visit.evaluate("window.pwned") is None, path
        assert visit.locator(ACTIVE).count() == 0, path
        expect(visit.get_by_role("heading", level=1)).to_be_visible()
    for project in world.administration.projects.list_for(world.operator):
        if project.name in HOSTILE:
            for part in ("", "/analytics", "/keys"):
                visit.goto(f"{world.server.url}/project/{project.project_id}{part}")
                expect(visit.get_by_role("heading", level=1)).to_be_visible()
                assert visit.evaluate("window.pwned") is None
                assert visit.locator(ACTIVE).count() == 0
    visit.goto(world.server.url + "/organization/analytics")
    visit.keyboard.press("/")
    visit.get_by_role("combobox").fill("window.pwned")
    expect(visit.get_by_role("option").first).to_contain_text("window.pwned")
    assert visit.evaluate("window.pwned") is None
    visit.goto(world.server.url + "/settings/projects")
    for name in HOSTILE:
        expect(visit.get_by_role("rowheader").get_by_text(name, exact=True)).to_be_visible()


def plant(world: World) -> None:
    """Enter hostile text wherever people or requests can."""
    administration, operator = world.administration, world.operator
    owner: Member = world.people[Role.OWNER].member
    events = []
    for number, text in enumerate(HOSTILE):
        project = administration.projects.create(operator, text)
        administration.keys.create(
            operator,
            project_id=project.project_id,
            description=text,
            member_id=owner.member_id,
        )
        administration.groups.create(operator, text)
        administration.tokens.create(
            operator, description=text, scopes=[Scope.USAGE_READ], member_id=owner.member_id
        )
        administration.upstreams.put_mapping(
            operator, name=text, upstream_id=world.upstream(), model=text
        )
        administration.prices.create(operator, {"model": text, "input": "1"})
        member = world.add_person(Role.DEVELOPER).member
        administration.members.update(operator, member.member_id, name=text)
        events.append(
            {
                "eventId": f"evt-{number}",
                "eventTime": "2026-11-20T10:00:00Z",
                "provider": "openai",
                "model": text,
                "app": text,
                "endUser": text,
                "userId": owner.member_id,
                "projectId": project.project_id,
                "usage": {"inputTokens": 10, "outputTokens": 10},
            }
        )
        events.append(
            {
                **events[-1],
                "eventId": f"reported-{number}",
                "userId": text,
                "projectId": f"reported-{number}",
                "groups": [text],
                "names": {f"reported-{number}": text},
            }
        )
    services = world.server.services
    services.recorder.record(world.organization.organization_id, parse_events(orjson.dumps(events)))
    services.projection.catch_up()
