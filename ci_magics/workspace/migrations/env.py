"""How Alembic runs the revisions: on the database that `schema` hands over, in its transaction."""

from alembic import context

context.configure(connection=context.config.attributes["database"])
context.run_migrations()
