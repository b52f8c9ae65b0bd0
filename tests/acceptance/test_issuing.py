"""Links and tokens end with the right they depend on; what ends with a role, a token or a
password."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
from tests.acceptance.conftest import Server
from tests.acceptance.world import PASSWORD, Person, World, make_world
from tests.clocks import FixedClock
from tests.factories import NOW

from outlay.domain.actor import Role, Scope
from outlay.domain.audit import AuditFilter
from outlay.domain.organization import ApiKey
from outlay.kit.clock import to_us
from outlay.storage.directory.invitations import list_invitations
from outlay.storage.directory.members import delete_member

OTHER = "another handful of words"
ALL = sorted(Scope)


@pytest.fixture
def world(server: Server) -> World:
    """An organization."""
    return make_world(server)


def send(world: World, by: dict[str, str], method: str, path: str, body: Any = None) -> Any:
    """The answer to a request."""
    answer = httpx.request(
        method,
        world.server.url + path,
        headers={**by, "Accept": "application/json"},
        json=body,
        timeout=30,
    )
    assert answer.is_success, answer.text
    return answer.json() if answer.content else None


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def status_of(world: World, by: dict[str, str]) -> int:
    headers = {**by, "Accept": "application/json"}
    return httpx.get(f"{world.server.url}/api/v1/me", headers=headers).status_code


def invite(world: World, by: dict[str, str], role: Role = Role.ADMIN) -> str:
    """The link of a new invitation."""
    email = f"{world.name().replace(' ', '-').lower()}@example.test"
    return str(
        send(world, by, "POST", "/api/v1/invitations", {"email": email, "role": role})["url"]
    )


def password_link(world: World, by: dict[str, str], of: Person) -> str:
    """A link to set a member's password."""
    path = f"/api/v1/members/{of.member.member_id}/password-link"
    return str(send(world, by, "POST", path)["url"])


def follow(link: str) -> int:
    """The result of following a link."""
    form = {"name": "New", "password": OTHER}
    return httpx.post(link, data=form, timeout=30).status_code


def new_token(
    world: World, by: dict[str, str], expires_after: timedelta | None = None
) -> dict[str, Any]:
    """A new access token with all scopes."""
    body: dict[str, Any] = {"description": world.name(), "scopes": ALL}
    if expires_after is not None:
        body["expiresAt"] = (NOW + expires_after).isoformat()
    answer: dict[str, Any] = send(world, by, "POST", "/api/v1/tokens", body)
    return answer


def last_entry(world: World) -> Any:
    """The newest entry of the audit trail."""
    page = world.administration.audit.page(
        world.operator, AuditFilter(), before_number=None, limit=1
    )
    return page[0]


# Removed and demoted


def remove(world: World, person: Person) -> None:
    owner = world.people[Role.OWNER]
    send(world, owner.bearer, "DELETE", f"/api/v1/members/{person.member.member_id}")


def demote(world: World, person: Person) -> None:
    owner = world.people[Role.OWNER]
    path = f"/api/v1/members/{person.member.member_id}"
    send(world, owner.bearer, "PATCH", path, {"role": Role.DEVELOPER})


def erase(world: World, person: Person) -> None:
    owner = world.people[Role.OWNER]
    send(world, owner.bearer, "POST", f"/api/v1/members/{person.member.member_id}/erase")


@pytest.mark.parametrize("lose", [remove, demote, erase])
@pytest.mark.parametrize("channel", ["session", "token"])
def test_invitations_and_links_of_an_admin_end_with_the_role(
    world: World, lose: Callable[[World, Person], None], channel: str
) -> None:
    admin, other = world.people[Role.ADMIN], world.add_person(Role.ADMIN)
    by = admin.cookie if channel == "session" else admin.bearer
    invitation, link = invite(world, by), password_link(world, by, other)
    kept = invite(world, world.people[Role.OWNER].bearer)

    lose(world, admin)

    assert follow(invitation) == 404
    assert follow(link) == 404
    assert follow(kept) == 303
    assert status_of(world, other.cookie) == 200


