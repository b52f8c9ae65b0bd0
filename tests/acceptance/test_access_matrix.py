"""Every route × every principal × own and foreign objects × every plan."""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, NamedTuple

import httpx
import pytest
from fastapi.routing import RouteContext, iter_route_contexts
from tests.acceptance.conftest import Server
from tests.acceptance.world import PASSWORD, Person, World, make_world
from tests.factories import NOW

from outlay.domain.actor import Plan, Role, Scope
from outlay.domain.ids import GroupId, MemberId
from outlay.web.app import ALIASES, API_ROUTERS, Application, create_pages
from outlay.web.http.auth import ByToken, OnPage, Open, OperatorOnly, Policy, Requires, SignedIn
from outlay.web.http.openapi import API_PREFIX


class Rule(NamedTuple):
    """Who is allowed, according to the design; written down here independently of the code."""

    roles: str
    plans: str = "any"
    body: Any = None
    query: str = ""


ALL, LEADERS, OWNERS = "owner admin developer", "owner admin", "owner"
ENTERPRISE = "enterprise"
NEW = "{new}"
"""In bodies and queries: an unused name of the organization's own."""

COSTS = "start_time,amount_value,line_item,project_id\n2026-11-19,1.5,gpt-4o,p\n"

DAYS = {"from": "2026-11-01", "to": "2026-11-20"}
RATE = {"currency": "EUR", "usd": "1.1", "effectiveFrom": "{day}"}
RULES: dict[str, Rule] = {
    "GET /api/v1/analytics/activity": Rule(LEADERS, ENTERPRISE),
    "GET /api/v1/analytics/summary": Rule(LEADERS, ENTERPRISE),
    "GET /api/v1/analytics/me": Rule(ALL),
    "GET /api/v1/analytics/latency": Rule(LEADERS, ENTERPRISE),
    "GET /api/v1/analytics/reported-costs": Rule(LEADERS, ENTERPRISE),
    "GET /api/v1/analytics/health": Rule(LEADERS, ENTERPRISE),
    "GET /api/v1/analytics/members": Rule(LEADERS, ENTERPRISE),
    "GET /api/v1/analytics/members/{user_id}": Rule(LEADERS, ENTERPRISE),
    "GET /api/v1/analytics/users": Rule(LEADERS, ENTERPRISE),
    "GET /api/v1/analytics/groups": Rule(LEADERS, ENTERPRISE),
    "GET /api/v1/analytics/users-and-groups": Rule(LEADERS, ENTERPRISE),
    "GET /api/v1/analytics/projects": Rule(ALL),
    "GET /api/v1/analytics/projects/{project_id}": Rule(ALL),
    "GET /api/v1/analytics/keys/{api_key_id}": Rule(ALL),
    "GET /api/v1/reconciliations": Rule(LEADERS, ENTERPRISE),
    "GET /api/v1/reconciliations/{reconciliation_id}": Rule(LEADERS, ENTERPRISE),
    "POST /api/v1/reconciliations": Rule(
        LEADERS, ENTERPRISE, body={"provider": "openai", "content": COSTS, "fileName": NEW}
    ),
    "GET /api/v1/analytics/sessions": Rule(ALL),
    "GET /api/v1/analytics/sessions/{session_id}": Rule(ALL),
    "GET /api/v1/duplicates": Rule(LEADERS),
    "POST /api/v1/duplicates/merge": Rule(
        LEADERS, body={"pairs": [{"kept": "{kept}", "dropped": "{dropped}"}]}
    ),
    "GET /api/v1/reprices": Rule(LEADERS),
    "GET /api/v1/reprices/{reprice_id}": Rule(LEADERS),
    "POST /api/v1/reprices/preview": Rule(LEADERS, body=DAYS),
    "POST /api/v1/reprices": Rule(LEADERS, body={**DAYS, "reason": NEW}),
    "POST /api/v1/reprices/{reprice_id}/revert": Rule(LEADERS, body={"reason": NEW}),
    "GET /api/v1/requests": Rule(ALL),
    "GET /api/v1/requests/{event_id}": Rule(ALL),
    "GET /api/v1/exports/report": Rule(LEADERS, ENTERPRISE),
    "GET /api/v1/exports/activity.csv": Rule(LEADERS, ENTERPRISE),
    "GET /api/v1/exports/me.csv": Rule(ALL),
    "GET /api/v1/exports/requests": Rule(ALL),
    "GET /api/v1/exports/users": Rule(LEADERS, ENTERPRISE),
    "GET /api/v1/exports/reported-costs": Rule(LEADERS, ENTERPRISE),
    "GET /api/v1/exports/projects/{project_id}.csv": Rule(ALL),
    "GET /api/v1/exports/keys/{api_key_id}.csv": Rule(ALL),
    "GET /api/v1/audit": Rule(LEADERS),
    "GET /api/v1/exports/audit.csv": Rule(LEADERS),
    "GET /api/v1/me": Rule(ALL),
    "PATCH /api/v1/me": Rule(ALL, body={"name": NEW}),
    "PUT /api/v1/me/password": Rule(ALL, body={"current": PASSWORD, "password": PASSWORD + "!"}),
    "DELETE /api/v1/me/sessions": Rule(ALL),
    "GET /api/v1/organization": Rule(ALL),
    "PATCH /api/v1/organization": Rule(OWNERS, body={"name": NEW}),
    "GET /api/v1/members": Rule(LEADERS),
    "GET /api/v1/members/{member_id}": Rule(LEADERS),
    "PATCH /api/v1/members/{member_id}": Rule(LEADERS, body={"name": NEW}),
    "DELETE /api/v1/members/{member_id}": Rule(LEADERS),
    "POST /api/v1/members/{member_id}/password-link": Rule(LEADERS),
    "POST /api/v1/members/{member_id}/erase": Rule(OWNERS),
    "GET /api/v1/invitations": Rule(LEADERS),
    "POST /api/v1/invitations": Rule(LEADERS, body={"email": "{mail}"}),
    "DELETE /api/v1/invitations/{invitation_id}": Rule(LEADERS),
    "GET /api/v1/projects": Rule(ALL),
    "POST /api/v1/projects": Rule(LEADERS, body={"name": NEW}),
    "PATCH /api/v1/projects/{project_id}": Rule(LEADERS, body={"name": NEW}),
    "DELETE /api/v1/projects/{project_id}": Rule(LEADERS),
    "GET /api/v1/api-keys": Rule(ALL),
    "POST /api/v1/api-keys": Rule(ALL, body={"projectId": "{project}", "description": NEW}),
    "GET /api/v1/api-keys/{api_key_id}": Rule(ALL),
    "PATCH /api/v1/api-keys/{api_key_id}": Rule(ALL, body={"description": NEW}),
    "POST /api/v1/api-keys/{api_key_id}/revoke": Rule(ALL),
    "DELETE /api/v1/api-keys/{api_key_id}": Rule(ALL),
    "GET /api/v1/tags": Rule(ALL),
    "POST /api/v1/tags": Rule(LEADERS, body={"key": "{tag}"}),
    "DELETE /api/v1/tags/{key}": Rule(LEADERS),
    "GET /api/v1/groups": Rule(LEADERS, ENTERPRISE),
    "POST /api/v1/groups": Rule(LEADERS, ENTERPRISE, body={"name": NEW}),
    "PATCH /api/v1/groups/{group_id}": Rule(LEADERS, ENTERPRISE, body={"name": NEW}),
    "DELETE /api/v1/groups/{group_id}": Rule(LEADERS, ENTERPRISE),
    "PUT /api/v1/groups/{group_id}/members/{member_id}": Rule(LEADERS, ENTERPRISE, body={}),
    "DELETE /api/v1/groups/{group_id}/members/{member_id}": Rule(LEADERS, ENTERPRISE),
    "GET /api/v1/upstreams": Rule(LEADERS),
    "POST /api/v1/upstreams": Rule(LEADERS, body={"provider": "openai", "name": "{slug}"}),
    "PATCH /api/v1/upstreams/{upstream_id}": Rule(LEADERS, body={"name": "{slug}"}),
    "DELETE /api/v1/upstreams/{upstream_id}": Rule(LEADERS),
    "GET /api/v1/model-mappings": Rule(LEADERS),
    "PUT /api/v1/model-mappings": Rule(
        LEADERS, body={"name": NEW, "upstreamId": "{upstream}", "model": "m"}
    ),
    "DELETE /api/v1/model-mappings": Rule(LEADERS, query="name={mapping}"),
    "GET /api/v1/discovered": Rule(LEADERS),
    "PATCH /api/v1/discovered/{discovered_id}": Rule(LEADERS, body={"name": NEW}),
    "GET /api/v1/prices": Rule(LEADERS),
    "POST /api/v1/prices": Rule(LEADERS, body={"model": NEW, "input": "1.5"}),
    "POST /api/v1/prices/preview": Rule(LEADERS, body={"model": NEW, "input": "1.5"}),
    "GET /api/v1/prices/{price_id}/deletion-preview": Rule(LEADERS),
    "DELETE /api/v1/prices/{price_id}": Rule(LEADERS),
    "GET /api/v1/exchange-rates": Rule(LEADERS),
    "POST /api/v1/exchange-rates": Rule(LEADERS, body=RATE),
    "POST /api/v1/exchange-rates/preview": Rule(LEADERS, body=RATE),
    "DELETE /api/v1/exchange-rates/{rate_id}": Rule(LEADERS),
    "GET /api/v1/limits": Rule(LEADERS),
    "PUT /api/v1/limits": Rule(
        LEADERS,
        body={"scope": "project", "scopeId": "{project}", "interval": "day", "amountUsd": "1"},
    ),
    "DELETE /api/v1/limits": Rule(LEADERS, query="scope=project&interval=month&scopeId={limit}"),
    "GET /api/v1/tokens": Rule(ALL),
    "POST /api/v1/tokens": Rule(ALL, body={"description": NEW, "scopes": ["usage:read"]}),
    "DELETE /api/v1/tokens/{token_id}": Rule(ALL),
    "PUT /api/v1/sso": Rule(
        OWNERS, ENTERPRISE, body={"issuer": "https://id.test", "clientId": NEW}
    ),
    "GET /api/v1/sso": Rule(OWNERS, ENTERPRISE),
    "DELETE /api/v1/sso": Rule(OWNERS, ENTERPRISE),
    "POST /v1/usage/events": Rule(LEADERS, body=[]),
    "POST /v1/ingest/litellm": Rule(LEADERS, body=[]),
    "POST /v1/traces": Rule(LEADERS, body={}),
    "POST /api/public/otel/v1/traces": Rule(LEADERS, body={}),
}
CHANGES = [
    name
    for name in RULES
    if f" {API_PREFIX}/" in name and not name.startswith("GET ") and not name.endswith("/preview")
]
"""Routes that change an organization's configuration or its recorded data."""

