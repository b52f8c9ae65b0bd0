"""The cube on ClickHouse: repeated loads count once, partial loads are not visible."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from tests.backdoor import OutdatedPosition, generations_of, server_of
from tests.clickhouse import running_clickhouse
from tests.clocks import FixedClock
from tests.factories import make_event

from outlay.bootstrap.installation import open_installation
from outlay.domain.answers import ZERO, Totals
from outlay.domain.discovery import NO_MERGES
from outlay.domain.errors import Unavailable
from outlay.domain.event import UsageEvent
from outlay.domain.ids import OrganizationId
from outlay.domain.query import UsageQuery
from outlay.domain.questions import LatencyBins, StepTotals
from outlay.domain.verification import VerifyReport
from outlay.services.cube.cube_sums import EVER
from outlay.services.cube.projection import Projection, load_some
from outlay.services.cube.verification import FULL_EFFORT, Verification
from outlay.services.long_run import LongRun
from outlay.settings import Settings
from outlay.storage.cube.aggregation import Deltas, aggregate
from outlay.storage.cube.clickhouse import home as home_module
from outlay.storage.cube.clickhouse import store
from outlay.storage.cube.clickhouse.client import ClickHouse
from outlay.storage.cube.clickhouse.home import ClickHouseHome
from outlay.storage.cube.clickhouse.statements import SEQ_PER_PARTITION, schema
from outlay.storage.cube.clickhouse.store import ClickHouseCube
from outlay.storage.cube.rollup_questions import RowCounts
from outlay.storage.cube.slot import CubeSlot
from outlay.storage.cube.store import Cube, CubeMismatch
from outlay.storage.directory.sqlite import SqliteDirectory
from outlay.storage.ledger.rows import EventRow, to_row
from outlay.storage.ledger.sqlite.store import SqliteLedger
from outlay.storage.nodes import OneNode

LOAD_WRITES = 5
"""The plan, usage, latency, groups, the position."""


@pytest.fixture
def home(chdb: Callable[[], str]) -> Iterator[ClickHouseHome]:
    opened = ClickHouseHome(chdb())
    yield opened
    opened.close()


@pytest.fixture
def ledger(tmp_path: Path, clock: FixedClock) -> Iterator[SqliteLedger]:
    opened = SqliteLedger(tmp_path / "ledger.sqlite3", clock)
    yield opened
    opened.close()


def totals(cube: Cube) -> Totals:
    with cube.read() as reader:
        return reader.ask(
            StepTotals(
                UsageQuery(
                    organization_id=OrganizationId("org_test"), merges=NO_MERGES, period=EVER
                )
            )
        ).get(0, ZERO)


def events_of(cost: int, number: int = 3) -> list[UsageEvent]:
    return [make_event(cost_pusd=cost, duration_us=5, groups=f"g1,g{cost}") for _ in range(number)]


def fold_now(cube: ClickHouseCube) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "FOLD_SECONDS", 0.0)
        cube.fold()


class Interrupted(Exception):
    """Raised where a process is killed."""


class Interruption:
    """Simulates a kill at one of the statements that write."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, server: ClickHouse) -> None:
        self.left = 10**9
        self._insert, self._run = server.insert, server.run
        monkeypatch.setattr(server, "insert", self._counting(self._insert))
        monkeypatch.setattr(server, "run", self._counting(self._run))

    def _counting(self, write: Callable[..., None]) -> Callable[..., None]:
        def counted(*arguments: Any) -> None:
            if self.left <= 0:
                raise Interrupted
            self.left -= 1
            write(*arguments)

        return counted


@pytest.mark.parametrize("writes", range(6))
def test_interrupted_load_is_invisible_and_counts_once_later(
    home: ClickHouseHome, ledger: SqliteLedger, monkeypatch: pytest.MonkeyPatch, writes: int
) -> None:
    cube = home.open(ledger.edition)
    ledger.append(events_of(5))
    loaded = load_some(ledger, cube, 0)
    before = totals(cube)
    interruption = Interruption(monkeypatch, server_of(home))
    ledger.append(events_of(7))
    interruption.left = writes
    with suppress(Interrupted):
        load_some(ledger, cube, loaded)
    assert (interruption.left == 0) == (writes <= LOAD_WRITES)
    interruption.left = 10**9
    if writes < LOAD_WRITES:
        assert totals(cube) == before

    # More events have arrived meanwhile: the successor ends where the first attempt was planned to
    # end.
    ledger.append(events_of(11))
    with cube.read() as reader:
        loaded = reader.loaded_seq
    while loaded < ledger.last_seq:
        loaded = load_some(ledger, cube, loaded)

    assert (totals(cube).requests, totals(cube).cost_pusd) == (9, 3 * (5 + 7 + 11))


