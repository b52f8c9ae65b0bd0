"""Registered tags: which keys there are, and what of a sender's tags is kept of an event."""

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
from outlay.services.directory.changes import Trail
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

    def __init__(self, directory: Directory, trail: Trail) -> None:
        self._directory = directory
        self._trail = trail

    def of(self, actor: Actor) -> list[TagKey]:
        """All of them, by name."""
        permit(actor, Permission.TAGS_READ)
        with self._directory.read() as session:
            return list_tag_keys(session, actor.organization_id)

    def add(self, actor: Actor, key: str) -> TagKey:
        """Register a key; Conflict for one that is, Invalid when there are too many."""
        check_key(key)
        with self._trail.change(actor, Permission.TAGS_WRITE) as change:
            known = {one.key for one in list_tag_keys(change.session, actor.organization_id)}
            if key in known:
                raise Conflict(f"the tag {key!r} is registered already", field="key")
            if len(known) >= MAX_KEYS:
                raise Invalid(
                    f"an organization registers at most {MAX_KEYS} tags; remove one first",
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
        """Keep no further tags of a key; requests on record keep theirs."""
        with self._trail.change(actor, Permission.TAGS_WRITE) as change:
            known = {one.key for one in list_tag_keys(change.session, actor.organization_id)}
            if key not in known:
                raise NotFound("There is no such tag.")
            delete_tag_key(change.session, actor.organization_id, key)
            change.note(Action.TAG_REMOVE, key, before={"key": key})


@dataclass(slots=True)
class _Known:
    """What there is of one organization."""

    revision: int
    """Of the directory, when it was read."""
    values: dict[str, set[str]]
    """The values seen, by registered key."""


class TagKeeper:
    """Decides from memory which tags of an event are kept; used on the event loop as well.

    Values that are new are written down in the background. Of nodes that meet new values at the
    same time each keeps them, so there may be a few more than MAX_VALUES.
    """

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._known: Cache[OrganizationId, _Known] = Cache(self._read)
        self._waiting: set[tuple[OrganizationId, str, str]] = set()
        """Organization, key and value of what is not written down yet."""
        self._lock = threading.Lock()
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="tag-values")

    def close(self) -> None:
        """Write down what is left, and end the thread."""
        self._writer.shutdown()

    def knows(self, organization_id: OrganizationId) -> bool:
        """Whether what there is of an organization is in memory."""
        return organization_id in self._known

    def load(self, organization_id: OrganizationId) -> None:
        """Have in memory what there is of an organization."""
        self._known.get(organization_id)

    def refresh(self) -> None:
        """Read again what is known of the directory."""
        self._known.refresh()

    def meet(self, organization_id: OrganizationId, reports: Sequence[UsageReport]) -> None:
        """Look up keys that are not known: they may be registered since. Not from an event loop."""
        if not any(report.tags for report in reports):
            return
        known = self._known.get(organization_id)
        if all(report.tags.keys() <= known.values.keys() for report in reports):
            return
        try:
            if self._directory.revision() != known.revision:
                self._known.reload(organization_id)
        except Unavailable as error:
            logger.debug("which tags are new is not known: %s", error.message)

    def settle(self, organization_id: OrganizationId, claimed: Mapping[str, str]) -> str:
        """The stored set of those tags that are kept: of registered keys, their values bounded."""
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
        """Write down what is new; what cannot be written now is written with the next."""
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
            logger.debug("values of tags are not written down: %s", error.message)
            with self._lock:
                self._waiting |= waiting

    def _read(self, organization_id: OrganizationId) -> _Known:
        revision = self._directory.revision()  # first: what is read is no older
        with self._directory.read() as session:
            keys = [one.key for one in list_tag_keys(session, organization_id)]
            found = list_tag_values(session, organization_id)
        values = {key: found.get(key, set()) for key in keys}
        with self._lock:
            for owner, key, value in self._waiting:
                if owner == organization_id and key in values:
                    values[key].add(value)
        return _Known(revision, values)
