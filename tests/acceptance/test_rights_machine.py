"""No sequence of actions yields a right that the actor lacked; the last owner remains."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from starlette.testclient import TestClient
from tests.clocks import FixedClock
from tests.factories import NOW

from outlay.bootstrap.installation import open_installation
from outlay.domain.actor import ALL_SCOPES, Actor, Channel, Plan, Role, Scope
from outlay.domain.errors import Unauthenticated
from outlay.domain.ids import MemberId
from outlay.domain.organization import operator_of
from outlay.domain.policy import Permission, has
from outlay.kit.ids import new_id
from outlay.services.bundle import Services
from outlay.services.directory.actors import actor_for
from outlay.settings import Settings
from outlay.storage.directory.members import list_members
from outlay.web.app import create_pages

PASSWORD = "several words are best"
Rights = frozenset[str]


@dataclass(frozen=True)
class Credential:
    """A session or an access token."""

    text: str
    is_session: bool
    member_id: str


class Installation:
    """Shared by all examples: each has organizations of its own."""

    services: Services
    http: TestClient


@pytest.fixture(scope="module", autouse=True)
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A running installation."""
    data: Path = tmp_path_factory.mktemp("machine") / "data"
    with open_installation(Settings(data=data), FixedClock(NOW)) as services:
        Installation.services = services
        with TestClient(create_pages(services, "operator"), follow_redirects=False) as http:
            Installation.http = http
            yield


