"""The frame of all pages: palette, filters, freshness, navigation, an unreachable server."""

import re
import time

import httpx
from playwright.sync_api import Page, expect
from tests.e2e.conftest import ANALYTICS, Demo, Watched
from tests.e2e.pages import LOOKS, check_access
from tests.e2e.test_project import card, drawn


def test_palette_opens_a_key_and_restores_the_focus(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.url}{ANALYTICS}?preset=7d")
    key = next(
        key for key in demo.get("/api/v1/api-keys")["apiKeys"] if "batch" in key["description"]
    )
    page.keyboard.press("/")
    field = page.get_by_role("combobox")
    expect(field).to_be_focused()
    expect(page.get_by_role("option", name=re.compile("Dashboard"))).to_be_visible()
    field.fill(key["description"])
    expect(page.get_by_role("option").first).to_contain_text(key["description"])
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text(key["description"])
    assert "preset=7d" in page.url  # the period is carried along
    page.wait_for_load_state()

    page.keyboard.press("Control+k")
    expect(field).to_be_visible()
    field.fill("nothing of that name at all")
    expect(page.get_by_role("option", name="No matches.")).to_be_visible()
    page.keyboard.press("Escape")
    expect(field).to_have_count(0)


def test_enter_waits_for_the_search_result(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.url}{ANALYTICS}")
    page.keyboard.press("/")
    expect(page.get_by_role("option").first).to_be_visible()
    page.keyboard.type("audit trail")
    page.keyboard.press("Enter")

    expect(page.get_by_role("heading", level=1)).to_have_text("Audit trail")


@LOOKS
def test_dialogs_are_accessible(watched: Watched, demo: Demo) -> None:
    page = watched.page
    page.goto(f"{demo.url}{ANALYTICS}?preset=last-month&provider=anthropic")
    drawn(page)
    page.locator(".filter-menu summary").nth(3).click()
    expect(page.get_by_role("checkbox").first).to_be_visible()
    check_access(page)
    page.keyboard.press("Escape")
    page.locator(".chart-card .tools summary").click()
    check_access(page)
    page.keyboard.press("Control+k")
    expect(page.get_by_role("option").first).to_be_visible()
    check_access(page)


def test_slash_in_a_field_is_typed(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.url}/monitoring/users")
    page.get_by_label("Search users").press("/")

    expect(page.locator(".palette")).to_have_count(0)
    expect(page.get_by_label("Search users")).to_have_value("/")


def test_filter_is_found_applied_and_removed(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.url}{ANALYTICS}?preset=last-month")
    drawn(page)
    menu = page.locator(".filter-menu", has=page.locator("summary", has_text="Provider"))
    menu.locator("summary").click()
    expect(menu.get_by_role("checkbox").first).to_be_visible()
    menu.get_by_label("Find a provider").fill("anthr")
    expect(menu.get_by_role("checkbox")).to_have_count(1)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("provider=anthropic"))
    expect(page.locator(".filter", has_text="anthropic")).to_be_visible()

    menu.locator("summary").click()
    expect(menu.get_by_role("checkbox").first).to_be_checked()
    menu.get_by_role("button", name="Clear").click()
    expect(page.locator(".filter")).to_have_count(0)


def test_choices_depend_on_period_and_other_filters(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.url}{ANALYTICS}?preset=last-month&provider=anthropic")
    drawn(page)
    menu = page.locator(".filter-menu", has=page.locator("summary", has_text="Model"))
    menu.locator("summary").click()
    expect(menu.get_by_role("checkbox").first).to_be_visible()
    models = demo.ask(preset="last-month", provider="anthropic")["totals"]["breakdown"]

    shown = menu.locator(".choice-name").all_text_contents()
    assert set(shown) == {model["label"] for model in models}


