"""Organization analytics, used like a reader would, compared with the API's numbers."""

import gzip
import re
from typing import Any

import pytest
from playwright.sync_api import Browser, Dialog, Page, expect
from tests.e2e.conftest import ANALYTICS, Demo
from tests.e2e.pages import LOOKS, check_access

from outlay.domain.measure import Rank
from outlay.domain.money import parse_usd
from outlay.web.dashboard.formatting import format_exact_rank, format_rank
from outlay.web.dashboard.static_files import static_files

METRICS = {"Cost": Rank.COST, "Requests": Rank.REQUESTS, "Tokens": Rank.TOKENS}


def open_page(page: Page, demo: Demo, query: str = "") -> None:
    page.goto(f"{demo.url}{ANALYTICS}{query}")
    expect(page.locator("usage-area")).to_have_attribute("data-drawn", re.compile("."))


def value_of(item: dict[str, Any], rank: Rank) -> int:
    return parse_usd(item["cost"]) if rank is Rank.COST else int(item[rank.value])


def short_cost(item: dict[str, Any]) -> str:
    return format_rank(value_of(item, Rank.COST), Rank.COST)


def exact_cost(item: dict[str, Any]) -> str:
    return format_exact_rank(value_of(item, Rank.COST), Rank.COST)


def shown_ranking(page: Page, rank: Rank) -> list[tuple[str, str]]:
    rows = page.locator(f'[data-ranking="{rank.value}"] tbody tr')
    return [
        (row.get_attribute("data-key") or "", row.locator(".value").get_attribute("title") or "")
        for row in rows.all()
    ]


def expected_ranking(answer: dict[str, Any], rank: Rank) -> list[tuple[str, str]]:
    return [
        (entry["key"], format_exact_rank(value_of(entry, rank), rank))
        for entry in answer["totals"]["breakdown"]
        if entry["kind"] != "unattributed" or value_of(entry, rank)
    ]


def test_wrong_password_is_reported_and_right_one_signs_in(demo: Demo, browser: Browser) -> None:
    page = browser.new_page()
    page.goto(f"{demo.url}{ANALYTICS}?preset=7d")
    page.get_by_label("E-mail address").fill(demo.email)
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("do not match")

    page.get_by_label("Password").fill(demo.password)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Organization analytics")).to_be_visible()
    assert page.url.endswith("?preset=7d")

    page.get_by_role("button", name="Sign out").click()
    page.goto(f"{demo.url}{ANALYTICS}")
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    page.close()


def test_cards_equal_the_api_totals(page: Page, demo: Demo) -> None:
    open_page(page, demo)
    totals = demo.ask()["totals"]

    for card, rank in zip(page.locator(".kpi").all(), METRICS.values(), strict=True):
        number = value_of(totals, rank)
        expect(card.locator(".kpi-value")).to_have_text(format_rank(number, rank))
        expect(card.locator(".kpi-value")).to_have_attribute(
            "title", format_exact_rank(number, rank)
        )


@pytest.mark.parametrize("group", ["Model", "Project", "API key", "User", "Group", "App"])
def test_every_grouping_ranks_by_the_selected_metric(page: Page, demo: Demo, group: str) -> None:
    open_page(page, demo)
    page.locator(".group-by").get_by_role("link", name=group, exact=True).click()
    page.wait_for_url("**groupBy=*")
    expect(page.locator(".group-by [aria-current]")).to_have_text(group)
    group_by = page.url.partition("groupBy=")[2].partition("&")[0]

    for name, rank in METRICS.items():
        page.get_by_role("tab", name=name).first.click()
        expect(page.locator(f'[data-ranking="{rank.value}"]')).to_be_visible()
        answer = demo.ask(groupBy=group_by, rankBy=rank.value)
        assert shown_ranking(page, rank) == expected_ranking(answer, rank)
        total = page.locator(f'[data-ranking="{rank.value}"] tfoot .value')
        expect(total).to_have_attribute(
            "title", format_exact_rank(value_of(answer["totals"], rank), rank)
        )


def test_card_switches_both_charts_and_the_url(page: Page, demo: Demo) -> None:
    open_page(page, demo)

    page.get_by_role("button", name=re.compile("^Tokens")).click()

    expect(page.locator("usage-area")).to_have_attribute("data-metric", "totalTokens")
    expect(page.locator('[data-ranking="totalTokens"]')).to_be_visible()
    expect(page.locator('[data-ranking="cost"]')).to_be_hidden()
    assert "metric=totalTokens" in page.url
    page.reload()
    expect(page.locator("usage-area")).to_have_attribute("data-metric", "totalTokens")


