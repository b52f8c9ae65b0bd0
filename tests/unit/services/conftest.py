"""A directory by itself: no ledger, no cube, no server."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.clocks import FixedClock
from tests.shared import copy_of

from outlay.bootstrap.administration import administer
from outlay.bootstrap.keys import open_checkpoints
from outlay.domain.actor import Actor, Plan
from outlay.domain.organization import Member, operator_of
from outlay.services.access.passwords import Passwords
from outlay.services.bundle import Administration
from outlay.services.directory.audited_changes import AuditedChanges
from outlay.settings import Settings
from outlay.storage.directory.engine import Directory
from outlay.storage.directory.sqlite import SqliteDirectory

FILE = "outlay.sqlite3"


@pytest.fixture(scope="session")
def empty_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a directory with its tables."""

    def build(folder: Path) -> None:
        folder.mkdir()
        SqliteDirectory(folder / FILE).close()

    return copy_of(tmp_path_factory, "directory", build) / FILE


@pytest.fixture
def directory(tmp_path: Path, empty_directory: Path) -> Iterator[Directory]:
    """A new directory."""
    opened = SqliteDirectory(Path(shutil.copy(empty_directory, tmp_path / FILE)))
    yield opened
    opened.close()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of the directory's folder."""
    return Settings(data=tmp_path, master_key="11" * 32, audit_key="22" * 32)


@pytest.fixture
def trail(directory: Directory, settings: Settings, clock: FixedClock) -> AuditedChanges:
    """The audited changes of the directory."""
    return AuditedChanges(directory, open_checkpoints(settings), clock)


@pytest.fixture
def administration(
    directory: Directory, settings: Settings, trail: AuditedChanges, clock: FixedClock
) -> Iterator[Administration]:
    """The services that set up organizations."""
    passwords = Passwords()
    yield administer(settings, directory, trail, passwords, clock)
    passwords.close()


@pytest.fixture
def operator(administration: Administration) -> Actor:
    """The operator in an organization."""
    return operator_of(administration.organizations.create("Acme", plan=Plan.ENTERPRISE))


@pytest.fixture
def owner(administration: Administration, operator: Actor) -> Member:
    """The owner of the operator's organization."""
    organization = administration.organizations.organization_of(operator)
    return administration.sign_in.set_owner(
        organization, "ada@example.test", "several words are best"
    )
