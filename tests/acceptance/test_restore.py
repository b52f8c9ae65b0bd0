"""A restore creates a complete installation or none, and never mixes it with leftovers."""

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.clocks import FixedClock
from tests.factories import NOW, make_event
from tests.faults import every_fault, every_kill
from typer.testing import CliRunner

from outlay.bootstrap.administration import open_administration
from outlay.bootstrap.installation import open_installation
from outlay.cli.main import app
from outlay.cli.restore import restore
from outlay.domain.errors import Conflict, OutlayError
from outlay.domain.organization import operator_of
from outlay.settings import Settings
from outlay.storage.folder import PARTS, parts_in


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an installation that was killed after a backup: its log still exists."""
    folder = tmp_path_factory.mktemp("killed")
    data = folder / "data"
    with open_installation(Settings(data=data), FixedClock(NOW)) as services:
        administration = services.administration
        operator = operator_of(administration.organizations.create("Acme"))
        services.ledger.append([make_event(cost_pusd=1) for _ in range(30)])
        made = run("backup", str(folder / "file.outlay"), "--data", str(data), "--with-keys")
        assert made.exit_code == 0, made.output
        for number in range(10):
            services.ledger.append([make_event(cost_pusd=1) for _ in range(30)])
            administration.projects.create(operator, f"Later {number}")
        (data / "prices.toml").write_text("")
        (data / "imports").mkdir()
        shutil.copytree(data, folder / "copy")
    return folder


@pytest.fixture
def file(killed: Path) -> Path:
    """The backup."""
    return killed / "file.outlay"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder to restore into."""
    return tmp_path / "data"


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, arguments)


def check_restored(data: Path) -> None:
    """Check that everything in the backup is there and verified."""
    with open_installation(Settings(data=data)) as services:
        assert services.ledger.last_seq == 30
        assert services.administration.audit.verify().faults == []
    assert run("verify", "--data", str(data)).exit_code == 0


def test_write_ahead_log_of_a_lost_database_is_not_replayed(
    killed: Path, file: Path, data: Path
) -> None:
    shutil.copytree(killed / "copy", data)
    (data / "outlay.sqlite3").unlink()
    assert (data / "outlay.sqlite3-wal").stat().st_size > 0
    before = {path.name for path in data.iterdir()}

    refused = run("restore", str(file), "--data", str(data))
    assert isinstance(refused.exception, Conflict)
    assert "outlay.sqlite3-wal" in str(refused.exception)
    assert {path.name for path in data.iterdir()} == before

    moved = run("restore", str(file), "--data", str(data), "--move-aside")
    assert moved.exit_code == 0, moved.exception
    (aside,) = data.glob("replaced-*")
    assert str(aside) in moved.output
    assert {path.name for path in aside.iterdir()} == before - {"outlay.lock"}
    check_restored(data)


def leftovers() -> Iterator[str]:
    """One name of each kind of file."""
    for part in PARTS:
        if part.pattern == "outlay.sqlite3-*":
            yield from (f"outlay.sqlite3-{kind}" for kind in ("wal", "shm", "journal"))
        else:
            yield part.pattern.replace("*", "1" if part.pattern == "metrics-*.json" else "")


@pytest.mark.parametrize("name", list(leftovers()))
def test_restore_into_existing_files_is_refused(file: Path, data: Path, name: str) -> None:
    data.mkdir()
    (data / name).write_text("left")
    refused = run("restore", str(file), "--data", str(data))
    assert isinstance(refused.exception, Conflict), refused
    assert name in str(refused.exception)
    assert {path.name for path in data.iterdir()} == {name, "outlay.lock"}


def test_every_settings_path_is_a_known_part(data: Path) -> None:
    """A new file in the folder must be added to the list."""
    data.mkdir()
    for worker in (0, 3):
        settings = Settings(data=data, worker=worker)
        names = [name for name in dir(Settings) if name.endswith("_path")]
        paths = [getattr(settings, name) for name in names if name != "lock_path"]
        for path in (settings.metrics_path(worker), *(p for p in paths if isinstance(p, Path))):
            path.touch()
            assert path in parts_in(settings), path
            path.unlink()


STEPS = (7, pytest.param(1, marks=pytest.mark.long))
"""Some of the calls, or all of them."""


@pytest.mark.parametrize("step", STEPS)
def test_failed_restore_leaves_nothing(file: Path, data: Path, step: int) -> None:
    runs = 0
    for error in every_fault(lambda: restore(file, str(data)), step=step):
        runs += 1
        if error is None:
            # The failed call was not essential: hard links, or the lock's file for others.
            shutil.rmtree(data)
            continue
        assert isinstance(error, (OSError, OutlayError))
        found = {path.name for path in data.glob("*")}
        assert found <= {"outlay.lock"}, (runs, error, found)
    assert runs > 20 / step
    check_restored(data)


@pytest.mark.parametrize("step", STEPS)
def test_killed_restore_is_not_opened_and_can_be_repeated(
    file: Path, data: Path, step: int
) -> None:
    settings = Settings(data=data)
    for _ in every_kill(lambda: restore(file, str(data)), step):
        if (data / "outlay.sqlite3").exists():
            with open_installation(settings) as services:
                assert services.ledger.last_seq == 30
            assert not (data / "restoring").exists()
            shutil.rmtree(data)
        elif (data / "restoring").exists():
            for opening in (open_installation, open_administration):
                with pytest.raises(Conflict, match="interrupted"), opening(settings):
                    pass
    check_restored(data)


def test_killed_move_aside_is_resumed(killed: Path, file: Path, data: Path) -> None:
    shutil.copytree(killed / "copy", data)
    before = {path.name for path in data.iterdir()} - {"outlay.lock"}
    kills = 0
    for _ in every_kill(lambda: restore(file, str(data), aside=True)):
        kills += 1
        asides = list(data.glob("replaced-*"))
        assert len(asides) <= 1
        if asides and asides[0].suffix == ".part":
            with pytest.raises(Conflict, match="again"), open_installation(Settings(data=data)):
                pass
        if asides and not asides[0].suffix:
            assert {path.name for path in asides[0].iterdir()} == before
            break
    assert kills > 5
    restore(file, str(data))
    check_restored(data)


def test_world_readable_files_are_restricted(data: Path) -> None:
    """A folder that already existed, for example from a service manager, may be accessible to
    everyone."""
    data.mkdir(mode=0o755)
    before = os.umask(0o022)
    try:
        for _ in range(2):
            with open_installation(Settings(data=data)):
                pass
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in data.iterdir()}
    assert modes["outlay.sqlite3"] == modes["cube.duckdb"] == 0o600, modes
    told = run("doctor", "--data", str(data))
    assert f"other users of this machine can read {data}" in told.output
    data.chmod(0o700)
    assert "readable by its owner only" in run("doctor", "--data", str(data)).output
