"""Shared code of the administration commands."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated

import typer

from outlay.bootstrap.administration import open_administration
from outlay.domain.actor import Actor
from outlay.domain.errors import Invalid, NotFound
from outlay.domain.organization import operator_of
from outlay.services.bundle import Administration
from outlay.services.server_info import find_server
from outlay.settings import Settings, read_settings

OrganizationOption = Annotated[
    str | None,
    typer.Option("--organization", help="Name, slug or id; required if there are several."),
]

ExpiresOption = Annotated[str | None, typer.Option(help="Expiry: date or instant, UTC.")]

YesOption = Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")]


@contextmanager
def administration(
    data: str | None, organization: str | None
) -> Iterator[tuple[Administration, Actor]]:
    """The administration of a data directory, and the operator in the selected organization."""
    settings = read_settings(data=data)
    with open_administration(settings) as opened:
        yield opened, operator_in(settings, opened, organization)


def operator_in(settings: Settings, opened: Administration, organization: str | None) -> Actor:
    """The operator in the selected organization; raises NotFound if there is none."""
    found = opened.organizations.find_by_name(organization)
    if found is None:
        raise NotFound(
            f"{settings.data} has no organization yet. Create one with `outlay org create`."
        )
    return operator_of(found)


def base_url_of(data: str | None) -> str:
    """The URL of a data directory's server for browsers, if it is known."""
    settings = read_settings(data=data)
    server = find_server(settings)
    return settings.public_url or (server.url if server else f"http://127.0.0.1:{settings.port}")


def confirm(question: str, is_sure: bool) -> None:
    """Ask for confirmation before a destructive action; aborts the command without it."""
    if not is_sure:
        typer.confirm(question, abort=True)


def parse_instant(text: str | None, field: str) -> datetime | None:
    """A date or instant entered by a user, in UTC if it has no offset; raises Invalid for anything
    else."""
    if text is None:
        return None
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        raise Invalid(f"{text!r} is not a date. Use the form 2026-12-31.", field=field) from error
    return instant.replace(tzinfo=instant.tzinfo or UTC)
