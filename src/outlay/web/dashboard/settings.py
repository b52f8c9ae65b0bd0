"""Settings: a page per section. They change things through the JSON API alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import Depends
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from outlay.domain.actor import Actor, Role, Scope
from outlay.domain.dimension import Dimension
from outlay.domain.discovery import DISCOVERABLE, Discovered
from outlay.domain.money import render_usd
from outlay.domain.organization import Member
from outlay.domain.period import parse_zone
from outlay.domain.policy import Permission, grantable_scopes, has, is_limited, may_manage
from outlay.domain.spend_limit import LimitInterval, LimitScope
from outlay.domain.upstream import BASE_URLS
from outlay.kit.clock import FOREVER_US, from_us
from outlay.services.labels import DELETED
from outlay.services.passwords import MIN_LENGTH
from outlay.services.sso import callback_of
from outlay.web.dashboard.navigation import SETTINGS
from outlay.web.dashboard.pages import render_page
from outlay.web.dashboard.paging import page_of
from outlay.web.http.auth import OnPage, SignedIn, base_url, services_of
from outlay.web.http.routes import Router


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What was discovered of one dimension."""

    dimension: Dimension
    count: int
    entries: Sequence[tuple[Discovered, str]]
    """With the name of what each is merged into."""
    hidden: int
    """Matching entries that are not shown."""
    targets: Mapping[str, str]
    """Name by value of what something can be merged into."""


SHOWN_DISCOVERED: Final = 200
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
    """One's own name, password and sessions."""
    member = services_of(request).administration.members.find(actor, actor.member_id)
    return _section(request, actor, "account", member=member, min_password=MIN_LENGTH)


@router.get("/organization")
def get_organization(
    request: Request, actor: Annotated[Actor, Depends(OnPage(Permission.ORGANIZATION_READ))]
) -> Response:
    """Name, time zone and plan."""
    return _section(
        request,
        actor,
        "organization",
        organization=services_of(request).administration.organizations.of(actor),
        may_write=has(actor, Permission.ORGANIZATION_WRITE),
    )


@router.get("/members")
def get_members(
    request: Request, actor: Annotated[Actor, Depends(OnPage(Permission.MEMBERS_READ))]
) -> Response:
    """Members and invitations."""
    members = services_of(request).administration.members
    now_us = services_of(request).now_us()
    shown, paging = page_of(request, members.of(actor))
    return _section(
        request,
        actor,
        "members",
        members=[(member, may_manage(actor, member.role)) for member in shown],
        paging=paging,
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
    keys = administration.keys.of(actor)
    shown, paging = page_of(request, administration.projects.of(actor))
    return _section(
        request,
        actor,
        "projects",
        projects=[
            (project, sum(key.project_id == project.project_id for key in keys))
            for project in shown
        ],
        paging=paging,
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
    shown, paging = page_of(request, administration.keys.of(actor))
    return _section(
        request,
        actor,
        "keys",
        keys=[(key, key.status_at(now_us)) for key in shown],
        paging=paging,
        projects={p.project_id: p.name for p in administration.projects.of(actor)},
        members=_names(administration.members.of(actor)),
        is_limited=is_limited(actor, Permission.KEYS_WRITE),
        base_url=base_url(request),
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
        if membership.valid_from_us <= now_us < (membership.valid_to_us or FOREVER_US)
    ]
    members = administration.members.of(actor)
    return _section(
        request,
        actor,
        "groups",
        groups=[
            (group, [m for m in current if m.group_id == group.group_id])
            for group in administration.groups.of(actor)
        ],
        members=_names(members),
    )


@router.get("/discovered")
def get_discovered(
    request: Request,
    actor: Annotated[Actor, Depends(OnPage(Permission.DISCOVERED_READ))],
    search: str = "",
) -> Response:
    """What reports have named first."""
    services = services_of(request)
    found = services.administration.discovered.of(actor)
    merges = services.analytics.merges(actor.organization_id)
    kinds = []
    for dimension in DISCOVERABLE:
        entries = [entry for entry in found if entry.dimension is dimension]
        if entries:
            labels = services.analytics.labels(actor.organization_id, dimension)
            targets = {
                value: label
                for value, label in labels.items()
                if value not in merges.of(dimension) and not label.endswith(DELETED)
            }
            kinds.append(_kind(dimension, entries, labels, targets, search))
    return _section(request, actor, "discovered", kinds=kinds, search=search)


def _kind(
    dimension: Dimension,
    entries: Sequence[Discovered],
    labels: Mapping[str, str],
    targets: Mapping[str, str],
    search: str,
) -> Kind:
    """Entries that match a search, and what they can be merged into: first what has been set up."""
    wanted = search.casefold()
    found = [e for e in entries if wanted in f"{e.name}\n{e.value}".casefold()]
    discovered = {entry.value for entry in entries}
    ordered = sorted(targets, key=lambda value: (value in discovered, targets[value].casefold()))
    return Kind(
        dimension=dimension,
        count=len(entries),
        entries=[
            (entry, labels.get(entry.merged_into, entry.merged_into))
            for entry in found[:SHOWN_DISCOVERED]
        ],
        hidden=max(0, len(found) - SHOWN_DISCOVERED),
        targets={value: targets[value] for value in ordered[:SHOWN_TARGETS]},
    )


@router.get("/upstreams")
def get_upstreams(
    request: Request, actor: Annotated[Actor, Depends(OnPage(Permission.UPSTREAMS_READ))]
) -> Response:
    """Upstreams and model names."""
    upstreams = services_of(request).administration.upstreams
    found = upstreams.of(actor)
    return _section(
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
    """Prices of the organization's own."""
    return _section(
        request, actor, "prices", prices=services_of(request).administration.prices.of(actor)
    )


@router.get("/limits")
def get_limits(
    request: Request, actor: Annotated[Actor, Depends(OnPage(Permission.LIMITS_READ))]
) -> Response:
    """Spend limits."""
    administration = services_of(request).administration
    subjects = {
        LimitScope.PROJECT: {p.project_id: p.name for p in administration.projects.of(actor)},
        LimitScope.MEMBER: _names(administration.members.of(actor)),
        LimitScope.API_KEY: {k.api_key_id: k.description for k in administration.keys.of(actor)},
    }
    return _section(
        request,
        actor,
        "limits",
        limits=[
            (limit, render_usd(limit.amount_pusd)) for limit in administration.limits.of(actor)
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
    return _section(
        request,
        actor,
        "tokens",
        tokens=administration.tokens.of(actor),
        members=_names(administration.members.of(actor)),
        scopes=[scope.value for scope in Scope if scope in scopes],
    )


@router.get("/sso")
def get_sso(
    request: Request, actor: Annotated[Actor, Depends(OnPage(Permission.SSO_READ))]
) -> Response:
    """Single sign-on."""
    administration = services_of(request).administration
    return _section(
        request,
        actor,
        "sso",
        sso=administration.sso.find(actor),
        groups={group.group_id: group.name for group in administration.groups.of(actor)},
        redirect_uri=base_url(request) + callback_of(actor.organization_id),
    )


def _names(members: list[Member]) -> dict[str, str]:
    return {member.member_id: member.name for member in members}


def _section(request: Request, actor: Actor, name: str, **context: Any) -> Response:
    """A section with the list of those that the actor may open."""
    sections = [item for item in SETTINGS if item.permission is None or has(actor, item.permission)]
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
