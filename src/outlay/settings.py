"""What can be configured, and the only reader of the environment."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from outlay.domain.errors import Invalid
from outlay.kit.addresses import Network, is_loopback_name, parse_networks
from outlay.kit.egress import OPEN, Egress, parse_egress

DEFAULT_PORT: Final = 4100
MAX_WORKERS: Final = 64
_HOST: Final = re.compile(r"(\*\.)?[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_-]+)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxySettings:
    """How long and how much the gateway bears with; times in seconds."""

    connect_seconds: float = 10.0
    answer_seconds: float = 600.0
    """From the request's last byte to the first of the answer."""
    idle_seconds: float = 120.0
    """Between two pieces of an answer."""
    total_seconds: float = 3_600.0
    client_seconds: float = 60.0
    """Until a client that takes nothing counts as gone."""
    drain_seconds: float = 300.0
    """For reading an answer to its end, and so its usage, after the client has gone."""
    drain_bytes: int = 64 * 1024 * 1024
    max_drains: int = 256
    """Answers read on without a client at a time; further ones are broken off and estimated."""
    grace_seconds: float = 10.0
    """For requests under way after SIGTERM."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeSettings:
    """Whom the server answers, and how long it bears with whom it does not know; in seconds."""

    head_seconds: float = 10.0
    """From the beginning of a connection, or of a further request on it, to the end of the head."""
    body_seconds: float = 60.0
    """For a body that does not go on, and for an answer that is not taken."""
    max_connections: int = 0
    """At a time; 0 derives it from the limit of open files."""
    max_connections_per_client: int = 0
    """At a time from one address; 0 is half of all."""
    trusted_proxies: tuple[Network, ...] = ()
    """Whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed."""
    trusted_hosts: tuple[str, ...] = ()
    """Further names that the server is reached by; `*.example.com` for all below one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The configuration of one process, read once and passed down."""

    data: Path
    """Folder of this node: with the engines of one machine, all that there is."""
    database_url: str = field(default="", repr=False)
    """`postgresql://…` with ledger and directory; empty: the SQLite file in the data folder."""
    journal_events: int = 100_000
    """How many events and intents a process takes while the database is away."""
    cube_url: str = field(default="", repr=False)
    """`clickhouse://…` with the cube; empty: a DuckDB file in the data folder."""
    workers: int = 1
    """How many processes serve together from the folder."""
    worker: int = 0
    """Which of the processes that serve from the folder this is."""
    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    """0 takes a free one."""
    master_key: str = field(default="", repr=False)
    """Hexadecimal; empty means the file in the data folder."""
    audit_key: str = field(default="", repr=False)
    """Hexadecimal; empty means the file in the data folder."""
    audit_checkpoints: Path | None = None
    """Where the signed checkpoints go, unless into the data folder."""
    public_url: str = ""
    """How browsers reach the server, `https://outlay.example.com`; empty: as they say they do."""
    security_contact: str = ""
    """`mailto:…` or `https://…` for reports of vulnerabilities; empty: nobody is named."""
    verify_hour: int | None = 3
    """The hour, in UTC, at which a verification runs by itself every day; None for never."""
    end_user_days: int = 0
    """How long the end users that requests claim are kept; 0 for good."""
    egress: Egress = OPEN
    """Which addresses upstreams and identity providers may have."""
    upgrade_backup: bool = True
    """Whether the database is copied aside before its tables are changed for a new version."""
    proxy: ProxySettings = ProxySettings()
    edge: EdgeSettings = EdgeSettings()

    @property
    def takes_any_host(self) -> bool:
        """Whether nothing says what the server is called, and not only this machine reaches it."""
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
        """The operator's price overrides, where there are any."""
        return self.data / "prices.toml"

    @property
    def master_key_path(self) -> Path:
        """What the secrets of upstreams are sealed with; made when there is none."""
        return self.data / "master.key"

    @property
    def audit_key_path(self) -> Path:
        """What the checkpoints of the audit trail are signed with; made when there is none."""
        return self.data / "audit.key"

    @property
    def checkpoints_path(self) -> Path:
        """The signed checkpoints of the audit trail."""
        return self.audit_checkpoints or self.data / "audit-checkpoints.jsonl"

    @property
    def lock_path(self) -> Path:
        """Held by the one process that has the folder open, or this worker's part of it."""
        return self.data / f"{self._mine('outlay')}.lock"

    @property
    def journal_path(self) -> Path:
        """What this process has acknowledged while the database was away, until it is there."""
        return self.data / f"{self._mine('journal')}.sqlite3"

    @property
    def rescue_path(self) -> Path:
        """Outcomes that this process's ledger could not take, until the next start."""
        return self.data / f"{self._mine('rescue')}.jsonl"

    def metrics_path(self, worker: int) -> Path:
        """What one of several workers has counted, for the others."""
        return self.data / f"metrics-{worker}.json"

    @property
    def moved_path(self) -> Path:
        """There once the installation in the folder has been moved to another database."""
        return self.data / "moved.json"

    @property
    def node_path(self) -> Path:
        """Under which id others know the folder's processes; made when there is none."""
        return self.data / "node.id"

    def _mine(self, name: str) -> str:
        return f"{name}-{self.worker}" if self.worker else name

    @property
    def server_path(self) -> Path:
        """How other commands reach the process that has the folder open."""
        return self.data / "server.json"