RULES |= {f"GET {path}": RULES[f"GET {API_PREFIX}{path}"] for path in ALIASES}
PAGES: dict[str, Rule] = {
    "/organization/analytics": Rule(LEADERS, ENTERPRISE),
    "/organization/ranking": Rule(LEADERS, ENTERPRISE),
    "/organization/members": Rule(LEADERS, ENTERPRISE),
    "/organization/members/{member_id}": Rule(LEADERS, ENTERPRISE),
    "/monitoring/users/user": Rule(LEADERS, ENTERPRISE, query="userId=ada"),
    "/key/{api_key_id}": Rule(ALL),
    "/organization/report": Rule(LEADERS, ENTERPRISE),
    "/organization/reconciliation": Rule(LEADERS, ENTERPRISE),
    "/organization/reported-costs": Rule(LEADERS, ENTERPRISE),
    "/project/{project_id}": Rule(ALL),
    "/project/{project_id}/analytics": Rule(ALL),
    "/project/{project_id}/ranking": Rule(ALL),
    "/project/{project_id}/keys": Rule(ALL),
    "/project/{project_id}/keys/{api_key_id}": Rule(ALL),
    "/organization/users-and-groups": Rule(LEADERS, ENTERPRISE),
    "/monitoring/users": Rule(LEADERS, ENTERPRISE),
    "/monitoring/dashboard": Rule(LEADERS, ENTERPRISE),
    "/choices.json": Rule(ALL, query="param=model"),
    "/monitoring/requests": Rule(ALL),
    "/me/usage": Rule(ALL),
    "/me/ranking": Rule(ALL),
    "/monitoring/audit": Rule(LEADERS),
    "/settings/account": Rule(ALL),
    "/settings/organization": Rule(ALL),
    "/settings/members": Rule(LEADERS),
    "/settings/projects": Rule(ALL),
    "/settings/keys": Rule(ALL),
    "/settings/groups": Rule(LEADERS, ENTERPRISE),
    "/settings/discovered": Rule(LEADERS),
    "/settings/upstreams": Rule(LEADERS),
    "/settings/prices": Rule(LEADERS),
    "/settings/repricing": Rule(LEADERS),
    "/settings/limits": Rule(LEADERS),
    "/settings/tokens": Rule(ALL),
    "/settings/sso": Rule(OWNERS, ENTERPRISE),
}
SIGNED_IN = {"GET /", "GET /settings", "GET /palette.json"}
OPEN = {
    "GET /openapi.json",
    "GET /api/v1/openapi.json",
    "GET /.well-known/security.txt",
    "GET /static/{release}/{path}",
    "GET /login",
    "POST /login",
    "GET /login/sso",
    "GET /login/sso/callback",
    "GET /login/sso/callback/{organization_id}",
    "POST /logout",
    "POST /theme",
    "GET /setup/{secret}",
    "POST /setup/{secret}",
    "GET /invitation/{secret}",
    "POST /invitation/{secret}",
    "GET /password/{secret}",
    "POST /password/{secret}",
}


