"""Settings: a page per section. Changes are made only through the JSON API."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import Depends
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from outlay.domain.actor import Actor, Role, Scope
from outlay.domain.dimension import Dimension
from outlay.domain.discovery import DISCOVERABLE, MAX_DISCOVERED
from outlay.domain.error_codes import ErrorCode
from outlay.domain.money import render_usd
from outlay.domain.organization import Member
from outlay.domain.period import parse_zone
from outlay.domain.policy import Permission, grantable_scopes, has, is_limited, may_manage
from outlay.domain.spend_limit import LimitInterval, LimitScope
from outlay.domain.upstream import BASE_URLS
from outlay.kit.clock import from_us
from outlay.services.access.passwords import MIN_LENGTH
from outlay.services.access.sso import callback_of
from outlay.services.analytics.labels import DELETED
from outlay.services.bundle import Administration
from outlay.web.dashboard.links import Links
from outlay.web.dashboard.listing import read_listing
from outlay.web.dashboard.navigation import SETTINGS
from outlay.web.dashboard.parts.price_rows import METER_CHOICES, PERCENT_CHOICES, price_rows
from outlay.web.dashboard.templating import render_page
from outlay.web.http.auth import OnPage, SignedIn, base_url, services_of
from outlay.web.http.query_strings import read_choice
from outlay.web.http.routes import Router


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoveredKind:
    """Discovered entities of one dimension."""

    dimension: Dimension
    count: int
    path: str
    """The page that lists only these."""
    is_chosen: bool
    targets: Mapping[str, str]
    """Name by value of the possible merge targets."""


SHOWN_TARGETS: Final = 1_000

router = Router(prefix="/settings", include_in_schema=False)


@router.get("", dependencies=[Depends(SignedIn())])
def get_settings() -> Response:
    """The first section."""
    return RedirectResponse("/settings/account", 303)


@router.get("/account")
def get_account(
    request: Request, actor: Annotated[Actor, Depends(OnPage(Permission.ACCOUNT_READ))]
) -> Response:
    """The actor's own name, password and sessions."""
    member = services_of(request).administration.members.find(actor, actor.member_id)
    return render_section(request, actor, "account", member=member, min_password=MIN_LENGTH)


@router.get("/organization")
def get_organization(
    request: Request, actor: Annotated[Actor, Depends(OnPage(Permission.ORGANIZATION_READ))]
) -> Response:
    """Name, time zone and plan."""
    return render_section(
        request,
        actor,
        "organization",
        organization=services_of(request).administration.organizations.organization_of(actor),
        may_write=has(actor, Permission.ORGANIZATION_WRITE),
    )


@router.get("/members")
def get_members(
    request: Request, actor: Annotated[Actor, Depends(OnPage(Permission.MEMBERS_READ))]
) -> Response:
    """Members and invitations."""
    members = services_of(request).administration.members
    now_us = services_of(request).now_us()
    return render_section(
        request,
        actor,
        "members",
        members=read_listing(
            request,
            [(member, may_manage(actor, member.role)) for member in members.list_for(actor)],
            lambda row: f"{row[0].name}\n{row[0].email}",
        ),
        invitations=[
            (invitation, invitation.expires_at_us <= now_us)
            for invitation in members.invitations(actor)
        ],
        role_names={
            role.value: role.value.capitalize() for role in Role if may_manage(actor, role)
        },
        may_erase=has(actor, Permission.MEMBERS_ERASE),
    )


@router.get("/projects")
def get_projects(
    request: Request, actor: Annotated[Actor, Depends(OnPage(Permission.PROJECTS_READ))]
) -> Response:
    """Projects."""
    administration = services_of(request).administration
    keys = Counter(key.project_id for key in administration.keys.list_for(actor))
    found = administration.discovered.search(actor, Dimension.PROJECT, limit=MAX_DISCOVERED)
    projects = [*administration.projects.list_for(actor), *(entry.as_project() for entry in found)]
    return render_section(
        request,
        actor,
        "projects",
        projects=read_listing(
            request,
            [(project, keys[project.project_id]) for project in projects],
            lambda row: f"{row[0].name}\n{row[0].project_id}",
        ),
        may_write=has(actor, Permission.PROJECTS_WRITE),
    )