class RightsMachine(RuleBasedStateMachine):
    """Members of two organizations who try everything to get more rights."""

    sessions = Bundle("sessions")
    tokens = Bundle("tokens")
    credentials = sessions | tokens
    invitations = Bundle("invitations")
    password_links = Bundle("password_links")

    @initialize(plan=st.sampled_from(Plan))
    def set_up(self, plan: Plan) -> None:
        """An organization with an owner whose credential nobody has, and another organization."""
        self.services, self.http = Installation.services, Installation.http
        administration = self.services.administration
        self.organization = administration.organizations.create(new_id("o"), plan=plan)
        self.other = administration.organizations.create(new_id("o"), plan=Plan.FREE)
        self.known: list[Credential] = []
        self.parents: dict[Credential, Credential] = {}
        self.issuers: dict[str, Credential] = {}
        """By the secrets of invitations and links: the credential that created them."""
        for organization in (self.organization, self.other):
            administration.sign_in.set_owner(organization, f"{new_id('a')}@x.test", PASSWORD)

    # What credentials allow

    def rights(self, credential: Credential) -> Rights:
        """What a credential allows now, as the server sees it."""
        access = self.services.access
        try:
            actor = (
                access.actor_of_session(credential.text)
                if credential.is_session
                else access.actor_of_token(credential.text)
            )
        except Unauthenticated:
            return frozenset()
        return self.rights_of(actor)

    def rights_of(self, actor: Actor) -> Rights:
        """Permissions within an organization, and the roles that may be managed.

        As if the plan included everything, because nobody here can change the plan.
        """
        actor = replace(actor, plan=Plan.ENTERPRISE)
        found = {f"{actor.organization_id}: {p}" for p in Permission if has(actor, p)}
        if has(actor, Permission.MEMBERS_WRITE):
            found.add(f"{actor.organization_id}: manages {actor.role}")
            if actor.role is Role.OWNER:
                found.add(f"{actor.organization_id}: manages admin")
        return frozenset(found)

    def standing(self, issuer: Credential) -> Rights:
        """What the author of a link may grant now: a token what it allows; a session what its
        member may, as signing out takes no right away."""
        if not issuer.is_session:
            return self.rights(issuer)
        with self.services.directory.read() as session:
            actor = actor_for(session, MemberId(issuer.member_id), ALL_SCOPES, Channel.SESSION)
        return self.rights_of(actor) if actor else frozenset()

    def send(self, by: Credential | None, method: str, path: str, body: Any = None) -> Any:
        """Do something; nobody gains a right that the actor lacked."""
        before = {credential: self.rights(credential) for credential in self.known}
        mine = self.rights(by) if by else frozenset()
        headers = {"Accept": "application/json"}
        if by and not by.is_session:
            headers["Authorization"] = f"Bearer {by.text}"
        if by and by.is_session:
            headers["Cookie"] = f"outlay_session={by.text}"
        self.http.cookies.clear()
        answer: Any = self.http.request(method, path, headers=headers, json=body)
        assert answer.status_code < 500, answer.text
        for credential, had in before.items():
            assert self.rights(credential) - had <= mine, (method, path, body)
        if not mine:
            assert not answer.is_success, (method, path)
        return answer

    def members(self) -> list[str]:
        """Ids of the current and former members of both organizations."""
        found: list[str] = []
        for organization in (self.organization, self.other):
            with self.services.directory.read() as session:
                found += [m.member_id for m in list_members(session, organization.organization_id)]
        return found

    def learn(self, credential: Credential, ceiling: Rights) -> Credential:
        """Add a new credential; it allows no more than its creator has."""
        assert self.rights(credential) <= ceiling
        self.known.append(credential)
        return credential

    # Actions

    @rule(target=sessions, role=st.sampled_from(Role), is_other=st.booleans())
    def hire(self, role: Role, is_other: bool) -> Credential:
        """The operator adds a member."""
        organization = self.other if is_other else self.organization
        operator = operator_of(organization)
        members, sign_in = (
            self.services.administration.members,
            self.services.administration.sign_in,
        )
        _, secret = members.invite(operator, f"{new_id('b')}@x.test", role)
        session = sign_in.accept(secret, "Some One", PASSWORD, "req")
        actor = self.services.access.actor_of_session(session)
        return self.learn(Credential(session, True, actor.member_id), self.rights_of(actor))

    @rule(
        by=credentials,
        pick=st.integers(0, 50),
        role=st.sampled_from([*Role, "superuser"]),
    )
    def change_role(self, by: Credential, pick: int, role: str) -> None:
        """Change a member's role."""
        members = self.members()
        self.send(by, "PATCH", f"/api/v1/members/{members[pick % len(members)]}", {"role": role})

    @rule(by=credentials, role=st.sampled_from(Role))
    def change_own_role(self, by: Credential, role: Role) -> None:
        """Change one's own role."""
        self.send(by, "PATCH", f"/api/v1/members/{by.member_id}", {"role": role})
        self.send(by, "PATCH", "/api/v1/me", {"name": "x", "role": role})

    @rule(by=credentials, pick=st.integers(0, 50), is_erased=st.booleans())
    def remove(self, by: Credential, pick: int, is_erased: bool) -> None:
        """Remove or erase a member."""
        members = self.members()
        path = f"/api/v1/members/{members[pick % len(members)]}"
        self.send(by, "POST" if is_erased else "DELETE", path + ("/erase" if is_erased else ""))

    @rule(target=invitations, by=credentials, role=st.sampled_from(Role))
    def invite(self, by: Credential, role: Role) -> str:
        """Invite a person."""
        answer = self.send(
            by, "POST", "/api/v1/invitations", {"email": f"{new_id('c')}@x.test", "role": role}
        )
        secret = answer.json()["url"].rpartition("/")[2] if answer.is_success else new_id("no")
        self.issuers[secret] = by
        return secret

    @rule(target=sessions, secret=consumes(invitations))
    def accept(self, secret: str) -> Credential:
        """Follow an invitation."""
        return self.enter(secret, f"/invitation/{secret}", {"name": "New", "password": PASSWORD})

    @rule(target=password_links, by=credentials, pick=st.integers(0, 50))
    def make_password_link(self, by: Credential, pick: int) -> str:
        """Create a link that sets a member's password, with which one can sign in as them."""
        members = self.members()
        answer = self.send(
            by, "POST", f"/api/v1/members/{members[pick % len(members)]}/password-link"
        )
        secret = answer.json()["url"].rpartition("/")[2] if answer.is_success else new_id("no")
        self.issuers[secret] = by
        return secret

    @rule(target=sessions, secret=consumes(password_links))
    def set_password(self, secret: str) -> Credential:
        """Follow a password link."""
        return self.enter(secret, f"/password/{secret}", {"password": PASSWORD + "!"})

    def enter(self, secret: str, path: str, form: dict[str, str]) -> Credential:
        ceiling = self.standing(self.issuers[secret])
        self.http.cookies.clear()
        answer = self.http.post(path, data=form)
        assert answer.status_code in {303, 404, 409}, answer.text
        session = answer.cookies.get("outlay_session", "")
        if not session:
            return Credential("nobody", True, "mem_nobody")
        actor = self.services.access.actor_of_session(session)
        return self.learn(Credential(session, True, actor.member_id), ceiling)

    @rule(target=tokens, by=tokens, scopes=st.sets(st.sampled_from(Scope), min_size=1))
    def create_token_by_token(self, by: Credential, scopes: set[Scope]) -> Credential:
        """Create an access token with an access token."""
        return self.create_token(by, scopes)

    @rule(target=tokens, by=credentials, scopes=st.sets(st.sampled_from(Scope), min_size=1))
    def create_token_by_any(self, by: Credential, scopes: set[Scope]) -> Credential:
        """Create an access token."""
        return self.create_token(by, scopes)

    def create_token(self, by: Credential, scopes: set[Scope]) -> Credential:
        """Create an access token."""
        mine = self.rights(by)
        body = {"description": "t", "scopes": sorted(scopes)}
        answer = self.send(by, "POST", "/api/v1/tokens", body)
        if not answer.is_success:
            return Credential("ota_nobody_x", False, "mem_nobody")
        made = Credential(answer.json()["token"], False, answer.json()["memberId"])
        assert made.member_id == by.member_id
        self.parents[made] = by
        return self.learn(made, mine)

    @rule(by=credentials, plan=st.sampled_from(Plan))
    def change_plan(self, by: Credential, plan: Plan) -> None:
        """Try to change the plan without permission."""
        self.send(by, "PATCH", "/api/v1/organization", {"plan": plan})
        self.send(by, "PATCH", "/api/v1/organization", {"name": new_id("o"), "plan": plan})

    @rule(by=credentials, pick=st.integers(0, 50), trusts=st.booleans())
    def create_key(self, by: Credential, pick: int, trusts: bool) -> None:
        """Create an API key for a member."""
        members = self.members()
        project, _ = self.services.administration.projects.ensure(
            operator_of(self.organization), "P"
        )
        member_id = members[pick % len(members)]
        body = {"projectId": project.project_id, "description": "k", "memberId": member_id}
        answer = self.send(by, "POST", "/api/v1/api-keys", {**body, "trustsCaller": trusts})
        if answer.is_success and member_id != by.member_id:
            leads = f"{self.organization.organization_id}: {Permission.PROJECTS_WRITE}"
            assert leads in self.rights(by)

    @rule(by=credentials, pick=st.integers(0, 50))
    def revoke_token(self, by: Credential, pick: int) -> None:
        """Revoke a token and everything created with it."""
        tokens = [known for known in self.known if not known.is_session]
        if not tokens:
            return
        doomed = tokens[pick % len(tokens)]
        answer = self.send(by, "DELETE", f"/api/v1/tokens/{doomed.text.split('_')[1]}")
        if answer.is_success:
            gone = {doomed}
            for known in self.known:  # children come after their parents
                if self.parents.get(known) in gone:
                    gone.add(known)
            assert not any(self.rights(credential) for credential in gone)

    @rule(by=credentials)
    def sign_out(self, by: Credential) -> None:
        """Sign out."""
        self.send(by, "DELETE", "/api/v1/me/sessions")

    @rule(plan=st.sampled_from(Plan))
    def sell(self, plan: Plan) -> None:
        """The operator sets the plan: the only action that gives everyone more rights."""
        operator = operator_of(self.organization)
        self.services.administration.organizations.update(operator, plan=plan)
        self.organization = replace(self.organization, plan=plan)

    @invariant()
    def there_is_an_owner(self) -> None:
        """Both organizations always have an owner."""
        for organization in (self.organization, self.other):
            members = self.services.administration.members.list_for(operator_of(organization))
            assert any(member.role is Role.OWNER for member in members)

    @invariant()
    def the_plan_is_what_was_sold(self) -> None:
        """The plan does not change, whatever members do."""
        found = self.services.administration.organizations.organization_of(
            operator_of(self.organization)
        )
        assert found.plan is self.organization.plan


def test_no_sequence_of_actions_escalates_rights() -> None:
    run_state_machine_as_test(
        RightsMachine,
        settings=settings(
            max_examples=300 if os.environ.get("OUTLAY_TEST_LONG") else 30,
            stateful_step_count=50,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
