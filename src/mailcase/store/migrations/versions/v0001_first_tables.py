"""The first tables.

They are those of `schema.py`. Whoever adds the second step moves a copy of the tables as they were here.
"""

from __future__ import annotations

from alembic import op

from mailcase.store.schema import metadata

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Makes every table and index."""
    metadata.create_all(op.get_bind())


def downgrade() -> None:
    """There is no way back; the copy made before the step is the way back."""
    raise NotImplementedError("restore the copy that was made before the migration")
