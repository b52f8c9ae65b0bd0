"""`outlay demo`."""

from typing import Annotated

import orjson
import typer

from outlay.bootstrap.installation import open_installation
from outlay.cli.console import DataOption, out, say, show_progress
from outlay.cli.serving import Secrets, bind, log_as_server, run_server, url_of
from outlay.demo.build import build_demo, open_gateway
from outlay.demo.provider import PROVIDER
from outlay.domain.actor import Scope
from outlay.domain.organization import operator_of
from outlay.kit.secrets import new_secret
from outlay.settings import read_settings


def demo(
    port: Annotated[
        int | None, typer.Option(min=0, max=65_535, help="Port, 0 for a free one.")
    ] = None,
    data: DataOption = None,
    seed: Annotated[int, typer.Option(help="Seed of the generated usage.")] = 7,
    days: Annotated[int, typer.Option(help="Days of usage, up to now.")] = 90,
    json: Annotated[
        bool,
        typer.Option(
            "--json",
            help="When ready, print URL and credentials as one line of JSON.",
        ),
    ] = False,
) -> None:
    """Serve a demo organization from its own data directory."""
    settings = read_settings(data=data or "demo-data", port=port)
    log_as_server(settings)
    with open_installation(settings) as services:
        listener = bind(settings)
        (owner,) = show_progress(build_demo(services, seed=seed, days=days))
        password = new_secret(20)
        administration = services.administration
        organization = administration.organizations.find_by_name(owner.organization_id)
        if organization is None:
            raise AssertionError("the demo has an organization")
        administration.sign_in.set_owner(organization, owner.email, password)
        _, token = administration.tokens.create(
            operator_of(organization),
            description="Demo",
            scopes=Scope,
            member_id=owner.member_id,
        )
        key = open_gateway(services, owner, url_of(listener))
        answer = {
            "url": url_of(listener),
            "data": str(settings.data.resolve()),
            "accessToken": token,
            "apiKey": key,
            "ownerEmail": owner.email,
            "ownerPassword": password,
        }

        def announce() -> None:
            if json:
                print(orjson.dumps(answer).decode(), flush=True)
                return
            say(f"\n  [bold]Outlay[/] is serving {organization.name} at {answer['url']}\n")
            say(f"  Sign in with   {owner.email}")
            say(f"  Password       {password}")
            say(f"  Access token   {token}")
            say(f"  API key        {key}\n")
            say("  Send a request and watch it appear on the page:\n")
            out.print(_curl(answer["url"], key), markup=False, highlight=False, soft_wrap=True)
            say("  Stop with Ctrl-C; the data stays in " + str(settings.data))

        run_server(services, listener, announce, Secrets(operator=new_secret()), PROVIDER)
    out.print("Stopped.") if not json else None


def _curl(url: str, key: str) -> str:
    body = '{"model": "gpt-5.5", "messages": [{"role": "user", "content": "Hello"}]}'
    return (
        f"  curl {url}/v1/chat/completions -H 'Authorization: Bearer {key}' \\\n"
        f"    -H 'Content-Type: application/json' -d '{body}'\n"
    )
