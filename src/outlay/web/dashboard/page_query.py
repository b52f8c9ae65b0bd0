"""The query string of a page as a question.

An invalid period, zone or comparison does not make the page fail: it shows its default period, and
the picker keeps the entered value with the error message at the field.
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
from outlay.web.http.query_strings import check_names
from outlay.web.http.usage_params import CARRIED, COMPARE, PERIOD, PeriodParams, UsageParams

RANGE: Final = PERIOD - {"timezone"}


@dataclass(slots=True)
class Refused:
    """The parts of a page's period that could not be used."""

    errors: dict[str, str] = field(default_factory=dict)
    """Error message by parameter."""
    entered: Mapping[str, str] = field(default_factory=dict)
    """The values in the URL."""
    names: frozenset[str] = frozenset()
    """The parameters that the page ignores."""


def refused_of(request: Request) -> Refused:
    """The refused parameters in the URL of a page; call it after the question is read."""
    found: Refused | None = getattr(request.state, "refused", None)
    return found or Refused()


def refuse(request: Request, name: str, message: str) -> None:
    """Records the error of a parameter that the page ignores."""
    known = refused_of(request)
    request.state.refused = Refused(
        errors={**known.errors, name: message},
        entered=known.entered,
        names=known.names | {name},
    )


def page_params(request: Request, allowed: frozenset[str]) -> QueryParams:
    """The parameters of a page; raises Invalid for one that is neither read here nor carried along
    by other pages.

    A form also sends empty fields.
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
    """The question of a page, compared with the previous period by default."""
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
    """The period carried along in the URL of a page without a picker."""
    services = services_of(request)
    while True:
        try:
            return PeriodParams.parse(params).period(actor, services.analytics, Preset.LAST_MONTH)
        except Invalid as error:
            params = _go_without(request, params, error)


def accepted_params(request: Request, params: QueryParams) -> QueryParams:
    """The parameters without those for which the page shows an error."""
    return _without(params, refused_of(request).names)


def _check_begun(request: Request, period: Period) -> None:
    if period.start > services_of(request).clock.now():
        raise Invalid("The period is in the future, so there is no usage yet.", field="from")


def _go_without(request: Request, params: QueryParams, error: Invalid) -> QueryParams:
    """The parameters without those that an error is about; raises the error if that does not
    help."""
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
