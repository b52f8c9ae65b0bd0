"""Projects and user groups: objects with a name that is unique in their organization."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from outlay.domain.actor import Actor
from outlay.domain.audit import Action
from outlay.domain.errors import NotFound
from outlay.domain.ids import OrganizationId
from outlay.domain.organization import Project, UserGroup
from outlay.domain.policy import Permission, permit
from outlay.services.directory.audited_changes import AuditedChanges
from outlay.services.directory.text_rules import check_name, check_name_free, check_present
from outlay.storage.directory.engine import Directory
from outlay.storage.directory.session import ReadSession, WriteSession

Named = TypeVar("Named", Project, UserGroup)
NamedId = TypeVar("NamedId", bound=str)


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedKind(Generic[Named, NamedId]):
    """What projects and user groups differ in."""

    noun: str
    reading: Permission
    writing: Permission
    created: Action
    updated: Action
    deleted: Action
    new: Callable[[OrganizationId, str], Named]
    """A new object of an organization with a name."""
    id_of: Callable[[Named], NamedId]
    list_rows: Callable[[ReadSession, OrganizationId], list[Named]]
    """Also deleted ones, by name."""
    find_row: Callable[[ReadSession, NamedId], Named | None]
    create_row: Callable[[WriteSession, Named, int], None]
    rename_row: Callable[[WriteSession, NamedId, str], None]
    delete_row: Callable[[WriteSession, Named, int], None]


class NamedThings(Generic[Named, NamedId]):
    """The projects, or the user groups, of an actor's organization."""

    def __init__(
        self, directory: Directory, audited: AuditedChanges, kind: NamedKind[Named, NamedId]
    ) -> None:
        self._directory = directory
        self._audited = audited
        self._kind: NamedKind[Named, NamedId] = kind

    def list_for(self, actor: Actor) -> list[Named]:
        """Current ones, by name."""
        permit(actor, self._kind.reading)
        with self._directory.read() as session:
            return present_of(self._kind, session, actor)

    def find_by_name(self, actor: Actor, called: str) -> Named:
        """The current one with a name or id; NotFound if there is none."""
        for thing in self.list_for(actor):
            if called in {thing.name, self._kind.id_of(thing)}:
                return thing
        raise NotFound(f"There is no such {self._kind.noun}.")

    def create(self, actor: Actor, name: str) -> Named:
        """Create one; raises Conflict if a current one has the name."""
        kind = self._kind
        thing = kind.new(actor.organization_id, check_name(name))
        with self._audited.change(actor, kind.writing) as change:
            thing = replace(thing, created_at_us=change.now_us)
            self._check_free(change.session, actor, thing)
            kind.create_row(change.session, thing, change.now_us)
            change.note(kind.created, kind.id_of(thing), after={"name": thing.name})
        return thing

    def rename(self, actor: Actor, thing_id: NamedId, name: str) -> Named:
        """Rename one; raises Conflict if another current one has the name."""
        kind = self._kind
        with self._audited.change(actor, kind.writing) as change:
            before = find_present(kind, change.session, actor, thing_id)
            after = replace(before, name=check_name(name))
            self._check_free(change.session, actor, after)
            kind.rename_row(change.session, thing_id, after.name)
            change.note_update(kind.updated, thing_id, {"name": before.name}, {"name": after.name})
        return after

    def delete(self, actor: Actor, thing_id: NamedId) -> None:
        """Delete one; its name remains for reports."""
        kind = self._kind
        with self._audited.change(actor, kind.writing) as change:
            thing = find_present(kind, change.session, actor, thing_id)
            kind.delete_row(change.session, thing, change.now_us)
            change.note(kind.deleted, thing_id, before={"name": thing.name})

    def _check_free(self, session: ReadSession, actor: Actor, thing: Named) -> None:
        id_of = self._kind.id_of
        present = present_of(self._kind, session, actor)
        others = [other.name for other in present if id_of(other) != id_of(thing)]
        check_name_free(thing.name, others, self._kind.noun)


def present_of(kind: NamedKind[Named, NamedId], session: ReadSession, actor: Actor) -> list[Named]:
    """The ones of the actor's organization that are not deleted, by name."""
    return [
        thing for thing in kind.list_rows(session, actor.organization_id) if not thing.is_deleted
    ]


def find_present(
    kind: NamedKind[Named, NamedId], session: ReadSession, actor: Actor, thing_id: NamedId
) -> Named:
    """A current one of the actor's organization; NotFound for all others."""
    return check_present(kind.find_row(session, thing_id), actor.organization_id, kind.noun)
