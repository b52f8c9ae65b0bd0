"""Whose request it was: key → project, creator, user, and the user's groups at that time."""

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
    """What the directory says of one organization."""

    revision: int
    """Of the directory, when it was read."""
    keys: dict[str, ApiKey] = field(default_factory=dict)
    memberships: dict[str, list[GroupMembership]] = field(default_factory=dict)
    members: dict[str, str] = field(default_factory=dict)
    """Member id by id and by e-mail address in lower case."""
    groups: dict[str, str] = field(default_factory=dict)
    """Group id by id and by name in lower case."""

    def has_key_of(self, report: UsageReport) -> bool:
        """Whether the API key that a report names, if any, is among it."""
        return not report.api_key_id or report.api_key_id in self.keys

    def has_all_of(self, report: UsageReport) -> bool:
        """Whether everything that a report names is among it."""
        return (
            self.has_key_of(report)
            and (not report.user_id or report.user_id.lower() in self.members)
            and all(name in self.groups or name.lower() in self.groups for name in report.groups)
        )


class Attribution:
    """Answers from memory; `refresh` after the directory has changed."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._known: Cache[OrganizationId, _Known] = Cache(self._read)

    def knows(self, organization_id: OrganizationId) -> bool:
        """Whether what there is of an organization is in memory."""
        return organization_id in self._known

    def refresh(self) -> None:
        """Read again what is known of the directory."""
        self._known.refresh()

    def load(self, organization_id: OrganizationId) -> None:
        """Have in memory what there is of an organization."""
        self._known.get(organization_id)

    def meet(self, organization_id: OrganizationId, reports: Sequence[UsageReport]) -> None:
        """Look up what reports name and is not known: it may be new.

        What is recorded of an event stays for good, so it is not decided from what was true a
        moment ago. Raises Unavailable when a report names what may be a new API key of ours and
        the directory does not answer. Not from an event loop.
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
            # Other events are taken while the directory is away; this is the best there is.
            logger.debug("what is new is not known: %s", error.message)

    def meet_key(self, api_key: ApiKey) -> None:
        """Look up a key that is about to be used, if it is not known. Not from an event loop."""
        known = self._known.get(api_key.organization_id)
        if api_key.api_key_id not in known.keys:
            self._known.reload(api_key.organization_id)

    def key(self, organization_id: OrganizationId, api_key_id: ApiKeyId) -> ApiKey | None:
        """The API key of an organization with an id."""
        return self._known.get(organization_id).keys.get(api_key_id)

    def member_called(self, organization_id: OrganizationId, claim: str) -> str | None:
        """The id of the member that an id or e-mail address means, None for no member."""
        return self._known.get(organization_id).members.get(claim.lower())

    def groups_called(self, organization_id: OrganizationId, claims: Iterable[str]) -> str:
        """The stored set of those groups that ids or names mean."""
        groups = self._known.get(organization_id).groups
        found = [groups.get(claim) or groups.get(claim.lower()) for claim in claims]
        return join_groups([group_id for group_id in found if group_id])

    def groups_claimed(self, organization_id: OrganizationId, claims: Iterable[str]) -> str:
        """The stored set of groups that ids or names mean; unknown ones stand as they are said."""
        groups = self._known.get(organization_id).groups
        return join_groups(
            [
                groups.get(claim) or groups.get(claim.lower()) or claim.replace(",", " ")
                for claim in claims
            ]
        )

    def groups_at(self, organization_id: OrganizationId, member_id: MemberId, us: int) -> str:
        """The stored set of groups a member was in at an instant."""
        memberships = self._known.get(organization_id).memberships.get(member_id)
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

    def _read(self, organization_id: OrganizationId) -> _Known:
        known = _Known(revision=self._directory.revision())  # first: what is read is no older
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
