"""Usage pages: headline numbers, a chart and a ranking."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from outlay.domain.actor import Actor
from outlay.domain.answers import Comparison
from outlay.domain.dimension import Dimension, Grouping
from outlay.domain.errors import Invalid
from outlay.domain.measure import Rank
from outlay.domain.policy import Permission, has
from outlay.domain.query import UsageQuery
from outlay.domain.tag import Tag
from outlay.services.bundle import Services
from outlay.storage.cube.store import CubeReader
from outlay.web.dashboard.parts.colours import colours_of, ranked_in
from outlay.web.dashboard.parts.compared import describe_compared
from outlay.web.dashboard.parts.driver import driver_of
from outlay.web.dashboard.parts.first_steps import steps_of
from outlay.web.dashboard.parts.frame import frame_of, metrics_of
from outlay.web.dashboard.parts.headlines import cards_of, describe_totals, error_card
from outlay.web.dashboard.parts.panels import Panel, panel_of
from outlay.web.dashboard.parts.ranking import SHOWN
from outlay.web.dashboard.templating import render_page
from outlay.web.http.auth import base_url, services_of

GROUPINGS: Final[Mapping[Grouping, str]] = {
    Dimension.MODEL: "Model",
    Dimension.PROJECT: "Project",
    Dimension.API_KEY: "API key",
    Dimension.USER: "User",
    Dimension.GROUP: "Group",
    Dimension.APP: "App",
    Dimension.PROVIDER: "Provider",
    Dimension.MAPPING: "Mapping",
}

WITH_KINDS: Final[Mapping[Grouping, str]] = {**GROUPINGS, Dimension.KIND: "Kind of usage"}
"""The groupings, plus kind of usage."""

MODEL_VIEWS: Final = {Dimension.MAPPING: "Mappings", Dimension.MODEL: "Canonical"}
"""Models by route as requested, or by canonical model."""

MODEL_DIMENSIONS: Final = (Dimension.MODEL, Dimension.MAPPING)
"""The same dimensions, starting with the one that explains the spend."""


@dataclass(frozen=True, slots=True)
class Crumb:
    """A page above this one."""

    title: str
    path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a usage page is about."""

    title: str
    crumbs: Sequence[Crumb]
    lede: str
    export: str
    """The path of the same numbers as CSV; empty for none."""
    ranking: str = ""
    """The path of the complete rankings; empty for none."""
    groupings: Mapping[Grouping, str] = field(default_factory=lambda: WITH_KINDS)
    """The available groupings; each is a request to the server."""
    filters: Mapping[str, str] = field(default_factory=dict)
    """The available filters: label by parameter name."""


def compare_views(
    services: Services, reader: CubeReader, query: UsageQuery, dimensions: Sequence[Grouping]
) -> tuple[Comparison, list[Panel]]:
    """A question answered by several dimensions from one snapshot, with a panel for each."""
    asked = [
        replace(query, group_by=dimension, top=SHOWN, ranks=tuple(Rank)) for dimension in dimensions
    ]
    compared = [services.analytics.compare_in(reader, one) for one in asked]
    panels = [
        panel_of(
            services,
            reader,
            one,
            comparison,
            colours_of(services, query.organization_id, dimension, ranked_in(comparison)),
        )
        for dimension, one, comparison in zip(dimensions, asked, compared, strict=True)
    ]
    return compared[0], panels


def view_of(request: Request, views: Mapping[Dimension, str]) -> str:
    """The selected one of several views of a page; raises Invalid if it does not exist."""
    names = [dimension.value for dimension in views]
    view = request.query_params.get("view") or names[-1]
    if view not in names:
        raise Invalid(f"`view` must be one of {', '.join(names)}.", field="view")
    return view


def models_context(
    request: Request,
    reader: CubeReader,
    query: UsageQuery,
    *,
    filters: Mapping[str, str],
    with_errors: bool = True,
) -> dict[str, Any]:
    """What a page about one subject needs: headline numbers, and models in two views."""
    return {
        **usage_context(
            request, reader, query, MODEL_DIMENSIONS, filters=filters, with_errors=with_errors
        ),
        "views": {dimension.value: title for dimension, title in MODEL_VIEWS.items()},
        "view": view_of(request, MODEL_VIEWS),
    }


def has_usage(request: Request, actor: Actor) -> bool:
    """Whether the actor's organization has ever had a request."""
    return services_of(request).analytics.has_events(actor.organization_id)


def render_usage(request: Request, actor: Actor, query: UsageQuery, subject: Subject) -> Response:
    """Render one breakdown and links to the other groupings."""
    if not has_usage(request, actor):
        return render_first_steps(request, actor, subject)
    group_by = query.group_by or Dimension.MODEL
    with services_of(request).analytics.read() as reader:
        context = usage_context(request, reader, query, [group_by], filters=subject.filters)
    return render_page(
        request,
        "usage.html",
        actor=actor,
        title=subject.title,
        subject=subject,
        group_by=group_by,
        groupings={**subject.groupings, **_tags_of(request, actor)},
        **{**context, **_shown_of(group_by, context["metric"])},
    )


def _tags_of(request: Request, actor: Actor) -> Mapping[Grouping, str]:
    """The registered tags, as groupings."""
    tags = services_of(request).administration.tags.list_for(actor)
    return {Tag(one.key): one.key for one in tags}


def _shown_of(group_by: Grouping, metric: Rank) -> dict[str, Any]:
    """The metrics of a grouping, and the selected one."""
    metrics = metrics_of(group_by)
    return {"metrics": metrics, "metric": metric if metric in metrics else Rank.COST}


def usage_context(
    request: Request,
    reader: CubeReader,
    query: UsageQuery,
    dimensions: Sequence[Grouping],
    *,
    filters: Mapping[str, str],
    with_errors: bool = False,
) -> dict[str, Any]:
    """The template context of headline numbers and panels; the first dimension explains the
    change."""
    services = services_of(request)
    comparison, panels = compare_views(services, reader, query, dimensions)
    total = comparison.current.total
    return {
        **frame_of(request, reader, query, total, filters),
        "cards": [*cards_of(comparison), *([error_card(comparison)] if with_errors else [])],
        "driver": driver_of(comparison),
        "panels": panels,
        "comparison": comparison,
        "compared": describe_compared(comparison),
        "window_words": describe_totals(total),
    }


def render_first_steps(request: Request, actor: Actor, subject: Subject) -> Response:
    """Render the first steps before there is anything to show."""
    return render_page(
        request,
        "first_steps.html",
        actor=actor,
        title=subject.title,
        subject=subject,
        base_url=base_url(request),
        steps=steps_of(services_of(request), actor),
        may_set_up=has(actor, Permission.UPSTREAMS_WRITE),
    )
