"""`outlay doctor`."""

import os
import shutil
import sys
import zoneinfo
from collections.abc import Callable

import typer

from outlay import __version__
from outlay.bootstrap.prices import open_prices
from outlay.cli.console import DataOption, out
from outlay.domain.errors import Damaged, OutlayError
from outlay.domain.verification import VerificationState
from outlay.engines import describe_cube, describe_database, open_directory
from outlay.kit.lockfile import LockFile, LockHeld
from outlay.services.server_info import find_server
from outlay.settings import Settings, read_settings
from outlay.storage.directory.verifications import find_verification
from outlay.storage.folder import check_complete, exposed
from outlay.storage.sqlite import check_sqlite_version, sqlite_version

MIN_FREE_BYTES = 1 << 30


def doctor(data: DataOption = None) -> None:
    """Check the installation and its environment; exit code 1 if there is a problem."""
    settings = read_settings(data=data)
    failed = False
    for name, check in CHECKS.items():
        try:
            found = check(settings)
        except (OutlayError, OSError) as error:
            failed = True
            out.print(f"[red]✗[/] {name}: {str(error).replace('[', '(')}")
        else:
            out.print(f"[green]✓[/] {name}: {found}")
    if failed:
        raise typer.Exit(1)


def _python(_: Settings) -> str:
    return f"{sys.version.split()[0]}, Outlay {__version__}"


def _ledger(settings: Settings) -> str:
    check_sqlite_version()
    shared = describe_database(settings)
    return shared or f"SQLite {sqlite_version()}, without the WAL-reset bug"


def _cube(settings: Settings) -> str:
    return describe_cube(settings)


def _zones(_: Settings) -> str:
    return f"{len(zoneinfo.available_timezones())} time zones"


def _prices(settings: Settings) -> str:
    lists, book = open_prices(settings)
    used = book.price_list.version
    overrides = f"with {settings.prices_path}" if settings.prices_path.exists() else "no overrides"
    taken = lists.taken()
    if taken and taken[-1].version != used:
        overrides += f"; {taken[-1].version} is older than this release and not in use"
    return f"genai-prices {used}, {overrides}"


def _folder(settings: Settings) -> str:
    if not settings.data.exists():
        return f"{settings.data} does not exist yet; it is created at the first start"
    if not os.access(settings.data, os.W_OK):
        raise OSError(f"{settings.data} is not writable")
    free = shutil.disk_usage(settings.data).free
    if free < MIN_FREE_BYTES:
        raise OSError(f"only {free / 1e6:,.0f} MB are free on the disk of {settings.data}")
    return f"{settings.data}, {free / 1e9:,.0f} GB free"


def _names(settings: Settings) -> str:
    """The server's host names; only a warning if none are configured."""
    if settings.takes_any_host:
        return (
            f"requests for any host name are answered, because {settings.host} is reachable from "
            "other machines; set OUTLAY_PUBLIC_URL or OUTLAY_TRUSTED_HOSTS"
        )
    named = [settings.public_url, *settings.edge.trusted_hosts]
    return ", ".join(filter(None, named)) or "localhost only"


def _connections(settings: Settings) -> str:
    from outlay.web.http.connections import Connections

    found = Connections(settings.edge)
    proxies = ", ".join(map(str, settings.edge.trusted_proxies)) or "none"
    return (
        f"at most {found.most:,}, per client {found.most_per_client:,}; trusted proxies: {proxies}"
    )


def _privacy(settings: Settings) -> str:
    if not settings.data.exists():
        return "will be readable by its owner only"
    check_complete(settings)
    if found := exposed(settings):
        raise OSError(
            f"other users of this machine can read {', '.join(map(str, found))}; run "
            f"`chmod -R go-rwx {settings.data}`"
        )
    return "readable by its owner only"


def _server(settings: Settings) -> str:
    if not settings.data.exists():
        return "not running"
    try:
        LockFile(settings.lock_path).release()
    except LockHeld as error:
        server = find_server(settings)
        return f"running at {server.url}" if server else f"in use by process {error.pid}"
    return "not running"


def _verification(settings: Settings) -> str:
    if not settings.data.exists():
        return "none yet"
    with open_directory(settings) as directory, directory.read() as session:
        found = find_verification(session)
    if found is None or found.at is None:
        return "none yet"
    summary = f"{found.at:%Y-%m-%d %H:%M} UTC, {found.events:,} events through {found.through_seq}"
    if found.state is not VerificationState.VERIFIED:
        raise Damaged(f"{summary}: {found.finding}.")
    return f"{summary}, equal"


CHECKS: dict[str, Callable[[Settings], str]] = {
    "Python": _python,
    "Ledger engine": _ledger,
    "Cube engine": _cube,
    "Time zones": _zones,
    "Prices": _prices,
    "Data directory": _folder,
    "Names": _names,
    "Connections": _connections,
    "Privacy": _privacy,
    "Server": _server,
    "Last verification": _verification,
}
