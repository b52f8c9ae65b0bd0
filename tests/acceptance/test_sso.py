"""Single sign-on against an identity provider on loopback."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from joserfc.jwk import RSAKey
from tests.acceptance.conftest import Server
from tests.acceptance.identity_provider import (
    CLIENT,
    SECRET,
    IdentityProvider,
    query_of,
    running_provider,
)
from tests.acceptance.world import World, make_world

from outlay.domain.actor import Plan, Role
from outlay.domain.audit import AuditFilter


@pytest.fixture
def provider() -> Iterator[IdentityProvider]:
    """The provider."""
    with running_provider() as running:
        yield running


@pytest.fixture
def world(server: Server, provider: IdentityProvider) -> World:
    """An organization that signs in with it."""
    made = make_world(server)
    made.administration.sso.put(
        made.operator,
        issuer=provider.issuer,
        client_id=CLIENT,
        secret=SECRET,
        domains=[f"{made.canary.lower()}.test"],
        groups={"engineers": made.group(), "sales": made.group()},
    )
    return made


def browser(server: Server) -> httpx.Client:
    """Somebody's browser."""
    return httpx.Client(base_url=server.url, headers={"Accept": "text/html"}, timeout=30)


def go_there(http: httpx.Client, world: World) -> str:
    """Begin, and be signed in at the provider: where it sends the browser."""
    gone = http.get(f"/login/sso?organization={world.organization.slug}&next=/settings/keys")
    assert gone.status_code == 303, gone.text
    return str(httpx.get(gone.headers["location"]).headers["location"])


def sign_in(world: World, provider: IdentityProvider, **claims: Any) -> dict[str, Any] | None:
    """Who is signed in after the whole way, None for nobody."""
    provider.claims = claims
    with browser(world.server) as http:
        back = http.get(go_there(http, world))
        if back.status_code != 303:
            assert "notice is-error" in back.text
            return None
        assert back.headers["location"] == "/settings/keys"
        found: dict[str, Any] = http.get("/me", headers={"Accept": "application/json"}).json()
        return found


def email_of(world: World, name: str) -> str:
    """An address in the organization's domain."""
    return f"{name}@{world.canary.lower()}.test"


def test_a_member_is_found_by_verified_address_and_then_by_subject(
    world: World, provider: IdentityProvider
) -> None:
    owner = world.people[Role.OWNER].member

    found = sign_in(world, provider, sub="1", email=owner.email.upper())
    again = sign_in(world, provider, sub="1", email="changed@elsewhere.test")

    assert found is not None
    assert found["member"]["memberId"] == owner.member_id
    assert again is not None
    assert again["member"]["memberId"] == owner.member_id
    assert provider.redeemed[0]["grant_type"] == "authorization_code"


def test_an_address_that_is_not_verified_is_nobodys(
    world: World, provider: IdentityProvider
) -> None:
    owner = world.people[Role.OWNER].member

    assert sign_in(world, provider, sub="2", email=owner.email, email_verified=False) is None
    assert sign_in(world, provider, sub="2", email=owner.email, email_verified="true") is None


def test_people_of_the_domains_become_developers_and_others_stay_out(
    world: World, provider: IdentityProvider
) -> None:
    found = sign_in(world, provider, sub="3", email=email_of(world, "new"), name="New One")
    other = sign_in(world, provider, sub="4", email="new@elsewhere.test")

    assert found is not None
    assert (found["member"]["role"], found["member"]["name"]) == ("developer", "New One")
    assert other is None
    last = world.administration.audit.page(
        world.operator, AuditFilter(), before_number=None, limit=1
    )[0]
    assert last.entry.action == "member.create"
    assert last.after is not None
    assert (last.after["method"], last.after["email"]) == ("sso", email_of(world, "new"))


def test_a_member_of_another_organization_is_not_taken_over(
    server: Server, world: World, provider: IdentityProvider
) -> None:
    stranger = make_world(server)
    email = stranger.people[Role.OWNER].member.email

    assert sign_in(world, provider, sub="5", email=email) is None
    shared = stranger.add_person(Role.OWNER, email=email_of(world, "elsewhere"))
    assert sign_in(world, provider, sub="6", email=shared.member.email) is None


def test_whoever_was_removed_stays_out(world: World, provider: IdentityProvider) -> None:
    person = world.add_person(Role.DEVELOPER, email="left@elsewhere.test")
    assert sign_in(world, provider, sub="7", email=person.member.email)
    world.administration.members.remove(world.operator, person.member.member_id)

    assert sign_in(world, provider, sub="7", email=person.member.email) is None


def test_groups_follow_the_claim_and_others_are_left_alone(
    world: World, provider: IdentityProvider
) -> None:
    sso = world.administration.sso.find(world.operator)
    assert sso is not None
    person = world.people[Role.DEVELOPER].member
    mine = world.group()
    world.administration.groups.join(world.operator, mine, person.member_id)

    def groups_after(groups: Any) -> set[str]:
        assert sign_in(world, provider, sub="8", email=person.email, groups=groups)
        return {
            membership.group_id
            for membership in world.administration.groups.memberships(world.operator)
            if membership.member_id == person.member_id and membership.valid_to_us is None
        }

    assert groups_after(["engineers", "unknown"]) == {mine, sso.groups["engineers"]}
    assert groups_after(["sales"]) == {mine, sso.groups["sales"]}
    assert groups_after(None) == {mine, sso.groups["sales"]}  # the token says nothing of groups
    assert groups_after([]) == {mine}


