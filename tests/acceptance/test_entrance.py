"""Entrance: links that work once, throttled sign-ins, cookies that nobody else can obtain."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient
from tests.acceptance.conftest import Server
from tests.acceptance.world import PASSWORD, World, make_world
from tests.clocks import FixedClock
from tests.factories import NOW

from outlay.bootstrap.installation import open_installation
from outlay.domain.actor import Role
from outlay.services.access.sign_in_throttle import (
    FREE_OF_ACCOUNT_HERE,
    FREE_OF_DEVICE,
    FREE_OF_PLACE,
)
from outlay.settings import Settings
from outlay.web.app import create_pages

HTML = {"Accept": "text/html"}
EMAIL = re.compile(r"[-a-z0-9]+@example\.test")
OTHER = "another handful of words"


@pytest.fixture
def world(server: Server) -> World:
    """An organization."""
    return make_world(server)


def log_in(world: World, email: str, password: str) -> httpx.Response:
    form = {"organization": world.organization.slug, "email": email, "password": password}
    return httpx.post(f"{world.server.url}/login", data=form, timeout=30)


def sign_in(world: World, email: str, password: str) -> int:
    return log_in(world, email, password).status_code


def invite(world: World, role: Role = Role.DEVELOPER, by: Role = Role.OWNER) -> str:
    """The path of a new invitation's link."""
    email = f"{world.name().replace(' ', '-').lower()}@example.test"
    answer = httpx.post(
        f"{world.server.url}/api/v1/invitations",
        headers=world.people[by].bearer,
        json={"email": email, "role": role},
    )
    assert answer.status_code == 201, answer.text
    return str(answer.json()["url"]).removeprefix(world.server.url)


def password_link(world: World, role: Role) -> str:
    """The path of a new link to set a member's password."""
    member_id = world.people[role].member.member_id
    answer = httpx.post(
        f"{world.server.url}/api/v1/members/{member_id}/password-link",
        headers=world.people[Role.OWNER].bearer,
    )
    assert answer.status_code == 201, answer.text
    return str(answer.json()["url"]).removeprefix(world.server.url)


def test_invitation_works_once_and_errors_are_shown_at_their_field(world: World) -> None:
    http, path = world.server.http, invite(world)

    wrong = http.post(path, data={"name": "New", "password": "short"}, headers=HTML)
    assert (wrong.status_code, 'id="password-error"' in wrong.text) == (400, True)
    assert "short" not in wrong.text
    right = httpx.post(world.server.url + path, data={"name": "New", "password": OTHER})
    assert right.status_code == 303
    again = http.post(path, data={"name": "Other", "password": OTHER}, headers=HTML)
    assert again.status_code == http.get(path, headers=HTML).status_code == 404


def test_concurrent_uses_of_an_invitation_admit_one(world: World) -> None:
    path = world.server.url + invite(world)

    def follow(number: int) -> int:
        return httpx.post(
            path, data={"name": f"N{number}", "password": OTHER}, timeout=30
        ).status_code

    with ThreadPoolExecutor(8) as pool:
        statuses = sorted(pool.map(follow, range(8)))

    assert statuses.count(303) == 1
    assert set(statuses) <= {303, 404, 409}


def test_links_expire_and_can_be_revoked(world: World, server_clock: FixedClock) -> None:
    http = world.server.http
    invitation, link = invite(world), password_link(world, Role.DEVELOPER)
    server_clock.instant = NOW + timedelta(hours=23)
    assert http.get(link, headers=HTML).status_code == 200
    server_clock.instant = NOW + timedelta(days=1)
    assert http.get(link, headers=HTML).status_code == 404
    assert http.post(link, data={"password": OTHER}, headers=HTML).status_code == 404
    assert http.get(invitation, headers=HTML).status_code == 200
    server_clock.instant = NOW + timedelta(days=7)
    assert http.get(invitation, headers=HTML).status_code == 404
    server_clock.instant = NOW
    revoked = invite(world)
    for entry in world.administration.members.invitations(world.operator):
        world.administration.members.revoke_invitation(world.operator, entry.invitation_id)
    assert http.get(revoked, headers=HTML).status_code == 404


