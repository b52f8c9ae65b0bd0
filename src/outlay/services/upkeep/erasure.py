"""Erasure of a person's identity, everywhere and permanently; all totals remain.

Usage refers to a surrogate, the member id, from the start. So it is enough to destroy the link
between that id and the person, and claims of the identity in requests.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from outlay.domain.actor import Actor, Role
from outlay.domain.audit import Action, Value
from outlay.domain.errors import NotFound
from outlay.domain.ids import MemberId
from outlay.domain.organization import Member
from outlay.domain.policy import Permission, permit
from outlay.kit.ids import new_id
from outlay.services.cube.maintenance import Maintenance
from outlay.services.directory.audited_changes import AuditedChanges
from outlay.services.directory.members import check_manages, check_other_owner, release_member
from outlay.storage.directory.audit import destroy_personal_values, list_personal_texts
from outlay.storage.directory.discovered import forget_discovered
from outlay.storage.directory.engine import Directory
from outlay.storage.directory.invitations import (
    delete_untaken_of,
    forget_address,
    invitations_taken_by,
)
from outlay.storage.directory.members import list_members, set_password, update_member
from outlay.storage.directory.mentions import count_mentions
from outlay.storage.directory.session import ReadSession
from outlay.storage.directory.sso import delete_identities
from outlay.storage.ledger.store import Ledger

ERASED_NAME: Final = "Erased member"
_ERASED_DOMAIN: Final = "@erased.invalid"
_SHORTEST: Final = 3
"""Shorter names occur in too many words for a search to be useful."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasureReport:
    """The result of an erasure."""

    member_id: MemberId
    """The remaining id, which can no longer be linked to the person."""
    events: int
    """Events that claimed the person's address."""
    values: int
    """Destroyed values of the audit trail."""
    left: dict[str, int] = field(default_factory=dict)
    """Where texts written by users or senders still contain the name or address, with counts:
    `table.column`, and `backups` for earlier copies of the data.
    """


class Erasure:
    """Erases persons. Can be repeated after an interruption: the directory comes last."""

    def __init__(
        self,
        directory: Directory,
        audited: AuditedChanges,
        ledger: Ledger,
        maintenance: Maintenance,
        copies: Callable[[], Sequence[Path]],
    ) -> None:
        """`copies` returns the copies of the installation in its folder."""
        self._copies = copies
        self._directory = directory
        self._audited = audited
        self._ledger = ledger
        self._maintenance = maintenance

    def erase(self, actor: Actor, who: str) -> ErasureReport:
        """Erase a current or former member, given by id or e-mail address.

        Raises NotFound for an unknown or already erased person, Conflict for the last owner, and
        Unavailable while the cube is being verified or rebuilt.
        """
        permit(actor, Permission.MEMBERS_ERASE)
        with self._directory.read() as session:
            member = _find(session, actor, who)
            _check(session, actor, member)
        # The cube groups by end user: rebuilt, it has the surrogate, too.
        events = self._maintenance.rewrite(
            lambda: self._ledger.forget(actor.organization_id, member.email, member.member_id)
        )
        with self._audited.change(actor, Permission.MEMBERS_ERASE) as change:
            session = change.session
            member = _find(session, actor, member.member_id)
            _check(session, actor, member)
            released: dict[str, Value] = {}
            if not member.is_deleted:
                released = release_member(session, member, change.now_us)
            invitations = invitations_taken_by(session, member.member_id)
            forgotten = forget_discovered(session, member.organization_id, member.email)
            subjects = [member.member_id, *invitations, *forgotten]
            texts = list_personal_texts(session, subjects) | {member.name, member.email}
            destroyed = destroy_personal_values(session, subjects)
            forget_address(
                session,
                member.organization_id,
                member.email,
                member.member_id + _ERASED_DOMAIN,
            )
            delete_identities(session, member.member_id)
            set_password(session, member.member_id, None)
            update_member(
                session,
                replace(member, name=ERASED_NAME, email=member.member_id + _ERASED_DOMAIN),
            )
            change.note(
                Action.MEMBER_ERASE,
                member.member_id,
                after={"destroyed": destroyed, "events": events, **released},
            )
        self._directory.truncate_log()
        return ErasureReport(
            member_id=member.member_id,
            events=events,
            values=len(destroyed),
            left=self._left(actor, texts),
        )

    def erase_outsider(self, actor: Actor, who: str) -> ErasureReport:
        """Erase a person who was never a member: named in requests, or invited without accepting.

        Raises NotFound if there is no mention, and Unavailable like `erase`.
        """
        permit(actor, Permission.MEMBERS_ERASE)
        surrogate = new_id("gone")
        events = self._maintenance.rewrite(
            lambda: self._ledger.forget(actor.organization_id, who, surrogate)
        )
        with self._audited.change(actor, Permission.MEMBERS_ERASE) as change:
            invitations = delete_untaken_of(change.session, actor.organization_id, who)
            forgotten = forget_discovered(change.session, actor.organization_id, who)
            if not events and not invitations and not forgotten:
                raise NotFound(f"Nothing refers to {who}.")
            destroyed = destroy_personal_values(change.session, [*invitations, *forgotten])
            change.note(
                Action.MEMBER_ERASE, surrogate, after={"destroyed": destroyed, "events": events}
            )
        self._directory.truncate_log()
        return ErasureReport(
            member_id=MemberId(surrogate),
            events=events,
            values=len(destroyed),
            left=self._left(actor, {who}),
        )

    def _left(self, actor: Actor, texts: set[str]) -> dict[str, int]:
        """Where a person is still mentioned in other texts."""
        wanted = sorted(text for text in texts if _tells(text))
        if not wanted:
            return {}
        with self._directory.read() as session:
            found = count_mentions(session, actor.organization_id, wanted)
        found |= self._ledger.count_mentions(actor.organization_id, wanted)
        if copies := self._copies():
            found["backups"] = len(copies)
        return found


def _tells(text: str) -> bool:
    """Whether a text identifies a person; the network address of a sign-in does not."""
    try:
        ip_address(text)
    except ValueError:
        return len(text) >= _SHORTEST
    return False


def _find(session: ReadSession, actor: Actor, who: str) -> Member:
    """The member; a current one before former ones with the same address."""
    members = list_members(session, actor.organization_id)
    for member in sorted(members, key=lambda member: member.is_deleted):
        is_meant = who == member.member_id or who.lower() == member.email.lower()
        if is_meant and not member.email.endswith(_ERASED_DOMAIN):
            return member
    raise NotFound("There is no such member.")


def _check(session: ReadSession, actor: Actor, member: Member) -> None:
    check_manages(actor, member.role)
    if not member.is_deleted and member.role is Role.OWNER:
        check_other_owner(session, actor, member)
