"""The request log and one of its requests, compared with the API's answers."""

import csv
import re
from collections import Counter
from decimal import Decimal
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Page, expect
from tests.e2e.conftest import Demo
from tests.e2e.test_project import exact

from outlay.domain.answers import ZERO
from outlay.web.dashboard.parts.headlines import describe_totals

LOG = "/monitoring/requests"


def shown_times(page: Page) -> list[str]:
    return [
        (time.get_attribute("datetime") or "").replace("+00:00", "Z")
        for time in page.locator(".log tbody time").all()
    ]


def test_log_pages_have_no_gaps_or_repetitions(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.url}{LOG}?preset=last-month")
    first = demo.get("/api/v1/requests", preset="last-month", limit=50)
    second = demo.get("/api/v1/requests", preset="last-month", limit=50, cursor=first["next"])

    assert shown_times(page) == [request["time"] for request in first["requests"]]
    page.get_by_role("link", name="Older").click()
    expect(page.get_by_role("link", name="Newest")).to_be_visible()
    assert shown_times(page) == [request["time"] for request in second["requests"]]
    page.get_by_role("link", name="Newer").click()
    expect(page.get_by_role("link", name="Newest")).to_have_count(0)
    assert shown_times(page) == [request["time"] for request in first["requests"]]


def totals_on(page: Page) -> str:
    """The totals of all listed requests, in the head of the list."""
    return page.locator(".card-note").first.inner_text().split(" · ", 1)[1]


def bars_on(page: Page) -> int:
    """The sum of the bars of the histogram."""
    titles = " ".join(
        bar.get_attribute("aria-label") or "" for bar in page.locator(".histogram a").all()
    )
    return sum(
        int(count.replace(",", "")) for count in re.findall(r": ([\d,]+) requests?,", titles)
    )


@pytest.mark.parametrize(
    "filters",
    [
        {"minLatencyMs": "20000"},
        {"minCost": "0.5", "model": "gpt-5.5"},
        {"errorCode": "upstream-529"},
        {"search": "999"},
    ],
    ids=lambda filters: next(iter(filters)),
)
def test_totals_and_histogram_follow_filters(
    page: Page, demo: Demo, filters: dict[str, str]
) -> None:
    asked = {"preset": "last-month", **filters}
    answer = demo.get("/api/v1/requests", **asked, limit=500)
    listed = answer["requests"]
    cursor = answer["next"]
    while cursor:
        following = demo.get("/api/v1/requests", **asked, limit=500, cursor=cursor)
        listed, cursor = [*listed, *following["requests"]], following["next"]
    assert listed
    assert answer["totals"]["requestCount"] == len(listed)
    assert answer["totals"]["cost"] == sum(one["cost"] for one in listed)

    page.goto(f"{demo.url}{LOG}?{urlencode(asked)}")
    assert totals_on(page) == describe_totals(
        ZERO._replace(
            cost_pusd=int(Decimal(answer["totals"]["cost"]).scaleb(12)),
            requests=len(listed),
            input_tokens=answer["totals"]["totalTokens"],
        )
    )
    assert bars_on(page) == len(listed)


def test_most_expensive_requests_are_first_when_sorted_by_cost(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.url}{LOG}?preset=last-month")
    page.get_by_role("columnheader", name="Cost").get_by_role("link").click()
    expect(page.get_by_role("heading", name="Requests, highest cost first")).to_be_visible()
    wanted = demo.get("/api/v1/requests", preset="last-month", sort="cost", limit=50)["requests"]
    assert shown_times(page) == [one["time"] for one in wanted]
    assert [one["cost"] for one in wanted] == sorted((one["cost"] for one in wanted), reverse=True)

    page.get_by_role("columnheader", name="Cost").get_by_role("link").click()
    expect(page.get_by_role("heading", name="Requests, lowest cost first")).to_be_visible()
    expect(page.get_by_role("columnheader", name="Cost").get_by_role("link")).to_be_focused()