def test_a_password_link_sets_the_password_once_and_ends_sessions(world: World) -> None:
    link, person = password_link(world, Role.ADMIN), world.people[Role.ADMIN]

    answer = httpx.post(world.server.url + link, data={"password": OTHER})

    assert answer.status_code == 303
    assert httpx.post(world.server.url + link, data={"password": PASSWORD}).status_code == 404
    assert httpx.get(f"{world.server.url}/api/v1/me", headers=person.cookie).status_code in {
        303,
        401,
    }
    assert sign_in(world, person.member.email, PASSWORD) == 401
    assert sign_in(world, person.member.email, OTHER) == 303


def session_cookie(world: World, email: str, password: str = PASSWORD) -> dict[str, str]:
    """The cookie of a new session."""
    answer = log_in(world, email, password)
    assert answer.status_code == 303
    return {"Cookie": answer.headers["set-cookie"].partition(";")[0]}


def is_signed_in(world: World, cookie: dict[str, str]) -> bool:
    """Whether a session is still valid."""
    status = httpx.get(f"{world.server.url}/api/v1/me", headers=cookie).status_code
    assert status in {200, 303, 401}
    return status == 200


def test_role_change_ends_every_session(world: World) -> None:
    """Otherwise a demoted admin would remain one in the browser."""
    admin, developer = world.people[Role.ADMIN], world.people[Role.DEVELOPER]
    cookies = [session_cookie(world, admin.member.email) for _ in range(2)]
    other = session_cookie(world, developer.member.email)
    members = f"{world.server.url}/api/v1/members/{admin.member.member_id}"
    owner = world.people[Role.OWNER].bearer

    renamed = httpx.patch(members, headers=owner, json={"name": "Another Name"})
    assert renamed.status_code == 200
    assert all(is_signed_in(world, cookie) for cookie in cookies)
    demoted = httpx.patch(members, headers=owner, json={"role": Role.DEVELOPER})
    assert demoted.status_code == 200

    assert not any(is_signed_in(world, cookie) for cookie in cookies)
    assert is_signed_in(world, other)
    assert is_signed_in(world, session_cookie(world, admin.member.email))


def test_password_change_ends_all_other_sessions(world: World) -> None:
    """Changing the password signs out anyone who knew the old one."""
    person = world.people[Role.DEVELOPER].member
    own, others = session_cookie(world, person.email), session_cookie(world, person.email)
    same_site = {**own, "Origin": world.server.url, "Sec-Fetch-Site": "same-origin"}
    path = f"{world.server.url}/api/v1/me/password"

    wrong = httpx.put(path, headers=same_site, json={"current": OTHER, "password": OTHER})
    assert wrong.status_code == 400
    assert is_signed_in(world, others)
    changed = httpx.put(path, headers=same_site, json={"current": PASSWORD, "password": OTHER})
    assert changed.status_code == 204, changed.text

    assert is_signed_in(world, own)
    assert not is_signed_in(world, others)
    assert sign_in(world, person.email, PASSWORD) == 401
    assert is_signed_in(world, session_cookie(world, person.email, OTHER))


def test_newer_password_link_replaces_the_older_one(world: World) -> None:
    first, second = password_link(world, Role.ADMIN), password_link(world, Role.ADMIN)

    assert world.server.http.get(first, headers=HTML).status_code == 404
    assert world.server.http.get(second, headers=HTML).status_code == 200


def test_link_created_for_a_developer_does_not_open_an_owner_account(world: World) -> None:
    link, member = password_link(world, Role.DEVELOPER), world.people[Role.DEVELOPER].member
    world.administration.members.update(world.operator, member.member_id, role=Role.OWNER)

    answer = httpx.post(world.server.url + link, data={"password": OTHER})

    assert answer.status_code == 404
    assert sign_in(world, member.email, PASSWORD) == 303


# Addresses


def test_address_used_in_another_organization_is_available(world: World) -> None:
    """Its existence is not revealed: the answers are those for an unknown address."""
    path, other = invite(world), make_world(world.server)
    email = EMAIL.search(world.server.http.get(path, headers=HTML).text)
    assert email is not None
    taken = httpx.post(
        f"{world.server.url}/api/v1/invitations",
        headers=other.people[Role.OWNER].bearer,
        json={"email": email[0], "role": "owner"},
    ).json()["url"]
    theirs = "words that are others' own"
    assert httpx.post(taken, data={"name": "There", "password": theirs}).status_code == 303

    answer = httpx.post(world.server.url + path, data={"name": "Here", "password": OTHER})

    assert answer.status_code == 303
    assert (sign_in(world, email[0], OTHER), sign_in(other, email[0], theirs)) == (303, 303)
    assert (sign_in(world, email[0], theirs), sign_in(other, email[0], OTHER)) == (401, 401)


