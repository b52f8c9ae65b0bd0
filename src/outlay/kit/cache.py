"""An in-memory cache whose entries are refreshed together."""

import threading
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Cache(Generic[K, V]):
    """Caches the results of `load`. Thread-safe: concurrent calls at worst repeat a load.

    None is not cached, because callers could request any number of keys that do not exist.
    """

    def __init__(
        self,
        load: Callable[[K], V],
        capacity: int = 10_000,
        drops: tuple[type[Exception], ...] = (),
    ) -> None:
        """`drops` are errors of a refresh that remove a key from the cache, so the next caller gets
        the error. After any other error the old value remains.
        """
        self._load = load
        self._capacity = capacity
        self._drops = drops
        self._known: dict[K, V] = {}
        self._generation = 0
        self._lock = threading.Lock()
        self._loading = threading.Lock()
        """Held from loading until storing, so that the newest value is stored last."""

    def __contains__(self, key: K) -> bool:
        return key in self._known

    def get(self, key: K) -> V:
        """The value for a key, loaded unless it is cached."""
        try:
            return self._known[key]
        except KeyError:
            generation = self._generation
            value = self._load(key)
            if value is None:
                return value
            with self._lock:
                is_new = generation == self._generation
                if is_new:
                    if len(self._known) >= self._capacity:
                        del self._known[next(iter(self._known))]
                    self._known[key] = value
            # A value loaded before a refresh is not kept; it is loaded again.
            return value if is_new else self.get(key)

    def reload(self, key: K) -> V:
        """The value for a key, loaded again; the cached value remains if that fails."""
        with self._loading:
            value = self._load(key)
            with self._lock:
                if value is None:
                    self._known.pop(key, None)
                else:
                    self._known[key] = value
        return value

    def values(self) -> list[V]:
        """All cached values."""
        with self._lock:
            return list(self._known.values())

    def refresh(self) -> None:
        """Reload every cached value; readers see the old value until the new one is loaded.

        A failing key does not stop the others: the first error is raised at the end.
        """
        with self._lock:
            self._generation += 1
            keys = list(self._known)
        failure: Exception | None = None
        for key in keys:
            try:
                self.reload(key)
            except self._drops as error:
                with self._lock:
                    self._known.pop(key, None)
                failure = failure or error
        if failure is not None:
            raise failure
