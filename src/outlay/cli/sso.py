"""`outlay sso`: single sign-on of an organization."""

from typing import Annotated

import typer
from rich.table import Table

from outlay.cli.administration import (
    OrganizationOption,
    YesOption,
    administration,
    base_url_of,
    confirm,
)
from outlay.cli.console import DataOption, out, say, take_secret
from outlay.domain.actor import Actor
from outlay.domain.errors import Invalid
from outlay.services.access.sso import callback_of

sso = typer.Typer(help="Single sign-on by OpenID Connect.", no_args_is_help=True)


@sso.command("set")
def set_provider(
    issuer: Annotated[str, typer.Argument(help="Exactly as in the provider's tokens.")],
    client_id: Annotated[str, typer.Argument(help="The provider's client id for Outlay.")],
    secret: Annotated[
        str,
        typer.Option(
            prompt="Client secret (empty for none)",
            hide_input=True,
            callback=take_secret,
            envvar="OUTLAY_SSO_SECRET",
            help="Stored sealed; default: a prompt; - reads standard input.",
        ),
    ] = "",
    domain: Annotated[
        list[str] | None,
        typer.Option(help="Mail domain whose users become developers; repeatable."),
    ] = None,
    group_claim: Annotated[str, typer.Option(help="The claim that names groups.")] = "groups",
    group: Annotated[
        list[str] | None,
        typer.Option(help="Claim and user group, such as engineers=Engineering; repeatable."),
    ] = None,
    organization: OrganizationOption = None,
    data: DataOption = None,
) -> None:
    """Set the identity provider for single sign-on."""
    with administration(data, organization) as (opened, operator):
        groups = {}
        for text in group or []:
            name, sign, wanted = text.partition("=")
            if not (name and sign and wanted):
                raise Invalid(
                    f"A group mapping must have the form claim=group, not {text!r}.", field="group"
                )
            groups[name] = opened.groups.find_by_name(operator, wanted).group_id
        opened.sso.put(
            operator,
            issuer=issuer,
            client_id=client_id,
            secret=secret or None,
            domains=domain or [],
            group_claim=group_claim,
            groups=groups,
        )
    say(f"Members can sign in with {issuer}. Register this redirect URL there:")
    out.print(_callback(data, operator), soft_wrap=True)


@sso.command("show")
def show(organization: OrganizationOption = None, data: DataOption = None) -> None:
    """Show the identity provider."""
    table = Table(show_header=False, box=None)
    with administration(data, organization) as (opened, operator):
        found = opened.sso.find(operator)
    if found is None:
        say("Single sign-on is not configured.")
        return
    table.add_row("issuer", found.issuer)
    table.add_row("client id", found.client_id)
    table.add_row("mail domains", " ".join(found.domains))
    table.add_row("group claim", found.group_claim)
    table.add_row("redirect to", _callback(data, operator))
    for name, group_id in found.groups.items():
        table.add_row("group", f"{name} = {group_id}")
    out.print(table)


@sso.command("remove")
def remove(
    yes: YesOption = False, organization: OrganizationOption = None, data: DataOption = None
) -> None:
    """Turn single sign-on off; only passwords remain."""
    confirm("Turn single sign-on off?", yes)
    with administration(data, organization) as (opened, operator):
        opened.sso.delete(operator)
    say("Single sign-on is off.")


def _callback(data: str | None, operator: Actor) -> str:
    """The redirect URL that the provider must allow."""
    return base_url_of(data) + callback_of(operator.organization_id)
