"""The caller of an operation and the credential it uses."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from outlay.domain.ids import MemberId, OrganizationId, TokenId


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
    """What a credential was issued for; a browser session has every scope."""

    USAGE_READ = "usage:read"
    USAGE_WRITE = "usage:write"
    DIRECTORY_READ = "directory:read"
    DIRECTORY_WRITE = "directory:write"
    AUDIT_READ = "audit:read"


ALL_SCOPES = frozenset(Scope)


class Channel(StrEnum):
    """The channel through which an actor makes a request."""

    SESSION = "session"
    TOKEN = "token"  # noqa: S105 - a way, not a secret
    COMMAND_LINE = "command-line"


NO_TOKEN: Final = TokenId("")
"""Of actors who do not use an access token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """The issuer on whose rights an invitation or a password link depends."""

    member_id: MemberId | None
    """None for the operator."""
    token_id: TokenId | None
    """The access token that was used, if any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """A caller in one organization. The organization comes from here, never from a URL.

    Either a member with a session or an access token, or the operator at the command line.
    """

    organization_id: OrganizationId
    organization_name: str
    plan: Plan
    timezone: str
    """The organization's time zone, the default for requests without one."""
    member_id: MemberId = MemberId("")  # noqa: RUF009 - text, which does not change
    """Empty for the operator."""
    member_name: str = "Operator"
    email: str = ""
    role: Role = Role.OWNER
    scopes: frozenset[Scope] = ALL_SCOPES
    channel: Channel = Channel.COMMAND_LINE
    credential_id: TokenId = NO_TOKEN
    """The id of the access token, if one is used."""
    request_id: str = ""
    """The HTTP request on whose behalf the actor acts."""

    @property
    def as_issuer(self) -> Issuer:
        """The actor as the issuer of an invitation or link."""
        return Issuer(member_id=self.member_id or None, token_id=self.credential_id or None)

    @property
    def is_operator(self) -> bool:
        """Whether this is the operator of the installation, who has every right."""
        return self.channel is Channel.COMMAND_LINE
