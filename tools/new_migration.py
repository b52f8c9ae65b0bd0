"""Writes the migration that is missing between the newest revision and the mapped tables.

Usage: `python tools/new_migration.py "subject"`.
"""

import sys
import tempfile
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine

LOCATION = Path(__file__).parent.parent / "src/outlay/storage/directory/migrations"


def main() -> None:
    """Autogenerate into the versions folder, against a database migrated from scratch."""
    config = Config()
    config.set_main_option("script_location", str(LOCATION))
    config.set_main_option(
        "file_template", "%%(year)d_%%(month).2d_%%(day).2d_%%(hour).2d%%(minute).2d_%%(slug)s"
    )
    config.set_main_option("path_separator", "os")
    with tempfile.TemporaryDirectory() as folder:
        engine = create_engine(f"sqlite:///{folder}/directory.sqlite3")
        with engine.connect() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            command.revision(config, message=sys.argv[1], autogenerate=True)


main()
