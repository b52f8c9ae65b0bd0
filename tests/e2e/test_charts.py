"""Charts: what they draw, show and link to."""

import re

import pytest
from playwright.sync_api import Page, expect
from tests.e2e.charts import LINE, LINES, open_chart
from tests.e2e.conftest import ANALYTICS, Demo, Watched

from outlay.domain.money import parse_usd
from outlay.web.dashboard.formatting import format_money
from outlay.web.dashboard.static_files import static_url


def test_double_click_isolates_and_restores_series(page: Page, demo: Demo) -> None:
    chart = open_chart(page, demo)
    bands, entry = chart.locator(".band"), chart.locator(".legend button").nth(1)
    count, key = bands.count(), entry.get_attribute("data-key") or ""
    chart.evaluate(
        "chart => { window.most = 0; new MutationObserver(() => { window.most += 1; })"
        ".observe(chart, {attributes: true, attributeFilter: ['data-drawn']}); }"
    )

    entry.dblclick()
    expect(bands).to_have_count(1)
    expect(bands).to_have_attribute("data-key", key)
    assert page.evaluate("window.most") == 1  # it was not hidden in between
    chart.locator(f'.legend [data-key="{key}"]').dblclick()
    expect(bands).to_have_count(count)
    expect(chart.get_by_role("button", name="Show all")).to_have_count(0)

    entry.click()
    expect(bands).to_have_count(count - 1)
    entry.hover()
    expect(chart.locator(".is-dim")).to_have_count(0)  # the rest is what the test is about
    chart.get_by_role("button", name="Show all").click()
    expect(bands).to_have_count(count)


@pytest.mark.parametrize(
    "watched",
    [{"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}],
    indirect=True,
    ids=["phone"],
)
def test_tap_shows_values_until_a_tap_elsewhere(watched: Watched, demo: Demo) -> None:
    page = watched.page
    chart = open_chart(page, demo)
    plot = chart.locator("svg.plot")
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    assert box is not None

    page.touchscreen.tap(box["x"] + box["width"] / 2, box["y"] + 100)
    expect(chart.locator(".tip")).to_be_visible()
    page.wait_for_timeout(300)
    expect(chart.locator(".tip")).to_be_visible()
    assert plot.evaluate("node => getComputedStyle(node).outlineStyle") == "none"
    first = chart.locator(".tip header").inner_text()
    page.touchscreen.tap(box["x"] + box["width"] * 0.8, box["y"] + 100)
    expect(chart.locator(".tip header")).not_to_have_text(first)
    page.locator(".chart-card h2").tap()
    expect(chart.locator(".tip")).to_be_hidden()
    expect(page.locator(".chart-foot .is-touch").first).to_be_visible()
    expect(page.locator(".chart-foot .is-mouse").first).to_be_hidden()


def test_keyboard_filters_and_zooms_like_the_mouse(page: Page, demo: Demo) -> None:
    chart = open_chart(page, demo)
    chart.locator("svg.plot").focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    lit = chart.locator(".tip-row.is-lit")
    expect(lit).to_have_count(1)
    key = lit.get_attribute("data-tip-key")
    expect(page.locator("#announce")).to_contain_text(re.compile(r"\$[\d.]+, \d+%"))
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(f"model={key}"))

    page.go_back()
    expect(page.locator(".filter")).to_have_count(0)
    chart.locator("svg.plot").focus()
    page.keyboard.press("Home")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    expect(chart.locator("rect.zoom")).to_have_count(1)
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("from=2026-10-01&to=2026-10-03"))


def test_chart_has_a_text_description(page: Page, demo: Demo) -> None:
    chart = open_chart(page, demo)
    answer = demo.ask(preset="last-month")
    peak = max(step["cost"] for step in answer["activity"])
    described = chart.locator("svg.plot").get_attribute("aria-describedby")

    summary = page.locator(f"#{described}")
    expect(summary).to_contain_text(f"Total {format_money(parse_usd(answer['totals']['cost']))}.")
    expect(summary).to_contain_text(f"Highest {format_money(parse_usd(peak))}, Oct")
    page.goto(f"{demo.url}{LINES}?preset=last-month")
    described = page.locator(f"{LINE} svg.plot").get_attribute("aria-describedby")
    expect(page.locator(f"#{described}")).to_contain_text(
        re.compile(r"Highest \$0\.\d{4}, .*Latest:")
    )


