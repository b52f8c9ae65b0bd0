"""Who asks, and with which credential."""

from dataclasses import dataclass
from enum import StrEnum

from outlay.domain.ids import MemberId, OrganizationId


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
    DIRECTORY_READ = "directory:read"
    DIRECTORY_WRITE = "directory:write"
    AUDIT_READ = "audit:read"


ALL_SCOPES = frozenset(Scope)


class Channel(StrEnum):
    """The way by which somebody acts."""

    SESSION = "session"
    TOKEN = "token"  # noqa: S105 - a way, not a secret
    COMMAND_LINE = "command-line"


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """Whose right an invitation or a password link rests on."""

    member_id: MemberId | None
    """None for the operator."""
    token_id: str | None
    """The access token it was made with, where it was one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Somebody who may act in one organization, which always comes from here, never from a URL.

    A member with a session or an access token, or the operator at the command line.
    """

    organization_id: OrganizationId
    organization_name: str
    plan: Plan
    timezone: str
    """The organization's time zone, used where a request names none."""
    member_id: MemberId = MemberId("")  # noqa: RUF009 - text, which does not change
    """Empty for the operator."""
    member_name: str = "Operator"
    email: str = ""
    role: Role = Role.OWNER
    scopes: frozenset[Scope] = ALL_SCOPES
    channel: Channel = Channel.COMMAND_LINE
    credential_id: str = ""
    """Which access token, where it is one."""
    request_id: str = ""
    """The HTTP request that this is about."""

    @property
    def as_issuer(self) -> Issuer:
        """What the actor hands out rests on."""
        return Issuer(member_id=self.member_id or None, token_id=self.credential_id or None)

    @property
    def is_operator(self) -> bool:
        """Whether this is the person who runs the installation, who may do anything."""
        return self.channel is Channel.COMMAND_LINE
