"""Feeds of people's own calendars, reminders.

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    # The default stays in the database: an older version of the service may still write beside this one.
    op.add_column(
        "expert_group",
        sa.Column("reminder_hours", sa.JSON(), nullable=False, server_default=sa.text("'[24, 1]'")),
    )
    op.create_table(
        "feed",
        sa.Column("clinician_id", sa.Uuid(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=True),
        sa.Column("revoked_at", INSTANT, nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(["clinician_id"], ["clinician.id"], name=op.f("fk_feed_clinician_id_clinician")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feed")),
        sa.UniqueConstraint("sha256", name=op.f("uq_feed_sha256")),
    )
    op.create_index(op.f("ix_feed_clinician_id"), "feed", ["clinician_id"])
    op.create_table(
        "reminder",
        sa.Column("uid", sa.String(), nullable=False),
        sa.Column("clinician_id", sa.Uuid(), nullable=False),
        sa.Column("starts_at", INSTANT, nullable=False),
        sa.Column("hours_before", sa.Integer(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(["clinician_id"], ["clinician.id"], name=op.f("fk_reminder_clinician_id_clinician")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reminder")),
        sa.UniqueConstraint(
            "uid",
            "clinician_id",
            "starts_at",
            "hours_before",
            name=op.f("uq_reminder_uid_clinician_id_starts_at_hours_before"),
        ),
    )
    op.create_index(op.f("ix_reminder_clinician_id"), "reminder", ["clinician_id"])
    op.create_index(op.f("ix_reminder_starts_at"), "reminder", ["starts_at"])
    op.create_index(op.f("ix_calendar_object_starts_at"), "calendar_object", ["starts_at"])


def downgrade() -> None:
    op.drop_index(op.f("ix_calendar_object_starts_at"), "calendar_object")
    op.drop_table("reminder")
    op.drop_table("feed")
    op.drop_column("expert_group", "reminder_hours")
