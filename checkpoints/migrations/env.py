"""Run by Alembic, on the connection (and in the transaction) that `migrate` gave it."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], transactional_ddl=True)
context.run_migrations()
