"""Setting up organizations and credentials."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from outlay.domain.actor import Plan, Role, Scope
from outlay.domain.errors import Conflict, Invalid, NotFound
from outlay.domain.organization import Member, Organization, Project
from outlay.domain.period import parse_zone
from outlay.kit.clock import Clock, to_us
from outlay.kit.ids import new_id
from outlay.kit.secrets import digest_secret, new_secret
from outlay.services.access import TOKEN_PREFIX, hash_password
from outlay.storage.directory.access_tokens import StoredToken, create_access_token
from outlay.storage.directory.engine import Directory
from outlay.storage.directory.members import (
    create_member,
    find_login,
    list_members,
    set_password,
)
from outlay.storage.directory.organizations import create_organization, list_organizations
from outlay.storage.directory.projects import create_project, list_projects

MIN_PASSWORD: int = 15
"""NIST SP 800-63B-4: at least 15 characters where the password is the only factor."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportTarget:
    """Where imported usage goes."""

    organization_id: str
    organization_name: str
    project_id: str
    project_name: str
    created: tuple[str, ...]
    """What did not exist before: `organization`, `project`."""


class Accounts:
    """Creates organizations, owners, projects and access tokens."""

    def __init__(self, directory: Directory, clock: Clock) -> None:
        self._directory = directory
        self._clock = clock

    def organizations(self) -> list[Organization]:
        """All organizations, oldest first."""
        with self._directory.unit() as session:
            return list_organizations(session)

    def create_organization(
        self, name: str, *, plan: Plan = Plan.ENTERPRISE, timezone: str = "UTC"
    ) -> Organization:
        """A new organization; raises Conflict when the name is taken."""
        parse_zone(timezone)
        organization = Organization(
            organization_id=new_id("org"), name=check_name(name), plan=plan, timezone=timezone
        )
        with self._directory.change() as session:
            if any(known.name == name for known in list_organizations(session)):
                raise Conflict(f"there is an organization called {name!r} already")
            create_organization(session, organization, self._now_us())
        return organization

    def find_organization(self, name: str | None) -> Organization | None:
        """The organization with a name, or the only one when no name is given.

        Raises NotFound for an unknown name and Invalid when a name is needed to choose.
        """
        organizations = self.organizations()
        if name is None:
            if len(organizations) > 1:
                names = ", ".join(repr(known.name) for known in organizations)
                raise Invalid(f"choose an organization: {names}", field="organization")
            return organizations[0] if organizations else None
        for known in organizations:
            if name in {known.name, known.organization_id}:
                return known
        raise NotFound(f"there is no organization called {name!r}")

    def set_owner(self, organization: Organization, email: str, password: str) -> Member:
        """Make an e-mail address an owner with a password, or change that owner's password."""
        if len(password) < MIN_PASSWORD:
            raise Invalid(
                f"the password needs at least {MIN_PASSWORD} characters", field="password"
            )
        if email.count("@") != 1 or email.strip() != email or len(email) > 254:
            raise Invalid(f"{email!r} is not an e-mail address", field="email")
        password_hash = hash_password(password)
        with self._directory.change() as session:
            login = find_login(session, email)
            if login is not None:
                member = login[0]
                if member.organization_id != organization.organization_id:
                    raise Conflict(f"{email} belongs to another organization")
                set_password(session, member.member_id, password_hash)
                return member
            member = Member(
                member_id=new_id("mem"),
                organization_id=organization.organization_id,
                name=email.partition("@")[0],
                email=email,
                role=Role.OWNER,
            )
            create_member(session, member, self._now_us(), password_hash)
        return member

    def member_called(self, organization_id: str, email: str | None) -> Member:
        """The present member with an e-mail address, or the first owner when none is given."""
        with self._directory.unit() as session:
            members = [m for m in list_members(session, organization_id) if not m.is_deleted]
        for member in members:
            if member.email.lower() == email.lower() if email else member.role is Role.OWNER:
                return member
        raise NotFound(f"there is no member {email}" if email else "there is no owner")

    def ensure_project(self, organization_id: str, name: str) -> tuple[Project, bool]:
        """The project with a name or id, created when there is none; the flag says so."""
        with self._directory.change() as session:
            for known in list_projects(session, organization_id):
                if name in {known.name, known.project_id} and not known.is_deleted:
                    return known, False
            project = Project(
                project_id=new_id("prj"), organization_id=organization_id, name=check_name(name)
            )
            create_project(session, project, self._now_us())
        return project, True

    def import_target(self, organization_name: str | None, project_name: str) -> ImportTarget:
        """The organization and project that an import goes to, created where there is none."""
        created = []
        organization = self.find_organization(organization_name) if self.organizations() else None
        if organization is None:
            organization = self.create_organization(organization_name or "My organization")
            created.append("organization")
        project, is_new = self.ensure_project(organization.organization_id, project_name)
        if is_new:
            created.append("project")
        return ImportTarget(
            organization_id=organization.organization_id,
            organization_name=organization.name,
            project_id=project.project_id,
            project_name=project.name,
            created=tuple(created),
        )

    def create_access_token(
        self,
        member_id: str,
        description: str,
        scopes: Iterable[Scope],
        expires_at: datetime | None = None,
    ) -> str:
        """A new access token of a member; this is the only time its secret can be seen."""
        token_id, secret = new_secret(12), new_secret()
        stored = StoredToken(
            token_id=token_id,
            member_id=member_id,
            description=check_name(description),
            digest=digest_secret(secret),
            scopes=frozenset(scopes),
            expires_at_us=to_us(expires_at) if expires_at else None,
        )
        with self._directory.unit() as session:
            create_access_token(session, stored, self._now_us())
        return f"{TOKEN_PREFIX}_{token_id}_{secret}"

    def _now_us(self) -> int:
        return to_us(self._clock.now())


def check_name(name: str) -> str:
    """`name` itself; Invalid when it is empty, too long or not printable."""
    if not name.strip() or len(name) > 100 or not name.isprintable():
        raise Invalid("a name is 1 to 100 printable characters", field="name")
    return name
