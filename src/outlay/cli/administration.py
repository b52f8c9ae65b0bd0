"""What the commands that set things up have in common."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from outlay.bootstrap import open_administration
from outlay.domain.errors import NotFound
from outlay.domain.organization import Organization
from outlay.services.bundle import Administration
from outlay.settings import read_settings

OrganizationOption = Annotated[
    str | None,
    typer.Option("--organization", help="Its name or id; needed when there are several."),
]


@contextmanager
def administration(
    data: str | None, organization: str | None
) -> Iterator[tuple[Administration, Organization]]:
    """The administration of a data directory, and the organization that is meant."""
    settings = read_settings(data=Path(data) if data else None)
    with open_administration(settings) as opened:
        found = opened.accounts.find_organization(organization)
        if found is None:
            raise NotFound(
                f"{settings.data} has no organization yet; create one with `outlay owner`"
            )
        yield opened, found
