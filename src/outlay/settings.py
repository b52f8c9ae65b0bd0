"""What can be configured, and the only reader of the environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from outlay.domain.errors import Invalid

DEFAULT_PORT: Final = 4100


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The configuration of one process, read once and passed down."""

    data: Path
    """Folder with the ledger, the cube and the price overrides."""
    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    """0 takes a free one."""

    @property
    def database_path(self) -> Path:
        """The transactional database: ledger and directory."""
        return self.data / "outlay.sqlite3"

    @property
    def cube_path(self) -> Path:
        """The derived rollups; may be deleted at any time."""
        return self.data / "cube.duckdb"

    @property
    def prices_path(self) -> Path:
        """The operator's price overrides, where there are any."""
        return self.data / "prices.toml"

    @property
    def lock_path(self) -> Path:
        """Held by the one process that has the folder open."""
        return self.data / "outlay.lock"

    @property
    def server_path(self) -> Path:
        """How other commands reach the process that has the folder open."""
        return self.data / "server.json"


def read_settings(
    *,
    data: Path | None = None,
    host: str | None = None,
    port: int | None = None,
    environment: Mapping[str, str] | None = None,
) -> Settings:
    """Settings from arguments, then `OUTLAY_DATA`, `OUTLAY_HOST`, `OUTLAY_PORT`, then defaults."""
    variables = os.environ if environment is None else environment  # noqa: TID251 - the one reader
    chosen_port = port if port is not None else _port(variables.get("OUTLAY_PORT"))
    folder = data or Path(variables.get("OUTLAY_DATA") or "outlay-data")
    return Settings(
        data=folder.expanduser().absolute(),
        host=host or variables.get("OUTLAY_HOST") or "127.0.0.1",
        port=chosen_port,
    )


def _port(text: str | None) -> int:
    if not text:
        return DEFAULT_PORT
    if not text.isdecimal() or not 0 <= int(text) <= 65_535:
        raise Invalid(f"OUTLAY_PORT must be a port number from 0 to 65535, not {text!r}")
    return int(text)
