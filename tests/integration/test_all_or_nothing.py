"""Operations with several writes do all of them or nothing: the second write fails here."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.clocks import FixedClock
from tests.factories import NOW

from outlay.bootstrap.administration import open_administration
from outlay.cli.key import create as create_key
from outlay.cli.owner import owner
from outlay.domain.audit import AuditFilter
from outlay.domain.errors import Invalid, Unavailable
from outlay.domain.organization import operator_of
from outlay.services.bundle import Administration
from outlay.services.directory.access_tokens import Tokens
from outlay.services.directory.api_keys import KeySettings
from outlay.services.import_target import import_target
from outlay.settings import Settings

EMAIL = "ada@example.test"
PASSWORD = "several words are best"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def opened(data: Path) -> Iterator[Administration]:
    with open_administration(Settings(data=data), FixedClock(NOW)) as administration:
        yield administration


def broken(*_: object, **__: object) -> None:
    raise Unavailable("the disk is full")


def entries(opened: Administration) -> list[str]:
    """Actions in the audit trail of the only organization, in order."""
    (organization,) = opened.organizations.all()
    shown = opened.audit.all(operator_of(organization), AuditFilter())
    return [str(one.entry.action) for one in shown][::-1]


@pytest.mark.parametrize("password", ["short", "passwordpassword"])
def test_owner_with_a_refused_password_creates_nothing(
    opened: Administration, data: Path, password: str
) -> None:
    with pytest.raises(Invalid, match="password"):
        owner(EMAIL, data=str(data), password=password)

    assert opened.organizations.all() == []


def test_owner_without_a_token_is_not_created(
    opened: Administration, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(Tokens, "create", broken)
        with pytest.raises(Unavailable):
            owner(EMAIL, data=str(data), password=PASSWORD)
    assert opened.organizations.all() == []

    owner(EMAIL, data=str(data), password=PASSWORD)

    assert entries(opened) == ["organization.create", "member.create", "token.create"]
    assert opened.audit.verify().is_intact


def test_project_without_its_key_is_not_created(
    opened: Administration, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner(EMAIL, data=str(data), password=PASSWORD)
    operator = operator_of(opened.organizations.all()[0])
    with pytest.raises(Invalid):
        create_key(project="New", description="x" * 10_000, data=str(data))
    with monkeypatch.context() as patched:
        patched.setattr(KeySettings, "create", broken)
        with pytest.raises(Unavailable):
            create_key(project="New", description="first", data=str(data))
    assert opened.projects.list_for(operator) == []

    create_key(project="New", description="first", data=str(data))

    assert [project.name for project in opened.projects.list_for(operator)] == ["New"]
    assert entries(opened)[-2:] == ["project.create", "api_key.create"]


def test_refused_import_creates_no_organization(opened: Administration) -> None:
    with pytest.raises(Invalid):
        import_target(opened, "Acme", "x" * 10_000)

    assert opened.organizations.all() == []


def test_combined_changes_are_signed_after_the_commit(opened: Administration, data: Path) -> None:
    signatures = Settings(data=data).checkpoints_path
    with opened.audited.together():
        organization = opened.organizations.create("Acme")
        opened.projects.create(operator_of(organization), "One")
        assert not signatures.exists() or signatures.read_text() == ""

    lines = signatures.read_text().splitlines()
    assert [json.loads(line)["number"] for line in lines] == [1, 2]


def test_change_in_a_combined_transaction_cannot_be_cancelled(opened: Administration) -> None:
    organization = opened.organizations.create("Acme")
    operator = operator_of(organization)

    def change() -> None:
        with opened.audited.together():
            opened.projects.create(operator, "One")
            opened.organizations.update(operator, name="Acme")

    with pytest.raises(RuntimeError, match="cannot be cancelled"):
        change()

    assert opened.projects.list_for(operator) == []
