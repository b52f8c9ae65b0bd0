"""Single sign-on against an identity provider on loopback."""

import html
import http.server
import re
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from joserfc.jwk import RSAKey
from starlette.testclient import TestClient
from tests.acceptance.conftest import Server
from tests.acceptance.identity_provider import (
    CLIENT,
    SECRET,
    IdentityProvider,
    query_of,
    running_provider,
)
from tests.acceptance.world import World, make_world
from tests.clocks import FixedClock
from tests.factories import NOW
from tests.http_server import serving
from typing_extensions import override

from outlay.bootstrap.installation import open_installation
from outlay.domain.actor import Plan, Role
from outlay.domain.audit import AuditFilter
from outlay.domain.errors import Invalid
from outlay.domain.ids import GroupId
from outlay.domain.organization import operator_of
from outlay.kit.egress import PUBLIC
from outlay.services.access import sso, sso_provider
from outlay.services.directory.sso import check_endpoint
from outlay.settings import Settings
from outlay.web.app import create_pages


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
    """Begin a sign-in and complete it at the provider; returns where the browser is redirected."""
    gone = http.get(f"/login/sso?organization={world.organization.slug}&next=/settings/keys")
    assert gone.status_code == 303, gone.text
    return str(httpx.get(gone.headers["location"]).headers["location"])


def sign_in(world: World, provider: IdentityProvider, **claims: Any) -> dict[str, Any] | None:
    """The member who is signed in after the complete flow; None for nobody."""
    provider.claims = claims
    with browser(world.server) as http:
        back = http.get(go_there(http, world))
        if back.status_code != 303:
            assert "notice is-error" in back.text
            return None
        assert back.headers["location"] == "/settings/keys"
        found: dict[str, Any] = http.get(
            "/api/v1/me", headers={"Accept": "application/json"}
        ).json()
        return found


UNUSABLE = "The identity provider is not usable. See the server's log for the reason."


def error_on(answer: httpx.Response) -> str:
    """The error on the page."""
    found = re.search(r'role="alert">.*?<span>(.*?)</span>', answer.text, re.DOTALL)
    return html.unescape(found[1]) if found else ""


def callback_of(world: World) -> str:
    """The URL to which the organization's provider redirects browsers."""
    return f"{world.server.url}/login/sso/callback/{world.organization.organization_id}"


def email_of(world: World, name: str) -> str:
    """An address in the organization's domain."""
    return f"{name}@{world.canary.lower()}.test"


