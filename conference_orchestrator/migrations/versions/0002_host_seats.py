"""A seat of a host account is booked once at a time.

Revision ID: 0002
Revises: 0001
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

OVERLAP = """
    SELECT 1 FROM host_booking AS other
    WHERE other.account_id = NEW.account_id AND other.seat = NEW.seat AND other.id != NEW.id
      AND other.starts_at < NEW.ends_at AND other.ends_at > NEW.starts_at
"""


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("CREATE EXTENSION IF NOT EXISTS btree_gist")
        op.execute(
            "ALTER TABLE host_booking ADD CONSTRAINT ex_host_booking_seat EXCLUDE USING gist "
            "(account_id WITH =, seat WITH =, tstzrange(starts_at, ends_at) WITH &&)"
        )
        return
    for event in ("INSERT", "UPDATE"):
        op.execute(
            f"CREATE TRIGGER ex_host_booking_seat_{event.lower()} BEFORE {event} ON host_booking "
            f"WHEN EXISTS ({OVERLAP}) BEGIN SELECT RAISE(ABORT, 'the seat is booked'); END"
        )


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE host_booking DROP CONSTRAINT ex_host_booking_seat")
        return
    for event in ("insert", "update"):
        op.execute(f"DROP TRIGGER ex_host_booking_seat_{event}")
