"""A conversation knows the host's page that it is under, so that notifications lead there.

Each new column has a default, so that the release before this one can go on writing.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

MAX_URL = 2_000  # characters, as `app.commentables.commentables` has it in this release


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        # Writers go on meanwhile. They lock these tables in this order too; any other order could deadlock.
        op.execute("LOCK TABLE topics IN EXCLUSIVE MODE")
        op.execute("LOCK TABLE commentables, notifications IN ACCESS EXCLUSIVE MODE")
    for table in ("commentables", "notifications"):
        op.add_column(table, sa.Column("url", sa.String(MAX_URL), nullable=False, server_default=sa.text("''")))


def downgrade() -> None:
    for table in ("commentables", "notifications"):
        op.drop_column(table, "url")
