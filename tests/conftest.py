"""Fixtures: one clock, one installation, one server."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from outlay.bootstrap import open_installation
from outlay.kit.clock import FixedClock
from outlay.services.bundle import Services
from outlay.settings import Settings
from tests.factories import NOW

settings.register_profile(
    "outlay", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("outlay")


@pytest.fixture
def clock() -> FixedClock:
    """A clock that stands at NOW until a test moves it."""
    return FixedClock(NOW)


@pytest.fixture
def services(tmp_path: Path, clock: FixedClock) -> Iterator[Services]:
    """A new installation, opened by the test; nothing loads in the background."""
    with open_installation(Settings(data=tmp_path / "data"), clock) as opened:
        yield opened
