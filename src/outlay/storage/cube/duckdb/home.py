"""Where a DuckDB cube stands: one file, which the ledger can always make anew."""

from pathlib import Path

import duckdb

from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Unavailable
from outlay.storage.cube.duckdb.store import DuckDBCube
from outlay.storage.cube.store import Cube


class DuckDBHome:
    """A cube in a file, and a fresh one in a file beside it."""

    is_shared = False

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fresh_path = path.with_name(f"{path.stem}.rebuild{path.suffix}")

    def open(self, edition: str) -> Cube:
        """The present cube, made if there is none; CubeMismatch unless it is of this edition."""
        if self._path.is_dir():
            raise Unavailable(
                f"{self._path} is a folder, where the file of the cube belongs; move it away",
                code=ErrorCode.CUBE_UNUSABLE,
            )
        return DuckDBCube(self._path, edition)

    def is_present(self, cube: Cube) -> bool:
        """Nobody else can replace it."""
        return True

    def fresh(self, edition: str) -> Cube:
        """An empty cube beside the present one."""
        self.discard()
        return DuckDBCube(self._fresh_path, edition)

    def install(self, fresh: Cube, present: Cube) -> Cube:
        """Put the fresh cube in the place of the present one, which nobody reads any more."""
        fresh.close()
        present.close()
        self.clear()
        self._fresh_path.replace(self._path)
        return self.open(fresh.edition)

    def discard(self) -> None:
        """Remove a fresh cube that did not get so far."""
        _remove(self._fresh_path)

    def drop_replaced(self) -> None:
        """What is replaced here is gone at once."""

    def clear(self) -> None:
        """Remove the present cube."""
        _remove(self._path)

    def describe(self) -> str:
        """The engine and its version."""
        return f"DuckDB {duckdb.__version__}"

    def close(self) -> None:
        """Nothing is kept open."""


def _remove(path: Path) -> None:
    for candidate in (path, path.with_name(path.name + ".wal")):
        candidate.unlink(missing_ok=True)
