"""Orders to reprice requests are checked before anything is read."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from outlay.domain.errors import Invalid
from outlay.domain.repricing import RepriceWanted
from outlay.services.repricing.orders import check_wanted

WANTED = RepriceWanted(
    from_date=date(2026, 11, 1), to_date=date(2026, 11, 30), timezone="Asia/Kathmandu"
)


def test_valid_period_and_filters_pass() -> None:
    check_wanted(replace(WANTED, filters={"model": ("openai/gpt-5.5",)}))


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"to_date": date(2026, 10, 31)}, "to"),
        ({"from_date": date(1999, 1, 1)}, "from"),
        ({"to_date": date(2101, 1, 1)}, "from"),
        ({"timezone": "Mars/Olympus"}, "timezone"),
        ({"filters": {"colour": ("red",)}}, "filters"),
        ({"filters": {"model": ()}}, "filters"),
        ({"filters": {"model": ("\0",)}}, "filters"),
    ],
)
def test_invalid_orders_name_the_field(change: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as caught:
        check_wanted(replace(WANTED, **change))
    assert caught.value.field == field
