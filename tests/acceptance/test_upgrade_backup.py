"""Before a new version changes the tables, a copy of the database is kept."""

import os
import shutil
import stat
from pathlib import Path
from types import SimpleNamespace

import pysqlite3
import pytest
from tests.clocks import FixedClock
from tests.factories import NOW, make_event
from tests.faults import disk_full, every_fault, input_output_error
from tests.integration.test_ledger import go_back_to_schema_1

from outlay.bootstrap.administration import open_administration
from outlay.bootstrap.installation import open_installation
from outlay.domain.errors import OutlayError, Unavailable
from outlay.settings import Settings, read_settings
from outlay.storage.ledger.sqlite.store import SqliteLedger
from outlay.storage.upgrading import keep_before_upgrade

BEFORE_ACCESS = "63508c5de46c"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """An installation of an older version that was killed: its log still exists."""
    data, copy = tmp_path / "data", tmp_path / "killed"
    data.mkdir(mode=0o700)
    ledger = SqliteLedger(data / "outlay.sqlite3", FixedClock(NOW))
    ledger.append([make_event(event_id="old")])
    ledger.close()
    go_back_to_schema_1(data / "outlay.sqlite3")
    connection = pysqlite3.connect(data / "outlay.sqlite3")
    connection.execute("CREATE TABLE of_old (said TEXT)")
    connection.execute("INSERT INTO of_old VALUES ('only the log has this')")
    connection.commit()
    shutil.copytree(data, copy)
    connection.close()
    assert (copy / "outlay.sqlite3-wal").stat().st_size > 0
    return Settings(data=copy)


def content(path: Path, folder: Path) -> list[str]:
    """The complete content of a database, read from a copy so that reading changes nothing."""
    folder.mkdir(exist_ok=True)
    for each in path.parent.glob(f"{path.name}*"):
        shutil.copy(each, folder)
    connection = pysqlite3.connect(folder / path.name)
    found = [
        repr(row)
        for (table,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
        for row in [table, *connection.execute(f'SELECT * FROM "{table}"')]
    ]
    found += [repr(row) for row in connection.execute("SELECT name, sql FROM sqlite_schema")]
    connection.close()
    shutil.rmtree(folder)
    return found


def kept(settings: Settings) -> list[Path]:
    return sorted((settings.data / "backups").glob("*"))


def test_copy_before_an_upgrade_is_kept_once(settings: Settings, tmp_path: Path) -> None:
    before = content(settings.database_path, tmp_path / "look")
    for _ in range(2):
        with open_installation(settings, FixedClock(NOW)) as services:
            assert services.ledger.last_seq == 1
        with open_administration(settings):
            pass
    (copy,) = kept(settings)
    assert "before-" in copy.name
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert content(copy, tmp_path / "look") == before
    assert content(settings.database_path, tmp_path / "look") != before
    with pysqlite3.connect(copy) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_older_directory_alone_triggers_a_copy(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / "data")
    with open_installation(settings):
        pass
    assert kept(settings) == []
    with pysqlite3.connect(settings.database_path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (BEFORE_ACCESS,))
    connection.close()
    keep_before_upgrade(settings, FixedClock(NOW))
    assert len(kept(settings)) == 1
    with pysqlite3.connect(settings.database_path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'newer'")
    connection.close()
    keep_before_upgrade(settings, FixedClock(NOW))
    assert len(kept(settings)) == 1, "tables of a newer version are not changed"


def test_upgrade_without_space_is_refused_unless_disabled(
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    before = content(settings.database_path, tmp_path / "look")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1_000_000))
    with pytest.raises(Unavailable, match="OUTLAY_UPGRADE_BACKUP"), open_installation(settings):
        pass
    assert kept(settings) == []
    assert content(settings.database_path, tmp_path / "look") == before

    off = read_settings(data=settings.data, environment={"OUTLAY_UPGRADE_BACKUP": "off"})
    with open_installation(off, FixedClock(NOW)) as services:
        assert services.ledger.last_seq == 1
    assert "without a copy" in caplog.text
    assert kept(settings) == []


def test_failed_copy_changes_nothing(settings: Settings, tmp_path: Path) -> None:
    before = content(settings.database_path, tmp_path / "look")
    for act in (disk_full, input_output_error):
        for error in every_fault(lambda: keep_before_upgrade(settings, FixedClock(NOW)), act):
            assert isinstance(error, OSError | OutlayError) or kept(settings)
            # If only flushing its name failed, the file is there and complete.
            for copy in kept(settings):
                assert content(copy, tmp_path / "look") == before
                copy.unlink()
        kept(settings)[0].unlink()
    assert content(settings.database_path, tmp_path / "look") == before


def test_copy_is_on_disk_before_the_upgrade(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[str] = []
    fsync = os.fsync

    def record(descriptor: int) -> None:
        flushed.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", record)
    keep_before_upgrade(settings, FixedClock(NOW))
    (copy,) = kept(settings)
    assert flushed == [f"{copy.name}.{os.getpid()}.part", "backups"]
