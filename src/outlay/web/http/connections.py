"""The connections of one server: their maximum number, and for how long they may be silent.

At the maximum, the connection that the server has waited for longest makes room for the new one:
first among those without a request head, then among those without a complete body. A new one is
refused only if all others have a request in progress.
"""

import asyncio
import resource
import time
from enum import IntEnum
from typing import Final, Protocol

from outlay.kit.addresses import is_among, neighbourhood_of
from outlay.settings import EdgeSettings

SWEEP_SECONDS: Final = 1.0

RESERVED_FILES: Final = 96
"""Open files for ledger, directory, cube, logs and listening socket."""
MIN_CONNECTIONS: Final = 16
MAX_CONNECTIONS: Final = 10_000


class Stage(IntEnum):
    """The progress of the request on a connection; in the first two stages it makes room for
    others."""

    HEAD = 0
    """Waiting for the head of a request, or the rest of it."""
    BODY = 1
    SERVING = 2


class Connection(Protocol):
    """The interface of a connection."""

    def check(self, now: float) -> None:
        """Close it if its deadline, in monotonic seconds, has passed."""

    def make_room(self) -> None:
        """Close it in favour of another one."""


class _Pool:
    """Some connections by stage, each in the order of reaching it."""

    __slots__ = ("count", "waiting")

    def __init__(self) -> None:
        self.count = 0
        self.waiting: tuple[dict[Connection, None], dict[Connection, None]] = ({}, {})

    def longest_waiting(self) -> Connection | None:
        for stage in self.waiting:
            for connection in stage:
                return connection
        return None


class Connections:
    """Counts the connections of a server and closes those whose deadline has passed."""

    def __init__(self, settings: EdgeSettings) -> None:
        self.settings = settings
        self.most = settings.max_connections or derived_ceiling()
        self.most_per_client = settings.max_connections_per_client or max(1, self.most // 2)
        self.refused = 0
        """The number of connections that were refused, or closed to make room."""
        self._all = _Pool()
        self._clients: dict[str, _Pool] = {}
        self._pools: dict[Connection, tuple[_Pool, str]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._is_closed = False

    def __len__(self) -> int:
        return len(self._pools)

    def add(self, connection: Connection, address: str) -> bool:
        """Add a new connection; False if there is no room for it."""
        client = (
            "" if is_among(address, self.settings.trusted_proxies) else neighbourhood_of(address)
        )
        pool = self._clients.get(client) or _Pool()
        if client and pool.count >= self.most_per_client and not self._make_room(pool):
            return False
        if self._all.count >= self.most and not self._make_room(self._all):
            return False
        self._clients[client] = pool
        self._pools[connection] = (pool, client)
        for each in (self._all, pool):
            each.count += 1
            each.waiting[Stage.HEAD][connection] = None
        if self._timer is None and not self._is_closed:
            self._sweep_later()
        return True

    def move(self, connection: Connection, before: Stage, after: Stage) -> None:
        """Record that the request on a connection has reached another stage."""
        known = self._pools.get(connection)
        if known is None:
            return
        for pool in (self._all, known[0]):
            if before is not Stage.SERVING:
                pool.waiting[before].pop(connection, None)
            if after is not Stage.SERVING:
                pool.waiting[after][connection] = None

    def remove(self, connection: Connection) -> None:
        """Remove a connection that is being closed."""
        known = self._pools.pop(connection, None)
        if known is None:
            return
        client_pool, client = known
        for pool in (self._all, client_pool):
            pool.count -= 1
            for waiting in pool.waiting:
                waiting.pop(connection, None)
        if not client_pool.count:
            self._clients.pop(client, None)

    def close(self) -> None:
        """Close all connections and stop watching them, because the server stops."""
        self._is_closed = True
        if self._timer is not None:
            self._timer.cancel()
        for connection in list(self._pools):
            self.remove(connection)
            connection.make_room()

    def _make_room(self, pool: _Pool) -> bool:
        self.refused += 1
        connection = pool.longest_waiting()
        if connection is None:
            return False
        self.remove(connection)
        connection.make_room()
        return True

    def _sweep_later(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(SWEEP_SECONDS, self._sweep)

    def _sweep(self) -> None:
        now = time.monotonic()
        for connection in list(self._pools):
            connection.check(now)
        self._timer = None
        if self._pools:
            self._sweep_later()


def derived_ceiling() -> int:
    """The maximum number of connections under the limit on open files, as each may need one to an
    upstream."""
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if files == resource.RLIM_INFINITY:
        return MAX_CONNECTIONS
    return max(MIN_CONNECTIONS, min(MAX_CONNECTIONS, (files - RESERVED_FILES) // 2))