def read_settings(
    *,
    data: Path | str | None = None,
    host: str | None = None,
    port: int | None = None,
    workers: int | None = None,
    environment: Mapping[str, str] | None = None,
) -> Settings:
    """Settings from arguments, then from the environment, then defaults.

    Variables: `OUTLAY_DATA`, `OUTLAY_DATABASE_URL`, `OUTLAY_HOST`, `OUTLAY_PORT`,
    `OUTLAY_PUBLIC_URL`, `OUTLAY_WORKERS`, `OUTLAY_CUBE_URL`,
    `OUTLAY_MASTER_KEY`, `OUTLAY_AUDIT_KEY`, `OUTLAY_AUDIT_CHECKPOINTS`, `OUTLAY_END_USER_DAYS`,
    `OUTLAY_JOURNAL_EVENTS`, `OUTLAY_VERIFY_HOUR`, `OUTLAY_SECURITY_CONTACT`,
    `OUTLAY_TRUSTED_PROXIES`,
    `OUTLAY_TRUSTED_HOSTS`, `OUTLAY_PRIVATE_UPSTREAMS`, `OUTLAY_MAX_CONNECTIONS`,
    `OUTLAY_MAX_CONNECTIONS_PER_CLIENT`, `OUTLAY_UPGRADE_BACKUP` and, in seconds,
    `OUTLAY_ANSWER_TIMEOUT`, `OUTLAY_IDLE_TIMEOUT`, `OUTLAY_GRACE`, `OUTLAY_HEAD_TIMEOUT`,
    `OUTLAY_BODY_TIMEOUT`.
    """
    variables = os.environ if environment is None else environment  # noqa: TID251 - the one reader
    chosen_port = port if port is not None else _port(variables.get("OUTLAY_PORT"))
    folder = Path(data or variables.get("OUTLAY_DATA") or "outlay-data")
    checkpoints = variables.get("OUTLAY_AUDIT_CHECKPOINTS")
    return Settings(
        data=folder.expanduser().absolute(),
        database_url=_url(variables, "OUTLAY_DATABASE_URL", ("postgresql", "postgres")),
        cube_url=_url(variables, "OUTLAY_CUBE_URL", ("clickhouse", "chdb")),
        host=host or variables.get("OUTLAY_HOST") or "127.0.0.1",
        port=chosen_port,
        workers=workers or _workers(variables.get("OUTLAY_WORKERS")),
        master_key=variables.get("OUTLAY_MASTER_KEY") or "",
        audit_key=variables.get("OUTLAY_AUDIT_KEY") or "",
        audit_checkpoints=Path(checkpoints).expanduser().absolute() if checkpoints else None,
        public_url=_public_url(variables.get("OUTLAY_PUBLIC_URL")),
        security_contact=_contact(variables, "OUTLAY_SECURITY_CONTACT"),
        end_user_days=_days(variables, "OUTLAY_END_USER_DAYS"),
        verify_hour=_hour(variables, "OUTLAY_VERIFY_HOUR", 3),
        journal_events=_count(variables, "OUTLAY_JOURNAL_EVENTS", 100_000),
        egress=_egress(variables.get("OUTLAY_PRIVATE_UPSTREAMS")),
        upgrade_backup=_switch(variables, "OUTLAY_UPGRADE_BACKUP"),
        proxy=ProxySettings(
            answer_seconds=_seconds(variables, "OUTLAY_ANSWER_TIMEOUT", 600.0),
            idle_seconds=_seconds(variables, "OUTLAY_IDLE_TIMEOUT", 120.0),
            grace_seconds=_seconds(variables, "OUTLAY_GRACE", 10.0),
        ),
        edge=EdgeSettings(
            head_seconds=_seconds(variables, "OUTLAY_HEAD_TIMEOUT", 10.0),
            body_seconds=_seconds(variables, "OUTLAY_BODY_TIMEOUT", 60.0),
            max_connections=_count(variables, "OUTLAY_MAX_CONNECTIONS", 0, "connections"),
            max_connections_per_client=_count(
                variables, "OUTLAY_MAX_CONNECTIONS_PER_CLIENT", 0, "connections"
            ),
            trusted_proxies=_networks(variables, "OUTLAY_TRUSTED_PROXIES"),
            trusted_hosts=_hosts(variables, "OUTLAY_TRUSTED_HOSTS"),
        ),
    )


