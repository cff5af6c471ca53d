"""Notifications contain an excerpt of the comment.

The new column has a default, so that the previous release can write during the migration. Existing notifications have
no excerpt. Maintenance erases the excerpts of notifications that the previous release deletes.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

LEFT = sa.text("deleted_at IS NOT NULL AND excerpt != ''")


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        # In the order in which writers lock these tables. Another order could deadlock with them.
        op.execute("LOCK TABLE topics IN EXCLUSIVE MODE")
    op.add_column("notifications", sa.Column("excerpt", sa.String(81), nullable=False, server_default=sa.text("''")))
    op.create_index("ix_notifications_excerpt_left", "notifications", ["id"], postgresql_where=LEFT, sqlite_where=LEFT)


def downgrade() -> None:
    op.drop_index("ix_notifications_excerpt_left", "notifications")
    op.drop_column("notifications", "excerpt")
