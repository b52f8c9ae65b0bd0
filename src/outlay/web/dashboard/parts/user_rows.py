"""Users as rows of a table."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from outlay.domain.answers import Entry, Totals
from outlay.domain.dimension import Dimension
from outlay.domain.organization import Member
from outlay.services.analytics.labels import mark_deleted
from outlay.services.analytics.usage_tables import UsageRow
from outlay.web.dashboard.formatting import (
    format_count,
    format_exact_count,
    format_exact_money,
    format_latency,
    format_money,
    format_percent,
)
from outlay.web.dashboard.links import Links
from outlay.web.dashboard.parts.frame import FILTER_OF


@dataclass(frozen=True, slots=True, kw_only=True)
class UserLine:
    """A user and the usage attributed to them."""

    key: str
    name: str
    url: str
    """The page about this user; empty if there is none."""
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
    """Share of the total cost, in thousandths."""


def leads_to_user(links: Links, without: frozenset[str]) -> Callable[[str], str]:
    """A function that returns the URL of the page about a user, with the period and filters of this
    page."""
    kept = replace(links.without(*without), path="/organization/analytics")
    return lambda key: kept.add(FILTER_OF[Dimension.USER], key)


def line_of_row(row: UsageRow[Member], total: Totals, url_of: Callable[[str], str]) -> UserLine:
    """A row of the table of all users."""
    member = row.thing
    name = mark_deleted(row.name, member) if member else row.name
    email = member.email if member and not member.is_deleted else ""
    is_former = member is not None and member.is_deleted
    line = _line(row.key, name, row.totals, total)
    return replace(line, email=email, is_former=is_former, url=url_of(row.key))


def line_of_entry(entry: Entry, total: Totals, url_of: Callable[[str], str]) -> UserLine:
    """A named user of a breakdown."""
    return replace(_line(entry.key, entry.label, entry.total, total), url=url_of(entry.key))


def line_of_totals(name: str, used: Totals, total: Totals) -> UserLine:
    """Several users together."""
    return _line("", name, used, total)


def _line(key: str, name: str, used: Totals, total: Totals) -> UserLine:
    requests = used.requests
    mean = used.average_latency_us
    return UserLine(
        key=key,
        name=name,
        url="",
        email="",
        is_former=False,
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
