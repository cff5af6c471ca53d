"""Changes are sent to webhooks."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "webhook_deliveries",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("url", sa.String(500), nullable=False),
        sa.Column("model", sa.String(30), nullable=False),
        sa.Column("object_id", sa.Uuid(), nullable=False),
        sa.Column("topic", sa.String(251), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("created", sa.Boolean(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("failed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error", sa.String(100), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_webhook_deliveries"),
    )
    op.create_index("ix_webhook_deliveries_failed_at", "webhook_deliveries", ["failed_at"])
    op.create_index("ix_webhook_deliveries_url_due_at", "webhook_deliveries", ["url", "due_at"])
    op.create_index("ix_webhook_deliveries_url_topic_seq", "webhook_deliveries", ["url", "topic", "seq"])


def downgrade() -> None:
    op.drop_table("webhook_deliveries")
