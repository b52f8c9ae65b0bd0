"""`/api/v1/reprices`: repricing recorded requests, and reverting that."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Annotated

from fastapi import Depends
from pydantic import Field, StringConstraints
from starlette.requests import Request

from outlay.domain.actor import Actor
from outlay.domain.errors import Invalid
from outlay.domain.money import render_usd
from outlay.domain.policy import Permission
from outlay.domain.repricing import (
    Reprice,
    RepriceLine,
    RepriceTable,
    RepriceWanted,
    RunState,
    labelled,
)
from outlay.services.repricing.runs import MAX_REASON
from outlay.web.api.models import Answer, Body, Flag, render_us
from outlay.web.http.auth import Requires, services_of
from outlay.web.http.faults import DAY
from outlay.web.http.routes import Router

router = Router(prefix="/reprices", tags=["reprices"])

Reader = Annotated[Actor, Depends(Requires(Permission.PRICES_READ))]
Writer = Annotated[Actor, Depends(Requires(Permission.REQUESTS_AMEND))]

Day = Annotated[str, StringConstraints(pattern=DAY.pattern)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=256)]
Reason = Annotated[str, StringConstraints(min_length=1, max_length=MAX_REASON)]


class WantedBody(Body):
    """The requests to reprice: of the days from `from` to `to`, inclusive, in `timezone`."""

    from_: Annotated[Day, Field(alias="from")]
    to: Day
    timezone: Name | None = None
    """By default that of the organization."""
    filters: dict[str, Annotated[list[Name], Field(min_length=1, max_length=100)]] = Field(
        default_factory=dict, max_length=20
    )
    """Values by dimension: `{"model": ["gpt-5.5"]}`."""
    only_lacking: Flag = False
    """Only requests without a price for all or a part of their usage."""


class RepriceBody(WantedBody):
    """The requests to reprice, and the reason."""

    reason: Reason


class RevertBody(Body):
    """The reason for reverting a run."""

    reason: Reason


class RepriceLineAnswer(Answer):
    """Changed requests with a common property; amounts in USD, as text."""

    key: str
    label: str
    request_count: int
    before: str
    after: str
    difference: str


class RepriceTableAnswer(Answer):
    """The changes of a repricing; `before` and `after` are totals of the requests that change."""

    seen_count: int
    changed_count: int
    before: str
    after: str
    difference: str
    by_model: list[RepriceLineAnswer]
    by_user: list[RepriceLineAnswer]
    by_cause: list[RepriceLineAnswer]


class WantedAnswer(Answer):
    """The selected requests."""

    from_: Annotated[date, Field(alias="from")]
    to: date
    timezone: str
    filters: dict[str, list[str]]
    only_lacking: bool


class RepriceAnswer(Answer):
    """A run."""

    reprice_id: str
    state: RunState
    author: str | None
    """The member who started it; null for the operator."""
    reason: str
    created_at: str | None
    finished_at: str | None
    reverts: str | None
    """The run that this one reverts."""
    reverted_by: str | None
    skipped_count: int
    """Requests that were amended after the reverted run and are left unchanged."""
    wanted: WantedAnswer
    table: RepriceTableAnswer | None
    """Its changes, once it is finished."""


class RepriceList(Answer):
    """All runs, newest first."""

    reprices: list[RepriceAnswer]


def _line(line: RepriceLine) -> RepriceLineAnswer:
    return RepriceLineAnswer(
        key=line.key,
        label=line.label,
        request_count=line.requests,
        before=render_usd(line.before_pusd),
        after=render_usd(line.after_pusd),
        difference=render_usd(line.after_pusd - line.before_pusd),
    )


def _table(found: RepriceTable, users: Mapping[str, str]) -> RepriceTableAnswer:
    table = labelled(found, users)
    return RepriceTableAnswer(
        seen_count=table.seen,
        changed_count=table.changed,
        before=render_usd(table.before_pusd),
        after=render_usd(table.after_pusd),
        difference=render_usd(table.after_pusd - table.before_pusd),
        by_model=[_line(line) for line in table.by_model],
        by_user=[_line(line) for line in table.by_user],
        by_cause=[_line(line) for line in table.by_cause],
    )


def _render(
    found: Reprice, known: Sequence[Reprice], users: Mapping[str, str], now_us: int
) -> RepriceAnswer:
    wanted = found.wanted
    return RepriceAnswer(
        reprice_id=found.reprice_id,
        state=found.state_at(now_us),
        author=found.author or None,
        reason=found.reason,
        created_at=render_us(found.created_at_us),
        finished_at=render_us(found.finished_at_us),
        reverts=found.reverts or None,
        reverted_by=next(
            (
                other.reprice_id
                for other in known
                if other.reverts == found.reprice_id and other.finished_at_us is not None
            ),
            None,
        ),
        skipped_count=found.skipped,
        wanted=WantedAnswer(
            from_=wanted.from_date,
            to=wanted.to_date,
            timezone=wanted.timezone,
            filters={name: list(values) for name, values in wanted.filters.items()},
            only_lacking=wanted.only_lacking,
        ),
        table=None if found.table is None else _table(found.table, users),
    )


def _wanted(body: WantedBody, actor: Actor) -> RepriceWanted:
    return RepriceWanted(
        from_date=_day(body.from_, "from"),
        to_date=_day(body.to, "to"),
        timezone=body.timezone or actor.timezone,
        filters=body.filters,
        only_lacking=body.only_lacking,
    )


def _day(text: str, field: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise Invalid(f"There is no day {text}.", field=field) from error


@router.get("")
def get_reprices(request: Request, actor: Reader) -> RepriceList:
    """List the repricing runs and their reverts."""
    services = services_of(request)
    known, users = services.reprices.list_for(actor), services.reprices.user_names(actor)
    now_us = services.now_us()
    return RepriceList(reprices=[_render(one, known, users, now_us) for one in known])


@router.get("/{reprice_id}")
def get_reprice(request: Request, reprice_id: str, actor: Reader) -> RepriceAnswer:
    """A run, with its changes by model, user and cause."""
    services = services_of(request)
    found, known = services.reprices.find(actor, reprice_id), services.reprices.list_for(actor)
    return _render(found, known, services.reprices.user_names(actor), services.now_us())


@router.post("/preview")
def post_preview(request: Request, body: WantedBody, actor: Reader) -> RepriceTableAnswer:
    """Preview a repricing; nothing is changed."""
    reprices = services_of(request).reprices
    return _table(reprices.preview(actor, _wanted(body, actor)), reprices.user_names(actor))


@router.post("", status_code=202)
def post_reprice(request: Request, body: RepriceBody, actor: Writer) -> RepriceAnswer:
    """Reprice requests with the prices of their time as they are known now.

    The run continues after the answer; `GET /api/v1/reprices/{repriceId}` returns its state and its
    changes.
    """
    services = services_of(request)
    begun, _ = services.reprices.begin(actor, _wanted(body, actor), body.reason)
    return _render(begun, [], {}, services.now_us())


@router.post("/{reprice_id}/revert", status_code=202)
def post_revert(
    request: Request, reprice_id: str, body: RevertBody, actor: Writer
) -> RepriceAnswer:
    """Restore the costs that requests had before a run, except those amended since."""
    services = services_of(request)
    begun, _ = services.reprices.revert(actor, reprice_id, body.reason)
    return _render(begun, [], {}, services.now_us())