def test_file_has_the_listed_requests(page: Page, demo: Demo) -> None:
    path = f"{LOG}?preset=last-month&errorCode=upstream-529&sort=latencyMs"
    page.goto(demo.url + path)
    page.locator(".toolbar summary", has_text="Export").click()
    with page.expect_download() as waiting:
        page.get_by_role("link", name="CSV", exact=True).click()
    rows = list(csv.DictReader(waiting.value.path().read_text().splitlines()))
    listed = demo.get(
        "/api/v1/requests",
        preset="last-month",
        errorCode="upstream-529",
        sort="latencyMs",
        limit=500,
    )

    assert rows[-1]["time"] == "#trailer"
    assert len(rows) - 1 == listed["totals"]["requestCount"]
    assert [row["eventId"] for row in rows[:50]] == [
        one["eventId"] for one in listed["requests"][:50]
    ]


def test_failed_request_is_explained_and_links_to_similar_ones(page: Page, demo: Demo) -> None:
    failed = demo.get("/api/v1/requests", preset="all", errorCode="upstream-529", limit=500)[
        "requests"
    ]
    alike = Counter((one["time"][:13], one["apiKey"]["id"], one["model"]) for one in failed)
    kind, count = alike.most_common(1)[0]
    event_id = next(
        one["eventId"]
        for one in failed
        if (one["time"][:13], one["apiKey"]["id"], one["model"]) == kind
    )
    page.goto(f"{demo.url}{LOG}?preset=all&timezone=UTC&id={event_id}")
    drawer = page.locator(".drawer")

    expect(drawer).to_contain_text("The provider was overloaded (529).")
    expect(drawer).to_contain_text("It failed before any tokens were used, so it has no cost.")
    for wrong in ("No token counts", "Tokens counted by", "First token", "Priced at"):
        expect(drawer).not_to_contain_text(wrong)
    link = drawer.get_by_role("link", name="requests with the same error")
    assert count > 1
    expect(link).to_have_text(re.compile(f"^All {count} requests"))
    link.click()
    expect(page.locator(".filter", has_text="upstream-529")).to_be_visible()
    expect(page.locator(".log tbody tr")).to_have_count(count)
    assert bars_on(page) == count


def test_request_opens_and_closes_with_the_keyboard(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.url}{LOG}?preset=last-month")
    rows = page.locator(".row-link")
    rows.first.focus()
    page.keyboard.press("j")
    page.keyboard.press("ArrowDown")
    expect(rows.nth(2)).to_be_focused()
    page.keyboard.press("k")
    expect(rows.nth(1)).to_be_focused()

    page.keyboard.press("Enter")
    expect(page.locator("#request-title")).to_be_focused()
    page.keyboard.press("j")
    expect(page.locator(".log tr[aria-current] .row-link")).to_have_attribute(
        "data-row", rows.nth(2).get_attribute("data-row") or ""
    )
    expect(page.locator("#request-title")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator(".drawer")).to_have_count(0)
    expect(rows.nth(2)).to_be_focused()


@pytest.mark.parametrize(
    "watched",
    [{"viewport": {"width": width, "height": 844}} for width in (390, 320)],
    indirect=True,
)
def test_rows_have_two_lines_on_phones(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.url}{LOG}?preset=last-month")
    row = page.locator(".log tbody tr").first
    boxes = {
        name: row.locator(f".{name}").bounding_box()
        for name in ("log-time", "log-model", "log-state", "log-cost")
    }
    width = page.viewport_size["width"] if page.viewport_size else 0
    for box in boxes.values():
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
    assert boxes["log-model"]["y"] < boxes["log-time"]["y"]  # type: ignore[index]  # none is None
    assert row.locator(".log-cost").evaluate("node => node.scrollWidth <= node.clientWidth")

    page.get_by_role("group", name="Sort by").get_by_role("link", name="Cost").click()
    expect(page.get_by_role("heading", name="Requests, highest cost first")).to_be_visible()
    row.locator(".row-link").click()
    drawer = page.locator(".drawer")
    box = drawer.bounding_box()
    assert box is not None
    assert (box["x"], box["y"]) == (0, 0)
    assert box["width"] >= width - 20  # for a scroll bar
    page.go_back()
    expect(drawer).to_have_count(0)
    row.locator(".row-link").click()
    drawer.get_by_role("link", name="Close").click()
    expect(drawer).to_have_count(0)