def test_failures_in_one_organization_do_not_block_another(world: World) -> None:
    other = make_world(world.server)
    member = world.people[Role.DEVELOPER].member
    other.add_person(Role.DEVELOPER, email=member.email)
    assert [sign_in(other, member.email, "guess") for _ in range(FREE_OF_ACCOUNT_HERE)][-1] == 401

    assert sign_in(other, member.email, PASSWORD) == 429
    assert sign_in(world, member.email, PASSWORD) == 303


def test_member_address_cannot_be_invited_again(world: World) -> None:
    path = invite(world)
    email = EMAIL.search(world.server.http.get(path, headers=HTML).text)
    assert email is not None
    world.add_person(Role.DEVELOPER, email=email[0].upper())

    answer = httpx.post(world.server.url + path, data={"name": "Here", "password": OTHER})

    assert answer.status_code == 409
    assert sign_in(world, email[0], PASSWORD) == 303


def test_sign_in_form_asks_for_the_organization_if_there_are_several(world: World) -> None:
    make_world(world.server)
    url, email = f"{world.server.url}/login", world.people[Role.ADMIN].member.email
    form = {"email": email, "password": PASSWORD}

    assert 'name="organization"' in httpx.get(url, headers=HTML).text
    unnamed = httpx.post(url, data=form, headers=HTML)
    assert (unnamed.status_code, "The organization needs a name" in unnamed.text) == (400, True)
    nobody = httpx.post(url, data={**form, "organization": "nobody"}, headers=HTML)
    assert nobody.status_code == 401
    slug = world.organization.slug.upper()
    right = httpx.post(url, data={**form, "organization": f" {slug} "}, headers=HTML)
    assert right.status_code == 303
    again = httpx.get(url, headers={**HTML, "Cookie": f"outlay_organization={slug}"}).text
    assert f'value="{slug}"' in again


def test_single_organization_needs_no_name_to_sign_in(public: Any) -> None:
    assert 'name="organization"' not in public.get("/login", headers=HTML).text


# Guessing


def test_concurrent_failures_are_counted(world: World) -> None:
    email = world.people[Role.DEVELOPER].member.email
    with ThreadPoolExecutor(16) as pool:
        statuses = list(pool.map(lambda n: sign_in(world, email, f"guess {n} of many"), range(30)))

    assert statuses.count(401) <= FREE_OF_ACCOUNT_HERE
    assert sign_in(world, email, PASSWORD) == 429
    other = world.people[Role.ADMIN].member.email
    assert sign_in(world, other, PASSWORD) == 303


def test_sign_in_block_survives_restarts_and_ends(tmp_path: Path) -> None:
    settings, clock = Settings(data=tmp_path / "data"), FixedClock(NOW)

    def attempt(email: str, password: str) -> int:
        with (
            open_installation(settings, clock) as services,
            TestClient(create_pages(services, "x"), follow_redirects=False) as http,
        ):
            answer: Any = http.post("/login", data={"email": email, "password": password})
            return int(answer.status_code)

    with open_installation(settings, clock) as services:
        organization = services.administration.organizations.create("Acme")
        services.administration.sign_in.set_owner(organization, "me@example.test", PASSWORD)
        with TestClient(create_pages(services, "x"), follow_redirects=False) as http:
            form = {"email": "ME@example.test", "password": "wrong"}
            statuses: list[Any] = [
                http.post("/login", data=form) for _ in range(FREE_OF_ACCOUNT_HERE)
            ]
            assert {answer.status_code for answer in statuses} == {401}
    assert attempt("me@example.test", PASSWORD) == 429
    clock.instant += timedelta(minutes=16)
    assert attempt("me@example.test", PASSWORD) == 303


