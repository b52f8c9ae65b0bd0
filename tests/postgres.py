"""A private PostgreSQL, deleted afterwards."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import psycopg

from tests.reaper import reaper

ADMIN = "admin"
"""A superuser, to which row-level security does not apply."""
USER = "outlay"
"""Owns databases, and has no other privileges."""

_numbers = count(1)


class Cluster:
    """A server on a socket in its own folder."""

    def __init__(self, folder: Path, options: str) -> None:
        self.folder = folder
        binaries = max(Path("/usr/lib/postgresql").glob("*/bin"), key=_version)
        self._as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        self._data = folder / "cluster"
        self._control = str(binaries / "pg_ctl")
        self._options = f"-c listen_addresses='' -c unix_socket_directories={folder} {options}"
        self._run(str(binaries / "initdb"), "-D", str(self._data), "-A", "trust", "-U", ADMIN)

    def _run(self, *command: str) -> None:
        subprocess.run([*self._as_user, *command], check=True, stdout=subprocess.DEVNULL)

    def start(self) -> None:
        """Start the server and wait until it answers."""
        log = str(self.folder / "log")
        data = str(self._data)
        self._run(self._control, "-D", data, "-w", "-o", self._options, "-l", log, "start")
        self._pid = int((self._data / "postmaster.pid").read_text().split()[0])
        reaper().watch(self._pid, signal.SIGQUIT)  # ends it and its processes at once

    def stop(self, mode: str = "immediate") -> None:
        """Stop the server; `immediate` is a crash, after which it recovers from its log."""
        self._run(self._control, "-D", str(self._data), "-w", "-m", mode, "stop")
        reaper().forget(self._pid)

    def url(self, database: str, user: str = USER) -> str:
        """The URL of a database."""
        return f"postgresql://{user}@/{database}?host={self.folder}"

    def create_database(self) -> str:
        """The URL of a new, empty database that `outlay` owns."""
        name = f"db{next(_numbers)}"
        with psycopg.connect(self.url("postgres", ADMIN), autocommit=True) as connection:
            if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = 'outlay'").fetchone():
                connection.execute(f"CREATE ROLE {USER} LOGIN")
            connection.execute(f"CREATE DATABASE {name} OWNER {USER} TEMPLATE template0")
        return self.url(name)


@contextmanager
def running_postgres(options: str = "-c fsync=off") -> Iterator[Cluster]:
    """A server with the given options; by default it does not flush to disk."""
    folder = Path(tempfile.mkdtemp(prefix="outlay-pg-"))
    folder.chmod(0o777)
    cluster = Cluster(folder, options)
    cluster.start()
    try:
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _version(binaries: Path) -> int:
    return int(binaries.parent.name)
