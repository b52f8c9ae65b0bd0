"""An entity has one colour on a page and across pages; no colour occurs twice in a list."""

from collections import defaultdict
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from tests.e2e.conftest import Demo
from tests.e2e.pages import every_page

LISTS = "table.ranking, .report-table, .legend"
MARKS = """(lists) => [...document.querySelectorAll(lists)].map((list) => ({
  place: list.closest("[data-view]")?.dataset.view ?? list.closest("section[id]")?.id ?? "",
  section: list.closest("section[aria-label]")?.getAttribute("aria-label") ?? "",
  marks: [...list.querySelectorAll("tbody tr, button")].map((row) => [
    row.dataset.key ?? row.querySelector("th").textContent.trim(),
    (row.querySelector(".swatch")?.className ?? "").match(/slot-[0-9]+/)?.[0] ?? null,
  ]).filter(([, slot]) => slot),
}))"""
"""The lists of a page: rankings of every metric, shown or hidden, and legends."""


def marks(page: Page, url: str) -> dict[str, list[list[tuple[str, str]]]]:
    """Key and slot of each row of each list, by what the list is about."""
    page.goto(url)
    if page.locator("usage-area, line-chart").count():
        expect(page.locator(".legend button").first).to_be_visible()
    found: dict[str, list[list[tuple[str, str]]]] = defaultdict(list)
    lists: list[dict[str, Any]] = page.evaluate(MARKS, LISTS)
    for one in lists:
        found[one["place"] + one["section"]].append([(key, slot) for key, slot in one["marks"]])
    return found


def check(found: dict[str, list[list[tuple[str, str]]]], url: str) -> dict[str, dict[str, str]]:
    """The slot of each key by list, after checking that it is unique."""
    slots: dict[str, dict[str, str]] = {}
    for place, lists in found.items():
        known: dict[str, str] = {}
        for rows in lists:
            assert len({slot for _, slot in rows}) == len(rows), (url, place, rows)
            for key, slot in rows:
                assert known.setdefault(key, slot) == slot, (url, place, key)
        slots[place] = known
    return slots


@pytest.mark.parametrize("group", ["model", "project", "apiKey", "user", "group", "app"])
def test_entity_has_one_colour_for_every_metric(page: Page, demo: Demo, group: str) -> None:
    url = f"{demo.url}/organization/analytics?preset=last-month&groupBy={group}"
    by_cost = check(marks(page, url), url)[""]
    by_tokens = check(marks(page, f"{url}&metric=totalTokens"), url)[""]

    assert by_cost
    assert by_tokens == by_cost


def test_lists_never_repeat_a_colour(page: Page, demo: Demo) -> None:
    for name, path in every_page(demo.get).items():
        url = demo.url + path
        if name in {"project-overview", "project-analytics", "key-statistics", "member", "report"}:
            assert any(check(marks(page, url), url).values()), name
        elif name == "users-and-groups":
            slots = check(marks(page, url), url)
            assert len(slots["users"]) > 10  # two lists of ten, with different entries
            assert set(slots["users"].values()) > {f"slot-{slot}" for slot in range(1, 9)}
        else:
            check(marks(page, url), url)


def test_models_keep_their_colours_across_pages(page: Page, demo: Demo) -> None:
    places = every_page(demo.get)
    query = "?preset=last-month"
    first = check(marks(page, f"{demo.url}/organization/analytics{query}"), "organization")[""]
    for name in ("project-overview", "project-analytics", "key-statistics", "member"):
        found = check(marks(page, demo.url + places[name] + query), name)
        shown = {**found.get("", {}), **found.get("model", {})}
        both = shown.keys() & first.keys()
        assert both, name
        assert {key: shown[key] for key in both} == {key: first[key] for key in both}, name
