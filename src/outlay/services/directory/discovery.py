"""Discovered projects, API keys, users and groups: found in reports, renamed and merged by
users.
"""

import logging
import threading
import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Final

from outlay.domain.actor import Actor
from outlay.domain.audit import Action, Personal
from outlay.domain.dimension import Dimension
from outlay.domain.discovery import (
    DISCOVERABLE,
    MAX_DISCOVERED,
    NO_MERGES,
    Discovered,
    Merges,
)
from outlay.domain.errors import Invalid, Unavailable
from outlay.domain.event import UsageEvent, split_groups
from outlay.domain.ids import OrganizationId
from outlay.domain.policy import Permission, has, permit
from outlay.domain.usage_report import UsageReport
from outlay.kit.cache import Cache
from outlay.kit.clock import Clock, to_us
from outlay.kit.ids import new_id
from outlay.services.directory.audited_changes import AuditedChanges
from outlay.services.directory.text_rules import check_name, check_owned
from outlay.storage.directory.api_keys import list_api_keys
from outlay.storage.directory.discovered import (
    create_discovered,
    find_discovered_id,
    list_discovered,
    list_merges,
    list_named,
    list_values,
    merge_discovered,
    rename_discovered,
    search_discovered,
)
from outlay.storage.directory.engine import Directory
from outlay.storage.directory.groups import list_groups
from outlay.storage.directory.members import list_members
from outlay.storage.directory.projects import list_projects
from outlay.storage.directory.session import ReadSession

logger = logging.getLogger(__name__)

RETRY_SECONDS: Final = 5.0
"""How long nothing is recorded after the directory was unreachable."""

_Found = dict[tuple[Dimension, str], Discovered]


@dataclass(slots=True)
class _Known:
    """The known values of one organization, configured or discovered."""

    values: dict[Dimension, set[str]] = field(default_factory=dict)
    merges: Merges = NO_MERGES


class Discovery:
    """Records new entities that reports name; known ones are cached."""

    def __init__(self, directory: Directory, clock: Clock) -> None:
        self._directory = directory
        self._clock = clock
        self._known: Cache[OrganizationId, _Known] = Cache(self._read)
        self._waiting: dict[str, _Found] = {}
        """What could not be recorded yet, by organization."""
        self._waiting_lock = threading.Lock()
        self._retry_at = 0.0
        """When the directory is tried again, in monotonic seconds."""

    def refresh(self) -> None:
        """Reload the cached data."""
        self._known.refresh()

    def merges(self, organization_id: OrganizationId) -> Merges:
        """The merges of an organization."""
        return self._known.get(organization_id).merges

    def note(
        self,
        organization_id: OrganizationId,
        reports: Sequence[UsageReport],
        events: Sequence[UsageEvent],
    ) -> None:
        """Record the entities that events name for the first time, with the names in their
        reports.
        """
        known = self._known.get(organization_id).values
        with self._waiting_lock:
            found = self._waiting.pop(organization_id, {})
        room = {dimension: MAX_DISCOVERED - len(values) for dimension, values in known.items()}
        for report, event in zip(reports, events, strict=True):
            for dimension, value in _named(event):
                if value in known[dimension] or (dimension, value) in found:
                    continue
                if room[dimension] <= 0:
                    continue
                room[dimension] -= 1
                found[dimension, value] = Discovered(
                    discovered_id=new_id("dsc"),
                    organization_id=organization_id,
                    dimension=dimension,
                    value=value,
                    name=report.names.get(value) or value,
                    source=report.source,
                    created_at_us=to_us(self._clock.now()),
                )
        if not found:
            return
        # Events are also recorded without the directory: their entities are recorded with later
        # ones.
        if time.monotonic() >= self._retry_at:
            try:
                self._remember(organization_id, found)
            except Unavailable as error:
                logger.debug("discovered entities are not recorded: %s", error.message)
                self._retry_at = time.monotonic() + RETRY_SECONDS
            else:
                return
        with self._waiting_lock:
            others = self._waiting.get(organization_id, {})
            everything = {**others, **found}
            self._waiting[organization_id] = dict(islice(everything.items(), MAX_DISCOVERED))

    def _remember(self, organization_id: OrganizationId, found: _Found) -> None:
        """Store new entities; a project with the name of a configured one is merged into it."""
        with self._directory.change() as session:
            known = _values(session, organization_id)
            projects = {
                project.name.casefold(): project.project_id
                for project in list_projects(session, organization_id)
                if not project.is_deleted
            }
            entries = []
            for (dimension, value), entry in found.items():
                values = known[dimension]
                if value in values or len(values) >= MAX_DISCOVERED:
                    continue
                values.add(value)
                if dimension is Dimension.PROJECT:
                    entry = replace(entry, merged_into=projects.get(entry.name.casefold(), ""))
                entries.append(entry)
            if entries:
                create_discovered(session, entries)
            else:
                session.cancel()
        self._known.reload(organization_id)

    def _read(self, organization_id: OrganizationId) -> _Known:
        with self._directory.read() as session:
            return _Known(
                values=_values(session, organization_id),
                merges=list_merges(session, organization_id),
            )