def test_concurrent_loaders_at_one_position_add_once(
    home: ClickHouseHome, ledger: SqliteLedger
) -> None:
    """One that was paused and lost its leadership does exactly what its successor did."""
    first, second = home.open(ledger.edition), home.open(ledger.edition)
    ledger.append(events_of(5))
    through = first.plan(0, ledger.last_seq)
    paused = aggregate(next(ledger.read_batches(0)).rows, Deltas())
    ledger.append(events_of(7))

    assert second.plan(0, ledger.last_seq) == through
    assert load_some(ledger, second, 0) == through
    assert load_some(ledger, second, through) == ledger.last_seq
    with pytest.raises(CubeMismatch):
        first.load(paused, from_seq=0, through_seq=through)
    # Even one that had read the position before.
    assert isinstance(first, ClickHouseCube)
    with OutdatedPosition(first):
        first.load(paused, from_seq=0, through_seq=through)

    assert (totals(second).requests, totals(second).cost_pusd) == (6, 36)


@pytest.mark.parametrize("writes", range(5))
def test_interrupted_compaction_changes_no_answer(
    home: ClickHouseHome, ledger: SqliteLedger, monkeypatch: pytest.MonkeyPatch, writes: int
) -> None:
    cube = home.open(ledger.edition)
    assert isinstance(cube, ClickHouseCube)
    loaded = 0
    for cost in (5, 9 * 10**18, 9 * 10**18):
        ledger.append(events_of(cost))
        loaded = load_some(ledger, cube, loaded)
    expected = totals(cube)
    assert expected.cost_pusd == 15 + 6 * 9 * 10**18
    interruption = Interruption(monkeypatch, server_of(home))
    interruption.left = writes
    with suppress(Interrupted):
        fold_now(cube)
    interruption.left = 10**9
    assert totals(cube) == expected

    ledger.append(events_of(11))
    load_some(ledger, cube, loaded)
    fold_now(cube)
    fold_now(cube)

    assert totals(cube).cost_pusd == expected.cost_pusd + 33
    with cube.read() as reader:
        assert reader.ask(RowCounts())["usage_rollup"] > 0
        assert (
            sum(
                reader.ask(
                    LatencyBins(
                        UsageQuery(
                            organization_id=OrganizationId("org_test"),
                            merges=NO_MERGES,
                            period=EVER,
                        )
                    )
                ).values()
            )
            == 12
        )


def test_reader_keeps_its_snapshot_during_loads_and_compaction(
    home: ClickHouseHome, ledger: SqliteLedger
) -> None:
    cube = home.open(ledger.edition)
    assert isinstance(cube, ClickHouseCube)
    ledger.append(events_of(5))
    loaded = load_some(ledger, cube, 0)
    query = UsageQuery(organization_id=OrganizationId("org_test"), merges=NO_MERGES, period=EVER)
    with cube.read() as reader:
        before = reader.ask(StepTotals(query))
        for cost in (7, 9):
            ledger.append(events_of(cost))
            loaded = load_some(ledger, cube, loaded)
            fold_now(cube)
            assert reader.ask(StepTotals(query)) == before
            assert reader.loaded_seq == 3
    assert totals(cube).cost_pusd == 3 * (5 + 7 + 9)


