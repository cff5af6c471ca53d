"""Atom feeds: a number for each account's own address, a UUID of this database, and an index of the newest comments.

The new column has a default, so that the previous release can write during the migration.
"""

from __future__ import annotations

from uuid import uuid4

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

SHOWN = sa.text("deleted_at IS NULL AND hidden_at IS NULL")


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        # In the order in which writers lock these tables. Another order could deadlock with them.
        op.execute("LOCK TABLE topics IN EXCLUSIVE MODE")
    op.create_index("ix_comments_created_at", "comments", ["created_at"], postgresql_where=SHOWN, sqlite_where=SHOWN)
    op.add_column("users", sa.Column("atom_number", sa.Integer(), nullable=False, server_default="0"))
    namespaces = op.create_table(
        "atom_namespaces",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_atom_namespaces"),
    )
    op.bulk_insert(namespaces, [{"id": uuid4()}])


def downgrade() -> None:
    op.drop_table("atom_namespaces")
    op.drop_column("users", "atom_number")
    op.drop_index("ix_comments_created_at", "comments")
