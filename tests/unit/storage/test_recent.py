"""The latest batches in memory: a run without gaps, or nothing."""

import threading

from outlay.storage.ledger.recent import RECENT_EVENTS, RecentBatches
from outlay.storage.ledger.rows import Batch


def batch(first: int, last: int) -> Batch:
    return Batch(first, first, last, 0, [(seq,) for seq in range(first, last + 1)])


def numbers(batches: list[Batch]) -> list[int]:
    """The sequence numbers of their rows."""
    return [row[0] for each in batches for row in each.rows]


def test_initially_empty() -> None:
    assert RecentBatches().after(0) == []


def test_current_follower_gets_everything() -> None:
    recent = RecentBatches()
    recent.add(batch(1, 3))
    recent.add(batch(4, 4))
    recent.add(batch(5, 9))

    assert numbers(recent.after(0)) == list(range(1, 10))
    assert numbers(recent.after(3)) == list(range(4, 10))
    assert numbers(recent.after(4)) == list(range(5, 10))
    assert recent.after(9) == []


def test_lagging_follower_gets_nothing() -> None:
    recent = RecentBatches()
    recent.add(batch(11, 12))

    assert recent.after(9) == []
    assert numbers(recent.after(10)) == [11, 12]


def test_batches_before_a_gap_are_dropped() -> None:
    """A reader that got batches from both sides of a gap would skip those in between."""
    recent = RecentBatches()
    recent.add(batch(1, 3))
    recent.add(batch(7, 8))

    assert recent.after(0) == []
    assert recent.after(3) == []
    assert numbers(recent.after(6)) == [7, 8]


def test_repeated_or_late_batch_breaks_the_run() -> None:
    recent = RecentBatches()
    recent.add(batch(1, 3))
    recent.add(batch(4, 6))
    recent.add(batch(4, 6))

    assert numbers(recent.after(3)) == [4, 5, 6]
    assert recent.after(0) == []


def test_batch_is_returned_completely_or_not_at_all() -> None:
    recent = RecentBatches()
    recent.add(batch(1, 5))

    assert recent.after(2) == []


def test_memory_is_bounded() -> None:
    recent = RecentBatches()
    size = RECENT_EVENTS // 4
    for number in range(10):
        recent.add(batch(number * size + 1, (number + 1) * size))

    assert recent.after(0) == []
    kept = numbers(recent.after(6 * size))
    assert kept == list(range(6 * size + 1, 10 * size + 1))
    assert len(kept) <= RECENT_EVENTS


def test_one_batch_is_kept_of_any_size() -> None:
    recent = RecentBatches()
    recent.add(batch(1, RECENT_EVENTS + 5))

    assert len(numbers(recent.after(0))) == RECENT_EVENTS + 5


def test_clearing_starts_over() -> None:
    recent = RecentBatches()
    recent.add(batch(1, 3))
    recent.clear()
    recent.add(batch(4, 6))

    assert recent.after(0) == []
    assert numbers(recent.after(3)) == [4, 5, 6]


def test_concurrent_writer_and_readers() -> None:
    recent, gaps = RecentBatches(), []
    done = threading.Event()

    def follow() -> None:
        position = 0
        while not done.is_set():
            found = numbers(recent.after(position))
            if found and found != list(range(found[0], found[-1] + 1)):
                gaps.append(found)
            position = found[-1] if found else position

    readers = [threading.Thread(target=follow, daemon=True) for _ in range(3)]
    for reader in readers:
        reader.start()
    for number in range(2_000):
        recent.add(batch(number * 3 + 1, number * 3 + 3))
    done.set()
    for reader in readers:
        reader.join()

    assert gaps == []
