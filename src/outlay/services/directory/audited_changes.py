"""Audited changes to the directory: each is one transaction with one audit entry."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from outlay.domain.actor import Actor
from outlay.domain.audit import Action, AuditEntry, changes_between
from outlay.domain.policy import Permission, permit
from outlay.kit.clock import Clock, to_us
from outlay.storage.checkpoints import Checkpoint, CheckpointFile
from outlay.storage.directory.audit import Fields, append_entry, list_ends
from outlay.storage.directory.engine import Directory
from outlay.storage.directory.session import WriteSession

logger = logging.getLogger(__name__)


class Change:
    """A change in progress."""

    def __init__(self, session: WriteSession, now_us: int) -> None:
        self.session = session
        self.now_us = now_us
        """The time of the change, in µs since the epoch."""
        self._noted: tuple[Action, str, Fields | None, Fields | None] | None = None
        self._is_void = False

    def note(
        self,
        action: Action,
        target: str,
        *,
        before: Fields | None = None,
        after: Fields | None = None,
    ) -> None:
        """Record the action and its target; exactly once per change, otherwise it is a bug."""
        if self._noted is not None:
            raise RuntimeError("a change is one action")
        self._noted = (action, target, before, after)

    def note_update(self, action: Action, target: str, before: Fields, after: Fields) -> None:
        """Record which fields change; without a difference the change is cancelled."""
        old, new = changes_between(before, after)
        if new:
            self.note(action, target, before=old, after=new)
        else:
            self.cancel()

    def cancel(self) -> None:
        """Roll the change back and record nothing."""
        self._is_void = True

    @property
    def noted(self) -> tuple[Action, str, Fields | None, Fields | None] | None:
        """The recorded action, None if the change was cancelled."""
        if self._is_void:
            return None
        if self._noted is None:
            raise RuntimeError("a change must record its action")
        return self._noted


@dataclass(frozen=True, slots=True)
class _Transaction:
    """A transaction of one or several changes, and the new ends of their chains."""

    session: WriteSession
    ends: list[Checkpoint] = field(default_factory=list)


class AuditedChanges:
    """Changes to the directory on behalf of an actor, each with an audit entry."""

    def __init__(self, directory: Directory, checkpoints: CheckpointFile, clock: Clock) -> None:
        self._directory = directory
        self._checkpoints = checkpoints
        self._clock = clock
        self._shared: ContextVar[_Transaction | None] = ContextVar("shared", default=None)

    @contextmanager
    def together(self) -> Iterator[None]:
        """Run all changes of the block, on this thread, in one transaction.

        Each has its own entry. Reads outside these changes see the old state.
        """
        with self._transaction() as transaction:
            token = self._shared.set(transaction)
            try:
                yield
            finally:
                self._shared.reset(token)

    @contextmanager
    def change(self, actor: Actor, permission: Permission) -> Iterator[Change]:
        """One transaction of one actor in its organization, including the audit entry.

        Raises NotPermitted unless the actor has the permission.

        Rolled back if the block raises or records no action. The signed checkpoint follows the
        commit.
        """
        permit(actor, permission)
        with self._transaction() as transaction:
            change = Change(transaction.session, to_us(self._clock.now()))
            yield change
            noted = change.noted
            if noted is None:
                if self._shared.get() is not None:
                    raise RuntimeError("a change that is one of several cannot be cancelled")
                transaction.session.cancel()
                return
            action, target, before, after = noted
            entry = append_entry(
                transaction.session,
                AuditEntry(
                    organization_id=actor.organization_id,
                    number=0,
                    time_us=change.now_us,
                    channel=actor.channel,
                    author_id=actor.member_id,
                    credential_id=actor.credential_id,
                    request_id=actor.request_id,
                    action=action,
                    target=target,
                    before=None,
                    after=None,
                ),
                before,
                after,
            )
            transaction.ends.append(
                Checkpoint(entry.organization_id, entry.number, entry.digest, entry.time_us)
            )

    @contextmanager
    def _transaction(self) -> Iterator[_Transaction]:
        """The current transaction of `together`, or a new one."""
        if (shared := self._shared.get()) is not None:
            yield shared
            return
        with self._directory.change() as session:
            transaction = _Transaction(session)
            yield transaction
        for end in transaction.ends:
            self._sign(end)

    def sign_again(self) -> None:
        """Sign the ends of all chains again if the last checkpoint is incomplete."""
        if self._checkpoints.has_unfinished_end():
            with self._directory.read() as session:
                ends = list_ends(session)
            for end in ends:
                self._sign(end)

    def _sign(self, end: Checkpoint) -> None:
        try:
            self._checkpoints.append(end)
        except OSError as error:
            # The change is on disk and chained; the next checkpoint covers it, too.
            logger.warning("the checkpoint of audit entry %s is not written: %s", end.number, error)
