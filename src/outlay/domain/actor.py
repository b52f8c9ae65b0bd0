"""Who asks, and what they may do."""

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What a member may do in their organization."""

    OWNER = "owner"
    ADMIN = "admin"
    DEVELOPER = "developer"


class Plan(StrEnum):
    """What an organization has bought."""

    FREE = "free"
    PRO = "pro"
    ENTERPRISE = "enterprise"


class Scope(StrEnum):
    """What a credential was issued for; a browser session has all of them."""

    USAGE_READ = "usage:read"
    USAGE_WRITE = "usage:write"


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """An authenticated member; the organization of every question comes from here, never a URL."""

    organization_id: str
    organization_name: str
    plan: Plan
    timezone: str
    """The organization's time zone, used where a request names none."""
    project_count: int
    member_id: str
    member_name: str
    email: str
    role: Role
    scopes: frozenset[Scope]
