"""One preview at a time, each within its time limit."""

import threading

import pytest

from outlay.domain.errors import Invalid, Unavailable
from outlay.services.repricing import bounded_previews
from outlay.services.repricing.bounded_previews import BoundedPreviews


def too_long() -> Invalid:
    return Invalid("too long")


def test_second_preview_is_refused_while_one_is_running(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded_previews, "WAIT_SECONDS", 0.01)
    previews = BoundedPreviews()

    def begin() -> None:
        with previews.begin(60, too_long):
            pass

    with previews.begin(60, too_long):
        with pytest.raises(Unavailable, match="Another preview is running"):
            begin()
        with previews.begin(None, too_long) as check:
            check()  # the command line waits for nobody
    thread = threading.Thread(target=begin)
    thread.start()
    thread.join()


def test_preview_ends_after_its_time_limit_and_lets_the_next_one_run() -> None:
    previews = BoundedPreviews()
    for _ in range(2):
        with pytest.raises(Invalid, match="too long"), previews.begin(-1, too_long) as check:
            check()
