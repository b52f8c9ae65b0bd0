"""Organizations and what lives in them: members, projects, API keys, user groups.

Deleted things keep their rows, so that names survive in reports; `is_deleted` marks them.
"""

from dataclasses import dataclass

from outlay.domain.actor import Plan, Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Organization:
    """A tenant: everything belongs to exactly one."""

    organization_id: str
    name: str
    plan: Plan
    timezone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A person of an organization."""

    member_id: str
    organization_id: str
    name: str
    email: str
    role: Role
    is_deleted: bool = False
    """The person has left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """What API keys belong to."""

    project_id: str
    organization_id: str
    name: str
    is_deleted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A credential of a project, created by a member, to whom its usage is attributed."""

    api_key_id: str
    organization_id: str
    project_id: str
    member_id: str
    description: str
    hint: str = ""
    """The end of its secret, to recognise it by; empty when it has none."""
    trusts_caller: bool = False
    """Whether the user and groups that a request names are believed."""
    expires_at_us: int | None = None
    is_revoked: bool = False
    """Calls with it are refused; it stays in lists, unlike a deleted one."""
    is_deleted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class UserGroup:
    """A named set of members for reporting."""

    group_id: str
    organization_id: str
    name: str
    is_deleted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupMembership:
    """A member's time in a group: [valid_from_us, valid_to_us), open-ended when None."""

    group_id: str
    member_id: str
    valid_from_us: int
    valid_to_us: int | None = None