def _url(variables: Mapping[str, str], name: str, schemes: tuple[str, ...]) -> str:
    text = variables.get(name) or ""
    scheme, separator, rest = text.partition("://")
    if not text:
        return ""
    if scheme not in schemes or not separator or not rest:
        # Not shown: it may hold a password.
        raise Invalid(f"{name} must start with {schemes[0]}://.")
    return text


def _seconds(variables: Mapping[str, str], name: str, default: float) -> float:
    text = variables.get(name)
    if not text:
        return default
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= 86_400:
        raise Invalid(f"{name} must be a number of seconds between 0 and 86400, not {text!r}.")
    return seconds


def _contact(variables: Mapping[str, str], name: str) -> str:
    text = variables.get(name) or ""
    is_uri = text.startswith(("mailto:", "https://", "tel:")) and text.isprintable()
    if text and (not is_uri or " " in text):
        raise Invalid(f"{name} must start with mailto:, https:// or tel:, not {text!r}.")
    return text


def _count(variables: Mapping[str, str], name: str, default: int, things: str = "events") -> int:
    text = variables.get(name)
    if not text:
        return default
    if not text.isdecimal() or int(text) > 100_000_000:
        raise Invalid(f"{name} must be a number of {things} up to 100000000, not {text!r}.")
    return int(text)


def _networks(variables: Mapping[str, str], name: str) -> tuple[Network, ...]:
    try:
        return parse_networks(variables.get(name) or "")
    except ValueError as error:
        raise Invalid(
            f"{name} must be addresses and networks such as 10.0.0.5,192.168.7.0/24: {error}."
        ) from error


def _hosts(variables: Mapping[str, str], name: str) -> tuple[str, ...]:
    hosts = (variables.get(name) or "").lower().replace(",", " ").split()
    for host in hosts:
        if not _HOST.fullmatch(host):
            raise Invalid(
                f"{name} must be host names without a port, such as outlay.example.com or "
                f"*.example.com, not {host!r}."
            )
    return tuple(hosts)


def _hour(variables: Mapping[str, str], name: str, default: int) -> int | None:
    text = variables.get(name)
    if not text:
        return default
    if text == "off":
        return None
    if not text.isdecimal() or int(text) > 23:
        raise Invalid(f"{name} must be an hour between 0 and 23 (UTC) or off, not {text!r}.")
    return int(text)


def _days(variables: Mapping[str, str], name: str) -> int:
    text = variables.get(name) or "0"
    if not text.isdecimal() or int(text) > 36_500:
        raise Invalid(f"{name} must be a number of days (0 for no limit), not {text!r}.")
    return int(text)


def _egress(text: str | None) -> Egress:
    try:
        return parse_egress(text or "")
    except ValueError as error:
        raise Invalid(
            "OUTLAY_PRIVATE_UPSTREAMS must be allow, refuse or the allowed networks, such as "
            f"10.1.2.0/24,127.0.0.1: {error}."
        ) from error


def _switch(variables: Mapping[str, str], name: str) -> bool:
    """What is on unless it is turned off."""
    text = variables.get(name) or "on"
    if text not in {"on", "off"}:
        raise Invalid(f"{name} must be on or off, not {text!r}.")
    return text == "on"


def _public_url(text: str | None) -> str:
    if not text:
        return ""
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path.strip("/"):
        raise Invalid(
            "OUTLAY_PUBLIC_URL must be a URL without a path, such as https://outlay.example.com, "
            f"not {text!r}."
        )
    return f"{parts.scheme}://{parts.netloc}"


def _workers(text: str | None) -> int:
    if not text:
        return 1
    if not text.isdecimal() or not 1 <= int(text) <= MAX_WORKERS:
        raise Invalid(f"OUTLAY_WORKERS must be a number between 1 and {MAX_WORKERS}, not {text!r}.")
    return int(text)


def _port(text: str | None) -> int:
    if not text:
        return DEFAULT_PORT
    if not text.isdecimal() or not 0 <= int(text) <= 65_535:
        raise Invalid(f"OUTLAY_PORT must be a port number between 0 and 65535, not {text!r}.")
    return int(text)
