"""What is cached, and until when."""

import threading

import pytest

from outlay.kit.cache import Cache


def test_values_are_loaded_once_until_refreshed() -> None:
    asked: list[str] = []

    def load(key: str) -> int:
        asked.append(key)
        return len(asked)

    cache = Cache(load)
    assert [cache.get("a"), cache.get("a"), cache.get("b")] == [1, 1, 2]
    cache.refresh()
    assert asked == ["a", "b", "a", "b"]
    assert cache.get("a") == 3


def test_value_loaded_before_a_refresh_is_not_kept() -> None:
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
    assert cache.values() == ["new"]


def test_value_first_loaded_during_a_refresh_is_kept() -> None:
    loaded: list[str] = []

    def load(key: str) -> str:
        loaded.append(key)
        if loaded == ["a", "a"]:  # in the middle of the refresh
            cache.get("b")
        return key

    cache = Cache(load)
    cache.get("a")
    cache.refresh()
    assert cache.get("b") == "b"
    assert loaded == ["a", "a", "b"]


def test_missing_values_are_not_cached_and_deleted_ones_are_dropped() -> None:
    there = {"a": 1}
    cache: Cache[str, int | None] = Cache(there.get)
    for number in range(100):
        assert cache.get(f"stranger-{number}") is None
    assert cache.get("a") == 1
    assert cache.values() == [1]

    there.clear()
    cache.refresh()
    assert (cache.get("a"), cache.values()) == (None, [])


def test_single_reload_keeps_the_old_value_on_failure() -> None:
    answers = iter([1, 2])

    def load(_: str) -> int:
        found = next(answers, None)
        if found is None:
            raise OSError("away")
        return found

    cache = Cache(load)
    assert cache.get("a") == 1
    cache.reload("a")
    assert cache.get("a") == 2
    with pytest.raises(OSError, match="away"):
        cache.reload("a")
    assert cache.get("a") == 2


def test_cache_size_is_bounded() -> None:
    cache: Cache[int, int] = Cache(lambda key: key, capacity=10)
    for key in range(1000):
        assert cache.get(key) == key
    assert len(cache.values()) <= 10


def test_dropped_key_does_not_stop_other_refreshes() -> None:
    answers: dict[str, str] = {"a": "old", "b": "old", "c": "old"}

    def load(key: str) -> str:
        if answers[key] == "damaged":
            raise ValueError(key)
        return answers[key]

    cache = Cache(load, drops=(ValueError,))
    assert [cache.get(key) for key in answers] == ["old"] * 3
    answers.update(a="damaged", b="new", c="new")

    with pytest.raises(ValueError, match="a"):
        cache.refresh()

    assert (cache.get("b"), cache.get("c")) == ("new", "new")
    assert "a" not in cache


def test_other_errors_keep_cached_values() -> None:
    answers = {"a": "old"}

    def load(key: str) -> str:
        if not answers:
            raise OSError("away")
        return answers[key]

    cache = Cache(load, drops=(ValueError,))
    cache.get("a")
    answers.clear()

    with pytest.raises(OSError, match="away"):
        cache.refresh()

    assert cache.get("a") == "old"


def test_full_cache_evicts_one_key_per_new_one() -> None:
    cache = Cache(str, capacity=2)
    for number in (1, 2, 3):
        cache.get(number)

    assert [number in cache for number in (1, 2, 3)] == [False, True, True]
