"""Values of a filter to choose from: those with usage and those in the directory, by name."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Final, TypedDict

from fastapi import Depends
from starlette.requests import Request
from starlette.responses import Response

from outlay.domain.actor import Actor
from outlay.domain.answers import Totals
from outlay.domain.dimension import Dimension
from outlay.domain.errors import Invalid
from outlay.domain.period import Interval
from outlay.domain.policy import Permission, is_limited, permit
from outlay.domain.query import CORE_MEASURES, UsageQuery
from outlay.services.analytics.breakdowns import by_value
from outlay.services.analytics.labels import DELETED
from outlay.services.analytics.own_usage import own_keys_only
from outlay.web.dashboard.formatting import format_count
from outlay.web.http.auth import OnPage, services_of
from outlay.web.http.query_strings import check_names, read_text
from outlay.web.http.rendering import json_answer
from outlay.web.http.routes import Router
from outlay.web.http.usage_params import COMMON, COMPARE, FILTERS, UsageParams

router = Router(include_in_schema=False)

MOST: Final = 50
OWN: Final = frozenset({"param", "q"})
PEOPLE: Final = frozenset({Dimension.USER, Dimension.MEMBER, Dimension.GROUP, Dimension.END_USER})
"""Dimensions that identify other people; not open to everyone."""


class Choice(TypedDict):
    """A value of a filter."""

    value: str
    label: str
    hint: str
    """Its requests in the period, abbreviated; empty if there were none."""


class ChoiceList(TypedDict):
    """The values that match a search."""

    choices: list[Choice]
    more: bool
    """Whether there are more than are listed."""


@router.get("/choices.json")
def get_choices(
    request: Request, actor: Annotated[Actor, Depends(OnPage(Permission.PROJECT_USAGE))]
) -> Response:
    """Values of a filter that contain `q`; those with the most requests in the page's period
    first."""
    services, params = services_of(request), request.query_params
    check_names(params, COMMON | COMPARE | OWN)
    name = read_text(params, "param") or ""
    if name not in FILTERS:
        raise Invalid(f"`param` must be one of {', '.join(FILTERS)}.", field="param")
    dimension = FILTERS[name]
    if dimension in PEOPLE:
        permit(actor, Permission.ORGANIZATION_USAGE)
    query = UsageParams.parse(params).query(actor, services.analytics)
    query = own_keys_only(actor, _without(query, dimension), Permission.PROJECT_USAGE)
    with services.analytics.read() as reader:
        used = by_value(reader, query, dimension)
    labels = services.analytics.labels(actor.organization_id, dimension)
    known = used.keys() | ({} if is_limited(actor, Permission.PROJECT_USAGE) else labels).keys()
    known -= services.analytics.merges(actor.organization_id).of(dimension).keys()
    wanted = (read_text(params, "q") or "").casefold()
    found = sorted(
        (key for key in known if key and wanted in f"{labels.get(key, '')}\n{key}".casefold()),
        key=lambda key: (-_requests(used, key), _is_gone(labels, key), labels.get(key, key), key),
    )
    choices = [
        Choice(
            value=key,
            label=labels.get(key, key),
            hint=format_count(_requests(used, key)) if key in used else "",
        )
        for key in found[:MOST]
    ]
    return json_answer(ChoiceList(choices=choices, more=len(found) > MOST))


def _without(query: UsageQuery, dimension: Dimension) -> UsageQuery:
    """The question without the filter that is being chosen."""
    others = {known: values for known, values in query.filters.items() if known is not dimension}
    return replace(query, filters=others, interval=Interval.TOTAL, measures=CORE_MEASURES)


def _is_gone(labels: Mapping[str, str], key: str) -> bool:
    return labels.get(key, "").endswith(DELETED)


def _requests(used: Mapping[str, Totals], key: str) -> int:
    return used[key].requests if key in used else 0
