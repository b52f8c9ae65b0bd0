"""PostgreSQL: one pool of connections per process, for the ledger and the directory.

The driver is psycopg 3. Whatever a connection reads is one organization's or, said so, everybody's:
the row-level policies of the tables compare `outlay.organization`, which is empty, and so shows
nothing, until a transaction sets it.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, Final

import psycopg
from sqlalchemy import Engine, create_engine, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from outlay.domain.errors import Damaged, Unavailable
from outlay.kit.event_loop import refuse_on_event_loop
from outlay.settings import DEFAULT_POOL_SIZE
from outlay.storage.row_level_security import EVERY_TENANT

CONNECT_SECONDS: Final = 5
POOL_SECONDS: Final = 5.0

LEDGER_LOCK: Final = 0x6F75_0001
DIRECTORY_LOCK: Final = 0x6F75_0002
SCHEMA_LOCK: Final = 0x6F75_0003
"""Advisory locks of the whole database, taken for a transaction."""

LOCK: Final = "SELECT pg_advisory_xact_lock(?)"
"""Take a lock until the transaction ends."""

SNAPSHOT: Final = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"

ENTER: Final = "SELECT set_config('outlay.organization', %s, true)"
"""Show the transaction under way an organization's rows; `*` for all."""


_ABOUT: Final = (
    "SELECT current_setting('server_version'), current_setting('fsync'), "
    "current_setting('full_page_writes'), rolsuper FROM pg_roles WHERE rolname = current_user"
)


@cache
def marked(text: str) -> str:
    """A statement whose values are marked by `?`, in the form of the driver."""
    return text.replace("%", "%%").replace("?", "%s")


class MarkedConnection:
    """A connection that takes statements with values marked by `?`."""

    def __init__(self, raw: "psycopg.Connection[Any]") -> None:
        self.raw = raw

    def execute(self, text: str, values: Sequence[Any] = (), /) -> "psycopg.Cursor[Any]":
        """Run a statement."""
        return self.raw.execute(marked(text), values)

    def executemany(self, text: str, values: Sequence[Sequence[Any]], /) -> object:
        """Run a statement for each of several sets of values."""
        with self.raw.cursor() as cursor:
            cursor.executemany(marked(text), values)
        return None


def enter_all(connection: MarkedConnection) -> None:
    """Show the transaction under way the rows of all organizations."""
    connection.raw.execute(ENTER, (EVERY_TENANT,))


class PostgresDatabase:
    """One database, as one process uses it. Thread-safe."""

    def __init__(self, url: str, pool_size: int = DEFAULT_POOL_SIZE) -> None:
        """`url` is `postgresql://…`; nothing is connected yet.

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
        """A connection outside the pool, in autocommit; Unavailable when there is none."""
        try:
            connection = psycopg.connect(
                self._url.render_as_string(hide_password=False), autocommit=True, **_options()
            )
            # Nobody is told before the write-ahead log is on disk, whatever the server's default.
            if connection.execute("SHOW synchronous_commit").fetchone() in {("off",), ("local",)}:
                connection.execute("SET synchronous_commit = on")
        except psycopg.Error as error:
            raise away(error) from error
        return connection

    def describe(self) -> str:
        """The engine and its version; Damaged when it does not keep what it has acknowledged."""
        with self.connect() as connection:
            found = connection.execute(_ABOUT).fetchone()
        version, fsync, pages, is_superuser = found or ("?", "on", "on", False)
        if "off" in {fsync, pages}:
            raise Damaged(
                "PostgreSQL runs with fsync or full_page_writes off: a crash may lose events that "
                "were acknowledged; switch them on",
                code="database-unsafe",
            )
        wall = (
            "its role is a superuser, whom row-level policies do not hold"
            if is_superuser
            else "row-level policies hold its role"
        )
        return f"PostgreSQL {version}; {wall}"

    @contextmanager
    def reading(self, tenant: str, *, snapshot: bool = False) -> Iterator[MarkedConnection]:
        """A transaction on a connection of the pool that sees one organization, or all for `*`.

        All statements of a `snapshot` see the database at one instant.
        """
        refuse_on_event_loop("the database")
        try:
            pooled = self.engine.raw_connection()
            try:
                raw: psycopg.Connection[Any] = pooled.driver_connection  # type: ignore[assignment]
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
    """What is told when the database does not answer."""
    cause = getattr(error, "orig", None) or error
    detail = str(cause).strip().partition("\n")[0] or type(cause).__name__
    return Unavailable(f"the database does not answer: {detail}", code="database-away")


def _options() -> dict[str, Any]:
    return {
        "connect_timeout": CONNECT_SECONDS,
        "application_name": "outlay",
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 10_000,
    }


def wall_of(table: str) -> tuple[str, str, str]:
    """The statements that show rows of a table to the organization that was entered alone."""
    entered = "current_setting('outlay.organization', true)"
    return (
        f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
        f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY",
        f"CREATE POLICY tenant ON {table} USING (organization_id = {entered} OR {entered} = '*')",
    )
