"""Usage as table cells."""

from dataclasses import dataclass

from outlay.domain.answers import Totals
from outlay.web.dashboard.formatting import (
    format_count,
    format_exact_count,
    format_exact_money,
    format_money,
)
from outlay.web.dashboard.parts.headlines import render_error_rate


@dataclass(frozen=True, slots=True, kw_only=True)
class Amounts:
    """Usage, formatted and with all digits."""

    cost: str
    exact_cost: str
    tokens: str
    exact_tokens: str
    requests: str
    exact_requests: str
    error_rate: str


def amounts_of(used: Totals) -> Amounts:
    """Totals as table cells."""
    return Amounts(
        cost=format_money(used.cost_pusd),
        exact_cost=format_exact_money(used.cost_pusd),
        tokens=format_count(used.total_tokens),
        exact_tokens=format_exact_count(used.total_tokens),
        requests=format_count(used.requests),
        exact_requests=format_exact_count(used.requests),
        error_rate=render_error_rate(used),
    )
