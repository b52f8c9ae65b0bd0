"""What is remembered, and until when."""

import threading

from outlay.kit.cache import Cache


def test_answers_are_loaded_once_until_refreshed() -> None:
    asked: list[str] = []

    def load(key: str) -> int:
        asked.append(key)
        return len(asked)

    cache = Cache(load)
    assert [cache.get("a"), cache.get("a"), cache.get("b")] == [1, 1, 2]
    cache.refresh()
    assert asked == ["a", "b", "a", "b"]
    assert cache.get("a") == 3


def test_what_was_read_before_a_refresh_is_not_kept_after_it() -> None:
    truth = "old"
    reading, refreshed = threading.Event(), threading.Event()

    def load(_: str) -> str:
        found = truth
        if threading.current_thread().name == "slow":
            reading.set()
            refreshed.wait()
        return found

    cache = Cache(load)
    slow = threading.Thread(target=cache.get, args=("key",), name="slow")
    slow.start()
    reading.wait()
    truth = "new"
    cache.refresh()
    refreshed.set()
    slow.join()
    assert cache.get("key") == "new"


def test_it_does_not_grow_without_bound() -> None:
    cache: Cache[int, int] = Cache(lambda key: key, capacity=10)
    for key in range(1000):
        assert cache.get(key) == key
    assert len(cache._known) <= 10
