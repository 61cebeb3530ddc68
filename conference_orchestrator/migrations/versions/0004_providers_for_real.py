"""Renewed credentials, quotas, events and findings of providers; attendance; limited places of webinars.

Revision ID: 0004
Revises: 0003
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
OPEN = sa.text("resolved_at IS NULL")


def new_columns() -> dict[str, list[sa.Column[Any]]]:
    # The defaults stay in the database: an older version of the service may still write beside this one.
    return {
        "conference": [
            sa.Column("registration_url", sa.String(), nullable=True),
            sa.Column("secrets", sa.String(), nullable=True),
            sa.Column("missed", sa.Integer(), nullable=False, server_default="0"),
            sa.Column("attended_at", INSTANT, nullable=True),
            sa.Column("is_urgent", sa.Boolean(), nullable=False, server_default=sa.false()),
        ],
        "host_account": [sa.Column("is_reserve", sa.Boolean(), nullable=False, server_default=sa.false())],
        "webinar_request": [
            sa.Column("capacity", sa.Integer(), nullable=True),
            sa.Column("materials_url", sa.String(), nullable=True),
        ],
    }


def upgrade() -> None:
    for table, columns in new_columns().items():
        for column in columns:
            op.add_column(table, column)
    create_tables()


def create_tables() -> None:
    op.create_table(
        "provider_state",
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("tokens", sa.String(), nullable=True),
        sa.Column("locked_until", INSTANT, nullable=True),
        sa.Column("locked_by", sa.String(), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("closed_until", INSTANT, nullable=True),
        sa.Column("problem", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("provider", name=op.f("pk_provider_state")),
    )
    op.create_table(
        "create_attempt",
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("host", sa.String(), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_create_attempt")),
    )
    op.create_index(
        op.f("ix_create_attempt_provider_host_created_at"), "create_attempt", ["provider", "host", "created_at"]
    )
    op.create_table(
        "seen_event",
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("event_id", sa.String(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_seen_event")),
    )
    op.create_index("uq_seen_event_provider_event_id", "seen_event", ["provider", "event_id"], unique=True)
    op.create_table(
        "provider_finding",
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("conference_id", sa.Uuid(), nullable=True),
        sa.Column("meeting_id", sa.String(), nullable=False),
        sa.Column("host", sa.String(), nullable=True),
        sa.Column("detail", sa.String(), nullable=False),
        sa.Column("starts_at", INSTANT, nullable=True),
        sa.Column("resolved_at", INSTANT, nullable=True),
        sa.Column("resolved_by", sa.String(), nullable=True),
        sa.Column("action", sa.String(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.CheckConstraint("kind IN ('orphan', 'missing', 'drift')", name=op.f("ck_provider_finding_kind")),
        sa.CheckConstraint(
            "action IN ('delete', 'recreate', 'restore', 'ignore')", name=op.f("ck_provider_finding_action")
        ),
        sa.ForeignKeyConstraint(
            ["conference_id"], ["conference.id"], name=op.f("fk_provider_finding_conference_id_conference")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_provider_finding")),
    )
    op.create_index(op.f("ix_provider_finding_conference_id"), "provider_finding", ["conference_id"])
    op.create_index(op.f("ix_provider_finding_created_at_id"), "provider_finding", ["created_at", "id"])
    op.create_index(
        "uq_provider_finding_open",
        "provider_finding",
        ["provider", "kind", "meeting_id"],
        unique=True,
        sqlite_where=OPEN,
        postgresql_where=OPEN,
    )
    op.create_table(
        "attendance",
        sa.Column("conference_id", sa.Uuid(), nullable=False),
        sa.Column("clinician_id", sa.Uuid(), nullable=True),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("email", sa.String(), nullable=True),
        sa.Column("is_host", sa.Boolean(), nullable=False),
        sa.Column("joined_at", INSTANT, nullable=False),
        sa.Column("left_at", INSTANT, nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.CheckConstraint("left_at IS NULL OR left_at >= joined_at", name=op.f("ck_attendance_interval")),
        sa.ForeignKeyConstraint(["clinician_id"], ["clinician.id"], name=op.f("fk_attendance_clinician_id_clinician")),
        sa.ForeignKeyConstraint(
            ["conference_id"], ["conference.id"], name=op.f("fk_attendance_conference_id_conference")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attendance")),
    )
    op.create_index(op.f("ix_attendance_clinician_id"), "attendance", ["clinician_id"])
    op.create_index(
        op.f("ix_attendance_conference_id_joined_at_id"), "attendance", ["conference_id", "joined_at", "id"]
    )
    op.create_table(
        "webinar_registration",
        sa.Column("webinar_request_id", sa.Uuid(), nullable=False),
        sa.Column("clinician_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.CheckConstraint(
            "state IN ('registered', 'waiting', 'withdrawn')", name=op.f("ck_webinar_registration_state")
        ),
        sa.ForeignKeyConstraint(
            ["clinician_id"], ["clinician.id"], name=op.f("fk_webinar_registration_clinician_id_clinician")
        ),
        sa.ForeignKeyConstraint(
            ["webinar_request_id"],
            ["webinar_request.id"],
            name=op.f("fk_webinar_registration_webinar_request_id_webinar_request"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webinar_registration")),
        sa.UniqueConstraint(
            "webinar_request_id",
            "clinician_id",
            name=op.f("uq_webinar_registration_webinar_request_id_clinician_id"),
        ),
    )
    op.create_index(op.f("ix_webinar_registration_clinician_id"), "webinar_registration", ["clinician_id"])
    op.create_index(
        op.f("ix_webinar_registration_webinar_request_id_state_created_at_id"),
        "webinar_registration",
        ["webinar_request_id", "state", "created_at", "id"],
    )


def downgrade() -> None:
    for table in (
        "webinar_registration",
        "attendance",
        "provider_finding",
        "seen_event",
        "create_attempt",
        "provider_state",
    ):
        op.drop_table(table)
    for table, columns in new_columns().items():
        for column in columns:
            op.drop_column(table, column.name)