def test_marks_keep_their_colours_in_forced_colours_mode(page: Page, demo: Demo) -> None:
    page.emulate_media(forced_colors="active")
    chart = open_chart(page, demo)
    chart.evaluate("chart => chart.point(25, false)")
    colour = "(node, name) => getComputedStyle(node)[name]"

    for entry in chart.locator(".legend button").all()[:3]:
        key = entry.get_attribute("data-key")
        band = chart.locator(f'.band[data-key="{key}"]').evaluate(colour, "fill")
        for mark in (entry, chart.locator(f'[data-tip-key="{key}"]')):
            assert mark.locator(".swatch").evaluate(colour, "backgroundColor") == band


def test_cut_and_unfinished_steps_are_indicated(page: Page, demo: Demo) -> None:
    chart = open_chart(page, demo)
    for flags, said in (
        ({"partial": True}, ", partial"),
        ({"incomplete": True}, ", so far"),
        ({"incomplete": True, "pending": True}, ", no data yet"),
    ):
        chart.evaluate(
            "(chart, flags) => { const data = structuredClone(chart.data);"
            " const whole = {incomplete: false, pending: false, partial: false};"
            " Object.assign(data.points[2], whole, flags);"
            " chart.update(data); chart.point(2, false); }",
            flags,
        )
        expect(chart.locator(".tip header span")).to_have_text(re.compile(f"{said}$"))


def test_empty_chart_says_so(page: Page, demo: Demo) -> None:
    chart = open_chart(page, demo)
    chart.evaluate(
        """chart => {
          const data = structuredClone(chart.data);
          Object.assign(data.metrics.cost, {bands: [], totals: data.points.map(() => "0"),
            total: "0", summary: "No cost in this period."});
          chart.update({...data, compared: null});
        }"""
    )
    expect(chart.locator(".chart-none")).to_have_text("No cost in this period.")
    expect(chart.locator("svg.plot")).to_have_count(0)
    page.goto(f"{demo.url}{LINES}?preset=last-month")
    page.locator(LINE).evaluate(
        "chart => chart.update({...chart.data, series: [], summary: 'No values in this period.'})"
    )
    expect(page.locator(f"{LINE} .chart-none")).to_have_text("No values in this period.")


AXES = [
    ([0, 0.005, 0.01, 0.015], "usd", ["$0", "$0.005", "$0.010", "$0.015"]),
    ([0, 0.5, 1, 1.5], "usd", ["$0", "$0.50", "$1.00", "$1.50"]),
    ([0, 2.5e-7, 5e-7], "usd", ["$0", "$0.00000025", "$0.00000050"]),
    ([0, 100, 200], "usd", ["$0", "$100", "$200"]),
    ([0, 12500, 25000], "usd", ["$0", "$12.5K", "$25.0K"]),
    ([0, 2500, 5000], "count", ["0", "2,500", "5,000"]),
    ([0, 5e7, 1e8], "count", ["0", "50M", "100M"]),
    ([0, 500, 1000], "ms", ["0", "0.5 s", "1.0 s"]),
]


def test_axis_ticks_have_one_unit_and_equal_decimals(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.url}{ANALYTICS}")
    found = page.evaluate(
        "async ([url, cases]) => { const {axis} = await import(url);"
        " return cases.map(([marks, unit]) => axis(marks, unit)); }",
        [static_url("js/fmt.js"), [case[:2] for case in AXES]],
    )
    assert found == [labels for _, _, labels in AXES]
    counts = page.evaluate(
        "async url => { const {ticks} = await import(url);"
        " return [1, 2, 3, 10].map(highest => ticks(highest, true)); }",
        static_url("js/scale.js"),
    )
    assert all(mark == int(mark) for marks in counts for mark in marks)


