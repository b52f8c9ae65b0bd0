"""The figures of charts are those of the API, exactly, wherever they are shown."""

import re
from decimal import Decimal

import pytest
from playwright.sync_api import Page, expect
from tests.e2e import figures
from tests.e2e.charts import LINE, LINES, READ, data_of, open_chart, rows_of, saved
from tests.e2e.conftest import Demo

from outlay.domain.dimension import Dimension
from outlay.domain.measure import Rank
from outlay.domain.money import PUSD_PER_USD, parse_usd
from outlay.web.dashboard.formatting import format_money, format_signed_change
from outlay.web.dashboard.parts.usage import GROUPINGS

METRICS = {"Cost": Rank.COST, "Requests": Rank.REQUESTS, "Tokens": Rank.TOKENS}
QUICK = {Dimension.MODEL, Dimension.GROUP}
"""One grouping of each kind: one that adds up, and one that overlaps."""


@pytest.mark.parametrize(
    "dimension",
    [
        pytest.param(one, marks=[] if one in QUICK else pytest.mark.long, id=one.value)
        for one in GROUPINGS
    ],
)
def test_every_chart_value_equals_the_api(page: Page, demo: Demo, dimension: Dimension) -> None:
    chart = open_chart(page, demo, f"?preset=last-month&groupBy={dimension.value}")
    for title, rank in METRICS.items():
        page.get_by_role("tab", name=title).first.click()
        answer = demo.ask(preset="last-month", groupBy=dimension.value, rankBy=rank.value)
        name = rank.value
        for step, read in zip(answer["activity"], chart.evaluate(READ), strict=True):
            exact, written = read["total"]
            assert Decimal(exact) == step[name]
            assert figures.shows(written, step[name])
            parts = {entry["key"]: entry[name] for entry in step["breakdown"] if entry[name]}
            assert {key: Decimal(value) for key, (value, _) in read["rows"].items()} == parts
            for key, (_, text) in read["rows"].items():
                assert figures.shows(text, parts[key])

        total = answer["totals"][name]
        page.locator(".chart-card [data-chart-do=table]").click()
        cell = page.locator(".data-table tfoot td").last
        card = page.locator(f"[data-metric-card][data-metric={name}] .kpi-value")
        assert cell.get_attribute("title") == card.get_attribute("title")
        assert Decimal((cell.get_attribute("title") or "").replace("$", "").replace(",", "")) == (
            total
        )
        rows = rows_of(saved(page, "CSV"))
        assert [Decimal(row[-1]) for row in rows[1:]] == [step[name] for step in answer["activity"]]
        page.locator(".chart-card [data-chart-do=table]").click()


def test_groups_are_lines_with_a_deduplicated_total(page: Page, demo: Demo) -> None:
    chart = open_chart(page, demo, "?preset=last-month&groupBy=group")
    cost = demo.ask(preset="last-month", groupBy="group")["totals"]["cost"]

    expect(chart.locator(".band")).to_have_count(0)
    assert chart.locator(".line").count() > 1
    expect(chart.locator(".whole")).to_have_count(1)
    expect(chart.locator("[data-legend-line=total]")).to_contain_text("each request counted once")
    expect(chart.locator("[data-legend-line=total] strong")).to_have_text(
        format_money(parse_usd(cost))
    )
    assert rows_of(saved(page, "CSV"))[0][-1] == "Total, each request counted once"


def test_tooltip_total_includes_hidden_series(page: Page, demo: Demo) -> None:
    chart = open_chart(page, demo)
    step = demo.ask(preset="last-month")["activity"][3]
    chart.locator(".legend button").first.click()
    expect(chart.locator(".legend [aria-pressed=false]")).to_have_count(1)
    chart.evaluate("chart => chart.point(3, true)")

    total = chart.locator("[data-tip=total]")
    assert Decimal(total.get_attribute("data-value") or "") == step["cost"]
    expect(chart.locator("[data-tip=hidden]")).to_have_text("The total includes 1 hidden series.")
    expect(page.locator("#announce")).to_contain_text("includes 1 hidden series")
    assert rows_of(saved(page, "CSV"))[0][-1] == "Total, including hidden series"


def test_values_beyond_double_precision_are_exact(page: Page, demo: Demo) -> None:
    chart = open_chart(page, demo)
    exact, whole = "9007199254740993.000000000001", "36028797018963972.000000000004"
    chart.evaluate(
        """(chart, [exact, whole]) => {
          const data = structuredClone(chart.data);
          data.points = data.points.slice(0, 4);
          const cost = data.metrics.cost;
          cost.bands = [{...cost.bands[0], values: [exact, exact, exact, exact], total: whole}];
          Object.assign(cost, {totals: [exact, exact, exact, exact], total: whole});
          chart.update(data);
          chart.point(1, true);
        }""",
        [exact, whole],
    )

    expect(chart.locator("[data-tip=total]")).to_have_text("$9,007,199,254,740,993.00")
    expect(page.locator("#announce")).to_contain_text("$9,007,199,254,740,993.00")
    page.locator(".chart-card [data-chart-do=table]").click()
    expect(page.locator(".data-table tfoot td").last).to_have_attribute(
        "title", "$36,028,797,018,963,972.000000000004"
    )
    assert [row[1:] for row in rows_of(saved(page, "CSV"))[1:]] == [[exact, exact]] * 4