def test_a_new_key_of_the_provider_is_read_when_it_is_met(
    world: World, provider: IdentityProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    email = world.people[Role.ADMIN].member.email
    assert sign_in(world, provider, sub="9", email=email)
    reads = provider.key_reads
    assert sign_in(world, provider, sub="9", email=email)
    assert provider.key_reads == reads

    provider.key = RSAKey.generate_key(2048, {"kid": "two"})
    assert sign_in(world, provider, sub="9", email=email) is None  # not more than once a minute
    monkeypatch.setattr("outlay.services.sso.KEYS_SECONDS", 0.0)
    assert sign_in(world, provider, sub="9", email=email)


def test_what_comes_back_must_belong_to_this_browser_and_only_once(
    world: World, provider: IdentityProvider
) -> None:
    provider.claims = {"sub": "10", "email": world.people[Role.OWNER].member.email}
    with browser(world.server) as mine, browser(world.server) as victim:
        back = go_there(mine, world)
        assert victim.get(back).status_code == 401  # somebody else's sign-in, put upon a victim
        assert mine.get(back.replace("state=", "state=x")).status_code == 401
        back = go_there(mine, world)
        code = query_of(back)["code"]
        assert mine.get(back.replace(code, "guessed")).status_code == 503
        assert mine.get(back).status_code == 401  # used up
        refused = go_there(mine, world).replace("code=", "error=access_denied&x=")
        assert mine.get(refused).status_code == 401
        assert mine.get(go_there(mine, world)).status_code == 303


def test_a_sign_in_that_took_too_long_starts_again(
    server: Server, world: World, provider: IdentityProvider
) -> None:
    from datetime import timedelta

    from tests.factories import NOW

    clock: Any = server.services.clock
    with browser(server) as http:
        back = go_there(http, world)
        clock.instant = NOW + timedelta(minutes=11)
        try:
            assert http.get(back).status_code == 401
        finally:
            clock.instant = NOW


def test_a_provider_that_lies_or_is_away_lets_nobody_in(
    server: Server, provider: IdentityProvider
) -> None:
    world = make_world(server)
    for change in (
        {"issuer": "https://evil.test"},
        {"token_endpoint": "http://evil.test/token"},
        {"jwks_uri": "http://169.254.169.254/keys"},
        {"authorization_endpoint": "javascript:alert(1)"},
    ):
        server.services.sso._known.clear()
        good = dict(provider.metadata)
        provider.metadata |= change
        world.administration.sso.put(
            world.operator, issuer=provider.issuer, client_id=CLIENT, secret=SECRET
        )
        with browser(server) as http:
            found = http.get(f"/login/sso?organization={world.organization.slug}")
        assert found.status_code in {400, 401}, change
        provider.metadata = good
    world.administration.sso.put(
        world.operator, issuer="http://127.0.0.1:9", client_id=CLIENT, secret=SECRET
    )
    with browser(server) as http:
        found = http.get(f"/login/sso?organization={world.organization.slug}")
        assert (found.status_code, "could not be used" in found.text) == (503, True)
        assert http.get("/login/sso?organization=nobody").status_code == 404


def test_the_page_offers_it_and_the_secret_never_comes_out(world: World) -> None:
    owner = world.people[Role.OWNER]
    page = httpx.get(f"{world.server.url}/login", headers={"Accept": "text/html"}).text
    shown = httpx.get(f"{world.server.url}/sso", headers=owner.bearer)

    assert 'action="/login/sso"' in page
    assert world.organization.slug not in page  # there are others: whose provider is not told
    assert SECRET not in shown.text
    assert shown.json()["redirectUri"] == f"{world.server.url}/login/sso/callback"


@pytest.mark.parametrize(
    "issuer",
    ["http://id.example.com", "https://169.254.169.254", "ftp://x", "https://user@x.test", ""],
)
def test_issuers_that_cannot_be(world: World, issuer: str) -> None:
    owner = world.people[Role.OWNER]
    body = {"issuer": issuer, "clientId": "c"}
    answer = httpx.put(f"{world.server.url}/sso", headers=owner.bearer, json=body)

    assert (answer.status_code, answer.json()["field"]) == (400, "issuer")


def test_another_client_needs_the_secret_again(world: World) -> None:
    owner = world.people[Role.OWNER]

    def put(**body: str) -> httpx.Response:
        return httpx.put(f"{world.server.url}/sso", headers=owner.bearer, json=body)

    sso = world.administration.sso.find(world.operator)
    assert sso is not None
    assert put(issuer=sso.issuer, clientId=CLIENT).status_code == 200
    moved = put(issuer="https://evil.test", clientId=CLIENT)
    assert (moved.status_code, moved.json()["code"]) == (400, "secret-required")
    assert put(issuer="https://new.test", clientId=CLIENT, secret="another").status_code == 200


def test_only_enterprise_has_it(server: Server) -> None:
    owner = make_world(server, Plan.PRO).people[Role.OWNER]
    body = {"issuer": "https://id.test", "clientId": "c"}
    answer = httpx.put(f"{server.url}/sso", headers=owner.bearer, json=body)

    assert answer.json()["code"] == "plan-required"