def test_member_is_matched_by_verified_address_then_by_subject(
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


def test_unverified_address_matches_nobody(world: World, provider: IdentityProvider) -> None:
    owner = world.people[Role.OWNER].member

    assert sign_in(world, provider, sub="2", email=owner.email, email_verified=False) is None
    assert sign_in(world, provider, sub="2", email=owner.email, email_verified="true") is None


def test_users_of_listed_domains_become_developers(
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


def test_account_of_another_organization_with_the_same_address_is_ignored(
    server: Server, world: World, provider: IdentityProvider
) -> None:
    stranger = make_world(server)
    email = stranger.people[Role.OWNER].member.email

    assert sign_in(world, provider, sub="5", email=email) is None
    shared = stranger.add_person(Role.OWNER, email=email_of(world, "elsewhere"))
    found = sign_in(world, provider, sub="6", email=shared.member.email)
    assert found is not None
    assert found["member"]["memberId"] != shared.member.member_id
    assert found["organization"]["organizationId"] == world.organization.organization_id


def test_removed_members_cannot_sign_in(world: World, provider: IdentityProvider) -> None:
    person = world.add_person(Role.DEVELOPER, email="left@elsewhere.test")
    assert sign_in(world, provider, sub="7", email=person.member.email)
    world.administration.members.remove(world.operator, person.member.member_id)

    assert sign_in(world, provider, sub="7", email=person.member.email) is None


def test_mapped_groups_follow_the_claim(world: World, provider: IdentityProvider) -> None:
    sso = world.administration.sso.find(world.operator)
    assert sso is not None
    person = world.people[Role.DEVELOPER].member
    mine = world.group()
    world.administration.groups.add_member(world.operator, GroupId(mine), person.member_id)

    def groups_after(groups: Any) -> set[str]:
        assert sign_in(world, provider, sub="8", email=person.email, groups=groups)
        return {
            membership.group_id
            for membership in world.administration.groups.memberships(world.operator)
            if membership.member_id == person.member_id and membership.valid_to_us is None
        }

    assert groups_after(["engineers", "unknown"]) == {mine, sso.groups["engineers"]}
    assert groups_after(["sales"]) == {mine, sso.groups["sales"]}
    assert groups_after(None) == {mine, sso.groups["sales"]}  # the token has no group claim
    assert groups_after([]) == {mine}


def test_new_provider_key_is_loaded_on_demand(
    world: World, provider: IdentityProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    email = world.people[Role.ADMIN].member.email
    assert sign_in(world, provider, sub="9", email=email)
    reads = provider.key_reads
    assert sign_in(world, provider, sub="9", email=email)
    assert provider.key_reads == reads

    provider.key = RSAKey.generate_key(2048, {"kid": "two"})
    assert sign_in(world, provider, sub="9", email=email) is None  # not more than once a minute
    monkeypatch.setattr("outlay.services.access.sso_provider.KEYS_SECONDS", 0.0)
    assert sign_in(world, provider, sub="9", email=email)


def test_state_is_bound_to_the_browser_and_used_once(
    world: World, provider: IdentityProvider
) -> None:
    provider.claims = {"sub": "10", "email": world.people[Role.OWNER].member.email}
    with browser(world.server) as mine, browser(world.server) as victim:
        back = go_there(mine, world)
        assert (
            victim.get(back).status_code == 401
        )  # another user's sign-in, injected into a victim's browser
        assert mine.get(back.replace("state=", "state=x")).status_code == 401
        back = go_there(mine, world)
        code = query_of(back)["code"]
        assert mine.get(back.replace(code, "guessed")).status_code == 503
        assert mine.get(back).status_code == 401  # already used
        refused = go_there(mine, world).replace("code=", "error=access_denied&x=")
        assert mine.get(refused).status_code == 401
        assert mine.get(go_there(mine, world)).status_code == 303


def test_expired_sign_in_starts_again(
    server: Server, world: World, provider: IdentityProvider
) -> None:
    clock: Any = server.services.clock
    with browser(server) as http:
        back = go_there(http, world)
        clock.instant = NOW + timedelta(minutes=11)
        try:
            assert http.get(back).status_code == 401
        finally:
            clock.instant = NOW


def test_unusable_or_dishonest_provider_admits_nobody(
    server: Server,
    provider: IdentityProvider,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = make_world(server)
    for change in (
        {"issuer": "https://evil.test"},
        {"token_endpoint": "http://evil.test/token"},
        {"jwks_uri": "http://169.254.169.254/keys"},
        {"authorization_endpoint": "javascript:alert(1)"},
    ):
        monkeypatch.setattr(sso_provider, "METADATA_SECONDS", 0.0)
        good = dict(provider.metadata)
        provider.metadata |= change
        world.administration.sso.put(
            world.operator, issuer=provider.issuer, client_id=CLIENT, secret=SECRET
        )
        with browser(server) as http:
            found = http.get(f"/login/sso?organization={world.organization.slug}")
        assert (found.status_code, error_on(found)) == (503, UNUSABLE), change
        provider.metadata = good
    assert "another issuer: 'https://evil.test'" in caplog.text
    assert "169.254.169.254" in caplog.text
    world.administration.sso.put(
        world.operator, issuer="http://127.0.0.1:9", client_id=CLIENT, secret=SECRET
    )
    with browser(server) as http:
        found = http.get(f"/login/sso?organization={world.organization.slug}")
        assert (found.status_code, error_on(found)) == (503, UNUSABLE)
        assert "Connect call failed" in caplog.text
        assert http.get("/login/sso?organization=nobody").status_code == 404


def test_settings_page_offers_sso_and_hides_the_secret(world: World) -> None:
    owner = world.people[Role.OWNER]
    page = httpx.get(f"{world.server.url}/login", headers={"Accept": "text/html"}).text
    shown = httpx.get(f"{world.server.url}/api/v1/sso", headers=owner.bearer)

    assert 'action="/login/sso"' in page
    assert (
        world.organization.slug not in page
    )  # there are several organizations; which ones is not revealed
    assert SECRET not in shown.text
    assert shown.json()["redirectUri"] == callback_of(world)
    settings = httpx.get(f"{world.server.url}/settings/sso", headers=owner.cookie).text
    assert callback_of(world) in settings


@pytest.mark.parametrize(
    "issuer",
    ["http://id.example.com", "https://169.254.169.254", "ftp://x", "https://user@x.test", ""],
)
def test_invalid_issuers_are_refused(world: World, issuer: str) -> None:
    owner = world.people[Role.OWNER]
    body = {"issuer": issuer, "clientId": "c"}
    answer = httpx.put(f"{world.server.url}/api/v1/sso", headers=owner.bearer, json=body)

    assert (answer.status_code, answer.json()["field"]) == (400, "issuer")


def test_changing_the_client_requires_the_secret(world: World) -> None:
    owner = world.people[Role.OWNER]

    def put(**body: str) -> httpx.Response:
        return httpx.put(f"{world.server.url}/api/v1/sso", headers=owner.bearer, json=body)

    sso = world.administration.sso.find(world.operator)
    assert sso is not None
    assert put(issuer=sso.issuer, clientId=CLIENT).status_code == 200
    moved = put(issuer="https://evil.test", clientId=CLIENT)
    assert (moved.status_code, moved.json()["code"]) == (400, "secret-required")
    assert put(issuer="https://new.test", clientId=CLIENT, secret="another").status_code == 200


def test_sso_requires_the_enterprise_plan(server: Server) -> None:
    owner = make_world(server, Plan.PRO).people[Role.OWNER]
    body = {"issuer": "https://id.test", "clientId": "c"}
    answer = httpx.put(f"{server.url}/api/v1/sso", headers=owner.bearer, json=body)

    assert answer.json()["code"] == "plan-required"


# Providers of several organizations


class MixUp:
    """Alpha has an honest provider, beta's is run by a malicious owner of beta."""

    def __init__(self, server: Server, honest: IdentityProvider, hostile: IdentityProvider) -> None:
        self.alpha, self.beta = make_world(server), make_world(server)
        self.honest, self.hostile = honest, hostile
        for world, its in ((self.alpha, honest), (self.beta, hostile)):
            world.administration.sso.put(
                world.operator, issuer=its.issuer, client_id=CLIENT, secret=SECRET
            )
        honest.redirect_uri = callback_of(self.alpha)
        owner = self.alpha.people[Role.OWNER].member
        honest.claims = {"sub": "owner", "email": owner.email}

    def begin(self, http: httpx.Client) -> dict[str, str]:
        """Begin a sign-in at alpha; returns the parameters sent to alpha's provider."""
        gone = http.get(f"/login/sso?organization={self.alpha.organization.slug}")
        return query_of(gone.headers["location"])

    def lure(self, http: httpx.Client) -> httpx.Response:
        """A victim who is signed in at alpha's provider follows a link of Outlay to beta's
        sign-in."""
        gone = http.get(f"/login/sso?organization={self.beta.organization.slug}")
        onward = httpx.get(gone.headers["location"]).headers["location"]
        if onward.startswith(self.honest.issuer):
            onward = httpx.get(onward).headers["location"]
        return http.get(onward)


@pytest.fixture
def mix_up(server: Server) -> Iterator[MixUp]:
    """Two organizations with one provider each."""
    with running_provider() as honest, running_provider() as hostile:
        yield MixUp(server, honest, hostile)


@pytest.mark.parametrize("redirect", ["own", "theirs"])
def test_malicious_provider_gets_no_foreign_code(
    server: Server, mix_up: MixUp, redirect: str
) -> None:
    """A complete mix-up attack (RFC 9700, section 4.4)."""
    with browser(server) as attacker, browser(server) as victim:
        own = mix_up.begin(attacker)

        def pass_on(query: dict[str, str]) -> str:
            """To the honest provider, with the attacker's nonce and challenge and the victim's
            state."""
            mixed = {**own, "state": query["state"]}
            if redirect == "theirs":
                mixed["redirect_uri"] = query["redirect_uri"]
            return f"{mix_up.honest.issuer}/authorize?{urlencode(mixed)}"

        mix_up.hostile.instead = pass_on
        seen = mix_up.lure(victim)

        assert mix_up.hostile.posted == []
        assert mix_up.honest.posted == []
        assert seen.status_code == (401 if redirect == "own" else 400)
        assert "outlay_session" not in {cookie.name for cookie in victim.cookies.jar}
        # The honest flow still works.
        back = httpx.get(f"{mix_up.honest.issuer}/authorize?{urlencode(own)}").headers["location"]
        assert attacker.get(back).status_code == 303


def test_code_is_sent_only_to_its_provider(server: Server, mix_up: MixUp) -> None:
    """Whatever address it was returned to: the parameter `iss` identifies the provider (RFC
    9207)."""
    mix_up.honest.says_iss = True
    mix_up.honest.redirect_uri = ""
    with browser(server) as victim:
        mix_up.hostile.instead = lambda query: (
            f"{mix_up.honest.issuer}/authorize?{urlencode(query)}"
        )
        seen = mix_up.lure(victim)

    assert seen.status_code == 401
    assert "a different identity provider" in error_on(seen)
    assert mix_up.hostile.posted == []


def test_provider_with_iss_support_must_send_the_right_one(
    world: World, provider: IdentityProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider.says_iss = True
    email = world.people[Role.OWNER].member.email
    assert sign_in(world, provider, sub="11", email=email)
    provider.metadata["authorization_response_iss_parameter_supported"] = True
    monkeypatch.setattr(sso_provider, "METADATA_SECONDS", 0.0)
    assert sign_in(world, provider, sub="11", email=email)

    with browser(world.server) as http:
        back = go_there(http, world)
        iss = urlencode({"iss": provider.issuer})
        for other in ("", "iss=", f"{iss}%2F", f"{iss}&{iss}"):
            assert http.get(back.replace(iss, other)).status_code == 401, other
            back = go_there(http, world)
        assert http.get(back).status_code == 303


def test_callback_on_another_path_is_refused(
    server: Server, world: World, provider: IdentityProvider
) -> None:
    other = make_world(server)
    provider.claims = {"sub": "12", "email": world.people[Role.OWNER].member.email}
    with browser(server) as http:
        for address in (callback_of(other), callback_of(world)[:-1]):
            back = go_there(http, world).replace(callback_of(world), address)
            assert http.get(back).status_code == 401
        back = go_there(http, world)
        former = http.get(back.replace(callback_of(world), f"{server.url}/login/sso/callback"))
        assert (former.status_code, "redirected to an outdated URL" in error_on(former)) == (
            401,
            True,
        )
        assert provider.posted == []
        assert http.get(back).status_code == 303


def test_changing_the_provider_ends_pending_sign_ins(
    world: World, provider: IdentityProvider
) -> None:
    with browser(world.server) as http, running_provider() as another:
        back = go_there(http, world)
        world.administration.sso.put(
            world.operator, issuer=another.issuer, client_id=CLIENT, secret=SECRET
        )
        assert http.get(back).status_code == 401
        assert another.posted == []


def test_state_is_bound_to_the_host_over_tls(tmp_path: Path, provider: IdentityProvider) -> None:
    settings = Settings(data=tmp_path / "data", public_url="https://outlay.example.test")
    with open_installation(settings, FixedClock(NOW)) as services:
        organization = services.administration.organizations.create("Acme")
        services.administration.sso.put(
            operator_of(organization), issuer=provider.issuer, client_id=CLIENT, secret=SECRET
        )
        pages = create_pages(services, "x")
        with TestClient(pages, follow_redirects=False, base_url="http://127.0.0.1") as http:
            answer: Any = http.get("/login/sso?organization=acme")

    name, *attributes = (part.strip().lower() for part in answer.headers["set-cookie"].split(";"))
    assert name.startswith("__host-outlay_sso=")
    assert {"secure", "httponly", "path=/", "samesite=lax"} <= set(attributes)


# What a provider can make the server do


@contextmanager
def victim_service(host: str = "127.0.0.1") -> Iterator[tuple[str, list[str]]]:
    """An unintended service: its address, and the requests it received."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        @override
        def log_message(self, format: str, *args: Any) -> None:
            """No output."""

        def do_GET(self) -> None:
            asked.append(f"{self.command} {self.path}")
            self.send_response(200)
            self.end_headers()

        do_POST = do_GET

    with serving(http.server.ThreadingHTTPServer((host, 0), Handler)) as service:
        yield f"http://{host}:{service.server_address[1]}", asked


def test_endpoint_with_query_on_this_machine_is_refused(
    world: World,
    provider: IdentityProvider,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    email = world.people[Role.OWNER].member.email
    with victim_service() as (url, asked):
        provider.metadata["token_endpoint"] = f"{url}/?query=DROP+TABLE+x"
        assert sign_in(world, provider, sub="13", email=email) is None
        provider.metadata["jwks_uri"] = f"{url}/latest/meta-data?x=1"
        monkeypatch.setattr(sso_provider, "METADATA_SECONDS", 0.0)
        with browser(world.server) as http:
            gone = http.get(f"/login/sso?organization={world.organization.slug}")

    assert error_on(gone) == UNUSABLE
    assert asked == []
    assert "127.0.0.1 may not be connected to" in caplog.text


def test_public_issuer_cannot_use_private_endpoints(
    world: World,
    provider: IdentityProvider,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """As if 127.0.0.1 were public and ::1 private."""
    public = SimpleNamespace(allows=lambda address: address.version == 4)
    monkeypatch.setattr(sso_provider, "PUBLIC", public)
    email = world.people[Role.OWNER].member.email
    provider.metadata["token_endpoint"] = "http://[::1]:9/token"
    assert sign_in(world, provider, sub="14", email=email) is None
    provider.metadata["jwks_uri"] = "http://[::1]:9/keys"
    monkeypatch.setattr(sso_provider, "METADATA_SECONDS", 0.0)
    assert departs(world) == UNUSABLE

    for path in ("token", "keys"):
        assert re.search(rf"9/{path} .*::1 may not be connected to", caplog.text)


def departs(world: World) -> str:
    """The error when beginning a sign-in."""
    with browser(world.server) as http:
        return error_on(http.get(f"/login/sso?organization={world.organization.slug}"))


def test_redirects_are_not_followed_and_responses_are_bounded(
    world: World, provider: IdentityProvider, caplog: pytest.LogCaptureFixture
) -> None:
    with victim_service() as (url, asked):
        provider.metadata["jwks_uri"] = f"{provider.issuer}/authorize"
        provider.instead = lambda _: url
        assert departs(world) == UNUSABLE
        provider.metadata["jwks_uri"] = f"{provider.issuer}/keys"
        provider.metadata["padding"] = "x" * 600_000
        assert departs(world) == UNUSABLE

    assert asked == []
    assert "returned status 302" in caplog.text
    assert "more than 512 KiB" in caplog.text


def test_provider_flooding_informational_responses_blocks_nobody(
    world: World, provider: IdentityProvider, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:
        provider.metadata["jwks_uri"] = f"http://127.0.0.1:{listener.getsockname()[1]}/keys"
        flooding = pool.submit(flood, listener)
        assert departs(world) == UNUSABLE
        assert flooding.result() < 1_000

    assert "TooManyInformational" in caplog.text


def flood(listener: socket.socket) -> int:
    """Send informational responses until the client stops reading; returns how many thousands."""
    connection, _ = listener.accept()
    with connection:
        connection.settimeout(10)
        connection.recv(4096)
        for thousands in range(1_000):
            try:
                connection.sendall(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 1_000)
            except OSError:
                return thousands
    return 1_000


def test_operator_can_forbid_private_networks_for_providers(tmp_path: Path) -> None:
    closed = Settings(data=tmp_path / "data", egress=PUBLIC)
    with open_installation(closed, FixedClock(NOW)) as services:
        operator = operator_of(services.administration.organizations.create("Acme"))
        for issuer in ("http://127.0.0.1:9", "http://localhost:9", "https://10.0.0.1"):
            with pytest.raises(Invalid, match="does not allow") as refused:
                services.administration.sso.put(operator, issuer=issuer, client_id=CLIENT)
            assert refused.value.field == "issuer"


@pytest.mark.parametrize(
    ("endpoint", "issuer", "is_good"),
    [
        ("https://id.example.com/token", "https://id.example.com", True),
        ("https://login.example.com/token?p=policy_1", "https://id.example.com", True),
        ("http://127.0.0.1:8080/token", "http://localhost:8080", True),
        ("http://127.0.0.1:8123/", "https://id.example.com", False),
        ("http://id.example.com/token", "http://localhost:8080", False),
        ("https://id.example.com/token?x#y", "https://id.example.com", False),
        ("https://id.example.com/token?x y", "https://id.example.com", False),
        ("https://id.example.com/token?\r\nx", "https://id.example.com", False),
        ("https://user@id.example.com/token?x", "https://id.example.com", False),
        ("https://id.example.com\\@169.254.169.254/?x", "https://id.example.com", False),
        ("https://169.254.169.254/?x", "https://id.example.com", False),
        ("javascript:alert(1)", "https://id.example.com", False),
    ],
)
def test_valid_endpoints_are_accepted(endpoint: str, issuer: str, is_good: bool) -> None:
    if is_good:
        check_endpoint(endpoint, issuer)
    else:
        with pytest.raises(Invalid):
            check_endpoint(endpoint, issuer)


# Google


def test_google_accounts_must_be_managed_by_the_domain(
    world: World, provider: IdentityProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sso, "GOOGLE", provider.issuer)
    domain = f"{world.canary.lower()}.test"
    member = world.people[Role.ADMIN].member
    assert member.email.endswith(f"@{domain}")

    for name, email in (("new", email_of(world, "new")), ("known", member.email)):
        assert sign_in(world, provider, sub=name, email=email) is None
        assert sign_in(world, provider, sub=name, email=email, hd="elsewhere.test") is None
        assert sign_in(world, provider, sub=name, email=email, hd=domain)
        # Not by the subject either: the account no longer belongs to the domain.
        assert sign_in(world, provider, sub=name, email=email) is None
    contractor = world.add_person(Role.DEVELOPER, email="contractor@elsewhere.test").member
    assert sign_in(world, provider, sub="other", email=contractor.email)
