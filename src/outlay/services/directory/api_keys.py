"""Managing API keys: creation, changes, revocation."""

from dataclasses import replace
from datetime import datetime
from typing import Final

from outlay.domain.actor import Actor
from outlay.domain.api_key_format import render_key
from outlay.domain.audit import Action, Value
from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Conflict, Invalid, NotFound, NotPermitted
from outlay.domain.ids import ApiKeyId, MemberId, ProjectId
from outlay.domain.organization import ApiKey
from outlay.domain.policy import Permission, is_limited, permit
from outlay.kit.clock import from_us, to_us
from outlay.kit.ids import new_id
from outlay.kit.secrets import digest_secret, new_secret
from outlay.services.directory.audited_changes import AuditedChanges
from outlay.services.directory.members import find_present_member
from outlay.services.directory.named_things import find_present
from outlay.services.directory.projects import PROJECTS
from outlay.services.directory.text_rules import check_name, check_present
from outlay.storage.directory.api_keys import (
    create_api_key,
    delete_api_key,
    find_api_key,
    list_api_keys,
    revoke_api_key,
    update_api_key,
)
from outlay.storage.directory.engine import Directory
from outlay.storage.directory.session import ReadSession

_HINT_LETTERS: Final = 4


class KeySettings:
    """The API keys of an actor's organization; developers see and manage only their own."""

    def __init__(self, directory: Directory, audited: AuditedChanges) -> None:
        self._directory = directory
        self._audited = audited

    def list_for(self, actor: Actor) -> list[ApiKey]:
        """API keys that are not deleted, by description."""
        permit(actor, Permission.KEYS_READ)
        with self._directory.read() as session:
            return _visible(session, actor, Permission.KEYS_READ)

    def find(self, actor: Actor, api_key_id: ApiKeyId) -> ApiKey:
        """One of them; raises NotFound for all others."""
        permit(actor, Permission.KEYS_READ)
        with self._directory.read() as session:
            return _find(session, actor, api_key_id, Permission.KEYS_READ)

    def create(
        self,
        actor: Actor,
        *,
        project_id: ProjectId,
        description: str,
        member_id: MemberId | None = None,
        trusts_caller: bool = False,
        expires_at: datetime | None = None,
    ) -> tuple[ApiKey, str]:
        """Create a key; returns its secret form, which is not stored.

        It is attributed to its creator, who is the actor unless an owner or admin names another
        member.
        """
        is_own = is_limited(actor, Permission.KEYS_WRITE)
        creator_id = member_id or actor.member_id
        if is_own and creator_id != actor.member_id:
            raise NotPermitted(
                "Only owners and admins can create keys for other members.",
                code=ErrorCode.ROLE_REQUIRED,
            )
        if not creator_id:
            raise Invalid("`memberId` must name the member that the key is for.", field="memberId")
        _check_trust(actor, trusts_caller)
        secret = new_secret()
        api_key_id = new_id("key")
        text = render_key(ApiKeyId(api_key_id), secret)
        with self._audited.change(actor, Permission.KEYS_WRITE) as change:
            find_present(PROJECTS, change.session, actor, project_id)
            find_present_member(change.session, actor, creator_id)
            api_key = ApiKey(
                api_key_id=ApiKeyId(api_key_id),
                organization_id=actor.organization_id,
                project_id=project_id,
                member_id=creator_id,
                description=check_name(description, "description"),
                hint=text[-_HINT_LETTERS:],
                trusts_caller=trusts_caller,
                expires_at_us=_check_expiry(expires_at, change.now_us),
                created_at_us=change.now_us,
            )
            create_api_key(change.session, api_key, change.now_us, digest_secret(secret))
            change.note(Action.API_KEY_CREATE, api_key_id, after=_describe(api_key))
        return api_key, text

    def update(
        self,
        actor: Actor,
        api_key_id: ApiKeyId,
        *,
        description: str | None = None,
        trusts_caller: bool | None = None,
    ) -> ApiKey:
        """Change a key; None leaves a property unchanged."""
        with self._audited.change(actor, Permission.KEYS_WRITE) as change:
            before = _find(change.session, actor, api_key_id, Permission.KEYS_WRITE)
            after = replace(
                before,
                description=(
                    before.description
                    if description is None
                    else check_name(description, "description")
                ),
                trusts_caller=before.trusts_caller if trusts_caller is None else trusts_caller,
            )
            if after.trusts_caller != before.trusts_caller:
                _check_trust(actor, after.trusts_caller)
            update_api_key(change.session, after)
            change.note_update(
                Action.API_KEY_UPDATE, api_key_id, _describe(before), _describe(after)
            )
        return after

    def revoke(self, actor: Actor, api_key_id: ApiKeyId) -> None:
        """Revoke a key; it stays in the list."""
        with self._audited.change(actor, Permission.KEYS_WRITE) as change:
            api_key = _find(change.session, actor, api_key_id, Permission.KEYS_WRITE)
            if api_key.is_revoked:
                raise Conflict("The key is already revoked.", code=ErrorCode.REVOKED_ALREADY)
            revoke_api_key(change.session, api_key_id, change.now_us)
            change.note(Action.API_KEY_REVOKE, api_key_id, before=_describe(api_key))

    def delete(self, actor: Actor, api_key_id: ApiKeyId) -> None:
        """Revoke a key and remove it from the list; its usage remains in all totals."""
        with self._audited.change(actor, Permission.KEYS_WRITE) as change:
            api_key = _find(change.session, actor, api_key_id, Permission.KEYS_WRITE)
            delete_api_key(change.session, api_key_id, change.now_us)
            change.note(Action.API_KEY_DELETE, api_key_id, before=_describe(api_key))


def _visible(session: ReadSession, actor: Actor, permission: Permission) -> list[ApiKey]:
    is_own = is_limited(actor, permission)
    return [
        key
        for key in list_api_keys(session, actor.organization_id)
        if not key.is_deleted and (not is_own or key.member_id == actor.member_id)
    ]


def _find(
    session: ReadSession, actor: Actor, api_key_id: ApiKeyId, permission: Permission
) -> ApiKey:
    key = check_present(find_api_key(session, api_key_id), actor.organization_id, "API key")
    if is_limited(actor, permission) and key.member_id != actor.member_id:
        raise NotFound("There is no such API key.")
    return key


def _check_trust(actor: Actor, trusts_caller: bool) -> None:
    """A key that may set attribution can assign usage to others, which developers may not allow."""
    if trusts_caller and is_limited(actor, Permission.KEYS_WRITE):
        raise NotPermitted(
            "Only owners and admins can allow a key to set attribution.",
            code=ErrorCode.ROLE_REQUIRED,
        )


def _check_expiry(expires_at: datetime | None, now_us: int) -> int | None:
    if expires_at is None:
        return None
    expires_at_us = to_us(expires_at)
    if expires_at_us <= now_us:
        raise Invalid("`expiresAt` must be in the future.", field="expiresAt")
    return expires_at_us


def _describe(api_key: ApiKey) -> dict[str, Value]:
    expires = api_key.expires_at_us
    return {
        "description": api_key.description,
        "project": api_key.project_id,
        "member": api_key.member_id,
        "trustsCaller": api_key.trusts_caller,
        "expires": None if expires is None else from_us(expires).isoformat(),
    }
