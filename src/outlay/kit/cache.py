"""Answers kept in memory until they are read anew, all at once."""

import threading
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Cache(Generic[K, V]):
    """Remembers what `load` answered. Thread-safe: races only repeat work.

    That there is nothing, None, is not remembered: callers could ask for any number of things that
    there are not.
    """

    def __init__(
        self,
        load: Callable[[K], V],
        capacity: int = 10_000,
        drops: tuple[type[Exception], ...] = (),
    ) -> None:
        """`drops` are errors of a refresh after which a key is not known any more: whoever asks
        next meets them. After any other error what is known stays.
        """
        self._load = load
        self._capacity = capacity
        self._drops = drops
        self._known: dict[K, V] = {}
        self._generation = 0
        self._lock = threading.Lock()
        self._loading = threading.Lock()
        """Held from reading anew until it is stored, so that the newest answer is the last."""

    def __contains__(self, key: K) -> bool:
        return key in self._known

    def get(self, key: K) -> V:
        """The answer for a key, loaded when it is not known yet."""
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
            # What was read before a refresh is not kept, so it is read again.
            return value if is_new else self.get(key)

    def reload(self, key: K) -> V:
        """The answer for a key, loaded anew; what is known stays when that fails."""
        with self._loading:
            value = self._load(key)
            with self._lock:
                if value is None:
                    self._known.pop(key, None)
                else:
                    self._known[key] = value
        return value

    def values(self) -> list[V]:
        """All answers that are known."""
        with self._lock:
            return list(self._known.values())

    def refresh(self) -> None:
        """Load every known answer anew; readers see the old one until the new one is there.

        Keys that are dropped do not keep the others from being loaded: the first of their errors
        is raised at the end.
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