class DiscoveredEntities:
    """Renaming and merging of discovered entities. Only labels and groupings change, never
    totals.
    """

    def __init__(self, directory: Directory, audited: AuditedChanges) -> None:
        self._directory = directory
        self._audited = audited

    def list_for(self, actor: Actor) -> list[Discovered]:
        """All discovered entities, merged or not, by dimension, then by name."""
        permit(actor, Permission.DISCOVERED_READ)
        with self._directory.read() as session:
            found = list_discovered(session, actor.organization_id)
        return sorted(found, key=lambda entry: DISCOVERABLE.index(entry.dimension))

    def find(self, actor: Actor, discovered_id: str) -> Discovered:
        """One of them; NotFound if there is none."""
        permit(actor, Permission.DISCOVERED_READ)
        with self._directory.read() as session:
            return _find(session, actor, discovered_id)

    def search(
        self, actor: Actor, dimension: Dimension, text: str = "", *, limit: int
    ) -> list[Discovered]:
        """Unmerged entities of a dimension that contain a text; empty for actors who may not see
        them.
        """
        if not has(actor, Permission.DISCOVERED_READ):
            return []
        with self._directory.read() as session:
            return search_discovered(session, actor.organization_id, dimension, text, limit)

    def named(
        self, actor: Actor, dimension: Dimension, values: Collection[str]
    ) -> list[Discovered]:
        """The unmerged entities of some values, with the same restriction."""
        if not has(actor, Permission.DISCOVERED_READ):
            return []
        with self._directory.read() as session:
            return list_named(session, actor.organization_id, dimension, values)

    def rename(self, actor: Actor, discovered_id: str, name: str) -> Discovered:
        """Rename an entity, including its history."""
        with self._audited.change(actor, Permission.DISCOVERED_WRITE) as change:
            before = _find(change.session, actor, discovered_id)
            after = replace(before, name=check_name(name))
            rename_discovered(change.session, before, after.name)
            change.note_update(
                Action.DISCOVERED_UPDATE,
                discovered_id,
                {"name": _noted(before, before.name)},
                {"name": _noted(before, after.name)},
            )
        return after

    def merge(self, actor: Actor, discovered_id: str, into: str) -> Discovered:
        """Merge an entity into another value of its dimension, with its history; unmerge it if
        `into` is empty.
        """
        with self._audited.change(actor, Permission.DISCOVERED_WRITE) as change:
            before = _find(change.session, actor, discovered_id)
            target = _check_target(change.session, before, into) if into else ""
            merge_discovered(change.session, before, target)
            change.note_update(
                Action.DISCOVERED_MERGE,
                discovered_id,
                {"mergedInto": _noted(before, before.merged_into)},
                {"mergedInto": _noted(before, target)},
            )
        return replace(before, merged_into=target)


def _check_target(session: ReadSession, entry: Discovered, into: str) -> str:
    """The value to merge into, which must not be merged itself."""
    into = list_merges(session, entry.organization_id).target(entry.dimension, into)
    if into == entry.value:
        raise Invalid("`mergedInto` must name a different entity.", field="mergedInto")
    if into not in _values(session, entry.organization_id)[entry.dimension]:
        raise Invalid(
            f"`mergedInto` names {into!r}, but there is no such {entry.dimension.noun}.",
            field="mergedInto",
        )
    return into


def _find(session: ReadSession, actor: Actor, discovered_id: str) -> Discovered:
    found = find_discovered_id(session, discovered_id)
    return check_owned(found, actor.organization_id, "discovered entity")


def _noted(entry: Discovered, text: str) -> str | Personal:
    """The form for the audit trail: a possible name or address of a person can be destroyed."""
    is_personal = entry.dimension is Dimension.USER and text
    return Personal(entry.discovered_id, text) if is_personal else text


def _named(event: UsageEvent) -> Iterable[tuple[Dimension, str]]:
    """The values of an event that can be discovered."""
    if event.project_id:
        yield Dimension.PROJECT, event.project_id
    if event.api_key_id:
        yield Dimension.API_KEY, event.api_key_id
    if event.user_id:
        yield Dimension.USER, event.user_id
    if event.groups:
        for group in split_groups(event.groups):
            yield Dimension.GROUP, group


def _values(session: ReadSession, organization_id: OrganizationId) -> dict[Dimension, set[str]]:
    """All known values, including deleted ones."""
    values: dict[Dimension, set[str]] = {
        Dimension.PROJECT: {p.project_id for p in list_projects(session, organization_id)},
        Dimension.API_KEY: {k.api_key_id for k in list_api_keys(session, organization_id)},
        Dimension.USER: {m.member_id for m in list_members(session, organization_id)},
        Dimension.GROUP: {g.group_id for g in list_groups(session, organization_id)},
    }
    for dimension, value in list_values(session, organization_id):
        values[dimension].add(value)
    return values
