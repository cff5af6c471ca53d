"""Mail to moderators: what each account chose, and the news that waits for mail.

Each new column has a default, so that the previous release can write during the migration; its changes cause no mail to
moderators.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
CHOICES = {"report": "at_once", "comment": "never", "edit": "never", "removal": "never"}
HAS_ROLE = sa.text("role != 'member'")


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        # In the order in which writers lock these tables. Another order could deadlock with them.
        op.execute("LOCK TABLE topics IN EXCLUSIVE MODE")
        op.execute("LOCK TABLE users IN ACCESS EXCLUSIVE MODE")
    for about, default in CHOICES.items():
        op.add_column("users", sa.Column(f"mail_on_{about}", sa.String(10), nullable=False, server_default=default))
    op.create_index("ix_users_role", "users", ["role"], postgresql_where=HAS_ROLE, sqlite_where=HAS_ROLE)
    op.create_table(
        "moderator_news",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("about", sa.String(10), nullable=False),
        sa.Column("object_id", sa.Uuid(), nullable=False),
        sa.Column("actor_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("due_at", INSTANT, nullable=True),
        sa.Column("mail_id", sa.Uuid(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_moderator_news"),
    )
    for column in ("user_id", "due_at", "mail_id"):
        op.create_index(f"ix_moderator_news_{column}", "moderator_news", [column])


def downgrade() -> None:
    op.drop_table("moderator_news")
    op.drop_index("ix_users_role", "users")
    for about in CHOICES:
        op.drop_column("users", f"mail_on_{about}")
