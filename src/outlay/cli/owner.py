"""`outlay owner`."""

from typing import Annotated

import typer

from outlay.bootstrap.administration import open_administration
from outlay.cli.console import DataOption, out, say, take_secret
from outlay.domain.actor import Scope
from outlay.domain.organization import operator_of
from outlay.settings import read_settings


def owner(
    email: Annotated[str, typer.Argument(help="E-mail address to sign in with.")],
    data: DataOption = None,
    organization: Annotated[
        str | None, typer.Option(help="Organization; created if there is none.")
    ] = None,
    password: Annotated[
        str,
        typer.Option(
            prompt=True,
            confirmation_prompt=True,
            hide_input=True,
            callback=take_secret,
            envvar="OUTLAY_OWNER_PASSWORD",
            help="At least 15 characters; default: a prompt; - reads standard input.",
        ),
    ] = "",
) -> None:
    """Create an owner, or change an owner's password, and print an access token for the API."""
    settings = read_settings(data=data)
    with open_administration(settings) as opened:
        organizations = opened.organizations
        known = organizations.find_by_name(organization) if organizations.all() else None
        with opened.audited.together():
            found = known or organizations.create(organization or "My organization")
            member = opened.sign_in.set_owner(found, email, password)
            _, token = opened.tokens.create(
                operator_of(found),
                description="Command line",
                scopes=Scope,
                member_id=member.member_id,
            )
    if known is None:
        say(f"Created the organization {found.name!r}.")
    say(f"{email} can sign in to {found.name!r} as {member.role}. Access token, shown this once:")
    out.print(token)
