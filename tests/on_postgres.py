"""A plugin that uses PostgreSQL for every installation that a test opens in its own process.

`pytest -p tests.on_postgres …`: tests for SQLite must pass there, too.
"""

import atexit
from contextlib import ExitStack
from dataclasses import replace
from functools import cache
from pathlib import Path

from outlay import engines
from outlay.settings import Settings
from outlay.storage.postgres import PostgresDatabase
from tests.postgres import running_postgres

_stack = ExitStack()
_cluster = _stack.enter_context(running_postgres("-c fsync=off -c max_connections=400"))
atexit.register(_stack.close)
connect = engines.connect_database


@cache
def _url_of(_: Path) -> str:
    """A database for each data folder."""
    return _cluster.create_database()


def _connect_to_postgres(settings: Settings, stack: ExitStack) -> PostgresDatabase | None:
    return connect(replace(settings, database_url=_url_of(settings.data)), stack)


engines.connect_database = _connect_to_postgres
