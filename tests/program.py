"""The program as people run it: in its own processes."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from click.testing import CliRunner
from typer.main import get_command

from tests.reaper import reaper

OUTLAY = (sys.executable, "-m", "outlay")

_started: list[subprocess.Popen[str]] = []


def run(
    *arguments: str | Path, env_password: str = "", typed: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; `typed` is its standard input."""
    return subprocess.run(
        [*OUTLAY, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        input=typed,
        env={**os.environ, "COLUMNS": "200", "OUTLAY_OWNER_PASSWORD": env_password},
    )


class _Guarded:
    """The program as `CliRunner` calls it, with errors as one line and an exit code."""

    name = "outlay"

    def main(self, **options: Any) -> Any:
        """Run the command that the options name."""
        from outlay.cli.console import ending_on_errors
        from outlay.cli.main import PRIVATE_UMASK, app

        mask = os.umask(PRIVATE_UMASK)
        try:
            with ending_on_errors():
                return get_command(app).main(**options)
        finally:
            os.umask(mask)


def command(
    *arguments: str | Path, env_password: str = "", typed: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Like `run`, in this process: for tests that do not need a separate process.

    It takes a tenth of the time.
    """
    words = [*map(str, arguments)]
    environment = {"COLUMNS": "200", "OUTLAY_OWNER_PASSWORD": env_password}
    done = CliRunner().invoke(cast(Any, _Guarded()), words, input=typed, env=environment)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return subprocess.CompletedProcess(words, done.exit_code, done.stdout, done.stderr)


def start(*arguments: str | Path, **options: Any) -> subprocess.Popen[str]:
    """Start a command of Outlay."""
    return launch([*OUTLAY, *map(str, arguments)], **options)


def launch(command: Sequence[str | Path], **options: Any) -> subprocess.Popen[str]:
    """Start a program in its own process group, which ends with its test at the latest.

    Its output goes to pipes unless the options for `Popen` say otherwise.
    """
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = subprocess.Popen(command, text=True, start_new_session=True, **{**pipes, **options})
    reaper().watch(process.pid)
    _started.append(process)
    return process


@contextmanager
def ending_programs() -> Iterator[None]:
    """Kill what `launch` has started in the block and is still running: a test may fail
    anywhere."""
    before = len(_started)
    try:
        yield
    finally:
        while len(_started) > before:
            kill_group(_started.pop())


def kill_group(process: subprocess.Popen[str], how: signal.Signals = signal.SIGKILL) -> None:
    """End a process and everything it started."""
    if process.poll() is None:
        os.killpg(process.pid, how)
    if process.stdout is not None and not process.stdout.closed:
        process.communicate(timeout=60)
    else:
        process.wait(60)
    reaper().forget(process.pid)


@contextmanager
def serving(data: Path, port: int = 0) -> Iterator[subprocess.Popen[str]]:
    """`outlay serve` on a data directory, ready to answer."""
    process = start("serve", "--data", data, "--port", str(port))
    try:
        wait_for_server(data, process)
        yield process
    finally:
        kill_group(process, signal.SIGTERM)


def wait_for_server(data: Path, process: subprocess.Popen[str]) -> dict[str, Any]:
    """The line in which a server announces that it is ready."""
    deadline = time.monotonic() + 30
    path = data / "server.json"
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise AssertionError(f"the server ended: {process.communicate()}")
        try:
            info: dict[str, Any] = json.loads(path.read_text())
            if process.pid in {info["pid"], parent_of(info["pid"])}:
                return info
        except (OSError, ValueError):
            pass
        time.sleep(0.02)
    raise AssertionError("the server did not start")


def parent_of(pid: int) -> int:
    """The parent of a process; 0 if it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return int(fields[1])


def command_of(pid: int) -> str:
    """The command line of a process; empty if it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""


def children_of(pid: int) -> list[int]:
    """The running child processes of a process."""
    everybody = (int(path.name) for path in Path("/proc").iterdir() if path.name.isdecimal())
    return [each for each in everybody if parent_of(each) == pid]


def write_trace(path: Path, rows: Sequence[tuple[str, int, int]]) -> Path:
    """A file in the format of the Azure LLM inference traces."""
    lines = ["TIMESTAMP,ContextTokens,GeneratedTokens"]
    lines += [f"{time_},{context},{generated}" for time_, context, generated in rows]
    path.write_text("\n".join(lines))
    return path
