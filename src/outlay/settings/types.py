"""Types of settings: how the text of a variable becomes a value, and what it must be."""

import re
from dataclasses import dataclass
from enum import StrEnum
from logging import getLevelNamesMapping
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator

from outlay.kit.addresses import Network, parse_networks
from outlay.kit.egress import Egress, parse_egress

MAX_WORKERS: Final = 64

_HOST: Final = re.compile(r"(\*\.)?[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_-]+)*")
_LOG_FORMAT: Final = "json"


@dataclass(frozen=True, slots=True)
class Form:
    """The required form of a variable's text, for error messages."""

    must: str
    """Completes "OUTLAY_X must …". The bounds of a number are added from its type."""
    unit: str = ""
    none: str = ""
    """How None is written."""


@dataclass(frozen=True, slots=True)
class Variable:
    """The source of a setting and its purpose."""

    name: str
    about: str
    """One or two sentences, in Markdown."""
    option: str = ""
    """The command-line option that takes precedence."""
    default: str = ""
    """The default in words, if the value does not show it: what happens when nothing is set."""
    old_name: str = ""
    """Still accepted, with a warning."""
    is_secret: bool = False


class LogLevel(StrEnum):
    """The minimum severity of logged messages."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"

    @property
    def number(self) -> int:
        """The corresponding level of Python's logging."""
        return getLevelNamesMapping()[self.name]


@dataclass(frozen=True, slots=True)
class LogSettings:
    """What is logged, and the format of a line."""

    level: LogLevel = LogLevel.INFO
    is_json: bool = False


def _parse_log(text: str) -> LogSettings:
    words = [word.strip() for word in text.lower().split(",")]
    levels = [word for word in words if word != _LOG_FORMAT]
    if len(levels) > 1:
        raise ValueError("more than one level is named")
    return LogSettings(LogLevel(levels[0]) if levels else LogLevel.INFO, _LOG_FORMAT in words)


def _hour_or_never(text: str) -> str | None:
    return None if text == "off" else text


def _path(text: str | Path) -> Path:
    return Path(text).expanduser().absolute()


def _database_url(text: str) -> str:
    return _url(text, "postgresql", "postgres")


def _cube_url(text: str) -> str:
    return _url(text, "clickhouse", "chdb")


def _traces_url(text: str) -> str:
    return _url(text, "http", "https")


def _url(text: str, *schemes: str) -> str:
    scheme, _, rest = text.partition("://")
    if scheme not in schemes or not rest:
        raise AssertionError  # the form says what is wrong; the text may contain a password
    return text


def _contact(text: str) -> str:
    is_uri = text.startswith(("mailto:", "https://", "tel:")) and text.isprintable()
    if not is_uri or " " in text:
        raise AssertionError
    return text


def _origin(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path.strip("/"):
        raise AssertionError
    return f"{parts.scheme}://{parts.netloc}"


def _host_names(text: str) -> tuple[str, ...]:
    hosts = tuple(text.lower().replace(",", " ").split())
    for host in hosts:
        if not _HOST.fullmatch(host):
            raise ValueError(f"{host!r} is not a host name")
    return hosts


Port = Annotated[int, Field(ge=0, le=65_535), Form("be a port number")]
Workers = Annotated[int, Field(ge=1, le=MAX_WORKERS), Form("be a number")]
Events = Annotated[int, Field(ge=0, le=100_000_000), Form("be a number of events", "events")]
Connections = Annotated[
    int, Field(ge=0, le=100_000_000), Form("be a number of connections", "connections")
]
PoolSize = Annotated[int, Field(ge=2, le=500), Form("be a number of connections", "connections")]
Requests = Annotated[int, Field(ge=0, le=1_000_000), Form("be a number of requests", "requests")]
Days = Annotated[int, Field(ge=0, le=36_500), Form("be a number of days", "days")]
Seconds = Annotated[float, Field(gt=0, le=86_400), Form("be a number of seconds", "seconds")]
Switch = Annotated[bool, Form("be on or off")]
Hour = Annotated[
    Annotated[int, Field(ge=0, le=23)] | None,
    BeforeValidator(_hour_or_never),
    Form("be an hour from 0 to 23, in UTC, or off", none="off"),
]
Text = Annotated[str, Form("be text")]
FilePath = Annotated[Path, PlainValidator(_path), Form("be a path")]
OptionalPath = Annotated[Path | None, PlainValidator(_path), Form("be a path")]
DatabaseUrl = Annotated[str, AfterValidator(_database_url), Form("begin with postgresql://")]
CubeUrl = Annotated[str, AfterValidator(_cube_url), Form("begin with clickhouse://")]
TracesUrl = Annotated[
    str, AfterValidator(_traces_url), Form("be like http://127.0.0.1:4318/v1/traces")
]
Contact = Annotated[str, AfterValidator(_contact), Form("begin with mailto:, https:// or tel:")]
OriginUrl = Annotated[
    str, AfterValidator(_origin), Form("be like https://outlay.example.com, without path")
]
HostNames = Annotated[
    tuple[str, ...],
    PlainValidator(_host_names),
    Form("be host names without port, such as outlay.example.com or *.example.com"),
]
Networks = Annotated[
    tuple[Network, ...],
    PlainValidator(parse_networks),
    Form("be addresses and networks such as 10.0.0.5,192.168.7.0/24"),
]
EgressPolicy = Annotated[
    Egress,
    PlainValidator(parse_egress),
    Form("be allow, refuse, or the networks that are allowed, like 10.1.2.0/24,127.0.0.1"),
]
Log = Annotated[
    LogSettings,
    PlainValidator(_parse_log),
    Form("be debug, info, warning or error, and may end in ,json, such as info,json"),
]
