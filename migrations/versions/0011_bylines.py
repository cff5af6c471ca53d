"""Bylines: a comment has its author's role, and an account notes that its comments need its new name or role."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        # Writers go on meanwhile. They lock these tables in this order too; any other order could deadlock.
        op.execute("LOCK TABLE comments, users IN ACCESS EXCLUSIVE MODE")
    op.add_column("comments", sa.Column("author_role", sa.String(20), nullable=False, server_default="member"))
    op.add_column("users", sa.Column("byline_changed_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index("ix_users_byline_changed_at", "users", ["byline_changed_at"])
    # When the service runs, it rewrites the comments of moderators and owners, so that everybody sees their role.
    op.execute("UPDATE users SET byline_changed_at = created_at WHERE role <> 'member' AND deleted_at IS NULL")


def downgrade() -> None:
    op.drop_index("ix_users_byline_changed_at", "users")
    op.drop_column("users", "byline_changed_at")
    op.drop_column("comments", "author_role")
