"""Ledger → cube: exactly once, provably equal, rebuilt whenever it is not."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import pytest
from tests.backdoor import duckdb_of
from tests.clocks import FixedClock
from tests.factories import NOW, make_event

from outlay.bootstrap.installation import open_installation
from outlay.domain.answers import Breakdown
from outlay.domain.dimension import Dimension
from outlay.domain.discovery import NO_MERGES
from outlay.domain.errors import Invalid, Locked, Unavailable
from outlay.domain.event import CostSource, Status, UsageEvent, UsageSource
from outlay.domain.ids import OrganizationId
from outlay.domain.period import Interval, Period
from outlay.domain.query import UsageQuery
from outlay.domain.verification import VerificationState, VerifyReport
from outlay.kit.clock import to_us
from outlay.kit.progress import Progress
from outlay.services.bundle import Services
from outlay.services.cube import projection as projection_module
from outlay.services.cube.projection import fill
from outlay.settings import Settings
from outlay.storage.cube.duckdb.sources import source
from outlay.storage.cube.duckdb.store import DuckDBCube
from outlay.storage.cube.rollup_questions import RowCounts
from outlay.storage.cube.rollups import NARROWS, USAGE, NarrowSpec
from outlay.storage.cube.store import CubeMismatch
from outlay.storage.ledger.sqlite.store import SqliteLedger

EVER = Period(start_bucket=0, end_bucket=2**31 - 1, timezone="UTC")


METERS_OF_EVENTS = ["", "", "web_searches=3", "input_audio_tokens=5,output_images=2"]


def random_events(count: int, seed: int = 1) -> list[UsageEvent]:
    """Events over 70 days with every kind of status, source and group."""
    random = Random(seed)
    return [
        make_event(
            event_time_us=to_us(NOW - timedelta(seconds=random.randrange(70 * 86_400))),
            project_id=random.choice(["prj_a", "prj_b", ""]),
            api_key_id=random.choice(["key_a", "key_b"]),
            user_id=random.choice(["mem_a", "mem_b", ""]),
            groups=random.choice(["", "grp_a", "grp_a,grp_b", "grp_b,grp_c"]),
            app=random.choice(["web", "cli"]),
            model=random.choice(["gpt-5.5", "gpt-4o", "claude"]),
            status=random.choice(list(Status)),
            usage_source=random.choice(list(UsageSource)),
            cost_source=random.choice(list(CostSource)),
            input_tokens=random.randrange(10**6),
            output_tokens=random.randrange(10**6),
            cost_pusd=random.randrange(9 * 10**18),
            duration_us=random.choice([None, random.randrange(10**8)]),
            time_to_first_token_us=random.choice([None, random.randrange(10**7)]),
            is_stream=random.randrange(2),
            adjusted=random.randrange(2),
            meters=random.choice(METERS_OF_EVENTS),
            meter_costs=random.choice(["", "web_searches=30000000000"]),
            session_id=random.choice(["", "", "run-1", "run-2", "conversation ü"]),
        )
        for _ in range(count)
    ]


def verify(services: Services) -> VerifyReport:
    *_, report = services.maintenance.verify()
    assert isinstance(report, VerifyReport)
    return report


def total(services: Services) -> Breakdown:
    return services.analytics.breakdown(
        UsageQuery(organization_id=OrganizationId("org_test"), merges=NO_MERGES, period=EVER)
    )


def test_event_is_in_the_answer_once_loaded(services: Services) -> None:
    services.ledger.append([make_event(cost_pusd=5, input_tokens=7)])
    assert total(services).total.requests == 0

    services.projection.catch_up()

    assert total(services).total.cost_pusd == 5
    assert total(services).total.input_tokens == 7


def test_verify_checks_everything_and_reports_it(services: Services) -> None:
    events = random_events(3_000)
    services.ledger.append(events)

    report = verify(services)

    assert report.is_proven
    assert report.events == 3_000
    assert report.cost_pusd == sum(event.cost_pusd for event in events) > 2**63
    assert services.analytics.freshness().verified.state is VerificationState.VERIFIED


def test_compaction_changes_no_number(services: Services) -> None:
    services.ledger.append(random_events(2_000))
    services.projection.catch_up()
    before = total(services)

    services.projection.fold()
    cube = services.projection.slot.cube
    while cube.compact_one(before_bucket=2**31 - 1):
        pass

    assert total(services) == before
    assert verify(services).is_proven
    with services.projection.slot.read() as reader:
        assert reader.ask(RowCounts())["usage_delta"] == 0


def test_small_deltas_are_folded_into_one_row_per_cell(services: Services) -> None:
    """Sums that fit 64 bits, as nearly all do; the others are moved as they are."""
    for _ in range(3):
        services.ledger.append([make_event(cost_pusd=5, input_tokens=7) for _ in range(4)])
        services.projection.catch_up()
    before = total(services)

    services.projection.fold()

    assert total(services) == before
    with services.projection.slot.read() as reader:
        counts = reader.ask(RowCounts())
    assert (counts["usage_delta"], counts["usage_rollup"]) == (0, 1)
    assert verify(services).is_proven


def test_compacted_month_is_sorted_by_key(services: Services) -> None:
    services.ledger.append(random_events(2_000))
    services.projection.catch_up()
    services.projection.fold()
    cube = services.projection.slot.cube
    assert isinstance(cube, DuckDBCube)
    while cube.compact_one(before_bucket=2**31 - 1):
        pass

    rows = (
        duckdb_of(cube)
        .execute(
            "SELECT date_trunc('month', TIMESTAMP '1970-01-01' + to_seconds(bucket * 900)), "
            "organization_id, api_key_id, bucket FROM usage_rollup ORDER BY rowid"
        )
        .fetchall()
    )

    assert len({row[2] for row in rows}) > 1
    assert rows == sorted(rows)


TAMPERING = [
    "UPDATE usage_delta SET cost_pusd = cost_pusd + 1 WHERE rowid = 5",
    "DELETE FROM usage_delta WHERE rowid = 5",
    "INSERT INTO usage_rollup SELECT * FROM usage_delta WHERE rowid = 5",
    "UPDATE usage_delta SET model = model + 1 WHERE rowid = 5",
    "UPDATE usage_delta SET model = -5 WHERE rowid = 5",
    "UPDATE dictionary SET value = 'other' WHERE dimension = 'model' AND code = 1",
    "DELETE FROM dictionary WHERE dimension = 'app' AND code = 2",
    "INSERT INTO dictionary SELECT * FROM dictionary WHERE dimension = 'status' AND code = 1",
    "UPDATE latency_delta SET latency_bin = latency_bin + 1 WHERE rowid = 5",
    "UPDATE usage_delta SET bucket = bucket + 40000 WHERE rowid = 5",
    "DELETE FROM group_set WHERE group_id = 'grp_c'",
]


@pytest.mark.parametrize("tampering", TAMPERING)
def test_verify_finds_every_planted_difference_and_rebuild_repairs_it(
    services: Services, tampering: str
) -> None:
    services.ledger.append(random_events(500))
    services.projection.catch_up()
    cube = services.projection.slot.cube
    assert isinstance(cube, DuckDBCube)
    duckdb_of(cube).execute(tampering)

    report = verify(services)

    assert not report.is_proven
    assert report.differences
    assert services.analytics.freshness().verified.state is VerificationState.DIFFERS
    assert list(services.maintenance.rebuild())[-1] == Progress("events", 500, 500)
    assert verify(services).is_proven


def test_answers_continue_after_a_rebuild_with_new_events(services: Services) -> None:
    services.ledger.append(random_events(100))
    list(services.maintenance.rebuild())
    services.ledger.append(random_events(50, seed=2))
    services.projection.catch_up()

    assert total(services).total.requests == 150
    assert verify(services).is_proven


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data=tmp_path / "data")


@pytest.fixture
def filled(settings: Settings, clock: FixedClock) -> Settings:
    with open_installation(settings, clock) as services:
        services.ledger.append(random_events(300))
        services.projection.catch_up()
        services.projection.fold()
    return settings


def reopened_count(settings: Settings, clock: FixedClock) -> int:
    with open_installation(settings, clock) as services:
        services.projection.catch_up()
        assert verify(services).is_proven
        return total(services).total.requests


def test_deleted_cube_is_rebuilt(filled: Settings, clock: FixedClock) -> None:
    filled.cube_path.unlink()

    assert reopened_count(filled, clock) == 300


def test_damaged_cube_is_rebuilt(filled: Settings, clock: FixedClock) -> None:
    filled.cube_path.write_bytes(b"not a database" * 1000)

    assert reopened_count(filled, clock) == 300


def test_cube_of_another_version_is_rebuilt(filled: Settings, clock: FixedClock) -> None:
    with duckdb.connect(str(filled.cube_path)) as connection:
        connection.execute("UPDATE cube_state SET schema_version = 999")

    assert reopened_count(filled, clock) == 300


def test_cube_ahead_of_a_restored_ledger_is_rebuilt(filled: Settings, clock: FixedClock) -> None:
    with duckdb.connect(str(filled.cube_path)) as connection:
        connection.execute("UPDATE cube_state SET loaded_seq = 100000")

    assert reopened_count(filled, clock) == 300


def test_cube_behind_the_ledger_is_caught_up(filled: Settings, clock: FixedClock) -> None:
    copy = filled.cube_path.read_bytes()
    with open_installation(filled, clock) as services:
        services.ledger.append(random_events(200, seed=3))
        services.projection.catch_up()
    filled.cube_path.write_bytes(copy)

    assert reopened_count(filled, clock) == 500


@pytest.mark.parametrize("has_part", [False, True])
def test_queries_wait_for_a_new_cube_to_be_complete(
    filled: Settings, clock: FixedClock, monkeypatch: pytest.MonkeyPatch, has_part: bool
) -> None:
    """Also if a process was killed while it loaded one."""
    with open_installation(filled, clock) as services:
        services.ledger.append(random_events(200, seed=3))
    filled.cube_path.unlink()
    if has_part:
        monkeypatch.setattr(projection_module, "LOAD_EVENTS", 50)
        ledger = SqliteLedger(filled.database_path, clock)
        cube = DuckDBCube(filled.cube_path, ledger.edition)
        next(iter(fill(ledger, cube)))
        with cube.read() as reader:
            assert reader.loaded_seq == 300
        cube.close()
        ledger.close()

    with open_installation(filled, clock) as services:
        assert services.projection.pending_events == 0
        with services.projection.slot.read() as reader:
            assert reader.loaded_seq == 500


def test_rebuild_for_another_version_is_one_log_line(
    filled: Settings, clock: FixedClock, caplog: pytest.LogCaptureFixture
) -> None:
    with duckdb.connect(str(filled.cube_path)) as connection:
        connection.execute("ALTER TABLE cube_state RENAME COLUMN edition TO ledger")
    with open_installation(filled, clock):
        pass
    (line,) = [record.getMessage() for record in caplog.records if "cube" in record.getMessage()]
    assert line == "The cube was built by another version. Rebuilding it from the ledger."


def test_folder_in_place_of_the_cube_is_reported(filled: Settings, clock: FixedClock) -> None:
    filled.cube_path.unlink()
    filled.cube_path.mkdir()
    (filled.cube_path / "somebody's file").touch()
    with pytest.raises(Unavailable, match="Move the folder away"), open_installation(filled, clock):
        pass
    assert (filled.cube_path / "somebody's file").exists()


def test_loading_from_a_wrong_position_is_refused(services: Services) -> None:
    services.ledger.append(random_events(10))
    services.projection.catch_up()
    from outlay.storage.cube.aggregation import Deltas

    with pytest.raises(CubeMismatch):
        services.projection.slot.cube.load(Deltas(), from_seq=3, through_seq=20)


def test_second_process_is_refused_with_a_one_line_error(
    filled: Settings, clock: FixedClock
) -> None:
    with (
        open_installation(filled, clock),
        pytest.raises(Locked, match="in use by another Outlay process"),
        open_installation(filled, clock),
    ):
        pass


def test_many_threads_can_wait_for_the_cube(services: Services) -> None:
    for seed in range(5):
        services.ledger.append(random_events(2_000, seed))
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda _: services.projection.catch_up(), range(4)))

    assert total(services).total.requests == 10_000


def test_late_events_are_in_their_own_bucket(services: Services) -> None:
    old = NOW - timedelta(days=400)
    services.ledger.append([make_event(), make_event(event_time_us=to_us(old))])
    services.projection.catch_up()
    day = Period(
        start_bucket=int(old.timestamp()) // 900 - 1,
        end_bucket=int(old.timestamp()) // 900 + 1,
        timezone="UTC",
    )

    found = services.analytics.breakdown(
        UsageQuery(organization_id=OrganizationId("org_test"), merges=NO_MERGES, period=day)
    )

    assert found.total.requests == 1


def test_event_in_three_groups_counts_in_each_and_once_in_total(services: Services) -> None:
    services.ledger.append([make_event(groups="a,b,c", cost_pusd=4), make_event(cost_pusd=1)])
    services.projection.catch_up()

    found = services.analytics.breakdown(
        UsageQuery(
            organization_id=OrganizationId("org_test"),
            merges=NO_MERGES,
            period=EVER,
            interval=Interval.TOTAL,
            group_by=Dimension.GROUP,
        )
    )

    assert {entry.key: entry.total.cost_pusd for entry in found.entries} == {
        "a": 4,
        "b": 4,
        "c": 4,
        "unattributed": 1,
    }
    assert found.total.cost_pusd == 5


def test_query_refuses_invalid_combinations() -> None:
    wrongs: list[dict[str, Any]] = [
        {"top": 0},
        {"top": 1001},
        {"ranks": ()},
        {"filters": {Dimension.APP: ()}},
        {"measures": ("requests",)},
    ]
    for wrong in wrongs:
        with pytest.raises(Invalid):
            UsageQuery(organization_id=OrganizationId("o"), merges=NO_MERGES, period=EVER, **wrong)
    for text in ("\0", "\ud800", "x" * 300):
        with pytest.raises(Invalid):
            UsageQuery(
                organization_id=OrganizationId("o"),
                merges=NO_MERGES,
                period=EVER,
                filters={Dimension.APP: (text,)},
            )


@pytest.mark.parametrize("narrow", NARROWS, ids=lambda narrow: narrow.shape.name)
def test_narrow_rollup_that_differs_from_its_source_is_detected(
    services: Services, narrow: NarrowSpec
) -> None:
    services.ledger.append(random_events(400))
    services.projection.catch_up()
    services.projection.fold()
    assert verify(services).is_proven
    cube = services.projection.slot.cube
    assert isinstance(cube, DuckDBCube)
    measure = narrow.shape.measures[0]
    duckdb_of(cube).execute(f"UPDATE {narrow.table} SET {measure} = {measure} + 1 WHERE rowid = 3")

    report = verify(services)

    assert {difference.where for difference in report.differences} >= {
        f"rollup {narrow.shape.name}"
    }
    list(services.maintenance.rebuild())
    assert verify(services).is_proven


def test_narrow_rollups_are_read_only_for_whole_cells() -> None:
    day = [96 * 20_000, 96 * 20_001]
    cut = [day[0] + 1, day[1] - 1]

    whole = source(USAGE, {"model"}, ("requests",), day)
    edges = source(USAGE, {"model"}, ("requests",), cut)
    many = source(USAGE, {"model", "app"}, ("requests",), day)
    stepped = source(USAGE, {"model"}, ("requests",), [day[0], day[0] + 23, day[1]])

    assert "usage_route_rollup" in whole
    assert " usage_rollup" not in whole
    assert "usage_delta" in whole
    assert f"bucket >= {day[0] + 4} AND bucket < {day[1] - 4}" in edges
    assert edges.count(" usage_rollup") == 2
    assert "route" not in many + stepped


def test_lagging_cube_reports_its_freshness(tmp_path: Path) -> None:
    """It does not claim acknowledged events that are not loaded yet; a start loads them first."""
    clock = FixedClock(NOW)
    with open_installation(Settings(data=tmp_path), clock) as services:
        services.ledger.append([make_event()])
        clock.instant = NOW + timedelta(hours=1)
        assert services.projection.data_through() == NOW
    with open_installation(Settings(data=tmp_path), clock) as services:
        assert services.projection.pending_events == 0
        assert services.projection.data_through() == clock.instant
