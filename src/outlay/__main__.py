"""`python -m outlay`."""

from outlay.cli.main import run

run()
