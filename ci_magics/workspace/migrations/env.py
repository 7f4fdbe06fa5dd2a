"""Run Alembic's revisions on the database that `schema` passes, in its transaction."""

from alembic import context

context.configure(connection=context.config.attributes["database"])
context.run_migrations()
