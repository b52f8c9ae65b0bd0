"""The cube on ClickHouse: idempotent loads, and folds that do not disturb readers.

ClickHouse has no transactions, so each step can be repeated instead. The range of a load or a fold
is planned first. A node that later plans from the same position, such as the successor of a crashed
loader or a delayed loader, gets the same plan. All inserts carry tokens derived from the plan, and
ClickHouse skips a block whose token it has seen. The position that readers use is moved last.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from typing_extensions import override

from outlay.domain.errors import Unavailable
from outlay.domain.tag import split_tags
from outlay.storage.cube.aggregation import Deltas
from outlay.storage.cube.clickhouse import statements
from outlay.storage.cube.clickhouse.client import ClickHouse
from outlay.storage.cube.clickhouse.dialect import ClickHouseDialect
from outlay.storage.cube.fragments import Parameters
from outlay.storage.cube.reader import SqlReader
from outlay.storage.cube.rollups import CUBE_SCHEMA_VERSION, ROLLUPS
from outlay.storage.cube.store import CubeMismatch

FOLD_SECONDS: Final = 900.0
"""The length of a bucket, so that most of its events are folded into at most two rows."""
FOLD_EVENTS: Final = 2_000_000

KEEP_FOLDED_SECONDS: Final = 600
"""How long deltas are kept after a fold, for snapshots that were opened before it."""

_STATE: Final = (
    "SELECT (SELECT max(through_seq) FROM cube_loaded), (SELECT max(through_seq) FROM cube_fold)"
)


class ClickHouseReader(SqlReader):
    """One snapshot: the positions up to which the cube is folded and loaded."""

    def __init__(self, server: ClickHouse, database: str, dialect: ClickHouseDialect) -> None:
        super().__init__(dialect, dialect.loaded_seq)
        self._server = server
        self._database = database

    @override
    def _fetch(self, text: str, parameters: Parameters) -> list[Any]:
        return self._server.ask(self._database, text, parameters)

    @override
    def _stream(self, text: str, parameters: Parameters) -> Iterator[Any]:
        return self._server.stream(self._database, text, parameters)

    @override
    def _row_counts(self) -> Mapping[str, int]:
        tables = [table for spec in ROLLUPS for table in spec.tables]
        return {
            table: self._server.ask(self._database, f"SELECT count() FROM {table}")[0][0]  # noqa: S608 - constants
            for table in tables
        }

    @override
    def _narrow_differences(self) -> Mapping[str, int]:
        return {}  # there are no narrow rollups on ClickHouse


class ClickHouseCube:
    """The rollups of one ledger in one database that other nodes read and may write, too."""

    def __init__(self, server: ClickHouse, database: str, edition: str) -> None:
        """Open or create the tables; raises CubeMismatch if they have another version.

        A database that was built from another edition is opened as it is.
        """
        self._server = server
        self._database = database
        for statement in statements.schema(server.on_cluster):
            server.run(database, statement)
        found = server.ask(database, "SELECT edition, schema_version FROM cube_identity")
        if not found:
            identity = [(edition, CUBE_SCHEMA_VERSION)]
            server.insert(
                database, "cube_identity", ("edition", "schema_version"), identity, "identity"
            )
            found = server.ask(database, "SELECT edition, schema_version FROM cube_identity")
        self.edition, version = found[0]
        if version != CUBE_SCHEMA_VERSION:
            raise CubeMismatch("The cube was built by another version.")
        self._known_sets: set[str] = set()
        self._known_tags: set[str] = set()
        self._last_fold = time.monotonic()

    @property
    def database(self) -> str:
        """The database of this cube."""
        return self._database

    # Reading

    @contextmanager
    def read(self) -> Iterator[ClickHouseReader]:
        """A snapshot of the cube."""
        folded, loaded = self._state()
        dialect = ClickHouseDialect(folded, max(folded, loaded))
        yield ClickHouseReader(self._server, self._database, dialect)

    def _state(self) -> tuple[int, int]:
        """The positions up to which the cube is folded and loaded."""
        ((loaded, folded),) = self._server.ask(self._database, _STATE)
        return folded or 0, loaded or 0

    # Writing

    def plan(self, from_seq: int, through_seq: int) -> int:
        """The end of a load that starts at a position: the one that was planned first."""
        return self._plan("load", from_seq, through_seq)

    def _plan(self, kind: str, from_seq: int, through_seq: int) -> int:
        columns = ("kind", "from_seq", "through_seq")
        row = [(kind, from_seq, through_seq)]
        self._server.insert(self._database, "cube_plan", columns, row, f"plan:{kind}:{from_seq}")
        ((planned,),) = self._server.ask(
            self._database,
            "SELECT min(through_seq) FROM cube_plan WHERE kind = $kind AND from_seq = $from_seq",
            {"kind": kind, "from_seq": from_seq},
        )
        return int(planned)

    def load(self, deltas: Deltas, *, from_seq: int, through_seq: int) -> None:
        """Add the cells of events (from_seq, through_seq] as planned, and move the position."""
        _, loaded = self._state()
        if loaded != from_seq:
            raise CubeMismatch(f"The cube is at event {loaded}, not at {from_seq}.")
        for spec, rows in deltas.tables():
            self._server.insert(
                self._database,
                spec.tables[1],
                (*spec.columns, "seq"),
                [(*row, through_seq) for row in rows],
                f"load:{from_seq}:{through_seq}",
            )
        self._load_group_sets(deltas.group_sets)
        self._load_tag_sets(deltas.tag_sets)
        self._server.insert(
            self._database,
            "cube_loaded",
            ("place", "through_seq"),
            [(0, through_seq)],
            f"loaded:{through_seq}",
        )

    def _load_group_sets(self, sets: set[str]) -> None:
        """Insert the groups of new sets; repeating it is harmless."""
        new = sorted(sets - self._known_sets)
        if new:
            pairs = [(groups, group) for groups in new for group in groups.split(",")]
            self._server.insert(self._database, "group_set", ("groups", "group_id"), pairs, "")
            self._known_sets.update(new)

    def _load_tag_sets(self, sets: set[str]) -> None:
        """Insert the tags of new sets."""
        new = sorted(sets - self._known_tags)
        if new:
            rows = [(tags, *pair) for tags in new for pair in split_tags(tags).items()]
            self._server.insert(self._database, "tag_set", ("tags", "key", "value"), rows, "")
            self._known_tags.update(new)

    def fold(self) -> None:
        """Fold pending rows into the rollups once there are enough of them."""
        folded, loaded = self._state()
        is_due = time.monotonic() - self._last_fold >= FOLD_SECONDS
        if loaded == folded or (loaded - folded < FOLD_EVENTS and not is_due):
            return
        through = self._plan("fold", folded, loaded)
        for spec in ROLLUPS:
            token = f"fold:{folded}:{through}"
            try:
                self._server.run(self._database, statements.fold(spec, folded, through), token)
            except Unavailable as error:
                if "CANNOT_CONVERT_TYPE" not in error.message:
                    raise
                # A sum that does not fit one row: the rows stay as they are.
                moved = statements.fold(spec, folded, through, is_summed=False)
                self._server.run(self._database, moved, token)
        self._server.insert(
            self._database, "cube_fold", ("through_seq",), [(through,)], f"folded:{through}"
        )
        self._last_fold = time.monotonic()
        self._drop_folded()

    def _drop_folded(self) -> None:
        """Drop deltas that no snapshot can still read."""
        ((through,),) = self._server.ask(
            self._database,
            "SELECT max(through_seq) FROM cube_fold WHERE folded_at < now() - $kept",
            {"kept": KEEP_FOLDED_SECONDS},
        )
        last = (through or 0) // statements.SEQ_PER_PARTITION
        for spec in ROLLUPS:
            delta = spec.tables[1]
            found = self._server.ask(
                self._database,
                "SELECT DISTINCT toUInt64(partition) FROM system.parts WHERE active "
                "AND database = $database AND table = $table",
                {"database": self._database, "table": delta},
            )
            for (partition,) in found:
                if partition < last:
                    drop = f"DROP PARTITION {int(partition)}"
                    statement = f"ALTER TABLE {delta}{self._server.on_cluster} {drop}"
                    self._server.run(self._database, statement)

    def compact_one(self, before_bucket: int) -> bool:
        """Nothing to compact: folds on ClickHouse are coarse enough."""
        return False

    def close(self) -> None:
        """Nothing to release: the home closes the connections."""
