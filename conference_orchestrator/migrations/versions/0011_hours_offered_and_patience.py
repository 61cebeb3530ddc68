"""The hour at which a slot was offered, and since when a message has been tried.

Revision ID: 0011
Revises: 0010
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("allocation", sa.Column("offered_starts_at", INSTANT, nullable=True))
    op.add_column("message", sa.Column("tried_since", INSTANT, nullable=True))


def downgrade() -> None:
    op.drop_column("message", "tried_since")
    op.drop_column("allocation", "offered_starts_at")
