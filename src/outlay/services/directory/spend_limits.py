"""Managing spend limits; `gateway/limit_enforcement.py` enforces them."""

from outlay.domain.actor import Actor
from outlay.domain.audit import Action
from outlay.domain.errors import Invalid, NotFound
from outlay.domain.money import MAX_PUSD, Pusd, render_usd
from outlay.domain.policy import Permission, permit
from outlay.domain.spend_limit import LimitInterval, LimitScope, SpendLimit
from outlay.services.directory.audited_changes import AuditedChanges
from outlay.services.directory.members import present_members
from outlay.services.directory.named_things import present_of
from outlay.services.directory.projects import PROJECTS
from outlay.storage.directory.api_keys import list_api_keys
from outlay.storage.directory.engine import Directory
from outlay.storage.directory.session import ReadSession
from outlay.storage.directory.spend_limits import (
    delete_spend_limit,
    find_spend_limit,
    list_spend_limits,
    put_spend_limit,
)


class LimitSettings:
    """Sets and removes the limits of an actor's organization."""

    def __init__(self, directory: Directory, audited: AuditedChanges) -> None:
        self._directory = directory
        self._audited = audited

    def list_for(self, actor: Actor) -> list[SpendLimit]:
        """All limits."""
        permit(actor, Permission.LIMITS_READ)
        with self._directory.read() as session:
            return list_spend_limits(session, actor.organization_id)

    def put(
        self,
        actor: Actor,
        scope: LimitScope,
        scope_id: str,
        interval: LimitInterval,
        amount_pusd: Pusd,
    ) -> SpendLimit:
        """Set a limit, replacing the one for the same scope and interval."""
        if not 0 <= amount_pusd <= MAX_PUSD:
            raise Invalid("A limit must be at most 9,000,000 USD.", field="amountUsd")
        limit = SpendLimit(
            organization_id=actor.organization_id,
            scope=scope,
            scope_id=scope_id,
            interval=interval,
            amount_pusd=amount_pusd,
        )
        with self._audited.change(actor, Permission.LIMITS_WRITE) as change:
            if scope_id not in _known_ids(change.session, actor, scope):
                raise NotFound(f"There is no such {scope}.", field="scopeId")
            before = find_spend_limit(change.session, limit)
            if before == limit:
                change.cancel()
                return limit
            put_spend_limit(change.session, limit, change.now_us)
            change.note(
                Action.LIMIT_PUT,
                _name(limit),
                before={"amountUsd": render_usd(before.amount_pusd)} if before else None,
                after={"amountUsd": render_usd(limit.amount_pusd)},
            )
        return limit

    def delete(
        self, actor: Actor, scope: LimitScope, scope_id: str, interval: LimitInterval
    ) -> None:
        """Delete a limit."""
        wanted = SpendLimit(
            organization_id=actor.organization_id,
            scope=scope,
            scope_id=scope_id,
            interval=interval,
            amount_pusd=Pusd(0),
        )
        with self._audited.change(actor, Permission.LIMITS_WRITE) as change:
            limit = find_spend_limit(change.session, wanted)
            if limit is None:
                raise NotFound("There is no such limit.")
            delete_spend_limit(change.session, limit)
            change.note(
                Action.LIMIT_DELETE,
                _name(limit),
                before={"amountUsd": render_usd(limit.amount_pusd)},
            )


def _known_ids(session: ReadSession, actor: Actor, scope: LimitScope) -> set[str]:
    """The ids for which a limit can be set."""
    match scope:
        case LimitScope.API_KEY:
            keys = list_api_keys(session, actor.organization_id)
            return {key.api_key_id for key in keys if not key.is_deleted}
        case LimitScope.PROJECT:
            return {project.project_id for project in present_of(PROJECTS, session, actor)}
        case LimitScope.MEMBER:
            return {member.member_id for member in present_members(session, actor)}


def _name(limit: SpendLimit) -> str:
    """The name of a limit in the audit trail."""
    return f"{limit.scope_id}/{limit.interval}"
