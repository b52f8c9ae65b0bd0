"""The ledger on SQLite: bit rot is detected, old files are upgraded, a failing disk stops it."""

import os
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pysqlite3
import pytest
from tests.clocks import FixedClock
from tests.factories import NOW, make_event

from outlay.domain.errors import Damaged, Unavailable
from outlay.domain.event import UsageEvent
from outlay.domain.outcome import Outcome
from outlay.storage.ledger.rows import (
    GENESIS,
    ROW_COLUMNS,
    batch_checksum,
    from_row,
)
from outlay.storage.ledger.sqlite import store as sqlite_module
from outlay.storage.ledger.sqlite.store import SCHEMA, SqliteLedger
from outlay.storage.sqlite import check_sqlite_version, connect


@pytest.fixture
def ledger(tmp_path: Path, clock: FixedClock) -> Iterator[SqliteLedger]:
    opened = SqliteLedger(tmp_path / "ledger.sqlite3", clock)
    yield opened
    opened.close()


def stored(ledger: SqliteLedger) -> list[UsageEvent]:
    return [from_row(row) for batch in ledger.read_batches(0) for row in batch.rows]


def test_failed_commit_refuses_all_its_submissions_and_the_ledger_continues(
    ledger: SqliteLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        sqlite_module,
        "batch_checksum",
        lambda *_: (_ for _ in ()).throw(pysqlite3.OperationalError("database or disk is full")),
    )
    with pytest.raises(Unavailable, match="disk is full"):
        ledger.append([make_event(event_id="lost?")])
    monkeypatch.undo()

    assert stored(ledger) == []
    assert ledger.append([make_event(event_id="lost?")]) == [Outcome.ACCEPTED]


def test_io_error_stops_acceptance_until_a_restart(
    ledger: SqliteLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        sqlite_module,
        "batch_checksum",
        lambda *_: (_ for _ in ()).throw(pysqlite3.OperationalError("disk I/O error")),
    )
    with pytest.raises(Unavailable):
        ledger.append([make_event()])
    monkeypatch.undo()

    with pytest.raises(Unavailable, match="until a restart"):
        ledger.append([make_event()])


def test_closed_ledger_refuses(tmp_path: Path, clock: FixedClock) -> None:
    ledger = SqliteLedger(tmp_path / "ledger.sqlite3", clock)
    ledger.close()

    with pytest.raises(Unavailable):
        ledger.submit([make_event()])


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE usage_event SET cost_pusd = cost_pusd + 1 WHERE seq = 3",
        "UPDATE usage_event SET model = 'other' WHERE seq = 5",
        "DELETE FROM usage_event WHERE seq = 2",
        "DELETE FROM usage_batch WHERE batch_id = 1",
        "UPDATE usage_batch SET checksum = zeroblob(16) WHERE batch_id = 2",
    ],
)
def test_tampering_is_detected_and_never_summed(
    tmp_path: Path, clock: FixedClock, tampering: str
) -> None:
    path = tmp_path / "ledger.sqlite3"
    ledger = SqliteLedger(path, clock)
    ledger.append([make_event(cost_pusd=7) for _ in range(4)])
    ledger.append([make_event(cost_pusd=7) for _ in range(4)])
    with pysqlite3.connect(path) as connection:
        connection.execute(tampering)
    connection.close()

    with pytest.raises(Damaged):
        list(ledger.read_batches(0))
    ledger.close()


def test_rewritten_batch_does_not_match_the_next_one(tmp_path: Path, clock: FixedClock) -> None:
    """Anyone who changes rows can compute a checksum, but the next batch is chained to the old
    one."""
    path = tmp_path / "ledger.sqlite3"
    ledger = SqliteLedger(path, clock)
    for _ in range(3):
        ledger.append([make_event(cost_pusd=7) for _ in range(4)])
    with pysqlite3.connect(path) as connection:
        connection.execute("UPDATE usage_event SET cost_pusd = 1 WHERE seq = 3")
        rows = connection.execute(
            "SELECT * FROM usage_event WHERE seq <= 4 ORDER BY seq"
        ).fetchall()
        checksum = batch_checksum(GENESIS, [row[: len(ROW_COLUMNS)] for row in rows])
        connection.execute("UPDATE usage_batch SET checksum = ? WHERE batch_id = 1", (checksum,))
    connection.close()

    with pytest.raises(Damaged):
        list(ledger.read_batches(0))
    ledger.close()


def test_swapped_batches_are_detected(tmp_path: Path, clock: FixedClock) -> None:
    path = tmp_path / "ledger.sqlite3"
    ledger = SqliteLedger(path, clock)
    for _ in range(3):
        ledger.append([make_event(cost_pusd=7) for _ in range(4)])
    columns = [name for name in ROW_COLUMNS if name != "seq"]
    with pysqlite3.connect(path) as connection:
        read = f"SELECT {', '.join(columns)} FROM usage_event WHERE seq <= 8 ORDER BY seq"
        rows = connection.execute(read).fetchall()
        connection.execute("UPDATE usage_event SET event_id = seq WHERE seq <= 8")
        write = (
            f"UPDATE usage_event SET {', '.join(f'{name} = ?' for name in columns)} WHERE seq = ?"
        )
        for seq, row in enumerate(rows[4:] + rows[:4], 1):
            connection.execute(write, (*row, seq))
        first, second = (
            checksum
            for (checksum,) in connection.execute(
                "SELECT checksum FROM usage_batch WHERE batch_id <= 2 ORDER BY batch_id"
            ).fetchall()
        )
        for checksum, batch_id in ((second, 1), (first, 2)):
            connection.execute(
                "UPDATE usage_batch SET checksum = ? WHERE batch_id = ?", (checksum, batch_id)
            )
    connection.close()

    with pytest.raises(Damaged):
        list(ledger.read_batches(0))
    ledger.close()