def test_deltas_are_dropped_when_unused(
    home: ClickHouseHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    cube = home.open("edition")
    assert isinstance(cube, ClickHouseCube)
    position = 0
    for number in range(4):
        with cube.read() as reader:
            assert reader.ask(RowCounts())["usage_delta"] == number
        if number == 3:
            monkeypatch.setattr(store, "KEEP_FOLDED_SECONDS", -10)
        deltas = aggregate([row_of(5)], Deltas())
        cube.load(deltas, from_seq=position, through_seq=position + SEQ_PER_PARTITION)
        position += SEQ_PER_PARTITION
        fold_now(cube)

    assert totals(cube).cost_pusd == 20
    with cube.read() as reader:
        assert reader.ask(RowCounts())["usage_delta"] == 1


def test_load_of_many_blocks_counts_once(home: ClickHouseHome, ledger: SqliteLedger) -> None:
    cube = home.open(ledger.edition)
    events = [make_event(end_user=f"{number}", duration_us=number) for number in range(40_000)]
    ledger.append(events)
    deltas = Deltas()
    for batch in ledger.read_batches(0):
        aggregate(batch.rows, deltas)
    assert isinstance(cube, ClickHouseCube)
    for _ in range(2):
        with OutdatedPosition(cube):
            cube.load(deltas, from_seq=0, through_seq=40_000)

    assert totals(cube).requests == 40_000


def row_of(cost: int) -> EventRow:
    event = make_event(cost_pusd=cost)
    return to_row(event, 1, 0)


def test_rebuilt_cube_replaces_the_old_one_on_every_node(
    home: ClickHouseHome,
    ledger: SqliteLedger,
    clock: FixedClock,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ledger.append(events_of(5))
    slot, other = (CubeSlot(home.open(ledger.edition)) for _ in range(2))
    projection = Projection(ledger, slot, home, OneNode(), clock)
    following = Projection(ledger, other, home, OneNode(), clock)
    projection.catch_up()
    ledger.forget(OrganizationId("org_test"), "nobody", "x")
    ledger.append(events_of(7))

    projection.rebuild()

    assert not home.is_present(other.cube)
    home.drop_replaced()
    assert len(generations_of(home)) == 2  # the old one may still be read
    following.work_once()
    assert home.is_present(other.cube)
    assert totals(slot.cube) == totals(other.cube)
    assert totals(slot.cube).cost_pusd == 36
    directory = SqliteDirectory(tmp_path / "ledger.sqlite3")
    run = LongRun[VerifyReport](what="a verification", asked_by="a test", since=clock.now())
    verification = Verification(ledger, slot, projection, directory, clock)
    report = verification.run(run, FULL_EFFORT)
    directory.close()
    assert report.is_proven
    monkeypatch.setattr(home_module, "KEEP_REPLACED_SECONDS", 0)
    monkeypatch.setattr("outlay.services.cube.projection.UPKEEP_SECONDS", 0)
    projection.work_once()
    assert len(generations_of(home)) == 1
    assert totals(slot.cube).cost_pusd == 36


def test_concurrent_readers_and_loader(home: ClickHouseHome, ledger: SqliteLedger) -> None:
    cube = home.open(ledger.edition)
    wrong: list[object] = []
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            with cube.read() as reader:
                found = reader.ask(
                    StepTotals(
                        UsageQuery(
                            organization_id=OrganizationId("org_test"),
                            merges=NO_MERGES,
                            period=EVER,
                        )
                    )
                )
                if found.get(0, ZERO).requests != reader.loaded_seq:
                    wrong.append(found)

    readers = [threading.Thread(target=look) for _ in range(3)]
    for thread in readers:
        thread.start()
    loaded = 0
    try:
        for _ in range(15):
            ledger.append(events_of(1, 10))
            loaded = load_some(ledger, cube, loaded)
    finally:
        done.set()
        for thread in readers:
            thread.join()

    assert wrong == []
    assert totals(cube).requests == 150


def test_cluster_uses_replicated_tables() -> None:
    """What cannot run here: the statements for a cluster."""
    for statement in schema(ClickHouse("clickhouse://ch/outlay?cluster=main").on_cluster):
        assert " ON CLUSTER 'main' (" in statement
        assert "ENGINE = Replicated" in statement
        assert "non_replicated" not in statement


def test_unreachable_server_is_reported() -> None:
    home = ClickHouseHome("clickhouse://user:secret@127.0.0.1:1/outlay")
    with pytest.raises(Unavailable, match="cube is unreachable") as caught:
        home.open("edition")
    assert "secret" not in str(caught.value)


def test_node_serves_without_the_cube_and_reconnects(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    settings = Settings(
        data=tmp_path / "data", cube_url=f"clickhouse://default:@127.0.0.1:{port}/outlay"
    )
    with open_installation(settings) as services:
        services.ledger.append([make_event(organization_id="org_test", cost_pusd=7)])
        assert services.projection.pending_events == 1
        with pytest.raises(Unavailable, match="cube is unreachable"):
            services.projection.catch_up()
        with running_clickhouse(tmp_path / "clickhouse", port):
            services.projection.catch_up()
            assert services.projection.pending_events == 0
            report = list(services.maintenance.verify())[-1]
            assert isinstance(report, VerifyReport)
            assert report.is_proven
            assert report.cost_pusd == 7
