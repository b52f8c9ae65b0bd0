"""Attribution of requests: key → project, creator, user, and the user's groups at the time."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from outlay.domain.api_key_format import is_key_id
from outlay.domain.errors import Unavailable
from outlay.domain.event import join_groups
from outlay.domain.ids import ApiKeyId, MemberId, OrganizationId
from outlay.domain.organization import ApiKey, GroupMembership
from outlay.domain.usage_report import UsageReport
from outlay.kit.cache import Cache
from outlay.storage.directory.api_keys import list_api_keys
from outlay.storage.directory.engine import Directory
from outlay.storage.directory.groups import list_groups, list_memberships
from outlay.storage.directory.members import list_members

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Known:
    """The cached data of one organization."""

    revision: int
    """The directory's revision when it was loaded."""
    keys: dict[str, ApiKey] = field(default_factory=dict)
    memberships: dict[str, list[GroupMembership]] = field(default_factory=dict)
    members: dict[str, str] = field(default_factory=dict)
    """Member id by id and by e-mail address in lower case."""
    groups: dict[str, str] = field(default_factory=dict)
    """Group id by id and by name in lower case."""

    def has_key_of(self, report: UsageReport) -> bool:
        """Whether the API key that a report names, if any, is cached."""
        return not report.api_key_id or report.api_key_id in self.keys

    def has_all_of(self, report: UsageReport) -> bool:
        """Whether everything that a report names is cached."""
        return (
            self.has_key_of(report)
            and (not report.user_id or report.user_id.lower() in self.members)
            and all(name in self.groups or name.lower() in self.groups for name in report.groups)
        )


class Attribution:
    """Attributes from memory; call `refresh` after directory changes."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._known: Cache[OrganizationId, _Known] = Cache(self._read)

    def knows(self, organization_id: OrganizationId) -> bool:
        """Whether an organization's data is cached."""
        return organization_id in self._known

    def refresh(self) -> None:
        """Reload the cached data."""
        self._known.refresh()

    def load(self, organization_id: OrganizationId) -> None:
        """Load an organization's data into the cache."""
        self._known.get(organization_id)

    def meet(self, organization_id: OrganizationId, reports: Sequence[UsageReport]) -> None:
        """Reload the data if reports name unknown entities, which may be new.

        Attribution cannot be corrected later, so it is not decided from stale data. Raises
        Unavailable if a report names an unknown Outlay API key and the directory is unreachable.
        Not for event loops.
        """
        known = self._known.get(organization_id)
        if all(map(known.has_all_of, reports)):
            return
        try:
            if self._directory.revision() != known.revision:
                self._known.reload(organization_id)
        except Unavailable as error:
            if any(is_key_id(each.api_key_id) and not known.has_key_of(each) for each in reports):
                raise
            # Other events are recorded with the cached data while the directory is unreachable.
            logger.debug("new directory entries could not be loaded: %s", error.message)

    def meet_key(self, api_key: ApiKey) -> None:
        """Reload the data for a key that is about to be used, if it is unknown. Not for event
        loops.
        """
        known = self._known.get(api_key.organization_id)
        if api_key.api_key_id not in known.keys:
            self._known.reload(api_key.organization_id)

    def key(self, organization_id: OrganizationId, api_key_id: ApiKeyId) -> ApiKey | None:
        """An organization's API key by id."""
        return self._known.get(organization_id).keys.get(api_key_id)

    def find_member_by_email(self, organization_id: OrganizationId, claim: str) -> str | None:
        """The member's id for an id or e-mail address, None if there is no such member."""
        return self._known.get(organization_id).members.get(claim.lower())

    def groups_named(self, organization_id: OrganizationId, claims: Iterable[str]) -> str:
        """The stored form of the known groups among ids or names."""
        groups = self._known.get(organization_id).groups
        found = [groups.get(claim) or groups.get(claim.lower()) for claim in claims]
        return join_groups([group_id for group_id in found if group_id])

    def groups_claimed(self, organization_id: OrganizationId, claims: Iterable[str]) -> str:
        """The stored form of groups given by ids or names; unknown ones are kept as given."""
        groups = self._known.get(organization_id).groups
        return join_groups(
            [
                groups.get(claim) or groups.get(claim.lower()) or claim.replace(",", " ")
                for claim in claims
            ]
        )

    def groups_at(self, organization_id: OrganizationId, member_id: MemberId, us: int) -> str:
        """The stored form of a member's groups at an instant."""
        memberships = self._known.get(organization_id).memberships.get(member_id)
        if not memberships:
            return ""
        return join_groups(
            [membership.group_id for membership in memberships if membership.is_valid_at(us)]
        )

    def _read(self, organization_id: OrganizationId) -> _Known:
        # first, so that the data is no older than the revision
        known = _Known(revision=self._directory.revision())
        with self._directory.read() as session:
            for api_key in list_api_keys(session, organization_id):
                known.keys[api_key.api_key_id] = api_key
            for membership in list_memberships(session, organization_id):
                known.memberships.setdefault(membership.member_id, []).append(membership)
            for member in list_members(session, organization_id):
                if not member.is_deleted:
                    known.members[member.member_id] = member.member_id
                    known.members[member.email.lower()] = member.member_id
            for group in list_groups(session, organization_id):
                if not group.is_deleted:
                    known.groups[group.group_id] = group.group_id
                    known.groups[group.name.lower()] = group.group_id
        return known
