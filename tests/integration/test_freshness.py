"""The freshness of an answer is true whatever the clock does."""

import tempfile
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import settings as profile
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from tests.clocks import FixedClock
from tests.factories import NOW, make_event
from tests.postgres import Cluster
from typing_extensions import override

from outlay.bootstrap.installation import open_installation
from outlay.services.cube import projection as projection_module
from outlay.settings import Settings

JUMPS = st.sampled_from(
    [
        timedelta(microseconds=1),
        timedelta(seconds=1),
        timedelta(hours=-2),
        timedelta(days=3),
        timedelta(days=-3),
        timedelta(seconds=-1),
    ]
)


class Freshness(RuleBasedStateMachine):
    """Clocks jump, events arrive, and some of them are loaded."""

    @initialize()
    def begin(self) -> None:
        self.stack = ExitStack()
        folder = self.stack.enter_context(tempfile.TemporaryDirectory())
        self.clock = FixedClock(NOW)
        settings = Settings(data=Path(folder) / "data")
        self.services = self.stack.enter_context(open_installation(settings, self.clock))
        self.acknowledged: list[datetime] = []
        """The clock at the acknowledgement, in the order of the ledger."""

    @rule(jump=JUMPS)
    def set_clock(self, jump: timedelta) -> None:
        self.clock.instant += jump

    @rule(count=st.integers(1, 3))
    def commit(self, count: int) -> None:
        self.services.ledger.append([make_event() for _ in range(count)])
        self.acknowledged += [self.clock.instant] * count

    @rule()
    def load_all(self) -> None:
        self.services.projection.catch_up()

    @rule()
    def load_one(self) -> None:
        projection = self.services.projection
        if projection.pending_events:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(projection_module, "LOAD_EVENTS", 1)
                next(projection.load_steps())

    @invariant()
    def claims_no_more_than_holds(self) -> None:
        if not hasattr(self, "services"):
            return
        projection = self.services.projection
        with projection.slot.read() as reader:
            position = reader.loaded_seq
            through = projection.data_through()
            assert projection.data_through(position) == through
            lacking = self.acknowledged[position:]
            assert all(instant >= through for instant in lacking)
            assert through == min([*lacking, self.clock.instant])
            earlier = projection.data_through(0)
            assert earlier == min([*self.acknowledged, self.clock.instant])

    @override
    def teardown(self) -> None:
        if hasattr(self, "stack"):
            self.stack.close()


Freshness.TestCase.settings = profile(max_examples=12, stateful_step_count=25, deadline=None)
TestFreshness = Freshness.TestCase


def test_freshness_recovers_after_a_fast_clock(tmp_path: Path) -> None:
    clock = FixedClock(NOW)
    with open_installation(Settings(data=tmp_path), clock) as services:
        clock.instant = NOW + timedelta(days=3)
        services.ledger.append([make_event()])
        services.projection.catch_up()
        clock.instant = NOW
        services.ledger.append([make_event()])

        assert services.projection.data_through() == NOW


def test_freshness_recovers_on_postgres(tmp_path: Path, cluster: Cluster) -> None:
    clock = FixedClock(NOW)
    settings = Settings(data=tmp_path, database_url=cluster.create_database())
    with open_installation(settings, clock) as services:
        clock.instant = NOW + timedelta(days=3)
        services.ledger.append([make_event()])
        services.ledger.newest_seq()
        services.projection.catch_up()
        clock.instant = NOW
        services.ledger.append([make_event()])
        services.ledger.newest_seq()
        assert services.projection.data_through() == NOW

        services.projection.catch_up()
        clock.instant = NOW + timedelta(seconds=1)
        services.ledger.newest_seq()
        assert services.projection.data_through() == clock.instant
