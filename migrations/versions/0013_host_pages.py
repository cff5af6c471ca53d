"""A commentable stores the host page that embeds it, so that notifications link to that page.

Each new column has a default, so that the previous release can write during the migration.
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
        # In the order in which writers lock these tables. Another order could deadlock with them.
        op.execute("LOCK TABLE topics IN EXCLUSIVE MODE")
        op.execute("LOCK TABLE commentables, notifications IN ACCESS EXCLUSIVE MODE")
    for table in ("commentables", "notifications"):
        op.add_column(table, sa.Column("url", sa.String(MAX_URL), nullable=False, server_default=sa.text("''")))


def downgrade() -> None:
    for table in ("commentables", "notifications"):
        op.drop_column(table, "url")
