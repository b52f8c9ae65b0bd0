"""`/api/v1/reconciliations`: provider bills compared with recorded usage."""

from datetime import date
from typing import Annotated, Final

from fastapi import Depends
from pydantic import Field, StringConstraints
from starlette.requests import Request

from outlay.domain.actor import Actor
from outlay.domain.money import read_amount, render_usd
from outlay.domain.policy import Permission
from outlay.domain.reconciliation import ReconciledLine, Reconciliation, parse_rate
from outlay.services.reconciliation.bills import DEFAULT_TOLERANCE_PUSD, BillFile
from outlay.web.api.models import Amount, Answer, Body, render_us
from outlay.web.http.auth import Requires, services_of
from outlay.web.http.body import MAX_INGEST, MIB
from outlay.web.http.routes import Router

router = Router(prefix="/reconciliations", tags=["reconciliations"])

Reader = Annotated[Actor, Depends(Requires(Permission.RECONCILIATIONS_READ))]
Writer = Annotated[
    Actor, Depends(Requires(Permission.RECONCILIATIONS_WRITE, max_body=MAX_INGEST + MIB))
]

MAX_RATES: Final = 10

Name = Annotated[str, StringConstraints(min_length=1, max_length=100)]


class ReconciliationBody(Body):
    """A bill: the provider's cost export, as text."""

    provider: Name
    content: Annotated[str, StringConstraints(min_length=1, max_length=MAX_INGEST)]
    file_name: Name = "costs"
    mapping: Annotated[str, StringConstraints(max_length=100_000)] | None = None
    """TOML with the column mapping, for a provider without a known cost format."""
    tolerance_usd: Amount = render_usd(DEFAULT_TOLERANCE_PUSD)
    timezone: Name = "UTC"
    """The time zone of the bill's days."""
    rates: dict[Name, Name] = Field(default_factory=dict, max_length=MAX_RATES)
    """USD for one unit of the currencies of its amounts: `{"EUR": "1.08"}`."""


class PartAnswer(Answer):
    """The part of a difference that one reason explains, in USD, as text."""

    reason: str
    amount: str
    detail: str


class ReconciliationLine(Answer):
    """One day, project and model, as billed and as recorded; amounts in USD, as text."""

    day: date
    project_id: str
    project: str
    model: str
    recorded: str
    billed: str
    difference: str
    request_count: int
    reasons: list[str]
    parts: list[PartAnswer]
    """They add up to the difference."""


class ReasonAnswer(Answer):
    """The part of the whole difference that one reason explains, and on how many lines."""

    reason: str
    amount: str
    line_count: int


class ReconciliationHead(Answer):
    """A compared bill."""

    reconciliation_id: str
    provider: str
    file_name: str
    created_at: str | None
    from_date: date
    to_date: date
    recorded: str
    billed: str
    difference: str
    explained: str
    unexplained: str
    """`explained` and `unexplained` add up to the difference."""
    tolerance: str
    timezone: str
    line_count: int
    differing_count: int


class ReconciliationAnswer(ReconciliationHead):
    """A compared bill with its lines."""

    notes: list[str]
    reasons: list[ReasonAnswer]
    lines: list[ReconciliationLine]


class ReconciliationList(Answer):
    """Compared bills, newest first."""

    reconciliations: list[ReconciliationHead]


def _head(found: Reconciliation) -> ReconciliationHead:
    return ReconciliationHead(
        reconciliation_id=found.reconciliation_id,
        provider=found.provider,
        file_name=found.file_name,
        created_at=render_us(found.created_at_us),
        from_date=found.from_date,
        to_date=found.to_date,
        recorded=render_usd(found.recorded_pusd),
        billed=render_usd(found.billed_pusd),
        difference=render_usd(found.billed_pusd - found.recorded_pusd),
        explained=render_usd(found.explained_pusd),
        unexplained=render_usd(found.unexplained_pusd),
        tolerance=render_usd(found.tolerance_pusd),
        timezone=found.timezone,
        line_count=len(found.lines),
        differing_count=found.differing,
    )


def _line(line: ReconciledLine) -> ReconciliationLine:
    return ReconciliationLine(
        day=line.day,
        project_id=line.project,
        project=line.project_name,
        model=line.model,
        recorded=render_usd(line.recorded_pusd),
        billed=render_usd(line.billed_pusd),
        difference=render_usd(line.difference_pusd),
        request_count=line.requests,
        reasons=list(line.reasons),
        parts=[
            PartAnswer(reason=part.reason, amount=render_usd(part.amount_pusd), detail=part.detail)
            for part in line.parts
        ],
    )


def _render(found: Reconciliation) -> ReconciliationAnswer:
    return ReconciliationAnswer(
        **_head(found).model_dump(),
        notes=list(found.notes),
        reasons=[
            ReasonAnswer(
                reason=reason, amount=render_usd(amount), line_count=found.lines_with(reason)
            )
            for reason, amount in found.by_reason.items()
        ],
        lines=[_line(line) for line in found.lines],
    )


@router.get("")
def get_reconciliations(request: Request, actor: Reader) -> ReconciliationList:
    """List the compared bills."""
    found = services_of(request).reconciling.list_for(actor)
    return ReconciliationList(reconciliations=[_head(one) for one in found])


@router.get("/{reconciliation_id}")
def get_reconciliation(
    request: Request, reconciliation_id: str, actor: Reader
) -> ReconciliationAnswer:
    """A compared bill, line by line, with the reasons for differences."""
    return _render(services_of(request).reconciling.find(actor, reconciliation_id))


@router.post("", status_code=201)
def post_reconciliation(
    request: Request, body: ReconciliationBody, actor: Writer
) -> ReconciliationAnswer:
    """Compare a bill with the recorded usage of its days, per day, project and model."""
    file = BillFile(
        provider=body.provider,
        content=body.content,
        file_name=body.file_name,
        mapping=body.mapping or "",
        tolerance_pusd=read_amount(body.tolerance_usd),
        timezone=body.timezone,
        rates={code.upper(): parse_rate(code, rate) for code, rate in body.rates.items()},
    )
    return _render(services_of(request).reconciling.reconcile(actor, file))