@pytest.fixture(scope="module")
def worlds(server: Server) -> dict[Plan, World]:
    """An organization for each plan."""
    return {plan: make_world(server, plan) for plan in Plan}


@pytest.fixture(scope="module")
def stranger(server: Server) -> World:
    """A foreign organization."""
    return make_world(server)


def routes(server: Server) -> Iterator[tuple[str, RouteContext]]:
    """Every FastAPI route, as `GET /path`."""
    for route in iter_route_contexts(create_pages(server.services, "operator").routes):
        assert route.methods
        for method in route.methods:
            yield f"{method} {str(route.path).replace(':path}', '}')}", route


def policies(route: RouteContext) -> list[Policy]:
    """The policies that a route declares, including those of its routers."""
    found: list[Policy] = []
    waiting = [*route.dependant.dependencies]
    while waiting:
        dependency = waiting.pop()
        if isinstance(dependency.call, Policy):
            found.append(dependency.call)
        waiting += dependency.dependencies
    return found


def test_every_route_declares_one_policy_and_is_listed_here(server: Server) -> None:
    seen = set()
    for name, route in routes(server):
        (policy,) = set(policies(route))
        seen.add(name)
        method, _, path = name.partition(" ")
        match policy:
            case OnPage():
                assert method == "GET"
                assert path in PAGES, name
            case Requires():
                assert name in RULES, name
            case SignedIn():
                assert name in SIGNED_IN, name
            case Open():
                assert name in OPEN, name
            case OperatorOnly():
                assert path.startswith("/api/v1/operations/"), name
            case _:
                raise AssertionError(name)
    written = {*RULES, *SIGNED_IN, *OPEN, *(f"GET {path}" for path in PAGES)}
    assert written <= seen
    assert len(API_ROUTERS) > 10