def test_table_adds_up_to_the_card_for_every_metric(page: Page, demo: Demo) -> None:
    open_page(page, demo, "?preset=7d&groupBy=apiKey")
    page.get_by_role("button", name="View as table").first.click()
    for name in ("Requests", "Tokens"):
        page.get_by_role("tab", name=name).first.click()
        cells = page.locator(".data-table tbody td:last-child").all()
        total = sum(int((cell.get_attribute("title") or "").replace(",", "")) for cell in cells)
        answer = demo.ask(preset="7d", groupBy="apiKey")
        assert total == value_of(answer["totals"], METRICS[name])
        parts = page.locator(".data-table tfoot td").all()
        numbers = [int((part.get_attribute("title") or "").replace(",", "")) for part in parts]
        assert sum(numbers[:-1]) == numbers[-1] == total
        assert len(numbers) == 10


def test_preset_custom_range_and_zone_change_everything(page: Page, demo: Demo) -> None:
    open_page(page, demo)
    page.locator(".range summary").click()
    page.get_by_role("link", name="Last 7 days").click()
    expect(page.locator(".range summary")).to_contain_text("Last 7 days")
    page.locator(".range summary").click()
    page.get_by_label("From").fill("2026-10-01")
    page.get_by_label("To", exact=True).fill("2026-10-31")
    page.get_by_label("Time zone", exact=True).fill("Asia/Kathmandu")
    page.get_by_role("button", name="Apply").click()
    page.wait_for_url("**timezone=Asia%2FKathmandu**")
    expect(page.locator(".chart-card .card-note")).to_contain_text("Asia/Kathmandu")

    answer = demo.ask(**{"from": "2026-10-01", "to": "2026-10-31"}, timezone="Asia/Kathmandu")
    assert shown_ranking(page, Rank.COST) == expected_ranking(answer, Rank.COST)

    page.go_back()
    expect(page.locator(".range summary")).to_contain_text("Last 7 days")
    page.go_back()
    expect(page.locator(".range summary")).to_contain_text("Last 30 days")


def test_dragging_zooms_to_the_selected_days(page: Page, demo: Demo) -> None:
    open_page(page, demo, "?from=2026-10-01&to=2026-10-31")
    box = page.locator(".plot").bounding_box()
    assert box is not None

    page.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + 100, steps=5)
    page.mouse.up()

    page.wait_for_url(re.compile("from=2026-10-1[1-4]&to=2026-10-(18|19|20)"))
    answer = demo.ask(
        **dict(part.split("=") for part in page.url.partition("?")[2].split("&") if "=" in part)
    )
    assert shown_ranking(page, Rank.COST) == expected_ranking(answer, Rank.COST)


def test_filter_chip_can_be_removed(page: Page, demo: Demo) -> None:
    open_page(page, demo, "?provider=anthropic&preset=7d")
    answer = demo.ask(provider="anthropic", preset="7d")
    assert shown_ranking(page, Rank.COST) == expected_ranking(answer, Rank.COST)

    page.locator(".filter", has_text="anthropic").click()

    expect(page.locator(".filter")).to_have_count(0)
    assert "provider" not in page.url


def test_keyboard_reads_the_chart_and_switches_tabs(page: Page, demo: Demo) -> None:
    open_page(page, demo, "?preset=7d")
    page.locator(".plot").focus()
    page.keyboard.press("Home")
    first = demo.ask(preset="7d")["activity"][0]
    expect(page.locator("#announce")).to_contain_text(short_cost(first))
    page.keyboard.press("ArrowRight")
    second = demo.ask(preset="7d")["activity"][1]
    expect(page.locator(".tip")).to_contain_text(short_cost(second))
    page.keyboard.press("Escape")
    expect(page.locator(".tip")).to_be_hidden()

    page.get_by_role("tab", name="Cost").first.focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="Requests").first).to_be_focused()
    expect(page.locator("usage-area")).to_have_attribute("data-metric", "requestCount")


def test_calendar_works_with_the_keyboard(page: Page, demo: Demo) -> None:
    open_page(page, demo, "?from=2026-10-10&to=2026-10-20")
    page.locator(".range summary").click()
    page.locator('.day[tabindex="0"]').focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Apply").click()

    page.wait_for_url("**from=2026-10-19&to=2026-10-21**")
    page.locator(".range summary").click()
    page.keyboard.press("Escape")
    expect(page.locator(".range summary")).to_be_focused()


def test_legend_entry_hides_and_shows_its_series(page: Page, demo: Demo) -> None:
    open_page(page, demo)
    entry = page.locator(".legend button").first
    bands = page.locator(".plot .band")
    count = bands.count()

    entry.click()
    expect(bands).to_have_count(count - 1)
    expect(page.locator(".legend button").first).to_have_attribute("aria-pressed", "false")
    page.locator(".legend button").first.click()
    expect(bands).to_have_count(count)


