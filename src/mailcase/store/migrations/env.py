"""What Alembic runs: the steps, on the connection that `mailcase.store.migrate` hands over, in its transaction."""

from __future__ import annotations

from alembic import context

from mailcase.store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # SQLite can alter little in place; Alembic then copies the table.
    render_as_batch=True,
)
context.run_migrations()
