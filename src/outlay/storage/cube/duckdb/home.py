"""Storage of a DuckDB cube: one file, which can always be rebuilt from the ledger."""

from pathlib import Path

import duckdb

from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Unavailable
from outlay.storage.cube.duckdb.store import DuckDBCube
from outlay.storage.cube.store import Cube


class DuckDBHome:
    """A cube in one file, and a fresh cube in another file."""

    is_shared = False

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fresh_path = path.with_name(f"{path.stem}.rebuild{path.suffix}")

    def open(self, edition: str) -> Cube:
        """The current cube, created if there is none; raises CubeMismatch for another edition."""
        if self._path.is_dir():
            raise Unavailable(
                f"{self._path} is a folder, but the cube needs a file of this name. Move the "
                "folder away.",
                code=ErrorCode.CUBE_UNUSABLE,
            )
        return DuckDBCube(self._path, edition)

    def is_present(self, cube: Cube) -> bool:
        """Always True: no other node can replace it."""
        return True

    def fresh(self, edition: str) -> Cube:
        """An empty cube next to the current one."""
        self.discard()
        return DuckDBCube(self._fresh_path, edition)

    def install(self, fresh: Cube, present: Cube) -> Cube:
        """Make the fresh cube the current one. The replaced one must have no open snapshots."""
        fresh.close()
        present.close()
        self.clear()
        self._fresh_path.replace(self._path)
        return self.open(fresh.edition)

    def discard(self) -> None:
        """Remove a fresh cube that has not been installed."""
        _remove(self._fresh_path)

    def drop_replaced(self) -> None:
        """Nothing to do: a replaced file is deleted at once."""

    def clear(self) -> None:
        """Remove the current cube."""
        _remove(self._path)

    def describe(self) -> str:
        """The engine and its version."""
        return f"DuckDB {duckdb.__version__}"

    def close(self) -> None:
        """Nothing to do: no connections are kept open."""


def _remove(path: Path) -> None:
    for candidate in (path, path.with_name(path.name + ".wal")):
        candidate.unlink(missing_ok=True)
