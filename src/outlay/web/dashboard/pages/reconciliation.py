"""Provider bills compared with recorded usage, line by line."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Final

from fastapi import Depends
from starlette.requests import Request
from starlette.responses import Response

from outlay.domain.actor import Actor
from outlay.domain.policy import Permission
from outlay.domain.reconciliation import Reason, ReconciledLine, Reconciliation
from outlay.kit.clock import from_us
from outlay.services.reconciliation.bills import FORMATS
from outlay.web.dashboard.dates import describe_moment, describe_range
from outlay.web.dashboard.formatting import format_count, format_exact_money, format_money
from outlay.web.dashboard.templating import render_page
from outlay.web.http.auth import OnPage, services_of
from outlay.web.http.routes import Router

router = Router(include_in_schema=False)

SHOWN_LINES: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class BillLine:
    """A day, project and model."""

    day: date
    project: str
    model: str
    recorded: str
    exact_recorded: str
    billed: str
    exact_billed: str
    difference: str
    exact_difference: str
    requests: str
    reasons: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """A reason, or a sum of them."""

    title: str
    amount: str
    exact_amount: str
    lines: str
    is_sum: bool


@router.get("/organization/reconciliation")
def get_reconciliation(
    request: Request,
    actor: Annotated[Actor, Depends(OnPage(Permission.RECONCILIATIONS_READ))],
    bill: str = "",
    lines: str = "differing",
) -> Response:
    """Render a compared bill, by default the latest."""
    reconciling = services_of(request).reconciling
    known = reconciling.list_for(actor)
    chosen = reconciling.find(actor, bill) if bill else (known[0] if known else None)
    shows_all = lines == "all"
    shown = [] if chosen is None else [line for line in chosen.lines if shows_all or line.reasons]
    return render_page(
        request,
        "reconciliation.html",
        actor=actor,
        title="Reconciliation",
        bills={one.reconciliation_id: _title(one, actor.timezone) for one in known},
        chosen=chosen,
        cards=[] if chosen is None else _cards(chosen),
        shows_all=shows_all,
        reasons=[] if chosen is None else _explanation(chosen),
        lines=[_line(line) for line in shown[:SHOWN_LINES]],
        hidden=max(0, len(shown) - SHOWN_LINES),
        providers={name: name for name in FORMATS},
    )


def _title(found: Reconciliation, timezone: str) -> str:
    made = describe_moment(from_us(found.created_at_us), timezone)
    billed = describe_range(found.from_date, found.to_date)
    return f"{found.provider}, {billed} (compared {made})"


def _cards(found: Reconciliation) -> list[tuple[str, str, str, str]]:
    """Title, value, exact value and a remark of each card."""
    difference = found.billed_pusd - found.recorded_pusd
    share = f"{difference / found.billed_pusd:+.2%} of the bill" if found.billed_pusd else ""
    days = (found.to_date - found.from_date).days + 1
    return [
        (
            "Billed",
            format_money(found.billed_pusd),
            format_exact_money(found.billed_pusd),
            f"by {found.provider}, {days} days",
        ),
        (
            "Recorded",
            format_money(found.recorded_pusd),
            format_exact_money(found.recorded_pusd),
            f"{format_count(sum(line.requests for line in found.lines))} requests",
        ),
        ("Difference", format_money(difference), format_exact_money(difference), share),
        (
            "Lines that differ",
            f"{found.differing:,}",
            f"{found.differing:,}",
            f"of {len(found.lines):,}, by more than {format_money(found.tolerance_pusd)}",
        ),
    ]


def _explanation(found: Reconciliation) -> list[Explained]:
    """The difference by reason, with sums; empty if everything agrees."""
    reasons = found.by_reason
    if not reasons:
        return []
    named = [
        (reason.value, amount, format_count(found.lines_with(reason)), False)
        for reason, amount in reasons.items()
        if reason is not Reason.UNEXPLAINED
    ]
    sums = [
        ("explained", found.explained_pusd, "", True),
        ("unexplained", found.unexplained_pusd, _unexplained_lines(found), False),
        ("difference", found.billed_pusd - found.recorded_pusd, "", True),
    ]
    return [
        Explained(
            title=title[:1].upper() + title[1:],
            amount=format_money(amount),
            exact_amount=format_exact_money(amount),
            lines=lines,
            is_sum=is_sum,
        )
        for title, amount, lines, is_sum in (*named, *sums)
    ]


def _unexplained_lines(found: Reconciliation) -> str:
    return format_count(found.lines_with(Reason.UNEXPLAINED))


def _line(line: ReconciledLine) -> BillLine:
    return BillLine(
        day=line.day,
        project=line.project_name,
        model=line.model,
        recorded=format_money(line.recorded_pusd),
        exact_recorded=format_exact_money(line.recorded_pusd),
        billed=format_money(line.billed_pusd),
        exact_billed=format_exact_money(line.billed_pusd),
        difference=format_money(line.difference_pusd),
        exact_difference=format_exact_money(line.difference_pusd),
        requests=format_count(line.requests),
        reasons=line.reasons,
    )