@router.get("/keys")
def get_keys(
    request: Request, actor: Annotated[Actor, Depends(OnPage(Permission.KEYS_READ))]
) -> Response:
    """API keys."""
    services = services_of(request)
    administration = services.administration
    now_us = services.now_us()
    projects = {p.project_id: p.name for p in administration.projects.list_for(actor)}
    return render_section(
        request,
        actor,
        "keys",
        keys=read_listing(
            request,
            [(key, key.status_at(now_us)) for key in administration.keys.list_for(actor)],
            lambda row: "\n".join(
                (row[0].description, row[0].hint, projects.get(row[0].project_id, ""))
            ),
        ),
        projects=projects,
        members=_member_names(administration, actor),
        is_limited=is_limited(actor, Permission.KEYS_WRITE),
        base_url=base_url(request),
        awaits_first=not services.analytics.has_events(actor.organization_id),
    )


@router.get("/groups")
def get_groups(
    request: Request, actor: Annotated[Actor, Depends(OnPage(Permission.GROUPS_READ))]
) -> Response:
    """User groups."""
    services = services_of(request)
    administration = services.administration
    now_us = services.now_us()
    current = [
        membership
        for membership in administration.groups.memberships(actor)
        if membership.is_valid_at(now_us)
    ]
    members = administration.members.list_for(actor)
    return render_section(
        request,
        actor,
        "groups",
        groups=read_listing(
            request,
            [
                (group, [m for m in current if m.group_id == group.group_id])
                for group in administration.groups.list_for(actor)
            ],
            lambda row: row[0].name,
        ),
        members=_names(members),
    )


@router.get("/discovered")
def get_discovered(
    request: Request, actor: Annotated[Actor, Depends(OnPage(Permission.DISCOVERED_READ))]
) -> Response:
    """Discovered entities: all, or those of one kind."""
    services = services_of(request)
    found = services.administration.discovered.list_for(actor)
    chosen = read_choice(request.query_params, "kind", Dimension, ErrorCode.UNKNOWN_KIND)
    labels = {
        dimension: services.analytics.labels(actor.organization_id, dimension)
        for dimension in DISCOVERABLE
    }
    links = Links.of(request).without("page", "kind")
    counts = Counter(entry.dimension for entry in found)
    merges = services.analytics.merges(actor.organization_id)
    return render_section(
        request,
        actor,
        "discovered",
        kinds=[
            DiscoveredKind(
                dimension=dimension,
                count=counts[dimension],
                path=links.put(kind=dimension.value),
                is_chosen=dimension is chosen,
                targets=_targets(
                    labels[dimension],
                    merges.of(dimension),
                    {entry.value for entry in found if entry.dimension is dimension},
                ),
            )
            for dimension in DISCOVERABLE
            if counts[dimension]
        ],
        all_path=links.put(),
        has_choice=chosen is not None,
        found=read_listing(
            request,
            [entry for entry in found if chosen in {None, entry.dimension}],
            lambda entry: f"{entry.name}\n{entry.value}",
        ),
        labels=labels,
    )


def _targets(
    labels: Mapping[str, str], merged: Mapping[str, str], discovered: set[str]
) -> Mapping[str, str]:
    """Merge targets, configured ones first."""
    values = [
        value
        for value, label in labels.items()
        if value not in merged and not label.endswith(DELETED)
    ]
    values.sort(key=lambda value: (value in discovered, labels[value].casefold()))
    return {value: labels[value] for value in values[:SHOWN_TARGETS]}


