"""Threads, commentables, likes, notifications and moderation.

Each new column has a default or may be null, so that the previous release can write during the migration.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
TOPIC = sa.String(251)
NAME = sa.String(30)
DEEPEST = 4  # as `app.comments.comments` has it in this release
PATH = sa.String(DEEPEST * 37)

COMMENTS = sa.table(
    "comments",
    sa.column("id", sa.Uuid()),
    sa.column("parent_id", sa.Uuid()),
    sa.column("created_seq", sa.BigInteger()),
    sa.column("path", PATH),
)


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        # In the order in which writers lock these tables. Another order could deadlock with them.
        op.execute("LOCK TABLE comments, users IN ACCESS EXCLUSIVE MODE")
    op.add_column("users", sa.Column("blocked_at", INSTANT, nullable=True))
    op.add_column("comments", sa.Column("path", PATH, nullable=False, server_default=sa.text("''")))
    op.add_column("comments", sa.Column("hidden_at", INSTANT, nullable=True))
    _place_replies()
    _create_live_table(
        "commentables",
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("locked", sa.Boolean(), nullable=False),
        sa.Column("comments_count", sa.Integer(), nullable=False),
    )
    _create_live_table(
        "likes",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("comment_id", sa.Uuid(), nullable=False),
        sa.Column("place", TOPIC, nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_likes_user_id_users"),
    )
    op.create_index("ix_likes_comment_id", "likes", ["comment_id"])
    _create_live_table(
        "notifications",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("comment_id", sa.Uuid(), nullable=False),
        sa.Column("place", TOPIC, nullable=False),
        sa.Column("title", sa.String(200), nullable=False, server_default=sa.text("''")),
        sa.Column("actor_id", sa.Uuid(), nullable=False),
        sa.Column("actor_name", NAME, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("read_at", INSTANT, nullable=True),
    )
    op.create_index("ix_notifications_comment_id", "notifications", ["comment_id"])
    op.create_index("ix_notifications_actor_id", "notifications", ["actor_id"])
    _create_live_table(
        "reports",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("username", NAME, nullable=False),
        sa.Column("comment_id", sa.Uuid(), nullable=False),
        sa.Column("place", TOPIC, nullable=False),
        sa.Column("reason", sa.String(20), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
    )
    op.create_index("ix_reports_user_id", "reports", ["user_id"])
    op.create_index("ix_reports_comment_id", "reports", ["comment_id"])
    _create_live_table(
        "decisions",
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("username", NAME, nullable=False),
        sa.Column("act", sa.String(20), nullable=False),
        sa.Column("place", TOPIC, nullable=True),
        sa.Column("comment_id", sa.Uuid(), nullable=True),
        sa.Column("person_id", sa.Uuid(), nullable=True),
        sa.Column("person_name", NAME, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
    )
    op.create_index("ix_decisions_user_id", "decisions", ["user_id"])
    op.create_index("ix_decisions_person_id", "decisions", ["person_id"])


def downgrade() -> None:
    for table in ("decisions", "reports", "notifications", "likes", "commentables"):
        op.drop_table(table)
    op.drop_column("comments", "hidden_at")
    op.drop_column("comments", "path")
    op.drop_column("users", "blocked_at")


def _place_replies() -> None:
    """Compute the thread columns of existing replies."""
    connection = op.get_bind()
    replies = sa.select(COMMENTS.c.id, COMMENTS.c.parent_id).where(COMMENTS.c.parent_id.is_not(None))
    paths: dict[UUID, list[str]] = {}
    for id_, parent_id in connection.execute(replies.order_by(COMMENTS.c.created_seq)).all():
        paths[id_] = [*paths.get(parent_id, []), str(parent_id)][:DEEPEST]
        connection.execute(sa.update(COMMENTS).where(COMMENTS.c.id == id_).values(path=" ".join(paths[id_])))


def _create_live_table(name: str, *content: Any) -> None:
    """A table with the columns of a live model; see `app.live.model`."""
    op.create_table(
        name,
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("topic", TOPIC, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("created_seq", sa.BigInteger(), nullable=False),
        sa.Column("deleted_at", INSTANT, nullable=True),
        *content,
        sa.PrimaryKeyConstraint("id", name=f"pk_{name}"),
        sa.UniqueConstraint("topic", "seq", name=f"uq_{name}_topic_seq"),
    )
    op.create_index(f"ix_{name}_topic_created_seq", name, ["topic", "created_seq"])
