"""Directory migrations."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import as_file, files

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Damaged


def is_known(revision: str) -> bool:
    """Whether this version has a migration; it does not know those of newer versions."""
    with _script() as (_, script):
        return revision in {each.revision for each in script.walk_revisions()}


@contextmanager
def _script() -> Iterator[tuple[Config, ScriptDirectory]]:
    with as_file(files("outlay.storage.directory.migrations")) as location:
        config = Config()
        config.set_main_option("script_location", str(location))
        yield config, ScriptDirectory.from_config(config)


def upgrade(connection: Connection) -> None:
    """Run the missing migrations; Damaged if a newer version wrote the tables."""
    with _script() as (config, script):
        current = MigrationContext.configure(connection).get_current_revision()
        known = {revision.revision for revision in script.walk_revisions()}
        if current is not None and current not in known:
            raise Damaged(
                f"The directory was written by a newer version of Outlay (revision {current}). "
                "Install that version.",
                code=ErrorCode.DIRECTORY_TOO_NEW,
            )
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