def test_new_usage_appears_without_reload(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.url}{ANALYTICS}?preset=24h&groupBy=app")
    drawn(page)
    page.locator(".legend button").first.click()
    expect(page.locator(".legend button").first).to_have_attribute("aria-pressed", "false")
    before = card(page, "Requests")
    page.evaluate(
        "document.querySelector('#page').dataset.same = 'yes'; document.activeElement.blur()"
    )
    sent = httpx.post(
        f"{demo.url}/v1/usage/events",
        json=[
            {
                "eventId": f"live-{time.time_ns()}",
                "eventTime": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                "model": "openai/gpt-4o",
                "app": "acme-web",
                "usage": {"inputTokens": 1000, "outputTokens": 10},
            }
        ],
        headers={"Authorization": f"Bearer {demo.token}"},
    )
    assert sent.status_code == 200, sent.text

    points = "document.querySelector('usage-area').data.metrics.requestCount.total"
    total = page.evaluate(points)
    expect(page.locator(".kpi-value").nth(1)).not_to_have_attribute("title", before, timeout=30_000)
    page.wait_for_timeout(100)
    assert int(page.evaluate(points)) == int(total) + 1  # the chart has it, too
    assert page.locator("#page").get_attribute("data-same") == "yes"
    expect(page.locator(".legend button").first).to_have_attribute("aria-pressed", "false")


def test_unpriced_model_is_announced_live(page: Page, demo: Demo) -> None:
    name = f"nobody-prices-this-{time.time_ns()}"
    page.goto(
        f"{demo.url}/project/{demo.get('/api/v1/projects')['projects'][0]['projectId']}?preset=24h"
    )
    expect(page.locator(".kpi").first).to_be_visible()
    expect(page.get_by_text(name)).to_have_count(0)
    project_id = page.url.partition("/project/")[2].partition("?")[0]
    sent = httpx.post(
        f"{demo.url}/v1/usage/events",
        json=[
            {
                "eventId": name,
                "eventTime": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                "model": f"openai/{name}",
                "projectId": project_id,
                "usage": {"inputTokens": 10, "outputTokens": 1},
            }
        ],
        headers={"Authorization": f"Bearer {demo.token}"},
    )
    assert sent.status_code == 200, sent.text

    expect(page.locator(".notice", has_text=name)).to_be_visible(timeout=30_000)


def test_unchanged_page_is_not_sent_again(demo: Demo, page: Page) -> None:
    page.goto(f"{demo.url}{ANALYTICS}?preset=last-month")
    drawn(page)
    first, second = page.evaluate(
        """async () => {
            const ask = tag => fetch(location.href, {headers: {"X-Fragment": "page", ...tag}});
            const one = await ask({});
            const two = await ask({"If-None-Match": one.headers.get("etag")});
            return [one.status, two.status];
        }"""
    )

    assert (first, second) == (200, 304)


def test_unreachable_server_is_indicated_and_the_page_remains(watched: Watched, demo: Demo) -> None:
    page = watched.page
    page.goto(f"{demo.url}{ANALYTICS}?preset=last-month")
    drawn(page)
    page.context.set_offline(True)
    page.locator(".group-by").get_by_role("link", name="Project", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("could not be reached")
    expect(page.locator(".kpi").first).to_be_visible()

    page.context.set_offline(False)
    page.get_by_role("button", name="Retry").click()
    expect(page).to_have_url(re.compile("groupBy=project"))
    watched.troubles[:] = [text for text in watched.troubles if "DISCONNECTED" not in text]


def test_stale_page_is_indicated(watched: Watched, demo: Demo) -> None:
    page = watched.page
    page.clock.install()
    page.goto(f"{demo.url}{ANALYTICS}?preset=last-month")
    drawn(page)
    expect(page.locator("#staleness")).to_have_count(0)
    page.context.set_offline(True)
    expect(page.locator("#staleness")).to_contain_text("Offline")
    page.locator(".sidebar").get_by_role("link", name="Requests").click()
    expect(page.locator(".kpi").first).to_be_visible()  # not an error page of the browser
    page.clock.run_for(190_000)
    expect(page.locator("#staleness")).to_contain_text("updated 3 min ago")
    expect(page.locator(".fresh")).to_contain_text("updated 3 min ago")
    page.context.set_offline(False)
    page.clock.run_for(16_000)
    expect(page.locator("#staleness")).to_have_count(0)
    expect(page.locator(".fresh")).not_to_contain_text("ago")

    page.context.clear_cookies()
    page.clock.run_for(16_000)
    expect(page.locator("#staleness")).to_contain_text("Signed out")
    page.get_by_role("link", name="Sign in").click()
    expect(page.get_by_label("Password")).to_be_visible()
    assert "next=%2Forganization%2Fanalytics%3Fpreset%3Dlast-month" in page.url
    watched.troubles[:] = [text for text in watched.troubles if "DISCONNECTED" not in text]
