"""Sessions are found by their start alone: an index by their end cost every new round as much as its rows.

Revision ID: 0008
Revises: 0007
"""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index(op.f("ix_session_ends_at"), table_name="session")


def downgrade() -> None:
    op.create_index(op.f("ix_session_ends_at"), "session", ["ends_at"])
