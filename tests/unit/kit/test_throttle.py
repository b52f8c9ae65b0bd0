"""Background work that uses only its share of a processor."""

import time

from outlay.kit.throttle import Throttle


def busy(seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pass


def test_quarter_share_sleeps_three_times_the_work() -> None:
    slept: list[float] = []
    throttle = Throttle(0.25, slept.append)
    busy(0.02)
    throttle.pause()
    busy(0.01)
    throttle.pause()

    assert slept[0] >= 0.06
    assert 0.03 <= slept[1] < slept[0] + 0.03


def test_full_share_never_sleeps() -> None:
    slept: list[float] = []
    throttle = Throttle(1, slept.append)
    throttle.pause()

    assert slept == []
