"""A private PostgreSQL, gone afterwards."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

USER = "outlay"


@contextmanager
def running_postgres(options: str = "") -> Iterator[Path]:
    """The folder of its socket; the database `postgres` is empty, and `outlay` may do anything."""
    binaries = max(Path("/usr/lib/postgresql").glob("*/bin"), key=_version)
    folder = Path(tempfile.mkdtemp(prefix="outlay-pg-"))
    folder.chmod(0o777)
    as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    cluster = folder / "cluster"

    def run(*command: str) -> None:
        subprocess.run([*as_user, *command], check=True, stdout=subprocess.DEVNULL)

    run(str(binaries / "initdb"), "-D", str(cluster), "-A", "trust", "-U", USER)
    always = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off"
    control = str(binaries / "pg_ctl")
    log = str(folder / "log")
    run(control, "-D", str(cluster), "-w", "-o", f"{always} {options}", "-l", log, "start")
    try:
        yield folder
    finally:
        run(control, "-D", str(cluster), "-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)


def _version(binaries: Path) -> int:
    return int(binaries.parent.name)
