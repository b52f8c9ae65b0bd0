"""The audit trail: recorded changes in a hash chain that makes tampering evident.

Each entry of an organization carries SHA-256(digest of the previous entry ‖ canonical form). The
canonical form is JSON with sorted keys, no white space and no floats. It does not contain personal
values but SHA-256(nonce ‖ value) of them. The values are stored separately, so they can be
destroyed when a person is erased without breaking the chain.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from outlay.domain.actor import Channel
from outlay.domain.ids import OrganizationId

Value = str | int | bool | None | list[str] | dict[str, str]
"""A value of a field in an entry; no floats, whose text differs between writers."""

GENESIS: Final = bytes(32)
"""The digest that the first entry is chained to."""


class Action(StrEnum):
    """An audited action; `noun.verb`."""

    ORGANIZATION_CREATE = "organization.create"
    ORGANIZATION_UPDATE = "organization.update"
    MEMBER_CREATE = "member.create"
    MEMBER_UPDATE = "member.update"
    MEMBER_REMOVE = "member.remove"
    MEMBER_ERASE = "member.erase"
    INVITATION_CREATE = "invitation.create"
    INVITATION_ACCEPT = "invitation.accept"
    INVITATION_REVOKE = "invitation.revoke"
    PASSWORD_LINK_CREATE = "password_link.create"  # noqa: S105 - an action
    PASSWORD_UPDATE = "password.update"  # noqa: S105 - an action
    SESSION_CREATE = "session.create"
    SESSION_DELETE = "session.delete"
    SESSION_REFUSE = "session.refuse"
    PROJECT_CREATE = "project.create"
    PROJECT_UPDATE = "project.update"
    PROJECT_DELETE = "project.delete"
    API_KEY_CREATE = "api_key.create"
    API_KEY_UPDATE = "api_key.update"
    API_KEY_REVOKE = "api_key.revoke"
    API_KEY_DELETE = "api_key.delete"
    GROUP_CREATE = "group.create"
    GROUP_UPDATE = "group.update"
    GROUP_DELETE = "group.delete"
    GROUP_JOIN = "group.join"
    GROUP_LEAVE = "group.leave"
    UPSTREAM_CREATE = "upstream.create"
    UPSTREAM_UPDATE = "upstream.update"
    UPSTREAM_DELETE = "upstream.delete"
    MODEL_PUT = "model.put"
    MODEL_DELETE = "model.delete"
    PRICE_CREATE = "price.create"
    PRICE_DELETE = "price.delete"
    EXCHANGE_RATE_CREATE = "exchange_rate.create"
    EXCHANGE_RATE_DELETE = "exchange_rate.delete"
    LIMIT_PUT = "limit.put"
    LIMIT_DELETE = "limit.delete"
    TOKEN_CREATE = "token.create"  # noqa: S105 - an action
    TOKEN_REVOKE = "token.revoke"  # noqa: S105 - an action
    SSO_PUT = "sso.put"
    SSO_DELETE = "sso.delete"
    DISCOVERED_UPDATE = "discovered.update"
    DISCOVERED_MERGE = "discovered.merge"
    RECONCILIATION_CREATE = "reconciliation.create"
    REPRICE_CREATE = "reprice.create"
    REPRICE_REVERT = "reprice.revert"
    REQUEST_MERGE = "request.merge"
    TAG_ADD = "tag.add"
    TAG_REMOVE = "tag.remove"
    RETENTION_APPLY = "retention.apply"
    DIRECTORY_ACCEPT = "directory.accept"


@dataclass(frozen=True, slots=True)
class Personal:
    """A personal value: the entry holds only its digest."""

    subject_id: str
    """The member or invitation whose erasure destroys the value."""
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """The entries to return; all conditions that are set must match."""

    author_id: str | None = None
    actions: tuple[Action, ...] = ()
    target: str | None = None
    from_us: int | None = None
    until_us: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One recorded change."""

    organization_id: OrganizationId
    number: int
    """1, 2, 3 … within the organization."""
    time_us: int
    channel: Channel
    author_id: str
    """The member who made the change, empty for the operator."""
    credential_id: str
    """The access token that was used, empty without one."""
    request_id: str
    action: Action
    target: str
    """The id of the changed object."""
    before: Mapping[str, Value] | None
    """The old values of the changed fields; None if the object is new."""
    after: Mapping[str, Value] | None
    """The new values of the same fields; None if the object was deleted."""
    digest: bytes = b""

    def digest_after(self, previous: bytes) -> bytes:
        """The digest of this entry, chained to the previous one."""
        return hashlib.sha256(previous + canonical_form(self)).digest()


def canonical_form(entry: AuditEntry) -> bytes:
    """The bytes of an entry that its digest covers."""
    content = {
        "organization": entry.organization_id,
        "number": entry.number,
        "time": entry.time_us,
        "channel": entry.channel.value,
        "author": entry.author_id,
        "credential": entry.credential_id,
        "request": entry.request_id,
        "action": entry.action.value,
        "target": entry.target,
        "before": entry.before,
        "after": entry.after,
    }
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def personal_digest(nonce: bytes, value: str) -> str:
    """The digest that an entry holds instead of a personal value."""
    return hashlib.sha256(nonce + value.encode()).hexdigest()


PERSONAL_MARK: Final = "#"
"""Suffix of fields whose value is stored separately: `email#` holds the digest of an address."""


def changes_between(
    before: Mapping[str, "Value | Personal"], after: Mapping[str, "Value | Personal"]
) -> tuple[dict[str, "Value | Personal"], dict[str, "Value | Personal"]]:
    """The fields that differ, with their old and new values."""
    names = [name for name in after if before.get(name) != after[name]]
    return {name: before.get(name) for name in names}, {name: after[name] for name in names}
