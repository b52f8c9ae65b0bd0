"""An installation as a stream of records: for backup, restore and moving between databases.

header · files · intents · conflicts · batches of the ledger · rows of the directory · end

The ledger is copied up to the last event acknowledged before the directory is read, in one
snapshot, so everything that events refer to is included. Everything is checked while copying:
batches against their chain, records against the counts at the end.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any, Final

from outlay import __version__
from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Damaged, Invalid, Unavailable
from outlay.kit.clock import Clock
from outlay.kit.durable import create_file
from outlay.kit.progress import Progress
from outlay.storage.archive import Record, read_archive
from outlay.storage.directory.copying import TableRows, put_rows, read_rows
from outlay.storage.directory.engine import HEAD, Directory
from outlay.storage.ledger.reading import LedgerReader
from outlay.storage.ledger.rows import Intent, StoredBatch
from outlay.storage.ledger.store import Ledger, LedgerContents

FORMAT: Final = 1

Report = Callable[[Progress], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """The content of a stream of records, according to its header and end."""

    created_at: str
    events: int
    tables: dict[str, int]
    """Rows per table."""


def records_of(
    ledger: LedgerReader,
    directory: Directory,
    files: Sequence[Path],
    clock: Clock,
    report: Report,
) -> Iterator[Record]:
    """All current records; existing `files` are included under their names.

    Raises Unavailable if identities were erased in the meantime, as a backup must not contain them.
    """
    edition = ledger.read_edition()
    yield Record(
        "header",
        {
            "format": FORMAT,
            "version": __version__,
            "createdAt": clock.now().isoformat(),
            "directory": HEAD,
        },
    )
    for path in files:
        if path.exists():
            yield Record("file", [path.name, path.read_bytes()])
    yield Record("intents", [intent[:3] for intent in ledger.intents()])
    through = ledger.read_last_seq()
    yield Record("conflicts", ledger.read_conflicts())
    for batch in ledger.read_all(through):
        yield Record("batch", batch)
        report(Progress("events", batch.last_seq, through))
    tables: dict[str, int] = {}
    with directory.snapshot() as session:
        for part in read_rows(session):
            tables[part.table] = tables.get(part.table, 0) + len(part.rows)
            yield Record("rows", part)
    if ledger.read_edition() != edition:
        raise Unavailable(
            "A person was erased during the backup. Start it again.", code=ErrorCode.ERASED
        )
    yield Record("end", {"events": through, "tables": tables})


def check_archive(path: Path, report: Report) -> Contents:
    """Read a backup completely; returns its content. Raises Invalid or Damaged."""
    try:
        return _check(path, report)
    except (TypeError, ValueError, LookupError) as error:
        raise Damaged(
            f"{path} was not written correctly. Run the backup again.",
            code=ErrorCode.BACKUP_DAMAGED,
        ) from error


def _check(path: Path, report: Report) -> Contents:
    header: dict[str, Any] = {}
    end: dict[str, Any] = {}
    events = 0
    tables: dict[str, int] = {}
    for record in read_archive(path):
        if record.kind == "header":
            header = record.content
            check_header(header)
        elif record.kind == "batch":
            events = record.content[2]
            report(Progress("events", events, events))
        elif record.kind == "rows":
            part = TableRows(*record.content)
            tables[part.table] = tables.get(part.table, 0) + len(part.rows)
        elif record.kind == "end":
            end = record.content
    # Only now has the digest of the whole been compared, too.
    if end != {"events": events, "tables": tables}:
        raise Damaged(f"{path} is incomplete. Run the backup again.", code=ErrorCode.BACKUP_DAMAGED)
    return Contents(created_at=header["createdAt"], events=events, tables=tables)


def check_header(header: dict[str, Any]) -> None:
    """Raise Invalid for a backup of an incompatible version."""
    if header.get("format") != FORMAT or header.get("directory") != HEAD:
        raise Invalid(
            f"This backup was written by Outlay {header.get('version', '?')}, which has a "
            "different schema. Restore it with that version, then upgrade.",
            code=ErrorCode.BACKUP_VERSION,
        )


def take_over(
    records: Iterator[Record], ledger: Ledger, directory: Directory, folder: Path
) -> None:
    """Fill empty stores with records; files go into a folder without replacing any.

    Raises Conflict if a store is not empty. Ledger and directory are each copied completely or not
    at all.
    """
    found: dict[str, Any] = {}
    files: list[tuple[str, bytes]] = []
    is_adopted = False

    def adopt(batches: Iterator[StoredBatch]) -> None:
        ledger.adopt(
            LedgerContents(
                intents=[Intent(*intent) for intent in found["intents"]],
                conflicts=[tuple(row) for row in found["conflicts"]],
                batches=batches,
            )
        )

    for kind, group in groupby(records, key=attrgetter("kind")):
        if kind == "batch":
            adopt(_batch(record) for record in group)
            is_adopted = True
        elif kind == "rows":
            if not is_adopted:
                adopt(iter(()))
            with directory.write() as session:
                put_rows(session, (TableRows(*record.content) for record in group))
        elif kind == "file":
            files += [(name, body) for name, body in (record.content for record in group)]
        else:
            found[kind] = next(group).content
            if kind == "header":
                check_header(found[kind])
    for name, body in files:
        _put_file(folder / Path(name).name, body)


def _batch(record: Record) -> StoredBatch:
    *head, rows = record.content
    return StoredBatch._make([*head, [tuple(row) for row in rows]])


def _put_file(path: Path, body: bytes) -> None:
    with suppress(FileExistsError):
        create_file(path, body)


def compare(source: tuple[LedgerReader, Directory], target: tuple[LedgerReader, Directory]) -> int:
    """Compare two installations row by row; returns the number of rows. Raises Damaged."""
    (ledger, directory), (other_ledger, other_directory) = source, target
    through, compared = ledger.read_last_seq(), 0
    pairs = zip(ledger.read_all(through), other_ledger.read_all(through), strict=True)
    for one, other in pairs:
        if one != other:
            raise Damaged(
                f"Batch {one.batch_id} differs between the two databases.",
                code=ErrorCode.ENGINES_DIFFER,
            )
        compared += len(one.rows)
    with directory.snapshot() as session, other_directory.snapshot() as other_session:
        mine, theirs = _tables(session), _tables(other_session)
    for table in mine.keys() | theirs.keys():
        if mine.get(table) != theirs.get(table):
            raise Damaged(
                f"Table {table} differs between the two databases.", code=ErrorCode.ENGINES_DIFFER
            )
        compared += len(mine[table])
    return compared


def _tables(session: Any) -> dict[str, list[str]]:
    """The sorted rows of each table: engines sort text differently."""
    found: dict[str, list[str]] = {}
    for part in read_rows(session):
        found.setdefault(part.table, []).extend(repr(row) for row in part.rows)
    return {table: sorted(rows) for table, rows in found.items()}
