"""`outlay`: the command line."""

import logging
import os
from typing import Final

import typer

from outlay.cli.audit import audit
from outlay.cli.backup import backup
from outlay.cli.config import config
from outlay.cli.console import ending_on_errors
from outlay.cli.demo import demo
from outlay.cli.discovered import discovered
from outlay.cli.doctor import doctor
from outlay.cli.group import group
from outlay.cli.import_ import import_file
from outlay.cli.key import key
from outlay.cli.limit import limit
from outlay.cli.member import member
from outlay.cli.migrate_engine import migrate_engine
from outlay.cli.model import model
from outlay.cli.org import org
from outlay.cli.owner import owner
from outlay.cli.price import price
from outlay.cli.prices import prices
from outlay.cli.project import project
from outlay.cli.rebuild import rebuild
from outlay.cli.reconcile import reconcile
from outlay.cli.reprice import reprice
from outlay.cli.restore import restore
from outlay.cli.serve import serve
from outlay.cli.sso import sso
from outlay.cli.tag import tag
from outlay.cli.token import token
from outlay.cli.upstream import upstream
from outlay.cli.verify import verify
from outlay.kit.logs import CommandFormatter, start_logging

PRIVATE_UMASK: Final = 0o077
"""Created files are readable by their owner only, whatever the folder."""

app = typer.Typer(
    name="outlay",
    help="Usage analytics of an LLM gateway: who spent what, where and why.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command()(serve)
app.command()(demo)
app.command("import")(import_file)
app.command()(reconcile)
app.command()(reprice)
app.command()(verify)
app.command()(rebuild)
app.command()(config)
app.command()(doctor)
app.command()(backup)
app.command()(restore)
app.command("migrate-engine")(migrate_engine)
app.command()(owner)
app.add_typer(org, name="org")
app.add_typer(member, name="member")
app.add_typer(project, name="project")
app.add_typer(key, name="key")
app.add_typer(group, name="group")
app.add_typer(discovered, name="discovered")
app.add_typer(upstream, name="upstream")
app.add_typer(model, name="model")
app.add_typer(price, name="price")
app.add_typer(prices, name="prices")
app.add_typer(limit, name="limit")
app.add_typer(tag, name="tag")
app.add_typer(token, name="token")
app.add_typer(sso, name="sso")
app.add_typer(audit, name="audit")


def run() -> None:
    """Run a command; errors become a one-line message and an exit code."""
    os.umask(PRIVATE_UMASK)
    start_logging(CommandFormatter(), logging.WARNING)
    with ending_on_errors():
        app()