def test_entities_keep_their_colours(page: Page, demo: Demo) -> None:
    def colours() -> dict[str, str]:
        return {
            button.get_attribute("data-key") or "": button.locator(".swatch").get_attribute("class")
            or ""
            for button in page.locator(".legend button").all()
        }

    open_page(page, demo, "?groupBy=project")
    before = colours()
    open_page(page, demo, "?groupBy=project&preset=7d&metric=requestCount")

    assert colours() == {key: before[key] for key in colours()}


def test_overlap_of_groups_is_explained_on_the_page(page: Page, demo: Demo) -> None:
    open_page(page, demo, "?groupBy=group")

    expect(page.get_by_text("groups can add up to more than the total")).to_be_visible()


def test_empty_period_is_explained_with_links(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.url}{ANALYTICS}?from=2024-01-01&to=2024-01-31")
    page.get_by_role("link", name="Show all time").click()

    expect(page.locator(".range summary")).to_contain_text("All time")
    expect(page.locator("usage-area")).to_have_attribute("data-drawn", re.compile("."))


def test_csv_export_has_the_same_window(page: Page, demo: Demo) -> None:
    open_page(page, demo, "?preset=7d&groupBy=project")
    with page.expect_download() as download:
        page.get_by_role("link", name="Export").click()

    text = download.value.path().read_text()
    assert text.splitlines()[0].startswith("date,start,kind,project,label,requestCount")
    total = demo.ask(preset="7d", groupBy="project")["totals"]["requestCount"]
    assert text.splitlines()[-1].split(",")[5] == str(total)


PLACES = [ANALYTICS, f"{ANALYTICS}?groupBy=group&metric=totalTokens", f"{ANALYTICS}?timezone=x"]


@LOOKS
def test_pages_have_no_accessibility_violations_or_overflow(watched: Any, demo: Demo) -> None:
    for path in (*PLACES, "/login", "/nowhere"):
        if path == "/login":
            watched.context.clear_cookies()
        watched.page.goto(demo.url + path)
        check_access(watched.page)
        width = watched.page.viewport_size["width"]
        assert watched.page.evaluate("document.documentElement.scrollWidth") <= width
    watched.troubles[:] = [text for text in watched.troubles if "status of 40" not in text]


def test_page_is_small_stable_and_csp_compliant(page: Page, demo: Demo) -> None:
    sizes: list[int] = []
    page.on(
        "response", lambda answer: sizes.append(int(answer.request.sizes()["responseBodySize"]))
    )
    page.add_init_script(
        "window.shift = 0; window.violations = 0;"
        "new PerformanceObserver(list => { for (const one of list.getEntries()) "
        "if (!one.hadRecentInput) window.shift += one.value; })"
        ".observe({type: 'layout-shift', buffered: true});"
        "document.addEventListener('securitypolicyviolation', () => { window.violations += 1; });"
    )
    open_page(page, demo)
    page.wait_for_load_state("networkidle")
    page.locator(".plot").hover(position={"x": 400, "y": 120})
    page.get_by_role("tab", name="Tokens").first.click()
    page.locator(".group-by").get_by_role("link", name="Project", exact=True).click()
    page.wait_for_url("**groupBy=project**")

    assert sum(sizes) < 122_750  # page and answer of the switch
    assert page.evaluate("window.shift") < 0.01
    assert page.evaluate("window.violations") == 0
    scripts = [file.body for path, file in static_files().items() if path.endswith(".js")]
    assert len(gzip.compress(b"".join(scripts), 9)) < 45_000


HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(1)</script>",
    "<!--<script>",
    "'\"><svg onload=alert(1)>",
    "{{7*7}}",
    "__proto__",
    "javascript:alert(1)",
    "\u202etxt.exe",
]


def test_hostile_names_are_shown_as_text(page: Page, demo: Demo) -> None:
    import httpx

    events = [
        {
            "eventId": f"hostile-{number}",
            "eventTime": "2026-11-01T12:00:00Z",
            "model": f"openai/{text}",
            "app": text,
            "endUser": "hostile",
            "usage": {"inputTokens": 10**9, "outputTokens": 1},
        }
        for number, text in enumerate(HOSTILE)
    ]
    sent = httpx.post(
        f"{demo.url}/v1/usage/events",
        json=events,
        headers={"Authorization": f"Bearer {demo.token}"},
    )
    assert sent.status_code == 200, sent.text
    dialogs: list[str] = []

    def note(dialog: Dialog) -> None:
        dialogs.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", note)

    page.wait_for_timeout(1500)
    query = "?endUser=hostile&groupBy=app&from=2026-11-01&to=2026-11-02&metric=requestCount"
    open_page(page, demo, query)
    page.locator(".plot").hover(position={"x": 100, "y": 120})
    page.get_by_role("button", name="View as table").first.click()

    names = page.locator('[data-ranking="requestCount"] .name').all_text_contents()
    assert set(HOSTILE) <= set(names)
    assert dialogs == []
    expect(page.get_by_text("without a price")).to_be_visible()
