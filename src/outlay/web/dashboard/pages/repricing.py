"""Repricing recorded requests: a preview, the runs so far, and offers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Final

from fastapi import Depends
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from outlay.domain.actor import Actor
from outlay.domain.dimension import Dimension
from outlay.domain.errors import Invalid, Unavailable
from outlay.domain.policy import Permission, has
from outlay.domain.repricing import (
    Reprice,
    RepriceLine,
    RepriceTable,
    RepriceWanted,
    RunState,
    labelled,
)
from outlay.kit.clock import from_us
from outlay.services.bundle import Services
from outlay.services.repricing.offers import Offer
from outlay.web.dashboard.dates import describe_moment, describe_range
from outlay.web.dashboard.formatting import format_exact_count, format_exact_money, format_money
from outlay.web.dashboard.links import Links
from outlay.web.dashboard.pages.settings import render_section
from outlay.web.http.auth import OnPage, services_of
from outlay.web.http.routes import Router

router = Router(prefix="/settings", include_in_schema=False)

SHOWN: Final = 20
FILTERS: Final = (Dimension.PROVIDER, Dimension.MAPPING, Dimension.MODEL)
"""The filters in the form; the API and the command line accept every dimension."""


@dataclass(frozen=True, slots=True)
class RepriceRow:
    """Changed requests with a common property."""

    label: str
    requests: str
    before: str
    after: str
    difference: str
    exact: str
    """The exact difference."""


@dataclass(frozen=True, slots=True)
class RepriceGroup:
    """Rows by one dimension."""

    title: str
    rows: Sequence[RepriceRow]
    hidden: int


@dataclass(frozen=True, slots=True)
class RepricePreview:
    """The changes of a run, and its parameters."""

    sentence: str
    is_empty: bool
    groups: Sequence[RepriceGroup]
    fields: Mapping[str, str]
    filters: Mapping[str, Sequence[str]]
    only_lacking: bool


@dataclass(frozen=True, slots=True)
class RepriceRun:
    """A run."""

    reprice_id: str
    title: str
    what: str
    reason: str
    state: str
    result: str
    may_revert: bool


@dataclass(frozen=True, slots=True)
class Offered:
    """An offer to reprice."""

    text: str
    path: str


@router.get("/repricing")
def get_repricing(
    request: Request, actor: Annotated[Actor, Depends(OnPage(Permission.PRICES_READ))]
) -> Response:
    """Render the repricing page, with a preview if the query has a period."""
    services = services_of(request)
    params = request.query_params
    fault = field = ""
    preview = None
    if params.get("from") or params.get("to"):
        try:
            wanted = _wanted(params, actor)
            table = services.reprices.preview(actor, wanted)
            preview = _preview(services, actor, wanted, table)
        except (Invalid, Unavailable) as error:
            fault, field = error.message, error.field or ""
    known = services.reprices.list_for(actor)
    offers = services.reprice_offers.list_for(actor.organization_id, actor.timezone)
    return render_section(
        request,
        actor,
        "repricing",
        asked={name: params.get(name, "") for name in ("from", "to", *map(str, FILTERS))},
        asks_lacking="onlyLacking" in params,
        fault=fault,
        fault_field=field,
        preview=preview,
        runs=[_run(services, actor, run, known) for run in known[:SHOWN]],
        hidden_runs=max(0, len(known) - SHOWN),
        offers=[_offered(offer) for offer in offers],
        may_amend=has(actor, Permission.REQUESTS_AMEND),
        is_running=any(
            run.state_at(services.now_us()) is RunState.RUNNING for run in known[:SHOWN]
        ),
    )


def _wanted(params: QueryParams, actor: Actor) -> RepriceWanted:
    def day(name: str) -> date:
        try:
            return date.fromisoformat(params.get(name, ""))
        except ValueError as error:
            raise Invalid(f"`{name}` must be a date such as 2026-11-01.", field=name) from error

    return RepriceWanted(
        from_date=day("from"),
        to_date=day("to"),
        timezone=actor.timezone,
        filters={
            dimension.value: [params[dimension.value].strip()]
            for dimension in FILTERS
            if params.get(dimension.value, "").strip()
        },
        only_lacking="onlyLacking" in params,
    )


def _preview(
    services: Services, actor: Actor, wanted: RepriceWanted, table: RepriceTable
) -> RepricePreview:
    shown = labelled(table, services.reprices.user_names(actor))
    return RepricePreview(
        sentence=_sentence(table),
        is_empty=not table.changed,
        groups=[
            _group("Why", shown.by_cause),
            _group("Model", shown.by_model),
            _group("User", shown.by_user),
        ],
        fields={
            "from": wanted.from_date.isoformat(),
            "to": wanted.to_date.isoformat(),
            "timezone": wanted.timezone,
        },
        filters=wanted.filters,
        only_lacking=wanted.only_lacking,
    )


def _sentence(table: RepriceTable) -> str:
    if not table.changed:
        return (
            f"None of {format_exact_count(table.seen)} requests would change: "
            "all are priced as they would be today."
        )
    return (
        f"{format_exact_count(table.changed)} of {format_exact_count(table.seen)} requests would "
        f"cost {format_money(table.after_pusd)} instead of {format_money(table.before_pusd)}: "
        f"{_signed(table.after_pusd - table.before_pusd)}."
    )


def _group(title: str, lines: Sequence[RepriceLine]) -> RepriceGroup:
    rows = [
        RepriceRow(
            label=line.label[:1].upper() + line.label[1:] if title == "Why" else line.label,
            requests=format_exact_count(line.requests),
            before=format_money(line.before_pusd),
            after=format_money(line.after_pusd),
            difference=_signed(line.after_pusd - line.before_pusd),
            exact=format_exact_money(line.after_pusd - line.before_pusd),
        )
        for line in lines[:SHOWN]
    ]
    return RepriceGroup(title, rows, max(0, len(lines) - SHOWN))


def _signed(pusd: int) -> str:
    return f"+{format_money(pusd)}" if pusd > 0 else format_money(pusd)


def _run(services: Services, actor: Actor, run: Reprice, known: Sequence[Reprice]) -> RepriceRun:
    state = run.state_at(services.now_us())
    is_reverted = any(
        other.reverts == run.reprice_id and other.finished_at_us is not None for other in known
    )
    author = services.analytics.labels(actor.organization_id, Dimension.MEMBER).get(run.author, "")
    table = run.table
    made = describe_moment(from_us(run.created_at_us), actor.timezone)
    return RepriceRun(
        reprice_id=run.reprice_id,
        title=f"{made} by {author or 'the operator'}",
        what=_what(run),
        reason=run.reason,
        state="reverted" if is_reverted else state.value,
        result=""
        if table is None
        else f"{format_exact_count(table.changed)} requests, "
        f"{_signed(table.after_pusd - table.before_pusd)}",
        may_revert=state is not RunState.RUNNING and not is_reverted,
    )


def _what(run: Reprice) -> str:
    wanted = run.wanted
    if run.reverts:
        return f"Reverted {run.reverts}"
    parts = [describe_range(wanted.from_date, wanted.to_date)]
    parts += [f"{name} {', '.join(values)}" for name, values in wanted.filters.items()]
    if wanted.only_lacking:
        parts.append("not fully priced only")
    return ", ".join(parts)


def _offered(offer: Offer) -> Offered:
    path = Links("/settings/repricing", ()).put(
        **{"from": offer.from_date.isoformat(), "to": offer.to_date.isoformat()},
        provider=offer.provider,
        mapping=offer.mapping,
        onlyLacking="on",
    )
    noun = "request" if offer.requests == 1 else "requests"
    return Offered(
        f"{format_exact_count(offer.requests)} {noun} of {offer.mapping or offer.provider}, "
        f"{describe_range(offer.from_date, offer.to_date)}, were not fully "
        "priced when recorded. A price is now available.",
        path,
    )
