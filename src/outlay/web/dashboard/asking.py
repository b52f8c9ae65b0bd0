"""What pages ask: the query string of a page as a question."""

from typing import Final

from starlette.datastructures import QueryParams
from starlette.requests import Request

from outlay.domain.actor import Actor
from outlay.domain.dimension import Dimension
from outlay.domain.earlier import Compare
from outlay.domain.period import Preset
from outlay.domain.query import UsageQuery
from outlay.web.http.auth import services_of
from outlay.web.http.params import COMPARE, PERIOD, check_names, read_query

CARRIED: Final = PERIOD | COMPARE
"""Parameters that travel from page to page; a page that has no use for one ignores it."""


def check_page_names(params: QueryParams, allowed: frozenset[str]) -> None:
    """Raise Invalid for parameters that neither the page reads nor others carry along."""
    check_names(params, allowed | CARRIED)


def page_query(
    request: Request,
    params: QueryParams,
    actor: Actor,
    *,
    default_preset: Preset = Preset.LAST_30_DAYS,
    group_by: Dimension | None = Dimension.MODEL,
) -> UsageQuery:
    """The question of a page, compared with the previous period unless it says otherwise."""
    return read_query(
        params,
        actor,
        services_of(request).analytics,
        default_preset=default_preset,
        default_compare=Compare.PREVIOUS,
        group_by=group_by,
    )
