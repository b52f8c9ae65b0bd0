"""What commands say to people: on standard error, so that standard output stays data."""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Annotated, Final, TypeVar

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as ProgressBar

from outlay.domain.errors import OutlayError
from outlay.kit.progress import Progress

EXIT_REQUEST: Final = 2
"""Exit code when what was asked for cannot be done as it was asked."""
EXIT_DISK: Final = 3
"""Exit code when the disk, or a file on it, does not do what it must."""

DISK_CODES: Final = frozenset(
    {
        "backup-no-room",
        "cube-unusable",
        "data-unwritable",
        "database-busy",
        "database-damaged",
        "database-read-only",
        "database-unopenable",
        "disk-full",
        "ledger-failed",
        "out-of-memory",
    }
)
"""Codes of errors that the disk is the reason of."""

_PIPED_WIDTH = 160
"""Columns where nobody says how many there are, as in a file."""

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
    """Say what went wrong."""
    err.print(f"[bold red]Error:[/] {_plain(message)}")


@contextmanager
def ending_on_errors(who: str = "") -> Iterator[None]:
    """End the process with one clear line where something went wrong that is no mistake of ours."""
    try:
        yield
    except OutlayError as error:
        fail(who + error.message)
        raise SystemExit(EXIT_DISK if error.code in DISK_CODES else EXIT_REQUEST) from error
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        fail(f"{who}{where}{error.strerror or error}")
        raise SystemExit(EXIT_DISK) from error


def warn(message: str) -> None:
    """Say what should be changed, though the command goes on."""
    err.print(f"[yellow]Warning:[/] {_plain(message)}")


def say(message: str) -> None:
    """Say what happened."""
    err.print(message)


def take_secret(context: typer.Context, parameter: typer.CallbackParam, value: str) -> str:
    """The callback of options for secrets: `-` stands for a line of standard input.

    Other processes can read a command line, so a secret on it is taken with a warning.
    """
    source = context.get_parameter_source(parameter.name or "")
    if not value or source is None or source.name != "COMMANDLINE":
        return value
    if value == "-":
        return sys.stdin.readline().rstrip("\r\n")
    option = parameter.opts[0]
    warn(
        f"everybody on this machine can read a command line. Give the secret as {option} - on "
        f"standard input, or in {parameter.envvar}."
    )
    return value


def _plain(message: str) -> str:
    return message.replace("[", r"\[")


@contextmanager
def progress_bar() -> Iterator[Callable[[Progress], None]]:
    """Draws on a terminal the progress that it is told of."""
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