def fill(value: Any, world: World) -> Any:
    """A body or query filled with objects of an organization."""
    if isinstance(value, dict):
        return {name: fill(part, world) for name, part in value.items()}
    if isinstance(value, list):
        return [fill(part, world) for part in value]
    if not isinstance(value, str):
        return value
    makers: dict[str, Callable[[], str]] = {
        "{new}": world.name,
        "{mail}": lambda: f"{world.name().replace(' ', '')}@example.test",
        "{slug}": lambda: world.name().lower().replace(" ", "-"),
        "{tag}": world.free_tag,
        "{day}": world.day,
        "{project}": world.project,
        "{upstream}": world.upstream,
        "{mapping}": world.mapping,
        "{limit}": world.limit,
        "{kept}": world.duplicate,
        "{dropped}": lambda: world.dropped,
    }
    for mark, make in makers.items():
        if mark in value:
            value = value.replace(mark, make())
    return value


def ask(
    name: str, rule: Rule, headers: dict[str, str], world: World, things: World, person: Person
) -> httpx.Response:
    """Call a route with the ids of an organization's objects in its path, body and query."""
    method, _, path = name.partition(" ")
    owner = person if things is world else things.people[Role.OWNER]
    for kind in re.findall(r"{(\w+)}", path):
        path = path.replace(f"{{{kind}}}", things.make(kind, owner.member))
    if name == "DELETE /api/v1/groups/{group_id}/members/{member_id}":
        _, group_id, _, member_id = path.removeprefix(API_PREFIX).strip("/").split("/")
        things.administration.groups.add_member(
            things.operator, GroupId(group_id), MemberId(member_id)
        )
    if name == "DELETE /api/v1/sso":
        things.sso()
    foreign_body = {"{new}", "{mail}", "{slug}"}
    body = rule.body
    if isinstance(body, dict):
        body = {
            field: fill(part, world if str(part) in foreign_body else things)
            if isinstance(part, str | list)
            else part
            for field, part in body.items()
        }
    query = fill(rule.query, things)
    url = world.server.url + path + (f"?{query}" if query else "")
    extra = {} if body is None else {"json": body}
    return httpx.request(method, url, headers=headers, timeout=60, **extra)


