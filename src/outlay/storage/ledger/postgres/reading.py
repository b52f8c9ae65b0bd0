"""Reading the ledger in PostgreSQL."""

from collections.abc import Iterator
from contextlib import contextmanager

from typing_extensions import override

from outlay.storage.ledger import queries
from outlay.storage.ledger.connection import Connection, Lookup
from outlay.storage.ledger.reading import LedgerReader
from outlay.storage.postgres import MarkedConnection, PostgresDatabase, enter_all
from outlay.storage.row_level_security import EVERY_TENANT


class PostgresReading(LedgerReader):
    """Reads what is committed to one database. Thread-safe."""

    _contains = "strpos"
    _lookup = Lookup("usage_event_key", "event_time_us")
    _find_event = queries.EVENT + (  # noqa: S608 - constants
        " AND event_time_us = (SELECT key.event_time_us FROM usage_event_key AS key "
        "WHERE key.organization_id = usage_event.organization_id "
        "AND key.event_id = usage_event.event_id)"
    )
    _organizations = """
        WITH RECURSIVE found AS (
            (SELECT organization_id FROM usage_event_key ORDER BY organization_id LIMIT 1)
            UNION ALL
            SELECT (SELECT key.organization_id FROM usage_event_key AS key
                    WHERE key.organization_id > found.organization_id
                    ORDER BY key.organization_id LIMIT 1)
            FROM found WHERE found.organization_id IS NOT NULL
        )
        SELECT organization_id FROM found WHERE organization_id IS NOT NULL"""

    def __init__(self, database: PostgresDatabase) -> None:
        LedgerReader.__init__(self)
        self._database = database

    @override
    @contextmanager
    def _reading(self, tenant: str = EVERY_TENANT) -> Iterator[Connection]:
        with self._database.reading(tenant) as connection:
            yield connection

    @override
    @contextmanager
    def snapshot(self, tenant: str = EVERY_TENANT) -> Iterator[Connection]:
        with self._database.reading(tenant, snapshot=True) as connection:
            yield connection

    @override
    def _see_all(self, reader: Connection) -> None:
        """A checksum covers the rows of all organizations in the batch."""
        if isinstance(reader, MarkedConnection):
            enter_all(reader)