@router.get("/upstreams")
def get_upstreams(
    request: Request, actor: Annotated[Actor, Depends(OnPage(Permission.UPSTREAMS_READ))]
) -> Response:
    """Upstreams and model mappings."""
    upstreams = services_of(request).administration.upstreams
    found = upstreams.list_for(actor)
    return render_section(
        request,
        actor,
        "upstreams",
        upstreams=found,
        names={upstream.upstream_id: upstream.name for upstream in found},
        mappings=upstreams.mappings_of(actor),
        providers=BASE_URLS,
    )


@router.get("/prices")
def get_prices(
    request: Request, actor: Annotated[Actor, Depends(OnPage(Permission.PRICES_READ))]
) -> Response:
    """The organization's own prices and exchange rates."""
    services = services_of(request)
    own = services.administration.prices.list_for(actor)
    return render_section(
        request,
        actor,
        "prices",
        prices=price_rows(own, services.now_us()),
        rates=own.rates,
        currencies=sorted({rate.currency for rate in own.rates}),
        meters=METER_CHOICES,
        parts=PERCENT_CHOICES,
    )


@router.get("/limits")
def get_limits(
    request: Request, actor: Annotated[Actor, Depends(OnPage(Permission.LIMITS_READ))]
) -> Response:
    """Spend limits."""
    administration = services_of(request).administration
    subjects = {
        LimitScope.PROJECT: {p.project_id: p.name for p in administration.projects.list_for(actor)},
        LimitScope.MEMBER: _names(administration.members.list_for(actor)),
        LimitScope.API_KEY: {
            k.api_key_id: k.description for k in administration.keys.list_for(actor)
        },
    }
    return render_section(
        request,
        actor,
        "limits",
        limits=[
            (limit, render_usd(limit.amount_pusd))
            for limit in administration.limits.list_for(actor)
        ],
        subjects={scope.value: names for scope, names in subjects.items()},
        nouns={"project": "Project", "member": "Member", "apiKey": "API key"},
        intervals={interval.value: interval.value for interval in LimitInterval},
    )


@router.get("/tokens")
def get_tokens(
    request: Request, actor: Annotated[Actor, Depends(OnPage(Permission.TOKENS_READ))]
) -> Response:
    """Access tokens."""
    administration = services_of(request).administration
    scopes = grantable_scopes(actor)
    return render_section(
        request,
        actor,
        "tokens",
        tokens=administration.tokens.list_for(actor),
        members=_member_names(administration, actor),
        scopes=[scope.value for scope in Scope if scope in scopes],
    )


@router.get("/sso")
def get_sso(
    request: Request, actor: Annotated[Actor, Depends(OnPage(Permission.SSO_READ))]
) -> Response:
    """Single sign-on."""
    administration = services_of(request).administration
    return render_section(
        request,
        actor,
        "sso",
        sso=administration.sso.find(actor),
        groups={group.group_id: group.name for group in administration.groups.list_for(actor)},
        redirect_uri=base_url(request) + callback_of(actor.organization_id),
    )


def _names(members: list[Member]) -> dict[str, str]:
    return {member.member_id: member.name for member in members}


def _member_names(administration: Administration, actor: Actor) -> dict[str, str]:
    """Names of the members whose objects the actor may see."""
    if has(actor, Permission.MEMBERS_READ):
        return _names(administration.members.list_for(actor))
    return {actor.member_id: actor.member_name}


def render_section(request: Request, actor: Actor, name: str, **context: Any) -> Response:
    """Render a section, with the list of the sections that the actor may open."""
    sections = [item for item in SETTINGS if has(actor, item.permission)]
    path = f"/settings/{name}"
    section = next(item for item in SETTINGS if item.path == path)
    zone = parse_zone(actor.timezone)
    return render_page(
        request,
        f"settings/{name}.html",
        actor=actor,
        title=section.title,
        sections=sections,
        from_us=lambda us: from_us(us).astimezone(zone),
        **context,
    )