def test_toolbar_filters_combine(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.url}{LOG}?preset=last-month")
    page.get_by_label("Status").select_option("Upstream error")
    expect(page).to_have_url(re.compile("status=upstream_error"))
    page.get_by_label("Latency").fill("500")
    page.get_by_role("button", name="Show").click()
    expect(page).to_have_url(re.compile("minLatencyMs=500"))

    wanted = demo.get(
        "/api/v1/requests", preset="last-month", status="upstream_error", minLatencyMs=500, limit=50
    )["requests"]
    assert shown_times(page) == [request["time"] for request in wanted]
    assert {dot.get_attribute("class") for dot in page.locator(".log .dot").all()} == {
        "dot is-upstream_error"
    }


def test_request_detail_shows_cost_beside_the_list(page: Page, demo: Demo) -> None:
    listed = demo.get("/api/v1/requests", preset="last-month", status="ok", limit=50)["requests"]
    event_id = next(one["eventId"] for one in listed if one["outputTokens"])
    detail = demo.get(f"/api/v1/requests/{event_id}")
    page.goto(f"{demo.url}{LOG}?preset=last-month&status=ok")
    page.locator(f".log tbody a[href*='id={event_id}']").click()
    expect(page.locator("#request-id")).to_have_text(event_id)

    expect(page.locator(".drawer-sum strong")).to_have_attribute("title", exact(detail["cost"]))
    lines = {
        line.locator("th").evaluate("cell => cell.firstChild.textContent"): (
            line.locator("td").inner_text()
        )
        for line in page.locator(".prices tbody tr").all()
    }
    assert lines == {line["title"]: exact(line["amount"]) for line in detail["priceLines"]}
    assert len(lines) > 1
    first = detail["priceLines"][0]
    formula = page.locator(".prices .formula").first.inner_text()
    assert formula.startswith(f"{first['quantity']:,} tokens × ${Decimal(first['unitPrice']):f}")
    expect(page.locator(".facts")).to_contain_text(detail["project"]["label"])
    page.keyboard.press("Escape")
    expect(page.locator(".drawer")).to_have_count(0)


def test_request_is_found_by_id_and_unknown_ids_are_reported(page: Page, demo: Demo) -> None:
    event_id = demo.get("/api/v1/requests", limit=1)["requests"][0]["eventId"]
    page.goto(f"{demo.url}{LOG}")
    page.get_by_label("Request ID").fill(event_id)
    page.get_by_label("Request ID").press("Enter")
    expect(page.locator("#request-id")).to_have_text(event_id)

    page.goto(f"{demo.url}{LOG}?search=nothing-of-the-kind")
    expect(page.get_by_role("status").filter(has_text="No request with the ID")).to_be_visible()


def test_histogram_bar_opens_its_day(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.url}{LOG}?preset=last-month")
    page.locator(".histogram a").nth(3).click()

    expect(page).to_have_url(re.compile(r"from=\d{4}-\d{2}-04&to=\d{4}-\d{2}-04"))
    expect(page.locator(".histogram a")).to_have_count(24)
    hours = page.locator(".histogram a").evaluate_all(
        "bars => bars.map((bar) => bar.getAttribute('aria-label'))"
    )
    page.locator(".histogram a").nth(9).click()
    expect(page.locator(".histogram a")).to_have_count(1)
    assert page.locator(".histogram a").get_attribute("aria-label") == hours[9]
