"""PostgreSQL: one pool of connections per process, for the ledger and the directory.

The driver is psycopg 3. Row-level security: a connection sees one organization or, if requested,
all. The tables' policies compare `outlay.organization`, which is empty, and so hides everything,
until a transaction sets it.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, Final

import psycopg
from sqlalchemy import Engine, create_engine, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Damaged, Unavailable
from outlay.kit.event_loop import refuse_on_event_loop
from outlay.settings import DEFAULT_POOL_SIZE
from outlay.storage.row_level_security import EVERY_TENANT

CONNECT_SECONDS: Final = 5
POOL_SECONDS: Final = 5.0

LEDGER_LOCK: Final = 0x6F75_0001
DIRECTORY_LOCK: Final = 0x6F75_0002
SCHEMA_LOCK: Final = 0x6F75_0003
"""Advisory locks for the whole database, held for a transaction."""

LOCK: Final = "SELECT pg_advisory_xact_lock(?)"
"""Acquire a lock until the transaction ends."""

SNAPSHOT: Final = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"

ENTER: Final = "SELECT set_config('outlay.organization', %s, true)"
"""Set the organization of the current transaction for row-level security; `*` for all."""


_ABOUT: Final = (
    "SELECT current_setting('server_version'), current_setting('fsync'), "
    "current_setting('full_page_writes'), rolsuper FROM pg_roles WHERE rolname = current_user"
)


@cache
def marked(text: str) -> str:
    """A statement with `?` placeholders in the driver's format."""
    return text.replace("%", "%%").replace("?", "%s")


class MarkedConnection:
    """A connection that takes statements with `?` placeholders."""

    def __init__(self, raw: "psycopg.Connection[Any]") -> None:
        self.raw = raw

    def execute(self, text: str, values: Sequence[Any] = (), /) -> "psycopg.Cursor[Any]":
        """Run a statement."""
        return self.raw.execute(marked(text), values)

    def executemany(self, text: str, values: Sequence[Sequence[Any]], /) -> object:
        """Run a statement once per set of values."""
        with self.raw.cursor() as cursor:
            cursor.executemany(marked(text), values)
        return None


def enter_all(connection: MarkedConnection) -> None:
    """Let the current transaction see the rows of all organizations."""
    connection.raw.execute(ENTER, (EVERY_TENANT,))


class PostgresDatabase:
    """One database, as one process uses it. Thread-safe."""

    def __init__(self, url: str, pool_size: int = DEFAULT_POOL_SIZE) -> None:
        """`url` is `postgresql://…`; the connection is opened later.

        `pool_size` connections are kept open; under load as many again are opened and closed.
        """
        self._url = make_url(url).set(drivername="postgresql")
        self.engine: Engine = create_engine(
            self._url.set(drivername="postgresql+psycopg"),
            pool_size=pool_size,
            max_overflow=pool_size,
            pool_timeout=POOL_SECONDS,
            pool_pre_ping=True,
            connect_args=_options(),
        )

    def connect(self) -> "psycopg.Connection[Any]":
        """A connection outside the pool, in autocommit mode; raises Unavailable without one."""
        try:
            connection = psycopg.connect(
                self._url.render_as_string(hide_password=False), autocommit=True, **_options()
            )
            # Acknowledge only what is in the write-ahead log on disk, whatever the server's
            # default.
            if connection.execute("SHOW synchronous_commit").fetchone() in {("off",), ("local",)}:
                connection.execute("SET synchronous_commit = on")
        except psycopg.Error as error:
            raise away(error) from error
        return connection

    def describe(self) -> str:
        """The engine and its version; raises Damaged if it does not guarantee durability."""
        with self.connect() as connection:
            found = connection.execute(_ABOUT).fetchone()
        version, fsync, pages, is_superuser = found or ("?", "on", "on", False)
        if "off" in {fsync, pages}:
            raise Damaged(
                "PostgreSQL runs with fsync or full_page_writes off, so a crash may lose "
                "acknowledged events. Turn both on.",
                code=ErrorCode.DATABASE_UNSAFE,
            )
        wall = (
            "its role is a superuser, to which row-level policies do not apply"
            if is_superuser
            else "row-level policies apply to its role"
        )
        return f"PostgreSQL {version}; {wall}"

    @contextmanager
    def reading(self, tenant: str, *, snapshot: bool = False) -> Iterator[MarkedConnection]:
        """A pooled transaction that sees one organization, or all for `*`.

        All statements of a `snapshot` see the database at one instant.
        """
        refuse_on_event_loop("the database")
        try:
            pooled = self.engine.raw_connection()
            try:
                raw: psycopg.Connection[Any] = pooled.driver_connection  # type: ignore[assignment]  # its driver
                if snapshot:
                    raw.execute(SNAPSHOT)
                raw.execute(ENTER, (tenant,))
                yield MarkedConnection(raw)
            finally:
                pooled.close()
        except (DBAPIError, PoolTimeout, psycopg.OperationalError) as error:
            raise away(error) from error

    def close(self) -> None:
        """Close the pool."""
        self.engine.dispose()


def away(error: Exception) -> Unavailable:
    """The error for an unreachable database."""
    cause = getattr(error, "orig", None) or error
    detail = str(cause).strip().partition("\n")[0] or type(cause).__name__
    return Unavailable(f"The database is unreachable: {detail}.", code=ErrorCode.DATABASE_AWAY)


def _options() -> dict[str, Any]:
    return {
        "connect_timeout": CONNECT_SECONDS,
        "application_name": "outlay",
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 10_000,
    }


def row_security_of(table: str) -> tuple[str, str, str]:
    """The statements that enable row-level security on a table."""
    entered = "current_setting('outlay.organization', true)"
    return (
        f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
        f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY",
        f"CREATE POLICY tenant ON {table} USING (organization_id = {entered} OR {entered} = '*')",
    )
