"""Whether a message is open is a column of its own: taking one for sending changes nothing that an index looks at.

PostgreSQL then writes the taken row beside the old one and leaves the indexes alone (a HOT update), where the page has
room: half of it is kept for that.

Revision ID: 0012
Revises: 0011
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

OPEN_STATES = "state IN ('queued', 'sending', 'deferred', 'ambiguous')"


def upgrade() -> None:
    # SQLite adds no stored column to a table; PostgreSQL has no index on one that is not stored.
    on_postgres = op.get_context().dialect.name == "postgresql"
    is_open = sa.Computed(OPEN_STATES, persisted=on_postgres)
    op.drop_index("ix_message_due", table_name="message")
    op.add_column("message", sa.Column("is_open", sa.Boolean(), is_open, nullable=on_postgres))
    _create_index("is_open")
    if on_postgres:
        op.execute("ALTER TABLE message SET (fillfactor = 50)")


def downgrade() -> None:
    if op.get_context().dialect.name == "postgresql":
        op.execute("ALTER TABLE message RESET (fillfactor)")
    op.drop_index("ix_message_due", table_name="message")
    op.drop_column("message", "is_open")
    _create_index(OPEN_STATES)


def _create_index(where: str) -> None:
    op.create_index(
        "ix_message_due", "message", ["due_at"], sqlite_where=sa.text(where), postgresql_where=sa.text(where)
    )
