"""Organizations and their members, projects, API keys and user groups.

Deleted objects keep their rows, so their names remain in reports; `is_deleted` marks them.
"""

from dataclasses import dataclass

from outlay.domain.actor import Actor, Issuer, Plan, Role
from outlay.domain.ids import ApiKeyId, GroupId, MemberId, OrganizationId, ProjectId


@dataclass(frozen=True, slots=True, kw_only=True)
class Organization:
    """A tenant: every object belongs to exactly one."""

    organization_id: OrganizationId
    name: str
    plan: Plan
    timezone: str
    slug: str = ""
    """Its name in URLs: lower-case letters, digits and dashes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A person in an organization."""

    member_id: MemberId
    organization_id: OrganizationId
    name: str
    email: str
    role: Role
    has_password: bool = False
    created_at_us: int = 0
    is_deleted: bool = False
    """The person was removed from the organization."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """An open invitation: anyone with the link can become a member."""

    invitation_id: str
    organization_id: OrganizationId
    email: str
    role: Role
    issuer: Issuer
    created_at_us: int
    expires_at_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordLink:
    """A one-time link to set a member's password."""

    member_id: MemberId
    issuer: Issuer
    created_at_us: int
    expires_at_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A group of API keys."""

    project_id: ProjectId
    """The reported value if the project was discovered."""
    organization_id: OrganizationId
    name: str
    created_at_us: int = 0
    is_deleted: bool = False
    discovered_id: str = ""
    """Set if the project is known from reports only."""

    @property
    def address(self) -> str:
        """The id used in URLs: a reported value may not fit into a path."""
        return self.discovered_id or self.project_id


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A credential of a project. Its usage is attributed to the member who created it."""

    api_key_id: ApiKeyId
    organization_id: OrganizationId
    project_id: ProjectId
    member_id: MemberId
    description: str
    hint: str = ""
    """The end of its secret, for recognition; empty without a secret."""
    trusts_caller: bool = False
    """Whether callers may set attribution: name the user and groups of a request."""
    expires_at_us: int | None = None
    created_at_us: int = 0
    is_revoked: bool = False
    """Requests with it are rejected. Unlike a deleted key, it stays in lists."""
    is_deleted: bool = False
    discovered_id: str = ""
    """Set if the key is known from reports only: it has no project or creator."""

    def status_at(self, us: int) -> str:
        """`active`, `revoked`, `expired`, or `reported` if it is known from reports only."""
        if self.is_revoked:
            return "revoked"
        if self.expires_at_us is not None and self.expires_at_us <= us:
            return "expired"
        return "active" if self.hint else "reported"


@dataclass(frozen=True, slots=True, kw_only=True)
class UserGroup:
    """A named set of members for reporting."""

    group_id: GroupId
    organization_id: OrganizationId
    name: str
    created_at_us: int = 0
    is_deleted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupMembership:
    """A member's time in a group: [valid_from_us, valid_to_us), open-ended if None."""

    group_id: GroupId
    member_id: MemberId
    valid_from_us: int
    valid_to_us: int | None = None

    def is_valid_at(self, us: int) -> bool:
        """Whether the member is in the group at an instant."""
        return self.valid_from_us <= us and not self.has_ended_at(us)

    def has_ended_at(self, us: int) -> bool:
        """Whether the member has left the group by an instant."""
        return self.valid_to_us is not None and self.valid_to_us <= us


def operator_of(organization: Organization) -> Actor:
    """The operator of the installation, acting in an organization."""
    return Actor(
        organization_id=organization.organization_id,
        organization_name=organization.name,
        plan=organization.plan,
        timezone=organization.timezone,
    )
