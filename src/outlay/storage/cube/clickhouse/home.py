"""Storage of a ClickHouse cube: a database per generation, and a pointer to the current one."""

import re
from typing import Final

from outlay.storage.cube.clickhouse.client import ClickHouse
from outlay.storage.cube.clickhouse.store import ClickHouseCube
from outlay.storage.cube.store import Cube

_POINTER: Final = "cube_current"

KEEP_REPLACED_SECONDS: Final = 600
"""A snapshot that was opened before its cube was replaced has ended by then."""


class ClickHouseHome:
    """Generations of a cube that all nodes share; a new generation replaces it on all of them."""

    is_shared = True

    def __init__(self, url: str) -> None:
        self._server = ClickHouse(url)
        self._base = self._server.database

    def open(self, edition: str) -> Cube:
        """The current cube, created if there is none; raises CubeMismatch for another version."""
        self._prepare()
        return self._cube(self._present() or self._begin(1), edition)

    def is_present(self, cube: Cube) -> bool:
        """Whether a cube is the current one; any node may have replaced it."""
        return isinstance(cube, ClickHouseCube) and cube.database == self._name(self._present())

    def fresh(self, edition: str) -> Cube:
        """An empty cube next to the current one."""
        self.discard()
        return self._cube((self._present() or 0) + 1, edition)

    def install(self, fresh: Cube, present: Cube) -> Cube:
        """Make the fresh cube the current one on all nodes.

        The replaced one stays for a while, because other nodes may have open snapshots of it.
        """
        if not isinstance(fresh, ClickHouseCube):
            raise TypeError("a cube of this home")
        self._point_to(int(fresh.database.rpartition("_")[2]))
        return fresh

    def discard(self) -> None:
        """Remove a fresh cube that has not been installed."""
        present = self._present() or 0
        for generation in self._generations():
            if generation > present:
                self._drop(generation)

    def drop_replaced(self) -> None:
        """Remove replaced cubes once no snapshot can still read them."""
        found = self._server.ask(
            self._base,
            f"SELECT max(generation) FROM {_POINTER} WHERE since <= now() - $kept",  # noqa: S608 - constants
            {"kept": KEEP_REPLACED_SECONDS},
        )
        for generation in self._generations():
            if generation < found[0][0]:
                self._drop(generation)

    def clear(self) -> None:
        """Replace the current cube with an empty one."""
        self._begin((self._present() or 0) + 1)

    def describe(self) -> str:
        """The engine and its version."""
        ((version,),) = self._server.ask("default", "SELECT version()")
        cluster = f", cluster {self._server.cluster}" if self._server.cluster else ""
        return f"ClickHouse {version}{cluster}"

    def close(self) -> None:
        """Close the connections."""
        self._server.close()

    def _name(self, generation: int | None) -> str:
        return f"{self._base}_{generation or 0}"

    def _cube(self, generation: int, edition: str) -> Cube:
        name = self._name(generation)
        self._server.run(
            "default", f"CREATE DATABASE IF NOT EXISTS {name}{self._server.on_cluster}"
        )
        return ClickHouseCube(self._server, name, edition)

    def _prepare(self) -> None:
        """Create the table that names the current generation."""
        self._server.run(
            "default", f"CREATE DATABASE IF NOT EXISTS {self._base}{self._server.on_cluster}"
        )
        family = "Replicated" if self._server.cluster else ""
        self._server.run(
            self._base,
            f"CREATE TABLE IF NOT EXISTS {_POINTER}{self._server.on_cluster} (generation UInt32, "
            f"since DateTime DEFAULT now()) ENGINE = {family}MergeTree ORDER BY generation",
        )

    def _present(self) -> int | None:
        ((generation,),) = self._server.ask(self._base, f"SELECT max(generation) FROM {_POINTER}")  # noqa: S608 - constants
        return generation or None

    def _generations(self) -> list[int]:
        names = self._server.ask("default", "SELECT name FROM system.databases")
        pattern = re.compile(re.escape(self._base) + r"_(\d+)")
        return [int(found[1]) for (name,) in names if (found := pattern.fullmatch(name))]

    def _begin(self, generation: int) -> int:
        self._point_to(generation)
        return generation

    def _point_to(self, generation: int) -> None:
        self._server.insert(self._base, _POINTER, ("generation",), [(generation,)], "")

    def _drop(self, generation: int) -> None:
        name = self._name(generation)
        self._server.run("default", f"DROP DATABASE IF EXISTS {name}{self._server.on_cluster} SYNC")
