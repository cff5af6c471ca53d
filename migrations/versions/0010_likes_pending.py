"""Likes are published at most once a second: a comment has its pending likes, and the seq of its last full change."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("comments", sa.Column("likes_pending", sa.Integer(), nullable=False, server_default=sa.text("0")))
    op.add_column("comments", sa.Column("likes_published_at", INSTANT, nullable=True))
    op.add_column("comments", sa.Column("likes_due_at", INSTANT, nullable=True))
    op.add_column("comments", sa.Column("likes_seq", sa.BigInteger(), nullable=True))
    op.add_column("comments", sa.Column("whole_seq", sa.BigInteger(), nullable=True))
    op.create_index("ix_comments_likes_due_at", "comments", ["likes_due_at"])


def downgrade() -> None:
    op.execute("UPDATE comments SET likes_count = likes_count + likes_pending WHERE likes_pending <> 0")
    op.drop_index("ix_comments_likes_due_at", "comments")
    for name in ("whole_seq", "likes_seq", "likes_due_at", "likes_published_at", "likes_pending"):
        op.drop_column("comments", name)
