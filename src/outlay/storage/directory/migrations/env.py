"""Alembic's entry point: migrations run on the connection that the directory passes in."""

from alembic import context

from outlay.storage.directory.tables import Base

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    render_as_batch=True,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
