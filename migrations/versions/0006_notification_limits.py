"""An index for counting the recent notifications that an author's comments have made."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_notifications_actor_id_created_at", "notifications", ["actor_id", "created_at"])
    op.drop_index("ix_notifications_actor_id", "notifications")


def downgrade() -> None:
    op.create_index("ix_notifications_actor_id", "notifications", ["actor_id"])
    op.drop_index("ix_notifications_actor_id_created_at", "notifications")
