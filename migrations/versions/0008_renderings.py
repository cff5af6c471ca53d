"""Comments store their HTML, a key of its rules and its text, and the names that they mention.

Each new column has a default or may be null, so that the previous release can write during the migration. Maintenance
renders the existing texts.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

LEFT = sa.text("deleted_at IS NOT NULL AND html IS NOT NULL")


def upgrade() -> None:
    op.add_column("comments", sa.Column("mentioned", sa.Text(), nullable=False, server_default=sa.text("''")))
    op.add_column("comments", sa.Column("html", sa.Text(), nullable=True))
    op.add_column("comments", sa.Column("html_key", sa.BigInteger(), nullable=True))
    op.create_index("ix_comments_html_key", "comments", ["html_key"])
    op.create_index("ix_comments_html_left", "comments", ["id"], postgresql_where=LEFT, sqlite_where=LEFT)


def downgrade() -> None:
    op.drop_index("ix_comments_html_left", "comments")
    op.drop_index("ix_comments_html_key", "comments")
    for column in ("html_key", "html", "mentioned"):
        op.drop_column("comments", column)
