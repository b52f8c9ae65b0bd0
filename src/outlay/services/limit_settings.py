"""Which spend limits there are; `limits` enforces them."""

from outlay.domain.errors import Invalid, NotFound
from outlay.domain.money import MAX_PUSD
from outlay.domain.spend_limit import LimitScope, SpendLimit
from outlay.kit.clock import Clock, to_us
from outlay.storage.directory.api_keys import list_api_keys
from outlay.storage.directory.engine import Directory
from outlay.storage.directory.members import list_members
from outlay.storage.directory.projects import list_projects
from outlay.storage.directory.spend_limits import (
    delete_spend_limit,
    list_spend_limits,
    put_spend_limit,
)


class LimitSettings:
    """Sets and removes the limits of organizations."""

    def __init__(self, directory: Directory, clock: Clock) -> None:
        self._directory = directory
        self._clock = clock

    def put(self, limit: SpendLimit) -> None:
        """Set a limit, in place of the one for the same scope and interval."""
        if not 0 <= limit.amount_pusd <= MAX_PUSD:
            raise Invalid("the amount must be between 0 and 9000000 USD", field="amount")
        organization_id = limit.organization_id
        with self._directory.change() as session:
            match limit.scope:
                case LimitScope.API_KEY:
                    keys = list_api_keys(session, organization_id)
                    known = {key.api_key_id for key in keys if not key.is_deleted}
                case LimitScope.PROJECT:
                    projects = list_projects(session, organization_id)
                    known = {project.project_id for project in projects if not project.is_deleted}
                case LimitScope.MEMBER:
                    members = list_members(session, organization_id)
                    known = {member.member_id for member in members if not member.is_deleted}
            if limit.scope_id not in known:
                raise NotFound(f"there is no such {limit.scope}: {limit.scope_id}")
            put_spend_limit(session, limit, to_us(self._clock.now()))

    def delete(self, limit: SpendLimit) -> None:
        """Remove the limit for a scope and interval, whatever its amount."""
        same = (limit.scope, limit.scope_id, limit.interval)
        with self._directory.change() as session:
            limits = list_spend_limits(session, limit.organization_id)
            if not any((known.scope, known.scope_id, known.interval) == same for known in limits):
                raise NotFound("there is no such limit")
            delete_spend_limit(session, limit)

    def of(self, organization_id: str) -> list[SpendLimit]:
        """The limits of an organization."""
        with self._directory.unit() as session:
            return list_spend_limits(session, organization_id)
