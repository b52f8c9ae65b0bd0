"""The target of an import, and what is created for it."""

import pytest

from outlay.domain.actor import Actor
from outlay.domain.errors import NotFound
from outlay.services.bundle import Administration
from outlay.services.import_target import import_target


def test_the_first_import_makes_an_organization_and_its_project(
    administration: Administration,
) -> None:
    target = import_target(administration, None, "Logs")

    assert target.created == ("organization", "project")
    assert target.organization_name == "My organization"
    assert import_target(administration, None, "Logs").created == ()


def test_import_without_a_project_has_none(administration: Administration, operator: Actor) -> None:
    target = import_target(administration, "Acme", "")

    assert (target.organization_id, target.project_id) == (operator.organization_id, "")
    with pytest.raises(NotFound):
        import_target(administration, "Another", "")