def test_voided_links_stay_void_when_the_right_returns(world: World) -> None:
    admin = world.people[Role.ADMIN]
    invitation = invite(world, admin.bearer)
    demote(world, admin)
    owner, path = world.people[Role.OWNER], f"/api/v1/members/{admin.member.member_id}"
    send(world, owner.bearer, "PATCH", path, {"role": Role.ADMIN})

    assert follow(invitation) == 404


def test_owner_who_becomes_admin_can_still_invite_developers(world: World) -> None:
    owner = world.add_person(Role.OWNER)
    as_owner, as_developer = (invite(world, owner.bearer, r) for r in (Role.OWNER, Role.DEVELOPER))
    path = f"/api/v1/members/{owner.member.member_id}"
    send(world, world.people[Role.OWNER].bearer, "PATCH", path, {"role": Role.ADMIN})

    assert follow(as_owner) == 404
    assert follow(as_developer) == 303


def test_one_entry_lists_everything_voided(world: World) -> None:
    admin, other = world.people[Role.ADMIN], world.add_person(Role.ADMIN)
    invite(world, admin.bearer)
    password_link(world, admin.bearer, other)
    with world.server.services.directory.read() as session:
        (invited,) = [
            known.invitation_id
            for known in list_invitations(session, world.organization.organization_id)
            if known.issuer.member_id == admin.member.member_id
        ]
    demote(world, admin)
    demoted = last_entry(world)

    assert demoted.entry.action == "member.update"
    assert demoted.after["role"] == "developer"
    assert demoted.after["invitations"] == [invited]
    assert demoted.after["passwordLinks"] == [other.member.member_id]
    remove(world, admin)
    removed = last_entry(world)
    assert removed.entry.action == "member.remove"
    assert removed.before["tokens"] == [admin.token.split("_")[1]]


def test_issuer_rights_are_checked_when_a_link_is_used(world: World) -> None:
    """However the issuer lost the right: nobody has voided these links."""
    admin = world.people[Role.ADMIN]
    link = invite(world, admin.bearer)
    with world.server.services.directory.change() as session:
        delete_member(session, admin.member.member_id, to_us(NOW))

    assert httpx.get(link, headers={"Accept": "text/html"}).status_code == 404
    assert follow(link) == 404


# Tokens


def test_revoking_a_token_ends_everything_it_created(world: World) -> None:
    owner, other = world.people[Role.OWNER], world.people[Role.ADMIN]
    parent = new_token(world, owner.cookie)
    by = bearer(parent["token"])
    child = new_token(world, by)
    grandchild = new_token(world, bearer(child["token"]))
    invitation, link = invite(world, bearer(grandchild["token"])), password_link(world, by, other)
    kept = invite(world, owner.cookie)
    assert (parent["parentId"], child["parentId"]) == (None, parent["tokenId"])

    send(world, owner.bearer, "DELETE", f"/api/v1/tokens/{parent['tokenId']}")

    for token in (parent, child, grandchild):
        assert status_of(world, bearer(token["token"])) == 401
    assert (follow(invitation), follow(link), follow(kept)) == (404, 404, 303)
    assert status_of(world, owner.bearer) == 200
    entry = next(
        shown
        for shown in world.administration.audit.page(
            world.operator, AuditFilter(), before_number=None, limit=10
        )
        if shown.entry.action == "token.revoke"
    )
    assert entry.before is not None
    assert entry.before["tokens"] == [child["tokenId"], grandchild["tokenId"]]
    assert entry.before["passwordLinks"] == [other.member.member_id]
    assert isinstance(entry.before["invitations"], list)


def test_revoking_a_child_token_leaves_its_parent(world: World) -> None:
    owner = world.people[Role.OWNER]
    parent = new_token(world, owner.cookie)
    child = new_token(world, bearer(parent["token"]))
    send(world, owner.bearer, "DELETE", f"/api/v1/tokens/{child['tokenId']}")

    assert status_of(world, bearer(parent["token"])) == 200