def test_tooltip_amounts_have_equal_decimals(page: Page, demo: Demo) -> None:
    chart = open_chart(page, demo)
    for point in chart.evaluate(READ):
        texts = [point["total"][1], *(text for _, text in point["rows"].values())]
        assert {len(text.partition(".")[2]) for text in texts} == {2}, texts


COMPARE = """(chart, dates) => {
  const data = structuredClone(chart.data);
  data.compared = {label: "Aug 27 – Sep 26, 2026", note: "only Aug 31 – Sep 26 recorded",
    dates: data.points.map((_, index) => dates[index] ?? null)};
  const cost = data.metrics.cost;
  Object.assign(cost, {earlier: cost.totals.map(() => "20"), earlierTotal: "620",
    change: "+148%"});
  chart.update(data);
}"""


def test_compared_period_is_in_legend_and_tooltip_with_dates(page: Page, demo: Demo) -> None:
    chart = open_chart(page, demo)
    chart.evaluate(COMPARE, ["Aug 27", "Aug 28"])
    step = demo.ask(preset="last-month")["activity"][1]

    entry = chart.locator("[data-legend-line=earlier]")
    expect(entry).to_contain_text("vs Aug 27 – Sep 26, 2026")
    expect(entry).to_contain_text("$620.00(+148%)")
    expect(chart.locator(".legend")).to_contain_text("only Aug 31 – Sep 26 recorded")
    chart.evaluate("chart => chart.point(1, true)")
    growth = format_signed_change(parse_usd(step["cost"]), 20 * PUSD_PER_USD)
    expect(chart.locator("[data-tip=earlier]")).to_have_text(f"vs Aug 28: $20.00 ({growth})")
    expect(page.locator("#announce")).to_contain_text("vs Aug 28: $20.00")
    chart.evaluate("chart => chart.point(2, false)")
    expect(chart.locator("[data-tip=earlier]")).to_have_count(0)  # it comes first
    expect(chart.locator(".earlier")).to_have_count(1)


def test_chart_without_comparison_does_not_mention_one(page: Page, demo: Demo) -> None:
    chart = open_chart(page, demo)
    chart.evaluate(
        "chart => { chart.update({...chart.data, compared: null}); chart.point(1, true) }"
    )

    expect(chart.locator("[data-legend-line=earlier], .earlier, [data-tip=earlier]")).to_have_count(
        0
    )


def test_lines_equal_the_quotients_of_the_api(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.url}{LINES}?preset=last-month")
    expect(page.locator(LINE)).to_have_attribute("data-drawn", re.compile("."))
    answer = demo.get(LINES.replace("/organization", "/api/v1/analytics"), preset="last-month")
    shown = data_of(page, "data-users-cost-per-request")

    overall = next(one for one in shown["series"] if one["key"] == "all")
    assert [value and Decimal(value) for value in overall["values"]] == (
        answer["userSeries"]["costPerRequest"]
    )
    groups = data_of(page, "data-groups-cost-per-request")["series"]
    by_key = {entry["key"]: entry for entry in answer["groups"]}
    for line in groups:
        wanted = by_key[line["key"]]["series"]["costPerRequest"]
        assert [value and Decimal(value) for value in line["values"]] == wanted


def test_chart_csv_equals_the_chart(page: Page, demo: Demo) -> None:
    open_chart(page, demo, "?preset=last-month&groupBy=project")
    download = saved(page, "CSV")
    rows = rows_of(download)
    data = data_of(page, "data-project")
    cost = data["metrics"]["cost"]

    assert download.suggested_filename == "cost-by-project-over-time.csv"
    assert rows[0] == ["Date", *(band["label"] for band in cost["bands"]), "Total"]
    columns = [[point["date"] for point in data["points"]]]
    columns += [band["values"] for band in cost["bands"]]
    assert [list(row) for row in zip(*columns, cost["totals"], strict=True)] == rows[1:]


def test_repeated_hour_of_a_day_is_distinguished(page: Page, demo: Demo) -> None:
    open_chart(page, demo, "?from=2026-11-01&to=2026-11-01&timezone=America/New_York")
    page.locator(".chart-card [data-chart-do=table]").click()
    dates = page.locator(".data-table tbody th").all_inner_texts()

    assert len(set(dates)) == len(dates) == 25
    assert {"2026-11-01 01:00 -04:00", "2026-11-01 01:00 -05:00"} <= set(dates)
    assert [row[0] for row in rows_of(saved(page, "CSV"))[1:]] == dates
