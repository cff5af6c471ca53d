"""People follow conversations: their follows, how far their followers were woken, and the comments of their mails.

The new column has a default, so that the previous release can write during the migration.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
PLACE = sa.String(251)  # as `app.live.model` has it in this release
WAITING = sa.text("mail_due_at IS NOT NULL")
IDLE = sa.text("mail_due_at IS NULL")


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        # In the order in which writers lock these tables. Another order could deadlock with them.
        op.execute("LOCK TABLE topics IN EXCLUSIVE MODE")
        op.execute("LOCK TABLE users, mails IN ACCESS EXCLUSIVE MODE")
    op.add_column("users", sa.Column("mail_on_followed", sa.String(10), nullable=False, server_default="at_once"))
    op.create_table(
        "follows",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("place", PLACE, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("decided_seq", sa.BigInteger(), nullable=False),
        sa.Column("read_seq", sa.BigInteger(), nullable=False),
        sa.Column("waiting_since", INSTANT, nullable=True),
        sa.Column("mail_due_at", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("user_id", "place", name="pk_follows"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_follows_user_id_users"),
    )
    for name, columns, where in (
        ("ix_follows_mail_due_at", ["mail_due_at"], WAITING), ("ix_follows_place_idle", ["place", "decided_seq"], IDLE),
    ):  # fmt: skip
        op.create_index(name, "follows", columns, postgresql_where=where, sqlite_where=where)
    op.create_table(
        "followed_conversations",
        sa.Column("place", PLACE, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("place", name="pk_followed_conversations"),
    )
    op.create_table(
        "mailed_ranges",
        sa.Column("mail_id", sa.Uuid(), nullable=False),
        sa.Column("place", PLACE, nullable=False),
        sa.Column("after_seq", sa.BigInteger(), nullable=False),
        sa.Column("upto_seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("mail_id", "place", name="pk_mailed_ranges"),
        sa.ForeignKeyConstraint(["mail_id"], ["mails.id"], name="fk_mailed_ranges_mail_id_mails", ondelete="CASCADE"),
    )


def downgrade() -> None:
    for name in ("mailed_ranges", "followed_conversations", "follows"):
        op.drop_table(name)
    op.drop_column("users", "mail_on_followed")
