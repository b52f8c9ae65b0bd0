"""Labels of values: those of configured objects, including deleted ones."""

from outlay.domain.actor import Actor
from outlay.domain.dimension import Dimension
from outlay.domain.event import Status
from outlay.domain.ids import OrganizationId
from outlay.domain.organization import Member
from outlay.domain.tag import Tag
from outlay.services.analytics.labels import read_labels
from outlay.services.bundle import Administration
from outlay.storage.directory.engine import Directory


def test_names_survive_deletion(
    administration: Administration, directory: Directory, operator: Actor, owner: Member
) -> None:
    web = administration.projects.create(operator, "Web")
    gone = administration.projects.create(operator, "Old")
    administration.projects.delete(operator, gone.project_id)

    labels = read_labels(directory, operator.organization_id, Dimension.PROJECT)
    assert labels == {web.project_id: "Web", gone.project_id: "Old (deleted)"}
    members = read_labels(directory, operator.organization_id, Dimension.MEMBER)
    assert members == {owner.member_id: owner.name}
    assert read_labels(directory, OrganizationId("another"), Dimension.PROJECT) == {}


def test_shared_constant_labels_need_no_directory(directory: Directory) -> None:
    directory.close()

    assert read_labels(directory, OrganizationId("org"), Dimension.STATUS) == {
        s.value: s.label for s in Status
    }
    assert read_labels(directory, OrganizationId("org"), Tag("team")) == {}
