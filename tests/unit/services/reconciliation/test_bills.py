"""Cost files: credits, currencies, repeated pages, incomplete files, other time zones."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.factories import NOW

from outlay.domain.errors import Invalid
from outlay.services.reconciliation.bills import Bill, BillFile, read_bill

START = int(datetime(2026, 11, 10, tzinfo=UTC).timestamp())
DAY = 86_400
USD = 10**12


def page(
    *lines: tuple[int, str, Any], currency: str = "usd", more: bool = False, at: int = START
) -> Any:
    """A page of OpenAI's costs: day, line item and amount of each line."""
    buckets = [
        {
            "object": "bucket",
            "start_time": at + day * DAY,
            "end_time": at + (day + 1) * DAY,
            "results": [
                {
                    "object": "organization.costs.result",
                    "amount": {"value": amount, "currency": currency},
                    "line_item": item,
                    "project_id": "p",
                }
            ],
        }
        for day, item, amount in lines
    ]
    return {"object": "page", "data": buckets, "has_more": more, "next_page": "x" if more else None}


def read(folder: Path, content: Any, now: datetime = NOW, **more: Any) -> Bill:
    file = BillFile(provider="openai", content=json.dumps(content), file_name="c.json", **more)
    path = folder / "c.json"
    path.write_text(file.content)
    return read_bill(path, file, None, lambda mapping: mapping.partition("/")[2], now)


def test_credits_and_large_amounts_are_distinguished(tmp_path: Path) -> None:
    content = page(
        (0, "gpt-5.5, input", 3), (0, "gpt-5.5, output", -1.25), (0, "total", 12_000_000)
    )

    model, large = read(tmp_path, content).lines

    assert (model.cost_pusd, model.credit_pusd) == (1_750_000_000_000, -1_250_000_000_000)
    assert (large.cost_pusd, large.credit_pusd) == (12_000_000 * USD, 0)


def test_other_currency_needs_a_rate_and_is_named(tmp_path: Path) -> None:
    content = page((0, "gpt-5.5", 10), currency="eur")

    with pytest.raises(Invalid, match=r"Row 1: The amount is in EUR. .* `--rate EUR="):
        read(tmp_path, content)
    bill = read(tmp_path, content, rates={"EUR": Decimal("1.1")})

    assert bill.lines[0].cost_pusd == 11 * USD
    assert bill.notes == ["Amounts in EUR count at 1.1 USD, the given rate."]


def test_page_pasted_twice_counts_once(tmp_path: Path) -> None:
    one = page((0, "gpt-5.5", 10), (1, "gpt-5.5", 20))

    bill = read(tmp_path, [{**one, "has_more": True}, one])

    assert sum(line.cost_pusd for line in bill.lines) == 30 * USD
    [note] = bill.notes
    assert note.startswith("2 rows of 30 USD stand in the file more than once")


def test_incomplete_file_is_reported(tmp_path: Path) -> None:
    first, second = page((0, "m", 1), more=True), page((1, "m", 1))
    today = (NOW.date() - date(2026, 11, 10)).days

    [note] = read(tmp_path, first).notes
    assert "its last page says that more follow" in note
    assert read(tmp_path, [first, second]).notes == []
    [note] = read(tmp_path, page((0, "m", 1), (today, "m", 1))).notes
    assert note == f"The last day, {NOW.date()}, was not over when the bill was compared."


def test_days_are_in_the_given_time_zone(tmp_path: Path) -> None:
    content = page((0, "m", 1), (1, "m", 1), at=START + 8 * 3600)

    [note] = read(tmp_path, content).notes
    local = read(tmp_path, content, timezone="America/Los_Angeles")

    assert note.startswith("All lines begin at 08:00 UTC")
    assert local.notes == []
    assert [line.day for line in local.lines] == [date(2026, 11, 10), date(2026, 11, 11)]
