"""Accounts get confirmation, login throttling, expiring logins, and a mail queue.

Each new column has a default or may be null, so that the previous release can write during the migration.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
ADDRESS = sa.String(45)  # the longest IPv6 network


def _of_users() -> list[sa.Column[Any]]:
    return [
        sa.Column("confirmed_at", INSTANT, nullable=True),
        sa.Column("unconfirmed_email", sa.String(254), nullable=True),
        sa.Column("sign_in_count", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("signed_in_at", INSTANT, nullable=True),
        sa.Column("signed_in_address", ADDRESS, nullable=False, server_default=sa.text("''")),
        sa.Column("last_signed_in_at", INSTANT, nullable=True),
        sa.Column("last_signed_in_address", ADDRESS, nullable=False, server_default=sa.text("''")),
        sa.Column("leaving", sa.String(5), nullable=True),
    ]


def _of_logins() -> list[sa.Column[Any]]:
    return [
        sa.Column("address", ADDRESS, nullable=False, server_default=sa.text("''")),
        sa.Column("device", sa.String(100), nullable=False, server_default=sa.text("''")),
        sa.Column("seen_at", INSTANT, nullable=True),
        sa.Column("expires_at", INSTANT, nullable=True),
        sa.Column("ended", sa.String(20), nullable=True),
    ]


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        # In the order in which writers lock these tables. Another order could deadlock with them.
        op.execute("LOCK TABLE comments, logins, users IN ACCESS EXCLUSIVE MODE")
    for column in _of_users():
        op.add_column("users", column)
    for column in _of_logins():
        op.add_column("logins", column)
    # Existing accounts were never asked to confirm their address, so they count as confirmed.
    op.execute("UPDATE users SET confirmed_at = created_at")
    op.create_index("ix_users_leaving", "users", ["leaving"])
    op.create_index("ix_logins_expires_at", "logins", ["expires_at"])
    op.create_index("ix_logins_user_id", "logins", ["user_id"])
    op.create_index("ix_comments_user_id", "comments", ["user_id"])
    op.create_table(
        "failures",
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("began_at", INSTANT, nullable=False),
        sa.Column("failed_at", INSTANT, nullable=False),
        sa.Column("locked_until", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("key", name="pk_failures"),
    )
    op.create_index("ix_failures_failed_at", "failures", ["failed_at"])
    op.create_table(
        "mails",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(30), nullable=False),
        sa.Column("address", sa.String(254), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("about", sa.String(254), nullable=True),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("due_at", INSTANT, nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("sent_at", INSTANT, nullable=True),
        sa.Column("subject", sa.String(200), nullable=True),
        sa.Column("text", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_mails"),
    )
    op.create_index("ix_mails_due_at", "mails", ["due_at"])


def downgrade() -> None:
    op.drop_table("mails")
    op.drop_table("failures")
    for name, table in (
        ("ix_comments_user_id", "comments"),
        ("ix_logins_user_id", "logins"),
        ("ix_logins_expires_at", "logins"),
        ("ix_users_leaving", "users"),
    ):
        op.drop_index(name, table)
    for column in _of_logins():
        op.drop_column("logins", column.name)
    for column in _of_users():
        op.drop_column("users", column.name)