def test_known_browser_is_not_blocked_by_failures_elsewhere(
    tmp_path: Path,
) -> None:
    with open_installation(Settings(data=tmp_path / "data"), FixedClock(NOW)) as services:
        organization = services.administration.organizations.create("Acme")
        services.administration.sign_in.set_owner(organization, "me@example.test", PASSWORD)
        pages = create_pages(services, "x")
        with (
            TestClient(pages, follow_redirects=False) as known,
            TestClient(pages, follow_redirects=False) as other,
        ):

            def attempt(http: TestClient, email: str, password: str) -> Any:
                return http.post("/login", data={"email": email, "password": password})

            for _ in range(FREE_OF_ACCOUNT_HERE + 2):
                assert attempt(known, "me@example.test", PASSWORD).status_code == 303
            guesses = [attempt(other, f"n{n}@example.test", "x") for n in range(FREE_OF_PLACE)]
            assert {answer.status_code for answer in guesses} == {401}
            answer = attempt(other, "me@example.test", PASSWORD)
            assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
            assert attempt(known, "me@example.test", PASSWORD).status_code == 303
            # Its cookie is for one account, and allows a few mistakes.
            assert attempt(known, "n1@example.test", "x").status_code == 429
            mistakes = [attempt(known, "me@example.test", "x") for _ in range(FREE_OF_DEVICE + 1)]
            assert [answer.status_code for answer in mistakes] == [401] * FREE_OF_DEVICE + [429]


def test_failed_sign_ins_are_audited_with_a_bound(world: World, server_clock: FixedClock) -> None:
    person = world.people[Role.DEVELOPER]
    for _ in range(40):
        sign_in(world, person.member.email, "a wrong guess")
        server_clock.instant += timedelta(minutes=5)
    answer = httpx.get(
        f"{world.server.url}/api/v1/audit",
        params={"action": "session.refuse"},
        headers=world.people[Role.OWNER].bearer,
    )
    entries = answer.json()["entries"]
    assert {entry["target"] for entry in entries} == {person.member.member_id}
    assert {entry["after"]["address"] for entry in entries} == {"127.0.0.1"}
    assert 4 <= len(entries) <= 12, entries


# Behind TLS


@pytest.fixture
def public(tmp_path: Path) -> Iterator[Any]:
    """A server that browsers reach as https://outlay.example.test."""
    settings = Settings(data=tmp_path / "data", public_url="https://outlay.example.test")
    with open_installation(settings, FixedClock(NOW)) as services:
        organization = services.administration.organizations.create("Acme")
        services.administration.sign_in.set_owner(organization, "me@example.test", PASSWORD)
        pages = create_pages(services, "x")
        with TestClient(pages, follow_redirects=False, base_url="http://127.0.0.1") as http:
            yield http


def test_cookie_is_bound_to_the_host_over_tls(public: Any) -> None:
    form = {"email": "me@example.test", "password": PASSWORD}
    answer = public.post("/login", data=form)
    cookie = answer.headers["set-cookie"]
    name, _, rest = cookie.partition("=")
    value = rest.partition(";")[0]

    assert name == "__Host-outlay_session"
    attributes = {part.strip().lower() for part in cookie.split(";")[1:]}
    assert {"secure", "httponly", "path=/", "samesite=lax"} <= attributes
    assert not any(part.startswith("domain") for part in attributes)
    assert "max-age" in answer.headers["strict-transport-security"]
    public.cookies.clear()
    strict = {"Accept": "application/json"}
    assert (
        public.get(
            "/api/v1/me", headers={**strict, "Cookie": f"outlay_session={value}"}
        ).status_code
        == 401
    )
    good = {**strict, "Cookie": f"__Host-outlay_session={value}"}
    assert public.get("/api/v1/me", headers=good).status_code == 200


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("https://outlay.example.test", 401),
        ("https://outlay.example.test.evil.test", 403),
        ("http://127.0.0.1", 403),
        ("https://evil.test", 403),
        ("null", 403),
    ],
)
def test_writes_require_the_public_origin(public: Any, origin: str, status: int) -> None:
    form = {"email": "me@example.test", "password": "wrong"}
    answer = public.post("/login", data=form, headers={"Origin": origin, **HTML})

    assert answer.status_code == status


def test_links_use_the_public_url(public: Any) -> None:
    public.post("/login", data={"email": "me@example.test", "password": PASSWORD})
    cookie = {"Cookie": f"__Host-outlay_session={session_of(public)}"}
    answer = public.post(
        "/api/v1/invitations",
        json={"email": "new@example.test"},
        headers={**cookie, "Host": "evil.test", "Sec-Fetch-Site": "same-origin"},
    )

    assert answer.json()["url"].startswith("https://outlay.example.test/invitation/")


def session_of(http: Any) -> str:
    """The session created by the last sign-in."""
    found = [cookie.value for cookie in http.cookies.jar]
    http.cookies.clear()
    return str(found[0])
