"""Lookalikes: a skeleton tells which names look alike. Existing accounts keep their names."""

from __future__ import annotations

from uuid import UUID

import sqlalchemy as sa
from alembic import op

from app.text.lookalikes import skeleton  # a later release that changes this must compute all skeletons anew

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

USERS = sa.table(
    "users",
    sa.column("id", sa.Uuid()),
    sa.column("username", sa.String()),
    sa.column("created_at", sa.DateTime(timezone=True)),
    sa.column("deleted_at", sa.DateTime(timezone=True)),
    sa.column("username_skeleton", sa.String(200)),
)


def upgrade() -> None:
    op.add_column("users", sa.Column("username_skeleton", sa.String(200), nullable=True))
    connection = op.get_bind()
    standing = sa.select(USERS.c.id, USERS.c.username).where(USERS.c.deleted_at.is_(None)).order_by(USERS.c.created_at)
    oldest: dict[str, UUID] = {}
    for id_, username in connection.execute(standing).all():
        oldest.setdefault(skeleton(username), id_)
    rows = [{"of": id_, "looks": looks} for looks, id_ in oldest.items()]
    if rows:
        one = sa.update(USERS).where(USERS.c.id == sa.bindparam("of")).values(username_skeleton=sa.bindparam("looks"))
        connection.execute(one, rows)
    op.create_index("ix_users_username_skeleton", "users", ["username_skeleton"], unique=True)


def downgrade() -> None:
    op.drop_index("ix_users_username_skeleton", "users")
    op.drop_column("users", "username_skeleton")