def test_children_and_links_of_a_token_expire_with_it(
    world: World, server_clock: FixedClock
) -> None:
    owner = world.people[Role.OWNER]
    parent = new_token(world, owner.cookie, timedelta(hours=1))
    by = bearer(parent["token"])
    without, later = new_token(world, by), new_token(world, by, timedelta(days=1))
    sooner = new_token(world, by, timedelta(minutes=1))
    invitation = invite(world, by)
    link = password_link(world, by, world.people[Role.ADMIN])

    body = {"email": f"{world.name().split()[1]}@example.test"}
    shown = send(world, by, "POST", "/api/v1/invitations", body)["expiresAt"]
    assert without["expiresAt"] == later["expiresAt"] == shown == parent["expiresAt"]
    assert sooner["expiresAt"] < parent["expiresAt"]
    server_clock.instant = NOW + timedelta(hours=1)
    assert status_of(world, bearer(without["token"])) == 401
    assert (follow(invitation), follow(link)) == (404, 404)


# Sessions, passwords


def test_only_a_different_role_ends_sessions(world: World) -> None:
    person, owner = world.people[Role.DEVELOPER], world.people[Role.OWNER]
    path = f"/api/v1/members/{person.member.member_id}"
    send(world, owner.bearer, "PATCH", path, {"name": "Renamed", "role": Role.DEVELOPER})
    assert status_of(world, person.cookie) == 200

    send(world, owner.bearer, "PATCH", path, {"role": Role.ADMIN})

    assert status_of(world, person.cookie) == 401
    assert status_of(world, owner.cookie) == 200


@pytest.fixture
def changed(world: World) -> Callable[..., tuple[int, int, int, int]]:
    """Change a password; returns what this session, another one, a token and a key get
    afterwards."""

    def change(**wish: bool) -> tuple[int, int, int, int]:
        person = world.people[Role.DEVELOPER]
        form = {
            "organization": world.organization.slug,
            "email": person.member.email,
            "password": PASSWORD,
        }
        other = httpx.post(f"{world.server.url}/login", data=form).cookies["outlay_session"]
        key_id, _ = world.key(person.member)
        body = {"current": PASSWORD, "password": OTHER, **wish}
        send(world, person.cookie, "PUT", "/api/v1/me/password", body)

        def key_of(found: list[ApiKey]) -> ApiKey:
            return next(key for key in found if key.api_key_id == key_id)

        key = key_of(world.administration.keys.list_for(world.operator))
        return (
            status_of(world, person.cookie),
            status_of(world, {"Cookie": f"outlay_session={other}"}),
            status_of(world, person.bearer),
            401 if key.is_revoked else 200,
        )

    return change


def test_password_change_ends_only_other_sessions_by_default(
    changed: Callable[..., tuple[int, int, int, int]],
) -> None:
    assert changed() == (200, 401, 200, 200)


def test_password_change_revokes_tokens_on_request(
    world: World, changed: Callable[..., tuple[int, int, int, int]]
) -> None:
    assert changed(revokeTokens=True) == (200, 401, 401, 200)
    assert last_entry(world).before == {
        "tokens": [world.people[Role.DEVELOPER].token.split("_")[1]]
    }


def test_password_change_revokes_keys_on_request(
    changed: Callable[..., tuple[int, int, int, int]],
) -> None:
    assert changed(revokeKeys=True) == (200, 401, 200, 401)


def test_revoking_tokens_with_the_password_ends_what_they_created(world: World) -> None:
    admin = world.people[Role.ADMIN]
    by_token, by_session = invite(world, admin.bearer), invite(world, admin.cookie)
    body = {"current": PASSWORD, "password": OTHER, "revokeTokens": True}
    send(world, admin.cookie, "PUT", "/api/v1/me/password", body)

    assert (follow(by_token), follow(by_session)) == (404, 303)


def test_password_change_ends_password_links(world: World) -> None:
    admin = world.people[Role.ADMIN]
    link = password_link(world, world.people[Role.OWNER].bearer, admin)
    send(
        world, admin.cookie, "PUT", "/api/v1/me/password", {"current": PASSWORD, "password": OTHER}
    )

    assert follow(link) == 404


def test_account_page_offers_revocation(world: World) -> None:
    person = world.people[Role.DEVELOPER]
    page = httpx.get(f"{world.server.url}/settings/account", headers=person.cookie).text

    assert 'name="revokeTokens"' in page
    assert 'name="revokeKeys"' in page
    assert "checked" not in page