def place(page: str, things: World, person: Person) -> str:
    """The URL of a page about an organization's objects; a key is in its own project."""
    path = page
    if "{api_key_id}" in page:
        key_id = things.api_key(person.member)
        keys = things.administration.keys.list_for(things.operator)
        project_id = next(key.project_id for key in keys if key.api_key_id == key_id)
        path = path.replace("{project_id}", project_id).replace("{api_key_id}", key_id)
    for kind in re.findall(r"{(\w+)}", path):
        path = path.replace(f"{{{kind}}}", things.make(kind, person.member))
    return path


def expected(rule: Rule, role: Role, plan: Plan) -> int:
    """The expected status of a refusal, 200 if allowed."""
    allowed = role.value in rule.roles.split() and rule.plans in {"any", plan.value}
    return 200 if allowed else 403


def names_something(name: str, rule: Rule) -> bool:
    """Whether a request names a specific object."""
    marks = ("{project}", "{upstream}", "{mapping}", "{limit}", "{kept}")
    said = f"{name.partition(' ')[2]} {rule.query} {rule.body or ''}"
    return bool(re.search(r"{(\w+)_id}", said)) or any(mark in said for mark in marks)


@pytest.mark.parametrize("plan", list(Plan))
@pytest.mark.parametrize("role", list(Role))
def test_every_endpoint_for_every_role_and_plan(
    worlds: dict[Plan, World], stranger: World, role: Role, plan: Plan
) -> None:
    world = worlds[plan]
    asking = world.add_person(role)
    for name, rule in RULES.items():
        # These change the password, name or sessions of the caller.
        changes_person = name.endswith(("/me", "/me/password", "/me/sessions"))
        person = world.add_person(role) if changes_person else asking
        wanted = expected(rule, role, plan)
        own = ask(name, rule, person.bearer, world, world, person)
        assert (own.status_code if wanted == 403 else own.is_success) == (
            403 if wanted == 403 else True
        ), (name, own.status_code, own.text)
        if wanted == 403:
            code = own.json()["code"]
            is_plan = rule.plans == ENTERPRISE and plan is not Plan.ENTERPRISE
            assert code == ("plan-required" if is_plan else "role-required"), (name, own.text)
        assert stranger.canary not in own.text, name
        if not names_something(name, rule):
            continue
        foreign = ask(name, rule, person.bearer, world, stranger, person)
        assert foreign.status_code == (404 if wanted == 200 else 403), (name, foreign.text)
        assert stranger.canary not in foreign.text, name
        if wanted == 200 and "_id}" in name:
            unknown = httpx.request(
                name.partition(" ")[0],
                world.server.url + re.sub(r"{\w+}", "nobody_knows_it", name.partition(" ")[2]),
                headers=person.bearer,
                **({} if rule.body is None else {"json": fill(rule.body, world)}),
            )
            assert content_of(unknown) == content_of(foreign), name


def content_of(answer: httpx.Response) -> tuple[int, dict[str, Any]]:
    """The content of an answer, without location and time."""
    body = answer.json()
    return answer.status_code, {
        name: value for name, value in body.items() if name not in {"instance", "requestId"}
    }


@pytest.mark.parametrize("plan", list(Plan))
@pytest.mark.parametrize("role", list(Role))
def test_every_page_for_every_role_and_plan(
    worlds: dict[Plan, World], stranger: World, role: Role, plan: Plan
) -> None:
    world = worlds[plan]
    person = world.people[role]
    for page, rule in PAGES.items():
        path = place(page, world, person) + (f"?{rule.query}" if rule.query else "")
        answer = httpx.get(world.server.url + path, headers=person.cookie)
        assert answer.status_code == expected(rule, role, plan), path
        assert stranger.canary not in answer.text, path
        if "{" in page and answer.status_code == 200:
            theirs = place(page, stranger, stranger.people[Role.OWNER])
            nobodys = re.sub(r"{\w+}", "nobody_knows_it", page)
            for gone in (theirs, nobodys):
                refused = httpx.get(world.server.url + gone, headers=person.cookie)
                assert refused.status_code == 404, gone
                assert stranger.canary not in refused.text, gone
        assert answer.headers["cache-control"] == "no-store", path
        if answer.status_code == 403:
            is_plan = rule.plans == ENTERPRISE and plan is not Plan.ENTERPRISE
            assert ("plan-required" if is_plan else "role-required") in answer.text, path
        by_token = httpx.get(world.server.url + path, headers=person.bearer)
        assert by_token.status_code in {401, 403}, path


