"""Audited changes: no change without an entry, no entry without a change."""

from pathlib import Path

import pytest

from outlay.domain.actor import Actor
from outlay.domain.audit import Action
from outlay.domain.policy import Permission
from outlay.services.bundle import Administration
from outlay.services.directory.audited_changes import AuditedChanges
from outlay.settings import Settings
from outlay.storage.directory.engine import Directory
from outlay.storage.directory.projects import list_projects, rename_project


def lines(settings: Settings) -> int:
    path: Path = settings.checkpoints_path
    return len(path.read_text().splitlines()) if path.exists() else 0


def test_each_change_is_signed_after_its_commit(
    administration: Administration, operator: Actor, settings: Settings
) -> None:
    before = lines(settings)
    administration.projects.create(operator, "Web")

    assert lines(settings) == before + 1
    assert administration.audit.verify().is_intact


def test_a_change_that_raises_or_is_cancelled_leaves_nothing(
    administration: Administration,
    operator: Actor,
    trail: AuditedChanges,
    directory: Directory,
    settings: Settings,
) -> None:
    project = administration.projects.create(operator, "Web")
    before = lines(settings)

    def break_off() -> None:
        with trail.change(operator, Permission.PROJECTS_WRITE) as change:
            rename_project(change.session, project.project_id, "Raised")
            change.note(Action.PROJECT_UPDATE, project.project_id)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        break_off()
    with trail.change(operator, Permission.PROJECTS_WRITE) as change:
        rename_project(change.session, project.project_id, "Cancelled")
        change.cancel()
    with (
        pytest.raises(RuntimeError, match="must record its action"),
        trail.change(operator, Permission.PROJECTS_WRITE) as change,
    ):
        rename_project(change.session, project.project_id, "Silent")

    with directory.read() as session:
        assert [p.name for p in list_projects(session, operator.organization_id)] == ["Web"]
    assert lines(settings) == before


def test_several_changes_are_all_made_or_none(
    administration: Administration, operator: Actor, trail: AuditedChanges
) -> None:
    def change_twice() -> None:
        with trail.together():
            administration.projects.create(operator, "One")
            administration.projects.create(operator, "One")

    with pytest.raises(Exception, match="One"):
        change_twice()

    assert administration.projects.list_for(operator) == []
