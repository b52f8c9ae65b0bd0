"""A project: its spend, models and keys; for developers, of their own keys."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Final
from urllib.parse import urlencode

from fastapi import Depends
from starlette.requests import Request
from starlette.responses import Response

from outlay.domain.actor import Actor
from outlay.domain.dimension import Dimension
from outlay.domain.event import FAILED, Status
from outlay.domain.organization import Project
from outlay.domain.period import Interval
from outlay.domain.policy import Permission, is_limited
from outlay.domain.query import CORE_MEASURES, UsageQuery
from outlay.domain.questions import Rows
from outlay.services.analytics.labels import mark_deleted
from outlay.services.analytics.own_usage import own_keys_only, own_requests_only
from outlay.services.analytics.request_log import LogQuery
from outlay.services.bundle import Services
from outlay.storage.cube.store import CubeReader
from outlay.web.dashboard.formatting import format_count
from outlay.web.dashboard.links import Links
from outlay.web.dashboard.page_query import page_params, page_query
from outlay.web.dashboard.parts.frame import PAGE_ONLY, filters_for
from outlay.web.dashboard.parts.log_lines import LogLine, lines_of
from outlay.web.dashboard.parts.side_rows import SideRow, rows_by_spend
from outlay.web.dashboard.parts.usage import (
    Crumb,
    Subject,
    has_usage,
    models_context,
    render_first_steps,
    usage_context,
)
from outlay.web.dashboard.places import key_paths_in, project_path
from outlay.web.dashboard.shell import PROJECT_COOKIE
from outlay.web.dashboard.templating import render_page
from outlay.web.http.auth import OnPage, is_secure, services_of
from outlay.web.http.routes import Router
from outlay.web.http.usage_params import COMMON

router = Router(prefix="/project", include_in_schema=False)

PARAMETERS: Final = (COMMON | {"bucket"} | PAGE_ONLY) - {"projectId"}
SIDE_ROWS: Final = 6
LATEST: Final = 8

ProjectReader = Annotated[Actor, Depends(OnPage(Permission.PROJECT_USAGE))]


@router.get("/{project_id}")
def get_overview(request: Request, project_id: str, actor: ProjectReader) -> Response:
    """The most important numbers of a project on one page."""
    services = services_of(request)
    project, query = read_project(request, project_id, actor)
    subject = subject_of(actor, project, "", "Spend, requests and errors at a glance.")
    if not has_usage(request, actor):
        return render_first_steps(request, actor, subject)
    requests = own_requests_only(actor, query)
    with services.analytics.read() as reader:
        context = usage_context(
            request,
            reader,
            query,
            [Dimension.MODEL],
            filters=filters_for(actor, "projectId"),
            with_errors=True,
        )
        links = context["links"]
        keys = _top_keys(services, reader, actor, query, project, links)
        failures = _failures(reader, query, project, links)
        latest = _latest(services, reader, requests)
    return remember(
        request,
        project,
        render_page(
            request,
            "project_overview.html",
            actor=actor,
            title=f"{subject.title} · Overview",
            subject=subject,
            project=project,
            keys=keys,
            failures=failures,
            latest=latest,
            filter_scope=urlencode({"projectId": project.project_id}),
            **context,
        ),
    )


@router.get("/{project_id}/analytics")
def get_analytics(request: Request, project_id: str, actor: ProjectReader) -> Response:
    """Cost by model over time; by mapping or by canonical model."""
    project, query = read_project(request, project_id, actor)
    subject = subject_of(
        actor, project, "Analytics", "The models it uses and their cost over time."
    )
    if not has_usage(request, actor):
        return render_first_steps(request, actor, subject)
    with services_of(request).analytics.read() as reader:
        context = models_context(
            request, reader, query, filters=filters_for(actor, "projectId"), with_errors=False
        )
    return remember(
        request,
        project,
        render_page(
            request,
            "project_analytics.html",
            actor=actor,
            title=f"{subject.title} · {project.name}",
            subject=subject,
            project=project,
            filter_scope=urlencode({"projectId": project.project_id}),
            **context,
        ),
    )


def read_project(
    request: Request, project_id: str, actor: Actor, more: frozenset[str] = frozenset()
) -> tuple[Project, UsageQuery]:
    """The project in a URL, and the question about it; raises NotFound for unknown and foreign
    ones.

    `more` are parameters that the page reads itself.
    """
    services = services_of(request)
    params = page_params(request, PARAMETERS | more)
    project = services.usage_tables.project(actor, project_id)
    query = page_query(request, params, actor)
    query = query.only(Dimension.PROJECT, project.project_id)
    return project, own_keys_only(actor, query, Permission.PROJECT_USAGE)


def subject_of(actor: Actor, project: Project, title: str, lede: str) -> Subject:
    """The heading of a page of a project."""
    name = mark_deleted(project.name, project)
    place = project_path(project)
    own = " Only your own keys." if is_limited(actor, Permission.PROJECT_USAGE) else ""
    crumbs = (Crumb("Project"), Crumb(name, place)) if title else (Crumb("Project"),)
    return Subject(
        title=title or name,
        crumbs=crumbs,
        lede=lede + own,
        export=f"/api/v1/exports/projects/{project.address}.csv",
        ranking=f"{place}/ranking",
        groupings={},
    )


def remember(request: Request, project: Project, response: Response) -> Response:
    """Make a project the current one for pages without a project."""
    if not project.is_deleted:
        response.set_cookie(
            PROJECT_COOKIE,
            project.address,
            max_age=365 * 86_400,
            httponly=True,
            secure=is_secure(request),
            samesite="lax",
        )
    return response


def _top_keys(
    services: Services,
    reader: CubeReader,
    actor: Actor,
    query: UsageQuery,
    project: Project,
    links: Links,
) -> Sequence[SideRow]:
    wanted = replace(query, group_by=Dimension.API_KEY, interval=Interval.TOTAL, top=SIDE_ROWS)
    found = services.analytics.breakdown_in(reader, wanted)
    keys = [entry.key for entry in found.entries]
    complete = links.travel(f"{project_path(project)}/ranking", groupBy="apiKey")
    return rows_by_spend(found, key_paths_in(services, actor, project, keys, links), complete)


def _failures(
    reader: CubeReader, query: UsageQuery, project: Project, links: Links
) -> Sequence[SideRow]:
    """The most frequent failures by model."""
    asked = query.filters.get(Dimension.STATUS)
    statuses = tuple(status.value for status in FAILED if not asked or status.value in asked)
    if not statuses:
        return []
    rows = replace(
        query.by(Dimension.MAPPING, Dimension.STATUS),
        measures=CORE_MEASURES,
        filters={**query.filters, Dimension.STATUS: statuses},
    )
    found = sorted(reader.ask(Rows(rows)), key=lambda row: (-row.measures.requests, row.keys))
    return [
        SideRow(
            label=row.keys[0] or "unknown model",
            note=Status(row.keys[1]).label,
            value=format_count(row.measures.requests),
            exact=f"{row.measures.requests:,} request{'' if row.measures.requests == 1 else 's'}",
            path=links.travel(
                "/monitoring/requests",
                projectId=project.project_id,
                status=row.keys[1],
                **({"mapping": row.keys[0]} if row.keys[0] else {}),
            ),
        )
        for row in found[:SIDE_ROWS]
    ]


def _latest(services: Services, reader: CubeReader, query: UsageQuery) -> Sequence[LogLine]:
    log = services.request_log
    page = log.page(log.plan(reader, LogQuery(usage=query)), LATEST)
    return lines_of(services, query, page.entries)