def test_everything_requires_a_valid_credential(server: Server) -> None:
    world = make_world(server)
    person = world.people[Role.OWNER]
    _, key = world.key(person.member)
    revoked, expired, gone = (world.add_person(Role.OWNER) for _ in range(3))
    for token in world.administration.tokens.list_for(world.operator):
        if token.member_id == revoked.member.member_id:
            world.administration.tokens.revoke(world.operator, token.token_id)
    _, short = world.administration.tokens.create(
        world.operator,
        description="short",
        scopes=Scope,
        member_id=expired.member.member_id,
        expires_at=NOW + timedelta(seconds=1),
    )
    world.administration.members.remove(world.operator, gone.member.member_id)
    bad = {
        "anonymous": {},
        "malformed": {"Authorization": "Bearer nonsense"},
        "wrong secret": {"Authorization": f"Bearer {person.token[:-1]}_"},
        "gateway key": {"Authorization": f"Bearer {key}"},
        "revoked": revoked.bearer,
        "removed": gone.bearer,
        "removed session": {"Cookie": gone.cookie["Cookie"]},
        "wrong session": {"Cookie": "outlay_session=nonsense"},
    }
    names = [*RULES, *(f"GET {path}" for path in PAGES), *SIGNED_IN]
    for who, headers in bad.items():
        for name in names:
            check_refused(world, name, headers, who)
    clock: Any = server.services.clock
    clock.instant = NOW + timedelta(seconds=2)
    try:
        for name in names:
            check_refused(world, name, {"Authorization": f"Bearer {short}"}, "expired")
    finally:
        clock.instant = NOW


