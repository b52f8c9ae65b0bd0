"""Alembic's entry point: migrations run on the connection that the directory passes in."""

import logging

from alembic import context

from outlay.storage.directory.digests import check_stored, redigest
from outlay.storage.directory.tables import Base

logger = logging.getLogger(__name__)

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    render_as_batch=True,
    transactional_ddl=True,
)
with context.begin_transaction():
    damaged = check_stored(connection)
    for fault in damaged:
        logger.error("%s, before the migration", fault)
    context.run_migrations()
    redigest(connection, damaged)