def test_newer_ledger_schema_is_refused_and_unchanged(tmp_path: Path, clock: FixedClock) -> None:
    path = tmp_path / "ledger.sqlite3"
    ledger = SqliteLedger(path, clock)
    ledger.append([make_event()])
    ledger.close()
    with pysqlite3.connect(path) as connection:
        connection.execute("UPDATE ledger_identity SET schema_version = ?", (SCHEMA.version + 1,))
    connection.close()
    before = path.read_bytes()

    with pytest.raises(Damaged, match=f"newer version of Outlay .schema {SCHEMA.version + 1}"):
        SqliteLedger(path, clock)
    assert path.read_bytes() == before


def test_no_bit_flip_gives_a_silently_wrong_answer(tmp_path: Path, clock: FixedClock) -> None:
    """150 random flips anywhere in the file: either it is detected or every event is right."""
    path = tmp_path / "ledger.sqlite3"
    ledger = SqliteLedger(path, clock)
    events = [make_event(cost_pusd=number, input_tokens=number) for number in range(400)]
    ledger.append(events)
    ledger.close()
    pristine = path.read_bytes()
    random = Random(1)
    noticed = 0
    for _ in range(150):
        body = bytearray(pristine)
        body[random.randrange(100, len(body))] ^= 1 << random.randrange(8)
        for suffix in ("-wal", "-shm"):
            Path(f"{path}{suffix}").unlink(missing_ok=True)
        path.write_bytes(body)
        reopened = None
        try:
            reopened = SqliteLedger(path, clock)
            found = stored(reopened)
        except (Damaged, pysqlite3.Error, ValueError, UnicodeDecodeError):
            noticed += 1
        else:
            assert found == events
        finally:
            if reopened is not None:
                reopened.close()
    assert noticed > 50


@pytest.mark.parametrize("version", [(3, 7, 0), (3, 40, 1), (3, 50, 6), (3, 51, 2)])
def test_affected_versions_of_sqlite_are_refused(version: tuple[int, int, int]) -> None:
    with pytest.raises(Damaged, match="write-ahead log"):
        check_sqlite_version(version)


@pytest.mark.parametrize("version", [(3, 6, 23), (3, 50, 7), (3, 51, 3), (3, 53, 4)])
def test_fixed_versions_of_sqlite_are_accepted(version: tuple[int, int, int]) -> None:
    check_sqlite_version(version)


def test_missing_tail_is_detected_at_startup(tmp_path: Path, clock: FixedClock) -> None:
    path = tmp_path / "ledger.sqlite3"
    ledger = SqliteLedger(path, clock)
    ledger.append([make_event() for _ in range(3)])
    ledger.close()
    with pysqlite3.connect(path) as connection:
        connection.execute("DELETE FROM usage_event WHERE seq = 3")
    connection.close()

    with pytest.raises(Damaged, match="Restore a backup"):
        SqliteLedger(path, clock)
    assert os.path.exists(path)  # noqa: PTH110 - refusing leaves the file alone


def test_ledger_of_the_first_schema_is_upgraded_and_verified(tmp_path: Path) -> None:
    path, clock = tmp_path / "ledger.sqlite3", FixedClock(NOW)
    ledger = SqliteLedger(path, clock)
    ledger.append([make_event(event_id="old")])
    ledger.close()
    go_back_to_schema_1(path)

    for number in range(2):
        ledger = SqliteLedger(path, clock)
        ledger.append([make_event(event_id=f"new-{number}", http_status=200)])
        found = stored(ledger)
        ledger.close()

    assert [event.event_id for event in found] == ["old", "new-0", "new-1"]
    assert [event.http_status for event in found] == [None, 200, 200]


def go_back_to_schema_1(path: Path) -> None:
    """Restore the tables of schema 1, before details of requests."""
    width = ROW_COLUMNS.index("is_stream")
    with connect(path) as connection:
        rows = connection.execute("SELECT * FROM usage_event ORDER BY seq").fetchall()
        checksum = batch_checksum(GENESIS, [row[:width] for row in rows])
        connection.execute("UPDATE usage_batch SET checksum = ?", (checksum,))
        for index in ("usage_event#organization_id#response_id", "usage_event#amendment"):
            connection.execute(f'DROP INDEX "{index}"')
        for column in ROW_COLUMNS[width:]:
            connection.execute(f"ALTER TABLE usage_event DROP COLUMN {column}")
        connection.execute("ALTER TABLE usage_batch DROP COLUMN row_width")
        connection.execute("ALTER TABLE usage_batch DROP COLUMN restated")
        connection.execute("ALTER TABLE ledger_identity DROP COLUMN rewrites")
        connection.execute("DROP TABLE request_intent")
        connection.execute("UPDATE ledger_identity SET schema_version = 1")
    assert width == 38
