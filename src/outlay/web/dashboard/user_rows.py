"""Users as rows of a table, wherever one stands."""

from dataclasses import dataclass

from outlay.domain.organization import Member
from outlay.domain.result import Entry, Totals
from outlay.services.labels import mark_deleted
from outlay.services.usage_tables import UsageRow
from outlay.web.dashboard.formatting import (
    format_count,
    format_exact_count,
    format_exact_money,
    format_latency,
    format_money,
    format_percent,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class UserLine:
    """A user and what was put down to them."""

    key: str
    name: str
    email: str
    is_former: bool
    requests: str
    exact_requests: str
    input: str
    exact_input: str
    output: str
    exact_output: str
    cost: str
    exact_cost: str
    cost_per_request: str
    tokens_per_request: str
    latency: str
    share: str
    bar: int
    """Of the total cost, in thousandths."""


def line_of_row(row: UsageRow[Member], total: Totals) -> UserLine:
    """A row of the table of all users."""
    member = row.thing
    name = mark_deleted(row.name, member) if member else row.name
    email = member.email if member and not member.is_deleted else ""
    return _line(row.key, name, email, member is not None and member.is_deleted, row.totals, total)


def line_of_entry(entry: Entry, total: Totals) -> UserLine:
    """A named user of a breakdown."""
    return _line(entry.key, entry.label, "", False, entry.total, total)


def line_of_totals(name: str, used: Totals, total: Totals) -> UserLine:
    """Several users together."""
    return _line("", name, "", False, used, total)


def _line(
    key: str, name: str, email: str, is_former: bool, used: Totals, total: Totals
) -> UserLine:
    requests = used.requests
    mean = used.average_latency_us
    return UserLine(
        key=key,
        name=name,
        email=email,
        is_former=is_former,
        requests=format_count(requests),
        exact_requests=format_exact_count(requests),
        input=format_count(used.input_tokens),
        exact_input=format_exact_count(used.input_tokens),
        output=format_count(used.output_tokens),
        exact_output=format_exact_count(used.output_tokens),
        cost=format_money(used.cost_pusd),
        exact_cost=format_exact_money(used.cost_pusd),
        cost_per_request=format_money(used.cost_pusd // requests) if requests else "–",
        tokens_per_request=format_count(used.total_tokens // requests) if requests else "–",
        latency="–" if mean is None else format_latency(mean),
        share=format_percent(used.cost_pusd, total.cost_pusd),
        bar=1000 * used.cost_pusd // total.cost_pusd if total.cost_pusd else 0,
    )
