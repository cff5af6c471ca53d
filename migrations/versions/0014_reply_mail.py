"""Mail about replies and mentions: what each account chose, which notifications wait for mail, and what was mailed.

Existing notifications cause no mail. Each new column has a default, so that the previous release can write during the
migration; its notifications cause no mail either.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
MAX_TOPIC_LENGTH = 251  # as `app.live.model` has it in this release
WAITING = sa.text("mail_due_at IS NOT NULL")
MAILED = sa.text("mail_id IS NOT NULL")


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        # In the order in which writers lock these tables. Another order could deadlock with them.
        op.execute("LOCK TABLE topics IN EXCLUSIVE MODE")
        op.execute("LOCK TABLE users, notifications, mails IN ACCESS EXCLUSIVE MODE")
    for name in ("mail_on_reply", "mail_on_mention"):
        op.add_column("users", sa.Column(name, sa.String(10), nullable=False, server_default="at_once"))
    op.add_column("notifications", sa.Column("mail_due_at", INSTANT, nullable=True))
    op.add_column("notifications", sa.Column("mail_id", sa.Uuid(), nullable=True))
    for name, column, where in (
        ("mail_due_at", "mail_due_at", WAITING), ("user_id_without_mail", "user_id", WAITING),
        ("mail_id", "mail_id", MAILED),
    ):  # fmt: skip
        op.create_index(
            f"ix_notifications_{name}", "notifications", [column], postgresql_where=where, sqlite_where=where
        )
    op.add_column("mails", sa.Column("priority", sa.SmallInteger(), nullable=False, server_default=sa.text("0")))
    op.create_index("ix_mails_priority_due_at", "mails", ["priority", "due_at"])
    for name, at in (("last_mails", "mailed_at"), ("muted_conversations", "created_at")):
        op.create_table(
            name,
            sa.Column("user_id", sa.Uuid(), nullable=False),
            sa.Column("place", sa.String(MAX_TOPIC_LENGTH), nullable=False),
            sa.Column(at, INSTANT, nullable=name == "last_mails"),
            sa.PrimaryKeyConstraint("user_id", "place", name=f"pk_{name}"),
            sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=f"fk_{name}_user_id_users"),
        )
    op.create_index("ix_last_mails_mailed_at", "last_mails", ["mailed_at"])


def downgrade() -> None:
    op.drop_table("muted_conversations")
    op.drop_table("last_mails")
    op.drop_index("ix_mails_priority_due_at", "mails")
    op.drop_column("mails", "priority")
    for name in ("mail_id", "user_id_without_mail", "mail_due_at"):
        op.drop_index(f"ix_notifications_{name}", "notifications")
    op.drop_column("notifications", "mail_id")
    op.drop_column("notifications", "mail_due_at")
    op.drop_column("users", "mail_on_mention")
    op.drop_column("users", "mail_on_reply")
