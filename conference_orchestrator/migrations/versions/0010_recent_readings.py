"""Whose records an asker was shown lately.

Revision ID: 0010
Revises: 0009
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "recent_reading",
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("records", sa.JSON(), nullable=False),
        sa.Column("read_at", INSTANT, nullable=True),
        sa.Column("refused_at", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("actor", name=op.f("pk_recent_reading")),
    )


def downgrade() -> None:
    op.drop_table("recent_reading")