def check_refused(world: World, name: str, headers: dict[str, str], who: str) -> None:
    method, _, path = name.partition(" ")
    url = world.server.url + re.sub(r"{\w+}", "x", path)
    answer = world.server.http.request(method, url, headers=headers, json={})
    assert answer.status_code == 401, (who, name, answer.status_code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert world.canary not in answer.text


def test_gateway_paths_reject_access_tokens_and_the_api_rejects_api_keys(
    server: Server,
) -> None:
    world = make_world(server)
    person = world.people[Role.OWNER]
    free = {b"/healthz", b"/readyz", b"/metrics"}
    paths = set(Application(server.services, "operator").handlers)
    assert free <= paths
    for path in paths - free:
        method = "GET" if path.endswith(b"/models") else "POST"
        for headers in ({}, person.bearer, {"x-api-key": person.token}):
            answer = httpx.request(
                method, server.url + path.decode(), headers=headers, json={"model": "m"}
            )
            assert answer.status_code == 401, path


def test_token_is_limited_to_its_scopes(server: Server) -> None:
    world = make_world(server)
    owner = world.people[Role.OWNER]
    needs = {
        "GET /api/v1/analytics/summary": Scope.USAGE_READ,
        "POST /v1/usage/events": Scope.USAGE_WRITE,
        "GET /api/v1/projects": Scope.DIRECTORY_READ,
        "POST /api/v1/projects": Scope.DIRECTORY_WRITE,
        "GET /api/v1/audit": Scope.AUDIT_READ,
    }
    for scope in Scope:
        _, token = world.administration.tokens.create(
            world.operator,
            description="one scope",
            scopes=[scope],
            member_id=owner.member.member_id,
        )
        for name, needed in needs.items():
            bearer = {"Authorization": f"Bearer {token}"}
            answer = ask(name, RULES[name], bearer, world, world, owner)
            if scope is needed:
                assert answer.is_success, (name, answer.text)
            else:
                assert (answer.status_code, answer.json()["code"]) == (403, "scope-required")


def test_token_with_few_scopes_cannot_admit_members_with_more_rights(server: Server) -> None:
    world = make_world(server)
    colleague = world.people[Role.DEVELOPER].member.member_id
    actions: tuple[tuple[str, str, dict[str, Any]], ...] = (
        ("POST", "/api/v1/invitations", {"email": "new@x.test", "role": "owner"}),
        ("PATCH", f"/api/v1/members/{colleague}", {"role": "admin"}),
        ("POST", f"/api/v1/members/{world.people[Role.ADMIN].member.member_id}/password-link", {}),
        ("PUT", "/api/v1/sso", {"issuer": "https://id.test", "clientId": "c"}),
    )

    def ask_with(scopes: frozenset[Scope], method: str, path: str, body: Any) -> httpx.Response:
        _, token = world.administration.tokens.create(
            world.operator,
            description="some scopes",
            scopes=scopes,
            member_id=world.people[Role.OWNER].member.member_id,
        )
        bearer = {"Authorization": f"Bearer {token}"}
        return httpx.request(method, server.url + path, headers=bearer, json=body)

    for method, path, body in actions:
        for lacking in set(Scope) - {Scope.DIRECTORY_WRITE}:
            answer = ask_with(frozenset(Scope) - {lacking}, method, path, body)
            assert (answer.status_code, answer.json()["code"]) == (403, "scope-required"), path
            assert lacking in answer.json()["detail"]
        assert ask_with(frozenset(Scope), method, path, body).is_success, path


def test_token_only_routes_reject_sessions(server: Server) -> None:
    world = make_world(server)
    cookie = {"Cookie": world.people[Role.OWNER].cookie["Cookie"]}
    answer = httpx.post(f"{server.url}/v1/usage/events", headers=cookie, json=[])

    assert answer.status_code == 401
    assert isinstance(ByToken, type)


def test_developers_manage_only_their_own_objects(server: Server) -> None:
    world = make_world(server)
    developer, other = world.people[Role.DEVELOPER], world.add_person(Role.DEVELOPER)
    key_id, token_id = world.api_key(other.member), world.token(other.member)
    own_key, own_token = world.api_key(developer.member), world.token(developer.member)

    def ask_as_developer(method: str, path: str, body: Any = None) -> httpx.Response:
        url = server.url + path
        return httpx.request(method, url, headers=developer.bearer, json=body)

    listed = ask_as_developer("GET", "/api/v1/api-keys").json()["apiKeys"]
    assert [key["apiKeyId"] for key in listed] == [own_key]
    tokens = ask_as_developer("GET", "/api/v1/tokens").json()["tokens"]
    assert {token["memberId"] for token in tokens} == {developer.member.member_id}
    assert own_token in {token["tokenId"] for token in tokens}
    for method, path, body in (
        ("GET", f"/api/v1/api-keys/{key_id}", None),
        ("PATCH", f"/api/v1/api-keys/{key_id}", {"description": "mine now"}),
        ("POST", f"/api/v1/api-keys/{key_id}/revoke", None),
        ("DELETE", f"/api/v1/api-keys/{key_id}", None),
        ("DELETE", f"/api/v1/tokens/{token_id}", None),
    ):
        assert ask_as_developer(method, path, body).status_code == 404, (method, path)
    refused: tuple[dict[str, Any], ...] = (
        {"memberId": other.member.member_id},
        {"trustsCaller": True},
    )
    for more in refused:
        wanted = {"projectId": world.project(), "description": "x", **more}
        answer = ask_as_developer("POST", "/api/v1/api-keys", wanted)
        assert (answer.status_code, answer.json()["code"]) == (403, "role-required")
    answer = ask_as_developer("PATCH", f"/api/v1/api-keys/{own_key}", {"trustsCaller": True})
    assert answer.status_code == 403


def test_foreign_ids_in_bodies_and_paths_are_not_found(server: Server) -> None:
    world, stranger = make_world(server), make_world(server)
    owner, victim = world.people[Role.OWNER], stranger.people[Role.DEVELOPER]
    group = world.group()
    for method, path, body in (
        ("PUT", f"/api/v1/groups/{group}/members/{victim.member.member_id}", {}),
        (
            "POST",
            "/api/v1/api-keys",
            {
                "projectId": world.project(),
                "description": "x",
                "memberId": victim.member.member_id,
            },
        ),
        (
            "PUT",
            "/api/v1/sso",
            {"issuer": "https://id.test", "clientId": "c", "groups": {"a": stranger.group()}},
        ),
    ):
        answer = httpx.request(method, server.url + path, headers=owner.bearer, json=body)
        assert answer.status_code == 404, (path, answer.text)
