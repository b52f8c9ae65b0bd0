"""Every setting, declared once: type, default, variable and description."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final

from outlay.kit.addresses import is_loopback_name
from outlay.kit.egress import OPEN
from outlay.settings.types import (
    MAX_WORKERS,
    Connections,
    Contact,
    CubeUrl,
    DatabaseUrl,
    Days,
    EgressPolicy,
    Events,
    FilePath,
    HostNames,
    Hour,
    Log,
    LogLevel,
    LogSettings,
    Networks,
    OptionalPath,
    OriginUrl,
    PoolSize,
    Port,
    Requests,
    Seconds,
    Switch,
    Text,
    TracesUrl,
    Variable,
    Workers,
)

__all__ = [
    "DEFAULT_POOL_SIZE",
    "DEFAULT_PORT",
    "MAX_WORKERS",
    "EdgeSettings",
    "LogLevel",
    "LogSettings",
    "ProxySettings",
    "Settings",
]

DEFAULT_PORT: Final = 4100
DEFAULT_POOL_SIZE: Final = 8
DEFAULT_LOG: Final = LogSettings()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxySettings:
    """Timeouts and read limits of the gateway; times in seconds."""

    connect_seconds: Annotated[
        Seconds, Variable("OUTLAY_CONNECT_TIMEOUT", "Timeout for connecting to an upstream.")
    ] = 10.0
    answer_seconds: Annotated[
        Seconds,
        Variable(
            "OUTLAY_ANSWER_TIMEOUT",
            "Timeout from the last byte of a request to the first byte of its answer.",
        ),
    ] = 600.0
    idle_seconds: Annotated[
        Seconds, Variable("OUTLAY_IDLE_TIMEOUT", "Timeout between two pieces of an answer.")
    ] = 120.0
    total_seconds: Annotated[
        Seconds, Variable("OUTLAY_TOTAL_TIMEOUT", "Timeout for a request and its whole answer.")
    ] = 3_600.0
    client_seconds: Annotated[
        Seconds,
        Variable(
            "OUTLAY_CLIENT_TIMEOUT",
            "Timeout for a client that does not read its answer; it then counts as disconnected.",
        ),
    ] = 60.0
    drain_seconds: Annotated[
        Seconds,
        Variable(
            "OUTLAY_DRAIN_TIMEOUT",
            "Time for reading an answer to its end, where its usage is, after the client has "
            "disconnected.",
        ),
    ] = 300.0
    drain_bytes: int = 64 * 1024 * 1024
    max_drains: Annotated[
        Requests,
        Variable(
            "OUTLAY_MAX_DRAINS",
            "Maximum number of answers read without a client at the same time. Further ones "
            "are closed, and their usage is estimated.",
        ),
    ] = 256
    grace_seconds: Annotated[
        Seconds, Variable("OUTLAY_GRACE", "Time for running requests after SIGTERM.")
    ] = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeSettings:
    """Which clients are answered, and the limits for unauthenticated clients."""

    head_seconds: Annotated[
        Seconds,
        Variable(
            "OUTLAY_HEAD_TIMEOUT",
            "Timeout from the start of a connection to the end of the head of its first request.",
        ),
    ] = 10.0
    body_seconds: Annotated[
        Seconds,
        Variable(
            "OUTLAY_BODY_TIMEOUT",
            "Timeout for a body that makes no progress, and for an answer that is not read.",
        ),
    ] = 60.0
    max_connections: Annotated[
        Connections,
        Variable(
            "OUTLAY_MAX_CONNECTIONS",
            "Maximum number of concurrent connections.",
            default="half of the files that the process may open, at most 10,000",
        ),
    ] = 0
    max_connections_per_client: Annotated[
        Connections,
        Variable(
            "OUTLAY_MAX_CONNECTIONS_PER_CLIENT",
            "Maximum number of concurrent connections per client address.",
            default="half of all connections",
        ),
    ] = 0
    trusted_proxies: Annotated[
        Networks,
        Variable(
            "OUTLAY_TRUSTED_PROXIES",
            "Addresses and networks of proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are "
            "trusted: `10.0.0.5,192.168.7.0/24`.",
            default="none",
        ),
    ] = ()
    trusted_hosts: Annotated[
        HostNames,
        Variable(
            "OUTLAY_TRUSTED_HOSTS",
            "Further host names of the server; `*.example.com` for all subdomains: "
            "`outlay,*.example.com`.",
            default="none",
        ),
    ] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The configuration of one process, read once and passed down."""

    data: Annotated[
        FilePath,
        Variable(
            "OUTLAY_DATA",
            "The data directory. With the engines of one machine, everything is in it.",
            option="--data",
            default="./outlay-data",
        ),
    ]
    database_url: Annotated[
        DatabaseUrl,
        Variable(
            "OUTLAY_DATABASE_URL",
            "Ledger and directory on PostgreSQL: `postgresql://…`.",
            default="the SQLite file `outlay.sqlite3` in the data directory",
            is_secret=True,
        ),
    ] = field(default="", repr=False)
    database_pool: Annotated[
        PoolSize,
        Variable(
            "OUTLAY_DATABASE_POOL",
            "Connections to PostgreSQL that each process keeps open; under load it opens up to as "
            "many again. Twice this number times all processes must fit into `max_connections` of "
            "the server.",
        ),
    ] = DEFAULT_POOL_SIZE
    buffer_events: Annotated[
        Events,
        Variable(
            "OUTLAY_BUFFER_EVENTS",
            "Size of the write-ahead buffer: events and intents that each process accepts while "
            "PostgreSQL is unreachable.",
            old_name="OUTLAY_JOURNAL_EVENTS",
        ),
    ] = 100_000
    cube_url: Annotated[
        CubeUrl,
        Variable(
            "OUTLAY_CUBE_URL",
            "The cube on ClickHouse: `clickhouse://…`.",
            default="the DuckDB file `cube.duckdb` in the data directory",
            is_secret=True,
        ),
    ] = field(default="", repr=False)
    workers: Annotated[
        Workers,
        Variable(
            "OUTLAY_WORKERS",
            "Server processes. More than one requires PostgreSQL.",
            option="--workers",
        ),
    ] = 1
    worker: int = 0
    """The number of this process among those that serve from the data directory."""
    host: Annotated[Text, Variable("OUTLAY_HOST", "The address to listen on.", option="--host")] = (
        "127.0.0.1"
    )
    port: Annotated[
        Port,
        Variable("OUTLAY_PORT", "The port to listen on; 0 selects a free one.", option="--port"),
    ] = DEFAULT_PORT
    master_key: Annotated[
        Text,
        Variable(
            "OUTLAY_MASTER_KEY",
            "The key that seals the secrets of upstreams: 64 hexadecimal digits.",
            default="the file `master.key` in the data directory",
            is_secret=True,
        ),
    ] = field(default="", repr=False)
    audit_key: Annotated[
        Text,
        Variable(
            "OUTLAY_AUDIT_KEY",
            "The key that signs the audit trail: 64 hexadecimal digits.",
            default="the file `audit.key` in the data directory",
            is_secret=True,
        ),
    ] = field(default="", repr=False)
    audit_checkpoints: Annotated[
        OptionalPath,
        Variable(
            "OUTLAY_AUDIT_CHECKPOINTS",
            "The file for the signed checkpoints of the audit trail.",
            default="the file `audit-checkpoints.jsonl` in the data directory",
        ),
    ] = None
    public_url: Annotated[
        OriginUrl,
        Variable(
            "OUTLAY_PUBLIC_URL",
            "URL at which browsers reach the server, for example behind a proxy that terminates "
            "TLS: `https://outlay.example.com`.",
            default="the host named in the request",
        ),
    ] = ""
    security_contact: Annotated[
        Contact,
        Variable(
            "OUTLAY_SECURITY_CONTACT",
            "Where to report vulnerabilities, `mailto:…` or `https://…`; served as "
            "`/.well-known/security.txt`.",
            default="none",
        ),
    ] = ""
    verify_hour: Annotated[
        Hour,
        Variable(
            "OUTLAY_VERIFY_HOUR",
            "The hour, in UTC, of the daily verification; `off` for none.",
        ),
    ] = 3
    end_user_days: Annotated[
        Days,
        Variable(
            "OUTLAY_END_USER_DAYS",
            "How long the end users that requests name are kept; 0 for permanently.",
        ),
    ] = 0
    egress: Annotated[
        EgressPolicy,
        Variable(
            "OUTLAY_PRIVATE_UPSTREAMS",
            "Whether upstreams and identity providers may be in private networks and on this "
            "machine: `allow`, `refuse`, or the networks that may.",
        ),
    ] = OPEN
    upgrade_backup: Annotated[
        Switch,
        Variable(
            "OUTLAY_UPGRADE_BACKUP",
            "Whether the SQLite database is copied before a new version changes its tables.",
        ),
    ] = True
    log: Annotated[
        Log,
        Variable(
            "OUTLAY_LOG",
            "What servers log to standard error: `debug`, `info`, `warning` or `error`, and "
            "`,json` for a JSON object per line. From `info` on there is a line per request.",
        ),
    ] = DEFAULT_LOG
    traces_url: Annotated[
        TracesUrl,
        Variable(
            "OUTLAY_TRACES",
            "Where Outlay sends OpenTelemetry traces of itself: `http://127.0.0.1:4318/v1/traces`. "
            "Needs the extra `tracing`.",
            default="none",
            is_secret=True,
        ),
    ] = ""
    proxy: ProxySettings = ProxySettings()
    edge: EdgeSettings = EdgeSettings()
    warnings: tuple[str, ...] = ()
    """Warnings about the configuration; servers log them at startup."""

    @property
    def takes_any_host(self) -> bool:
        """Whether no host name is configured although other machines can reach the server."""
        is_named = self.public_url or self.edge.trusted_hosts
        return not is_named and not is_loopback_name(self.host)

    @property
    def database_path(self) -> Path:
        """The transactional database: ledger and directory."""
        return self.data / "outlay.sqlite3"

    @property
    def cube_path(self) -> Path:
        """The derived rollups of this process; may be deleted at any time."""
        return self.data / f"{self._mine('cube')}.duckdb"

    @property
    def prices_path(self) -> Path:
        """The operator's price overrides, if there are any."""
        return self.data / "prices.toml"

    @property
    def master_key_path(self) -> Path:
        """The key that seals the secrets of upstreams; created if there is none."""
        return self.data / "master.key"

    @property
    def audit_key_path(self) -> Path:
        """The key that signs the checkpoints of the audit trail; created if there is none."""
        return self.data / "audit.key"

    @property
    def checkpoints_path(self) -> Path:
        """The signed checkpoints of the audit trail."""
        return self.audit_checkpoints or self.data / "audit-checkpoints.jsonl"

    @property
    def lock_path(self) -> Path:
        """Locked by the process that uses the folder, or this worker's part of it."""
        return self.data / f"{self._mine('outlay')}.lock"

    @property
    def journal_path(self) -> Path:
        """The write-ahead buffer: what this process acknowledged while the database was
        unreachable."""
        return self.data / f"{self._mine('journal')}.sqlite3"

    @property
    def rescue_path(self) -> Path:
        """Outcomes that this process's ledger could not store, until the next start."""
        return self.data / f"{self._mine('rescue')}.jsonl"

    def metrics_path(self, worker: int) -> Path:
        """The metrics of one of several workers, for the others."""
        return self.data / f"metrics-{worker}.json"

    @property
    def moved_path(self) -> Path:
        """Exists once the installation in the folder has been moved to another database."""
        return self.data / "moved.json"

    @property
    def node_path(self) -> Path:
        """The id of the folder's processes among the nodes; created if there is none."""
        return self.data / "node.id"

    def _mine(self, name: str) -> str:
        return f"{name}-{self.worker}" if self.worker else name

    @property
    def server_path(self) -> Path:
        """The address at which other commands reach the process that uses the folder."""
        return self.data / "server.json"
