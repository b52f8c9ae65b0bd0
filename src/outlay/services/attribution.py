"""Whose request it was: key → project, creator, user, and the user's groups at that time."""

import threading
from dataclasses import dataclass, field

from outlay.domain.event import join_groups
from outlay.domain.organization import ApiKey, GroupMembership
from outlay.storage.directory.api_keys import list_api_keys
from outlay.storage.directory.engine import Directory
from outlay.storage.directory.groups import list_memberships


@dataclass(slots=True)
class _Known:
    """What the directory says of one organization."""

    keys: dict[str, ApiKey] = field(default_factory=dict)
    memberships: dict[str, list[GroupMembership]] = field(default_factory=dict)


class Attribution:
    """Answers from memory; `refresh` after the directory has changed."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._known: dict[str, _Known] = {}
        self._lock = threading.Lock()

    def refresh(self) -> None:
        """Forget what was read; the next question reads the directory again."""
        with self._lock:
            self._known = {}

    def key(self, organization_id: str, api_key_id: str) -> ApiKey | None:
        """The API key of an organization with an id."""
        return self._of(organization_id).keys.get(api_key_id)

    def groups_at(self, organization_id: str, member_id: str, us: int) -> str:
        """The stored set of groups a member was in at an instant."""
        memberships = self._of(organization_id).memberships.get(member_id)
        if not memberships:
            return ""
        return join_groups(
            [
                membership.group_id
                for membership in memberships
                if membership.valid_from_us <= us
                and (membership.valid_to_us is None or us < membership.valid_to_us)
            ]
        )

    def _of(self, organization_id: str) -> _Known:
        known = self._known.get(organization_id)
        if known is None:
            with self._lock:
                known = self._read(organization_id)
                self._known[organization_id] = known
        return known

    def _read(self, organization_id: str) -> _Known:
        known = _Known()
        with self._directory.unit() as session:
            for api_key in list_api_keys(session, organization_id):
                known.keys[api_key.api_key_id] = api_key
            for membership in list_memberships(session, organization_id):
                known.memberships.setdefault(membership.member_id, []).append(membership)
        return known
