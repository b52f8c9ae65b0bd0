"""Projects: names are unique among current projects."""

import pytest

from outlay.domain.actor import Actor, Plan
from outlay.domain.errors import Conflict, Invalid, NotFound
from outlay.domain.organization import operator_of
from outlay.services.bundle import Administration
from outlay.services.directory.projects import Projects


@pytest.fixture
def projects(administration: Administration) -> Projects:
    return administration.projects


def names(projects: Projects, operator: Actor) -> list[str]:
    return [project.name for project in projects.list_for(operator)]


def test_a_name_is_taken_until_its_project_is_deleted(projects: Projects, operator: Actor) -> None:
    first = projects.create(operator, "Web")
    with pytest.raises(Conflict):
        projects.create(operator, " Web ")
    projects.delete(operator, first.project_id)
    projects.create(operator, "Web")

    assert names(projects, operator) == ["Web"]


def test_project_cannot_be_renamed_to_an_existing_name(projects: Projects, operator: Actor) -> None:
    web, app = projects.create(operator, "Web"), projects.create(operator, "App")

    assert projects.rename(operator, web.project_id, "Site").name == "Site"
    assert projects.rename(operator, web.project_id, "Site").name == "Site"
    with pytest.raises(Conflict):
        projects.rename(operator, app.project_id, "Site")
    with pytest.raises(Invalid):
        projects.rename(operator, app.project_id, "")
    assert names(projects, operator) == ["App", "Site"]


def test_project_is_found_by_name_or_id_or_created(projects: Projects, operator: Actor) -> None:
    made, is_new = projects.ensure(operator, "Web")

    assert is_new
    assert projects.ensure(operator, "Web") == (made, False)
    assert projects.ensure(operator, made.project_id) == (made, False)


def test_foreign_projects_are_not_found(
    administration: Administration, projects: Projects, operator: Actor
) -> None:
    project = projects.create(operator, "Web")
    other = operator_of(administration.organizations.create("Other", plan=Plan.ENTERPRISE))

    assert projects.list_for(other) == []
    for act in (
        lambda: projects.rename(other, project.project_id, "Mine"),
        lambda: projects.delete(other, project.project_id),
    ):
        with pytest.raises(NotFound):
            act()
