"""Comments know whether a moderator erased them. Without a value, their author did."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("comments", sa.Column("removed_by", sa.String(10), nullable=True))


def downgrade() -> None:
    op.drop_column("comments", "removed_by")
