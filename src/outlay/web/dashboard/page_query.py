"""What pages ask: the query string of a page as a question.

A period, zone or comparison that cannot be does not cost the page: the page is that of its usual
period then, and what was entered stands in the picker, with what is wrong about it at the field.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from starlette.datastructures import QueryParams
from starlette.requests import Request

from outlay.domain.actor import Actor
from outlay.domain.comparison_period import Compare
from outlay.domain.dimension import Dimension
from outlay.domain.errors import Invalid
from outlay.domain.period import Period, Preset
from outlay.domain.query import UsageQuery
from outlay.web.http.auth import services_of
from outlay.web.http.params import check_names
from outlay.web.http.usage_params import CARRIED, COMPARE, PERIOD, PeriodParams, UsageParams

RANGE: Final = PERIOD - {"timezone"}


@dataclass(slots=True)
class Refused:
    """What of a page's period could not be used."""

    errors: dict[str, str] = field(default_factory=dict)
    """Parameter → what is wrong."""
    entered: Mapping[str, str] = field(default_factory=dict)
    """What the address says."""
    names: frozenset[str] = frozenset()
    """The parameters that the page goes without."""


def refused_of(request: Request) -> Refused:
    """What could not be used of the address of a page; to be asked after its question is read."""
    found: Refused | None = getattr(request.state, "refused", None)
    return found or Refused()


def refuse(request: Request, name: str, message: str) -> None:
    """Notes what is wrong with a parameter that the page goes without."""
    known = refused_of(request)
    request.state.refused = Refused(
        errors={**known.errors, name: message},
        entered=known.entered,
        names=known.names | {name},
    )


def page_params(request: Request, allowed: frozenset[str]) -> QueryParams:
    """The parameters of a page; Invalid for one that it neither reads nor others carry along.

    A form sends what is left empty, too.
    """
    params = QueryParams([pair for pair in request.query_params.multi_items() if pair[1]])
    check_names(params, allowed | CARRIED)
    return params


def page_query(
    request: Request,
    params: QueryParams,
    actor: Actor,
    *,
    default_preset: Preset = Preset.LAST_30_DAYS,
    group_by: Dimension | None = Dimension.MODEL,
) -> UsageQuery:
    """The question of a page, compared with the previous period unless it says otherwise."""
    services = services_of(request)
    if params.get("compare") != Compare.CUSTOM:
        params = _without(params, frozenset({"compareFrom"}))
    while True:
        try:
            query = UsageParams.parse(params).query(
                actor,
                services.analytics,
                default_preset=default_preset,
                default_compare=Compare.PREVIOUS,
                group_by=group_by,
            )
            _check_begun(request, query.period)
        except Invalid as error:
            params = _go_without(request, params, error)
        else:
            return query


def page_period(request: Request, params: QueryParams, actor: Actor) -> Period:
    """The period that an address has carried along to a page without a picker."""
    services = services_of(request)
    while True:
        try:
            return PeriodParams.parse(params).period(actor, services.analytics, Preset.LAST_MONTH)
        except Invalid as error:
            params = _go_without(request, params, error)


def accepted_params(request: Request, params: QueryParams) -> QueryParams:
    """The parameters without those that the page shows an error for."""
    return _without(params, refused_of(request).names)


def _check_begun(request: Request, period: Period) -> None:
    if period.start > services_of(request).clock.now():
        raise Invalid("The period is in the future, so there is no usage yet.", field="from")


def _go_without(request: Request, params: QueryParams, error: Invalid) -> QueryParams:
    """The parameters without those that an error is about; raises it where that is no help."""
    name = error.field or ""
    about = next((group for group in (RANGE, COMPARE, {"timezone"}) if name in group), None)
    if about is None or not any(name in params for name in about):
        raise error
    known = refused_of(request)
    entered = {name: params[name] for name in CARRIED if name in params}
    request.state.refused = Refused(
        errors={**known.errors, name: error.message},
        entered={**entered, **known.entered},
        names=known.names | frozenset(about),
    )
    return _without(params, frozenset(about))


def _without(params: QueryParams, names: frozenset[str]) -> QueryParams:
    return QueryParams([item for item in params.multi_items() if item[0] not in names])
