"""Registered tags, and which of a sender's tags are stored with an event."""

import logging
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from outlay.domain.actor import Actor
from outlay.domain.audit import Action
from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Conflict, Invalid, NotFound, Unavailable
from outlay.domain.ids import OrganizationId
from outlay.domain.policy import Permission, permit
from outlay.domain.tag import (
    MAX_KEYS,
    MAX_VALUES,
    MORE,
    TagKey,
    check_key,
    clean_value,
    join_tags,
)
from outlay.domain.usage_report import UsageReport
from outlay.kit.cache import Cache
from outlay.services.directory.audited_changes import AuditedChanges
from outlay.storage.directory.engine import Directory
from outlay.storage.directory.tags import (
    create_tag_key,
    create_tag_values,
    delete_tag_key,
    list_tag_keys,
    list_tag_values,
)

logger = logging.getLogger(__name__)


class Tags:
    """The registered keys of an actor's organization."""

    def __init__(self, directory: Directory, audited: AuditedChanges) -> None:
        self._directory = directory
        self._audited = audited

    def list_for(self, actor: Actor) -> list[TagKey]:
        """All keys, by name."""
        permit(actor, Permission.TAGS_READ)
        with self._directory.read() as session:
            return list_tag_keys(session, actor.organization_id)

    def add(self, actor: Actor, key: str) -> TagKey:
        """Register a key; raises Conflict if it exists, Invalid if there are too many."""
        check_key(key)
        with self._audited.change(actor, Permission.TAGS_WRITE) as change:
            known = {one.key for one in list_tag_keys(change.session, actor.organization_id)}
            if key in known:
                raise Conflict(f"The tag {key!r} is already registered.", field="key")
            if len(known) >= MAX_KEYS:
                raise Invalid(
                    f"An organization can register at most {MAX_KEYS} tags. Remove one first.",
                    code=ErrorCode.TOO_MANY_TAGS,
                    field="key",
                )
            added = TagKey(
                organization_id=actor.organization_id, key=key, created_at_us=change.now_us
            )
            create_tag_key(change.session, added)
            change.note(Action.TAG_ADD, key, after={"key": key})
        return added

    def remove(self, actor: Actor, key: str) -> None:
        """Unregister a key; recorded requests keep their tags."""
        with self._audited.change(actor, Permission.TAGS_WRITE) as change:
            known = {one.key for one in list_tag_keys(change.session, actor.organization_id)}
            if key not in known:
                raise NotFound("There is no such tag.")
            delete_tag_key(change.session, actor.organization_id, key)
            change.note(Action.TAG_REMOVE, key, before={"key": key})


@dataclass(slots=True)
class _Known:
    """The cached keys of one organization."""

    revision: int
    """The directory's revision when it was loaded."""
    values: dict[str, set[str]]
    """The known values, by registered key."""


class TagKeeper:
    """Decides from memory which tags of an event are stored; also used on event loops.

    New values are stored in the background. Nodes that receive new values at the same time each
    keep them, so there may be a few more than MAX_VALUES.
    """

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._known: Cache[OrganizationId, _Known] = Cache(self._read)
        self._waiting: set[tuple[OrganizationId, str, str]] = set()
        """Organization, key and value of values that are not stored yet."""
        self._lock = threading.Lock()
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="tag-values")

    def close(self) -> None:
        """Store the remaining values and stop the thread."""
        self._writer.shutdown()

    def knows(self, organization_id: OrganizationId) -> bool:
        """Whether an organization's data is cached."""
        return organization_id in self._known

    def load(self, organization_id: OrganizationId) -> None:
        """Load an organization's data into the cache."""
        self._known.get(organization_id)

    def refresh(self) -> None:
        """Reload the cached data."""
        self._known.refresh()

    def meet(self, organization_id: OrganizationId, reports: Sequence[UsageReport]) -> None:
        """Look up unknown keys, which may have been registered since. Not for event loops."""
        if not any(report.tags for report in reports):
            return
        known = self._known.get(organization_id)
        if all(report.tags.keys() <= known.values.keys() for report in reports):
            return
        try:
            if self._directory.revision() != known.revision:
                self._known.reload(organization_id)
        except Unavailable as error:
            logger.debug("new tags could not be loaded: %s", error.message)

    def settle(self, organization_id: OrganizationId, claimed: Mapping[str, str]) -> str:
        """The stored form of the tags to keep: those of registered keys, with bounded values."""
        if not claimed:
            return ""
        known = self._known.get(organization_id).values
        kept = {}
        for key, claim in claimed.items():
            values, value = known.get(key), clean_value(claim)
            if values is None or not value:
                continue
            if value not in values and value != MORE:
                if len(values) >= MAX_VALUES:
                    value = MORE
                else:
                    values.add(value)
                    self._note(organization_id, key, value)
            kept[key] = value
        return join_tags(kept)

    def _note(self, organization_id: OrganizationId, key: str, value: str) -> None:
        with self._lock:
            self._waiting.add((organization_id, key, value))
        self._writer.submit(self._write)

    def _write(self) -> None:
        """Store new values; those that cannot be stored are retried with the next ones."""
        with self._lock:
            waiting, self._waiting = self._waiting, set()
        if not waiting:
            return
        try:
            with self._directory.change() as session:
                for organization_id in {organization_id for organization_id, _, _ in waiting}:
                    known = list_tag_values(session, organization_id)
                    new = {
                        (key, value)
                        for owner, key, value in waiting
                        if owner == organization_id and value not in known.get(key, ())
                    }
                    create_tag_values(session, organization_id, new)
        except Unavailable as error:
            logger.debug("tag values are not stored: %s", error.message)
            with self._lock:
                self._waiting |= waiting

    def _read(self, organization_id: OrganizationId) -> _Known:
        # first, so that the data is no older than the revision
        revision = self._directory.revision()
        with self._directory.read() as session:
            keys = [one.key for one in list_tag_keys(session, organization_id)]
            found = list_tag_values(session, organization_id)
        values = {key: found.get(key, set()) for key in keys}
        with self._lock:
            for owner, key, value in self._waiting:
                if owner == organization_id and key in values:
                    values[key].add(value)
        return _Known(revision, values)
