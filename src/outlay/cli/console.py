"""Messages of commands: on standard error, so that standard output contains only data."""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Annotated, Final, TypeVar

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as ProgressBar

from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import OutlayError
from outlay.kit.progress import Progress

EXIT_REQUEST: Final = 2
"""Exit code for requests that cannot be carried out."""
EXIT_DISK: Final = 3
"""Exit code for problems with the disk, or a file on it."""

DISK_CODES: Final = frozenset(
    {
        ErrorCode.BACKUP_NO_ROOM,
        ErrorCode.CUBE_UNUSABLE,
        ErrorCode.DATA_UNWRITABLE,
        ErrorCode.DATABASE_BUSY,
        ErrorCode.DATABASE_DAMAGED,
        ErrorCode.DATABASE_READ_ONLY,
        ErrorCode.DATABASE_UNOPENABLE,
        ErrorCode.DISK_FULL,
        ErrorCode.LEDGER_FAILED,
        ErrorCode.OUT_OF_MEMORY,
    }
)
"""Codes of errors caused by the disk."""

_PIPED_WIDTH = 160
"""Width of the output if it is not a terminal."""

out = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else _PIPED_WIDTH)
err = Console(stderr=True, highlight=False, soft_wrap=True)

DataOption = Annotated[
    str | None,
    typer.Option(
        "--data", help="Data directory [env: OUTLAY_DATA; default: ./outlay-data].", metavar="DIR"
    ),
]

_Item = TypeVar("_Item")


def fail(message: str) -> None:
    """Print an error."""
    err.print(f"[bold red]Error:[/] {_plain(message)}")


@contextmanager
def ending_on_errors(who: str = "") -> Iterator[None]:
    """End the process with a one-line message on expected errors."""
    try:
        yield
    except OutlayError as error:
        fail(who + error.message)
        raise SystemExit(EXIT_DISK if error.code in DISK_CODES else EXIT_REQUEST) from error
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        fail(f"{who}{where}{error.strerror or error}.")
        raise SystemExit(EXIT_DISK) from error


def warn(message: str) -> None:
    """Print a warning about something that should be changed; the command continues."""
    err.print(f"[yellow]Warning:[/] {_plain(message)}")


def say(message: str) -> None:
    """Print a status message."""
    err.print(message)


def take_secret(context: typer.Context, parameter: typer.CallbackParam, value: str) -> str:
    """Callback of options for secrets: `-` reads a line of standard input.

    Other processes can read a command line, so a secret on it causes a warning.
    """
    source = context.get_parameter_source(parameter.name or "")
    if not value or source is None or source.name != "COMMANDLINE":
        return value
    if value == "-":
        return sys.stdin.readline().rstrip("\r\n")
    option = parameter.opts[0]
    warn(
        f"other users on this machine can read the command line. Pass it on standard input with "
        f"{option} -, or in {parameter.envvar}."
    )
    return value


def _plain(message: str) -> str:
    return message.replace("[", r"\[")


@contextmanager
def progress_bar() -> Iterator[Callable[[Progress], None]]:
    """Draws progress reports on a terminal."""
    with ProgressBar(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=err,
        transient=True,
        # Elsewhere it would leave an empty line.
        disable=not err.is_terminal,
    ) as bar:
        tasks: dict[str, TaskID] = {}

        def show(progress: Progress) -> None:
            if progress.what not in tasks:
                what = progress.what.capitalize()
                tasks[progress.what] = bar.add_task(what, total=progress.total)
            bar.update(tasks[progress.what], completed=progress.done, total=progress.total)

        yield show


def show_progress(items: Iterable[Progress | _Item]) -> Iterator[_Item]:
    """Draw the progress in `items` on a terminal and pass everything else on."""
    with progress_bar() as show:
        for item in items:
            if isinstance(item, Progress):
                show(item)
            else:
                yield item
