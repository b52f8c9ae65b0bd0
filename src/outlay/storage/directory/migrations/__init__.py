"""Bringing a directory to this version."""

from importlib.resources import as_file, files

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from outlay.domain.errors import Damaged


def upgrade(connection: Connection) -> None:
    """Run the migrations that are missing; Damaged when a newer version wrote the tables."""
    with as_file(files("outlay.storage.directory.migrations")) as location:
        config = Config()
        config.set_main_option("script_location", str(location))
        script = ScriptDirectory.from_config(config)
        current = MigrationContext.configure(connection).get_current_revision()
        known = {revision.revision for revision in script.walk_revisions()}
        if current is not None and current not in known:
            raise Damaged(
                f"the directory was written by a newer Outlay (revision {current})",
                code="directory-too-new",
            )
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