DATES = [
    ("day", ["2026-10-05", "2026-10-06", "2026-10-07", "2026-10-08"], ["Oct 5", "Oct 8"]),
    ("week", ["2025-12-22", "2025-12-29", "2026-01-05"], ["Dec 22, 2025", "Jan 5, 2026"]),
    ("month", ["2025-12-01", "2026-01-01"], ["Dec 2025", "Jan 2026"]),
    (
        "hour",
        [f"2026-10-0{day}T{hour:02}:00" for day in (5, 6) for hour in range(24)],
        ["Oct 5", "18:00"],
    ),
    ("hour", [f"2026-11-01T{hour:02}:00" for hour in (0, 1, 1, 2)], ["Nov 1", "02:00"]),
]


def test_date_axis_starts_with_the_first_date_and_year(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.url}{ANALYTICS}")
    for interval, dates, ends in DATES:
        found = page.evaluate(
            "async ([url, interval, dates]) => (await import(url))"
            ".axisDates(dates.map(date => ({date, start: date})), interval, 1000)",
            [static_url("js/scale.js"), interval, dates],
        )
        assert [found[0][1], found[-1][1]] == ends
        assert len({index for index, _ in found}) == len(found)
        assert found[0][0] == 0


def test_missing_values_are_gaps_and_single_values_dots(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.url}{LINES}?preset=last-month")
    page.locator(LINE).evaluate(
        "(chart, data) => chart.update({...chart.data, ...data})",
        {
            "series": [
                {"key": "a", "label": "A", "kind": "value", "slot": 1, "values": values}
                for values in [[1, 2, None, 3, None, 4, 5] + [None] * 24]
            ]
        },
    )

    path = page.locator(f"{LINE} .line").get_attribute("d") or ""
    assert path.count("M") == 2
    assert path.count("L") == 2
    expect(page.locator(f"{LINE} circle.dot")).to_have_count(1)


def test_keyboard_announces_line_values(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.url}{LINES}?preset=last-month")
    page.locator(f"{LINE} .plot").focus()
    page.keyboard.press("End")

    expect(page.locator("#announce")).to_contain_text(re.compile(r"\$0\.\d+"))
    expect(page.locator(f"{LINE} .tip")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(f"{LINE} .tip")).to_be_hidden()


def test_click_on_a_band_filters_and_drag_zooms(page: Page, demo: Demo) -> None:
    open_chart(page, demo)
    band = page.locator(".band").first
    key = band.get_attribute("data-key")
    box = page.locator(".plot").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] * 0.5, box["y"] + box["height"] - 34)
    expect(page).to_have_url(re.compile(f"model={key}"))
    expect(page.locator(".filter")).to_contain_text(key or "")

    page.go_back()
    expect(page.locator(".filter")).to_have_count(0)
    page.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + 100, steps=4)
    page.mouse.up()
    expect(page).to_have_url(re.compile(r"from=\d{4}-\d\d-\d\d&to=\d{4}-\d\d-\d\d"))


def test_hovered_band_highlights_its_row(page: Page, demo: Demo) -> None:
    open_chart(page, demo)
    band = page.locator("usage-area .band").first
    key = band.get_attribute("data-key")
    box = page.locator("usage-area svg.plot").bounding_box()
    assert box

    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + box["height"] - 34)
    expect(page.locator("usage-area .band:not(.is-dim)")).to_have_count(1)
    expect(band).not_to_have_class(re.compile("is-dim"))
    expect(page.locator(".ranking:not([hidden]) tr.is-lit")).to_have_attribute(
        "data-key", key or ""
    )

    page.locator("usage-area").evaluate("chart => chart.update(chart.data)")
    expect(page.locator(".ranking tr.is-lit")).to_have_count(0)
    page.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + box["height"] - 34)
    expect(page.locator(".ranking:not([hidden]) tr.is-lit")).to_have_count(1)

    page.mouse.move(0, 0)
    expect(page.locator("usage-area .band.is-dim")).to_have_count(0)
    expect(page.locator(".ranking tr.is-lit")).to_have_count(0)
