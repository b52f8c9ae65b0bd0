"""Headline numbers compared with the previous period."""

from dataclasses import dataclass

from outlay.domain.answers import Comparison, Totals
from outlay.domain.measure import Rank
from outlay.web.dashboard.drawing.sparkline import Sparkline, draw_sparkline
from outlay.web.dashboard.formatting import (
    format_count,
    format_exact_count,
    format_exact_money,
    format_money,
    format_number_of,
    format_percent,
    split_cents,
)
from outlay.web.dashboard.parts.ranking import Change, change_in

_RATE_SCALE = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A headline number; one with a metric also selects what the charts show."""

    metric: Rank | None
    title: str
    value: str
    cents: str = ""
    """The decimals of an amount of money, shown smaller."""
    exact: str
    change: Change | None = None
    has_tone: bool = False
    """More is worse: only money and error rates are judged."""
    fact: str = ""
    sparkline: Sparkline | None = None


def cards_of(comparison: Comparison) -> list[Card]:
    """Spend, requests and tokens."""
    now, before = comparison.current.total, comparison.earlier_total
    per_request = now.cost_pusd // now.requests if now.requests else 0
    facts = {
        Rank.COST: f"{format_money(per_request)} per request" if now.requests else "",
        Rank.REQUESTS: f"{render_error_rate(now)} errors" if now.requests else "",
        Rank.TOKENS: f"{format_percent(now.output_tokens, now.total_tokens, 0)} output"
        if now.total_tokens
        else "",
    }
    values = {
        Rank.COST: (*split_cents(now.cost_pusd), format_exact_money(now.cost_pusd)),
        Rank.REQUESTS: (format_count(now.requests), "", format_exact_count(now.requests)),
        Rank.TOKENS: (format_count(now.total_tokens), "", format_exact_count(now.total_tokens)),
    }
    if not now.requests:
        facts = dict.fromkeys(facts, "no requests")
    titles = {Rank.COST: "Total spend", Rank.REQUESTS: "Requests", Rank.TOKENS: "Tokens"}
    return [
        Card(
            metric=metric,
            title=titles[metric],
            value=value,
            cents=rest,
            exact=exact,
            change=change_in(comparison, now.rank_value(metric), before.rank_value(metric)),
            has_tone=metric is Rank.COST,
            fact=facts[metric],
            sparkline=_sparkline(comparison, metric),
        )
        for metric, (value, rest, exact) in values.items()
    ]


def error_card(comparison: Comparison) -> Card:
    """The error rate: (upstream + gateway errors) / (requests − client errors)."""
    now, before = comparison.current.total, comparison.earlier_total
    return Card(
        metric=None,
        title="Error rate",
        value=render_error_rate(now),
        exact=f"{format_exact_count(now.errors)} of "
        f"{format_exact_count(now.requests - now.client_errors)} requests failed",
        change=change_in(comparison, _scaled_rate(now), _scaled_rate(before)),
        has_tone=True,
        fact=f"{format_count(now.client_errors)} client "
        f"error{'' if now.client_errors == 1 else 's'} not counted"
        if now.client_errors
        else "no client errors",
    )


def render_error_rate(totals: Totals) -> str:
    """The error rate in percent; a dash without requests."""
    return format_percent(totals.errors, totals.requests - totals.client_errors, 2)


def _scaled_rate(totals: Totals) -> int:
    answerable = totals.requests - totals.client_errors
    return totals.errors * _RATE_SCALE // answerable if answerable else 0


def _sparkline(comparison: Comparison, metric: Rank) -> Sparkline | None:
    current = comparison.current
    values = [current.at(index).rank_value(metric) for index in range(len(current.steps))]
    while len(values) > 1 and current.steps[len(values) - 1].start >= comparison.elapsed.end:
        values.pop()
    earlier = comparison.earlier_steps if comparison.has_growth else ()
    return draw_sparkline(values, [step.rank_value(metric) for step in earlier])


def describe_totals(total: Totals) -> str:
    """`$8,288.11 · 2.20M requests · 4.46B tokens`."""
    return (
        f"{format_money(total.cost_pusd)} · {format_number_of(total.requests, 'request')} · "
        f"{format_number_of(total.total_tokens, 'token')}"
    )
