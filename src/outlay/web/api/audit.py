"""`/api/v1/audit`: who changed what, and when."""

import json
from collections.abc import Iterable, Iterator
from datetime import date
from typing import Annotated, Any, Final

from fastapi import Depends, Query
from starlette.requests import Request
from starlette.responses import StreamingResponse

from outlay.domain.actor import Actor
from outlay.domain.audit import Action, AuditFilter
from outlay.domain.errors import Invalid
from outlay.domain.period import period_of_dates
from outlay.domain.policy import Permission
from outlay.kit.clock import to_us
from outlay.services.directory.audit_log import ShownEntry
from outlay.web.api.models import Answer, render_us
from outlay.web.http.auth import Requires, services_of
from outlay.web.http.query_strings import check_names
from outlay.web.http.routes import Router
from outlay.wire.tables.csv_text import render_line

router = Router(tags=["audit"])

Reader = Annotated[Actor, Depends(Requires(Permission.AUDIT_READ))]
MAX_LIMIT: Final = 500


class AuditFilterParams:
    """The filters of the audit trail, from the query string."""

    def __init__(
        self,
        actor: Annotated[
            str | None, Query(description="Id of the member who made the change.")
        ] = None,
        action: Annotated[list[Action] | None, Query(description="Repeatable.")] = None,
        target: Annotated[str | None, Query(description="Id of the changed object.")] = None,
        from_: Annotated[date | None, Query(alias="from", description="First day.")] = None,
        to: Annotated[date | None, Query(description="Last day, inclusive.")] = None,
        timezone: Annotated[
            str | None, Query(description="Time zone of the days; default: the organization's.")
        ] = None,
    ) -> None:
        self.author_id = actor
        self.actions = tuple(action or ())
        self.target = target
        self.first = from_
        self.last = to
        self.timezone = timezone

    def filter(self, actor: Actor) -> AuditFilter:
        """The filter; raises Invalid for contradictory dates."""
        zone = self.timezone or actor.timezone
        first, last = self.first, self.last
        if first and last and first > last:
            raise Invalid("`from` must not be after `to`.", field="from")
        return AuditFilter(
            author_id=self.author_id,
            actions=self.actions,
            target=self.target,
            from_us=to_us(period_of_dates(first, first, zone).start) if first else None,
            until_us=to_us(period_of_dates(last, last, zone).end) if last else None,
        )


class AuditEntryAnswer(Answer):
    """An audited action."""

    number: int
    time: str | None
    actor_id: str
    actor: str
    channel: str
    credential_id: str
    request_id: str
    action: str
    target: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    digest: str


class AuditPage(Answer):
    """Entries, newest first; `next` is the cursor of the next page."""

    entries: list[AuditEntryAnswer]
    next: int | None


def _render(shown: ShownEntry) -> AuditEntryAnswer:
    entry = shown.entry
    return AuditEntryAnswer(
        number=entry.number,
        time=render_us(entry.time_us),
        actor_id=entry.author_id,
        actor=shown.author,
        channel=entry.channel,
        credential_id=entry.credential_id,
        request_id=entry.request_id,
        action=entry.action,
        target=entry.target,
        before=None if shown.before is None else dict(shown.before),
        after=None if shown.after is None else dict(shown.after),
        digest=entry.digest.hex(),
    )


@router.get("/audit")
def get_audit(
    request: Request,
    actor: Reader,
    params: Annotated[AuditFilterParams, Depends()],
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = 100,
    before: Annotated[
        int | None, Query(ge=1, le=2**53, description="`next` of the previous page.")
    ] = None,
) -> AuditPage:
    """List entries of the audit trail, newest first, page by page."""
    check_names(request.query_params, FILTER_NAMES | PAGE_NAMES, ONCE | PAGE_NAMES)
    audit = services_of(request).administration.audit
    found = audit.page(actor, params.filter(actor), before_number=before, limit=limit)
    return AuditPage(
        entries=[_render(shown) for shown in found],
        next=found[-1].entry.number if len(found) == limit else None,
    )


COLUMNS: Final = tuple(AuditEntryAnswer.model_fields)
FILTER_NAMES: Final = frozenset({"actor", "action", "target", "from", "to", "timezone"})
ONCE: Final = FILTER_NAMES - {"action"}
PAGE_NAMES: Final = frozenset({"limit", "before"})


@router.get(
    "/exports/audit.csv",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}}},
)
def get_audit_csv(
    request: Request, actor: Reader, params: Annotated[AuditFilterParams, Depends()]
) -> StreamingResponse:
    """All matching entries as CSV, newest first."""
    check_names(request.query_params, FILTER_NAMES, ONCE)
    shown = services_of(request).administration.audit.all(actor, params.filter(actor))
    return StreamingResponse(
        _csv(_render(entry) for entry in shown),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="outlay-audit.csv"'},
    )


def _csv(entries: Iterable[AuditEntryAnswer]) -> Iterator[str]:
    yield render_line(COLUMNS)
    for entry in entries:
        yield render_line([_cell(getattr(entry, name)) for name in COLUMNS])


def _cell(value: object) -> str:
    if value is None:
        return ""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else str(value)
