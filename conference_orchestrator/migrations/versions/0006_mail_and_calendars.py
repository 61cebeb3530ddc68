"""Answers and bounces that come by mail, addresses that get none, series as one calendar object.

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
ANSWERS = "'accepted', 'declined', 'tentative'"


def upgrade() -> None:
    # Defaults stay in the database: an older version of the service may still write beside this one.
    op.add_column("calendar_object", sa.Column("time_sequence", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("invitation", sa.Column("answered_sequence", sa.Integer(), nullable=True))
    op.add_column("invitation", sa.Column("answered_stamp", INSTANT, nullable=True))
    op.add_column("invitation", sa.Column("carried", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_index(op.f("ix_invitation_clinician_id_number"), "invitation", ["clinician_id", "number"])
    op.drop_index(op.f("ix_invitation_clinician_id"), "invitation")
    with op.batch_alter_table("membership") as batch:
        batch.add_column(sa.Column("calendar", sa.String(), nullable=False, server_default="sessions"))
        batch.create_check_constraint(
            op.f("ck_membership_calendar"), "calendar IN ('sessions', 'series', 'whole-series')"
        )
    op.create_table(
        "suppression",
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("detail", sa.String(), nullable=True),
        sa.Column("message_id", sa.Uuid(), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.CheckConstraint("scope IN ('all', 'reminders')", name=op.f("ck_suppression_scope")),
        sa.CheckConstraint("reason IN ('bounced', 'unsubscribed', 'helpdesk')", name=op.f("ck_suppression_reason")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_suppression")),
        sa.UniqueConstraint("address", "scope", name=op.f("uq_suppression_address_scope")),
    )
    op.create_index(op.f("ix_suppression_created_at_id"), "suppression", ["created_at", "id"])
    op.create_table(
        "inbound_mail",
        sa.Column("mailbox", sa.String(), nullable=False),
        sa.Column("validity", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("message_id", sa.String(), nullable=True),
        sa.Column("address", sa.String(), nullable=True),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("detail", sa.String(), nullable=False),
        sa.Column("clinician_id", sa.Uuid(), nullable=True),
        sa.Column("conference_id", sa.Uuid(), nullable=True),
        sa.Column("proposed_starts_at", INSTANT, nullable=True),
        sa.Column("proposed_ends_at", INSTANT, nullable=True),
        sa.Column("resolved_at", INSTANT, nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.CheckConstraint(
            "kind IN ('reply', 'counter', 'bounce', 'auto-reply', 'other', 'unreadable')",
            name=op.f("ck_inbound_mail_kind"),
        ),
        sa.CheckConstraint("state IN ('counted', 'ignored', 'open', 'done')", name=op.f("ck_inbound_mail_state")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inbound_mail")),
        sa.UniqueConstraint("mailbox", "validity", "number", name=op.f("uq_inbound_mail_mailbox_validity_number")),
    )
    op.create_index(op.f("ix_inbound_mail_state_created_at_id"), "inbound_mail", ["state", "created_at", "id"])
    op.create_table(
        "series_calendar",
        sa.Column("uid", sa.String(), nullable=False),
        sa.Column("series_id", sa.Uuid(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("ended_at", INSTANT, nullable=True),
        sa.ForeignKeyConstraint(["series_id"], ["series.id"], name=op.f("fk_series_calendar_series_id_series")),
        sa.PrimaryKeyConstraint("uid", name=op.f("pk_series_calendar")),
    )
    op.create_index(op.f("ix_series_calendar_series_id"), "series_calendar", ["series_id"])
    op.create_table(
        "series_invitation",
        sa.Column("uid", sa.String(), nullable=False),
        sa.Column("clinician_id", sa.Uuid(), nullable=False),
        sa.Column("method", sa.String(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("first_message", sa.String(), nullable=True),
        sa.Column("sent_at", INSTANT, nullable=False),
        sa.Column("answer", sa.String(), nullable=True),
        sa.Column("answered_at", INSTANT, nullable=True),
        sa.Column("answered_sequence", sa.Integer(), nullable=True),
        sa.Column("answered_stamp", INSTANT, nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.CheckConstraint("method IN ('REQUEST', 'CANCEL')", name=op.f("ck_series_invitation_method")),
        sa.CheckConstraint(f"answer IN ({ANSWERS})", name=op.f("ck_series_invitation_answer")),
        sa.ForeignKeyConstraint(
            ["uid"], ["series_calendar.uid"], name=op.f("fk_series_invitation_uid_series_calendar")
        ),
        sa.ForeignKeyConstraint(
            ["clinician_id"], ["clinician.id"], name=op.f("fk_series_invitation_clinician_id_clinician")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_series_invitation")),
        sa.UniqueConstraint("uid", "clinician_id", name=op.f("uq_series_invitation_uid_clinician_id")),
    )
    op.create_index(op.f("ix_series_invitation_clinician_id"), "series_invitation", ["clinician_id"])
    op.create_table(
        "occurrence_answer",
        sa.Column("uid", sa.String(), nullable=False),
        sa.Column("clinician_id", sa.Uuid(), nullable=False),
        sa.Column("occurrence_on", sa.Date(), nullable=False),
        sa.Column("answer", sa.String(), nullable=False),
        sa.Column("answered_at", INSTANT, nullable=False),
        sa.Column("answered_sequence", sa.Integer(), nullable=True),
        sa.Column("answered_stamp", INSTANT, nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.CheckConstraint(f"answer IN ({ANSWERS})", name=op.f("ck_occurrence_answer_answer")),
        sa.ForeignKeyConstraint(
            ["clinician_id"], ["clinician.id"], name=op.f("fk_occurrence_answer_clinician_id_clinician")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_occurrence_answer")),
        sa.UniqueConstraint(
            "uid", "clinician_id", "occurrence_on", name=op.f("uq_occurrence_answer_uid_clinician_id_occurrence_on")
        ),
    )
    op.create_index(op.f("ix_occurrence_answer_clinician_id"), "occurrence_answer", ["clinician_id"])


def downgrade() -> None:
    for table in ("occurrence_answer", "series_invitation", "series_calendar", "inbound_mail", "suppression"):
        op.drop_table(table)
    with op.batch_alter_table("membership") as batch:
        batch.drop_constraint(op.f("ck_membership_calendar"))
        batch.drop_column("calendar")
    op.create_index(op.f("ix_invitation_clinician_id"), "invitation", ["clinician_id"])
    op.drop_index(op.f("ix_invitation_clinician_id_number"), "invitation")
    op.drop_column("invitation", "carried")
    op.drop_column("invitation", "answered_stamp")
    op.drop_column("invitation", "answered_sequence")
    op.drop_column("calendar_object", "time_sequence")
