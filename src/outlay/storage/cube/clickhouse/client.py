"""Connections to ClickHouse, one per thread: a server over HTTP, or the engine in this process."""

import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

import clickhouse_connect
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Invalid, Unavailable

SETTINGS: Final = {
    # An unmatched join gives NULL, and a name in an expression is the column, not its alias: as in
    # other databases.
    "join_use_nulls": 1,
    "prefer_column_name_to_alias": 1,
    # An insert has finished when the call returns.
    "async_insert": 0,
    "wait_end_of_query": 1,
}

_REPLICATED: Final = {
    # Every replica answers with what any other replica has acknowledged.
    "insert_quorum": "auto",
    "insert_quorum_parallel": 0,
    "select_sequential_consistency": 1,
}

_MEMORY_EXCEEDED: Final = 241
_PARAMETER: Final = re.compile(r"\$([a-z0-9_]+)")
_TYPES: Final = {str: "String", int: "Int64", list: "Array(String)"}

Values = Mapping[str, str | int | list[str]]


class ClickHouse:
    """A ClickHouse server or cluster, as one process uses it. Thread-safe."""

    def __init__(self, url: str) -> None:
        """`url` is `clickhouse://user:password@host:8123/database`.

        `?secure=1` uses TLS; with `?cluster=name` tables are replicated over a cluster.
        `chdb:///folder/database` is the engine in this process, for tests.
        """
        parts = urlsplit(url)
        options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        self.cluster = options.get("cluster", "")
        path, _, database = parts.path.rpartition("/")
        self.database = database or "outlay"
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", self.database):
            raise Invalid(
                "OUTLAY_CUBE_URL must name a database of letters, digits and underscores."
            )
        if self.cluster and not re.fullmatch(r"[A-Za-z0-9_{}.-]+", self.cluster):
            raise Invalid("OUTLAY_CUBE_URL must name a cluster of letters, digits and underscores.")
        self._arguments: dict[str, Any] = (
            {"interface": "chdb", "path": path}
            if parts.scheme == "chdb"
            else {
                "host": parts.hostname or "127.0.0.1",
                "port": parts.port or (8443 if options.get("secure") else 8123),
                "username": unquote(parts.username or "default"),
                "password": unquote(parts.password or ""),
                "secure": bool(options.get("secure")),
                "autogenerate_session_id": False,
            }
        )
        self._mine = threading.local()
        self._opened: list[Client] = []
        self._opening = threading.Lock()

    @property
    def on_cluster(self) -> str:
        """The clause that makes all replicas run a CREATE or DROP statement."""
        return f" ON CLUSTER '{self.cluster}'" if self.cluster else ""

    def _client(self, database: str) -> Client:
        """This thread's connection to a database."""
        clients: dict[str, Client] = self._mine.__dict__.setdefault("clients", {})
        if database not in clients:
            settings = {**SETTINGS, **(_REPLICATED if self.cluster else {})}
            if self._arguments.get("interface") == "chdb":
                del settings["wait_end_of_query"]
            client = clickhouse_connect.get_client(
                database=database, settings=settings, **self._arguments
            )
            clients[database] = client
            with self._opening:
                self._opened.append(client)
        return clients[database]

    def ask(self, database: str, text: str, values: Values | None = None) -> list[Any]:
        """The rows of a statement, whose parameters are marked by `$name`."""
        with _translated():
            found = self._client(database).query(marked(text, values or {}), dict(values or {}))
            return list(found.result_rows)

    def stream(self, database: str, text: str, values: Values) -> Iterator[Any]:
        """The rows of a statement, streamed because they may not fit into memory."""
        with (
            _translated(),
            self._client(database).query_rows_stream(marked(text, values), dict(values)) as rows,
        ):
            yield from rows

    def run(self, database: str, text: str, token: str = "") -> None:
        """Run a statement; an insert with a token that was used before has no effect."""
        with _translated():
            self._client(database).command(text, settings=_deduplicated(token))

    def insert(
        self,
        database: str,
        table: str,
        columns: Sequence[str],
        rows: Sequence[Sequence[Any]],
        token: str,
    ) -> None:
        """Insert rows as one block; repeating it with the same token has no effect."""
        with _translated():
            self._client(database).insert(
                table, rows, column_names=list(columns), settings=_deduplicated(token)
            )

    def close(self) -> None:
        """Close all connections."""
        with self._opening:
            for client in self._opened:
                client.close()
            self._opened = []


def marked(text: str, values: Values) -> str:
    """A statement with its parameters in the engine's form, which includes their types."""

    def mark(found: re.Match[str]) -> str:
        name = found[1]
        return f"{{{name}:{_TYPES[type(values[name])]}}}"

    return _PARAMETER.sub(mark, text)


def _deduplicated(token: str) -> dict[str, Any]:
    if not token:
        return {}
    return {"insert_deduplication_token": token, "max_partitions_per_insert_block": 0}


@contextmanager
def _translated() -> Iterator[None]:
    """Translate driver errors to Unavailable."""
    try:
        yield
    except ClickHouseError as error:
        code = getattr(error, "code", None)
        first = str(error).strip().partition("\n")[0][:300]
        if code == _MEMORY_EXCEEDED or "MEMORY_LIMIT_EXCEEDED" in first:
            raise Unavailable(
                "This query needs more memory than is free. Try again in a moment or choose a "
                "shorter period.",
                code=ErrorCode.CUBE_BUSY,
            ) from error
        raise Unavailable(f"The cube is unreachable: {first}.", code=ErrorCode.CUBE_AWAY) from error
