"""The first schema.

Revision ID: 0001
Revises: nothing
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "api_token",
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=True),
        sa.Column("network_id", sa.Uuid(), nullable=True),
        sa.Column("group_id", sa.Uuid(), nullable=True),
        sa.Column("hospital_id", sa.Uuid(), nullable=True),
        sa.Column("clinician_id", sa.Uuid(), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "role IN ('anonymous', 'clinician', 'coordinator', 'reference-centre', 'helpdesk', 'auditor', 'system')",
            name=op.f("ck_api_token_role"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_token")),
        sa.UniqueConstraint("sha256", name=op.f("uq_api_token_sha256")),
    )
    op.create_table(
        "hospital",
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("city", sa.String(), nullable=False),
        sa.Column("country", sa.String(), nullable=False),
        sa.Column("time_zone", sa.String(), nullable=False),
        sa.Column("is_reference_centre", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hospital")),
        sa.UniqueConstraint("code", name=op.f("uq_hospital_code")),
    )
    op.create_table(
        "host_account",
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("email", sa.String(), nullable=False),
        sa.Column("capacity", sa.Integer(), nullable=False),
        sa.Column("kinds", sa.JSON(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("capacity BETWEEN 1 AND 50", name=op.f("ck_host_account_capacity")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_host_account")),
        sa.UniqueConstraint("provider", "email", name=op.f("uq_host_account_provider_email")),
    )
    op.create_table(
        "idempotency_key",
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("path", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("body_sha256", sa.String(), nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("committed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("answer", sa.String(), nullable=True),
        sa.Column("headers", sa.JSON(), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_idempotency_key")),
        sa.UniqueConstraint("owner", "path", "key", name=op.f("uq_idempotency_key_owner_path_key")),
    )
    op.create_table(
        "message",
        sa.Column("cause", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("language", sa.String(), nullable=False),
        sa.Column("time_zone", sa.String(), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("clinician_id", sa.Uuid(), nullable=True),
        sa.Column("conference_id", sa.Uuid(), nullable=True),
        sa.Column("link_subject", sa.Uuid(), nullable=True),
        sa.Column("chain", sa.String(), nullable=True),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("references", sa.String(), nullable=True),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("lost_answers", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("worker", sa.String(), nullable=True),
        sa.Column("last_answer", sa.String(), nullable=True),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "state IN ('queued', 'sending', 'sent', 'deferred', 'failed', 'ambiguous', 'suppressed')",
            name=op.f("ck_message_state"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_message")),
        sa.UniqueConstraint("cause", "address", "kind", name=op.f("uq_message_cause_address_kind")),
    )
    op.create_index(
        "ix_message_chain",
        "message",
        ["chain", "number"],
        unique=False,
        sqlite_where=sa.text("chain IS NOT NULL"),
        postgresql_where=sa.text("chain IS NOT NULL"),
    )
    op.create_index(op.f("ix_message_clinician_id"), "message", ["clinician_id"], unique=False)
    op.create_index(
        op.f("ix_message_conference_id_created_at_id"), "message", ["conference_id", "created_at", "id"], unique=False
    )
    op.create_index(op.f("ix_message_created_at_id"), "message", ["created_at", "id"], unique=False)
    op.create_index(
        "ix_message_due",
        "message",
        ["due_at"],
        unique=False,
        sqlite_where=sa.text("state IN ('queued', 'sending', 'deferred', 'ambiguous')"),
        postgresql_where=sa.text("state IN ('queued', 'sending', 'deferred', 'ambiguous')"),
    )
    op.create_table(
        "network",
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("helpdesk_address", sa.String(), nullable=True),
        sa.Column("helpdesk_hours", sa.String(), nullable=True),
        sa.Column("funding_line", sa.String(), nullable=True),
        sa.Column("participant_list", sa.String(), nullable=False),
        sa.Column("web_conference", sa.JSON(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("participant_list IN ('attachment', 'link')", name=op.f("ck_network_participant_list")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_network")),
        sa.UniqueConstraint("code", name=op.f("uq_network_code")),
    )
    op.create_table(
        "rate_count",
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("window_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("subject", "window_at", name=op.f("pk_rate_count")),
    )
    op.create_index(op.f("ix_rate_count_window_at"), "rate_count", ["window_at"], unique=False)
    op.create_table(
        "task",
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("lock", sa.String(), nullable=True),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("worker", sa.String(), nullable=True),
        sa.Column("last_error", sa.String(), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("state IN ('open', 'dead')", name=op.f("ck_task_state")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_task")),
    )
    op.create_index(
        "ix_task_due",
        "task",
        ["rank", "due_at"],
        unique=False,
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    )
    op.create_index(
        "ix_task_lock",
        "task",
        ["lock"],
        unique=False,
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    )
    op.create_table(
        "tick",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", "due_at", name=op.f("pk_tick")),
    )
    op.create_table(
        "used_challenge",
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_used_challenge")),
    )
    op.create_index(op.f("ix_used_challenge_expires_at"), "used_challenge", ["expires_at"], unique=False)
    op.create_table(
        "clinician",
        sa.Column("given_name", sa.String(), nullable=False),
        sa.Column("family_name", sa.String(), nullable=False),
        sa.Column("email", sa.String(), nullable=False),
        sa.Column("phone", sa.String(), nullable=True),
        sa.Column("hospital_id", sa.Uuid(), nullable=True),
        sa.Column("hospital_name", sa.String(), nullable=False),
        sa.Column("country", sa.String(), nullable=False),
        sa.Column("profession", sa.String(), nullable=False),
        sa.Column("specialties", sa.JSON(), nullable=False),
        sa.Column("language", sa.String(), nullable=False),
        sa.Column("time_zone", sa.String(), nullable=False),
        sa.Column("share", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("state IN ('active', 'erased')", name=op.f("ck_clinician_state")),
        sa.ForeignKeyConstraint(["hospital_id"], ["hospital.id"], name=op.f("fk_clinician_hospital_id_hospital")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_clinician")),
        sa.UniqueConstraint("email", name=op.f("uq_clinician_email")),
    )
    op.create_index(op.f("ix_clinician_family_name"), "clinician", ["family_name"], unique=False)
    op.create_index(op.f("ix_clinician_hospital_id"), "clinician", ["hospital_id"], unique=False)
    op.create_table(
        "expert_group",
        sa.Column("network_id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("contact_email", sa.String(), nullable=True),
        sa.Column("time_zone", sa.String(), nullable=False),
        sa.Column("intake", sa.String(), nullable=False),
        sa.Column("quorum_minimum", sa.Integer(), nullable=False),
        sa.Column("quorum_disciplines", sa.JSON(), nullable=False),
        sa.Column("rules", sa.JSON(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("intake IN ('pre-selection', 'evaluation', 'direct')", name=op.f("ck_expert_group_intake")),
        sa.ForeignKeyConstraint(["network_id"], ["network.id"], name=op.f("fk_expert_group_network_id_network")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_expert_group")),
        sa.UniqueConstraint("code", name=op.f("uq_expert_group_code")),
    )
    op.create_index(op.f("ix_expert_group_network_id"), "expert_group", ["network_id"], unique=False)
    op.create_table(
        "hospital_network",
        sa.Column("hospital_id", sa.Uuid(), nullable=False),
        sa.Column("network_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["hospital_id"], ["hospital.id"], name=op.f("fk_hospital_network_hospital_id_hospital")
        ),
        sa.ForeignKeyConstraint(["network_id"], ["network.id"], name=op.f("fk_hospital_network_network_id_network")),
        sa.PrimaryKeyConstraint("hospital_id", "network_id", name=op.f("pk_hospital_network")),
    )
    op.create_index(op.f("ix_hospital_network_network_id"), "hospital_network", ["network_id"], unique=False)
    op.create_table(
        "registration",
        sa.Column("network_id", sa.Uuid(), nullable=False),
        sa.Column("given_name", sa.String(), nullable=False),
        sa.Column("family_name", sa.String(), nullable=False),
        sa.Column("email", sa.String(), nullable=False),
        sa.Column("phone", sa.String(), nullable=True),
        sa.Column("hospital_id", sa.Uuid(), nullable=True),
        sa.Column("hospital_name", sa.String(), nullable=False),
        sa.Column("country", sa.String(), nullable=False),
        sa.Column("profession", sa.String(), nullable=False),
        sa.Column("specialties", sa.JSON(), nullable=False),
        sa.Column("language", sa.String(), nullable=False),
        sa.Column("time_zone", sa.String(), nullable=False),
        sa.Column("share", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("escalated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_by", sa.String(), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("clinician_id", sa.Uuid(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "state IN ('address-pending', 'pending', 'active', 'refused')", name=op.f("ck_registration_state")
        ),
        sa.ForeignKeyConstraint(["hospital_id"], ["hospital.id"], name=op.f("fk_registration_hospital_id_hospital")),
        sa.ForeignKeyConstraint(["network_id"], ["network.id"], name=op.f("fk_registration_network_id_network")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_registration")),
    )
    op.create_index(op.f("ix_registration_clinician_id"), "registration", ["clinician_id"], unique=False)
    op.create_index(op.f("ix_registration_due_at"), "registration", ["due_at"], unique=False)
    op.create_index(
        op.f("ix_registration_state_submitted_at_id"), "registration", ["state", "submitted_at", "id"], unique=False
    )
    op.create_index(
        "uq_registration_open",
        "registration",
        ["network_id", "email"],
        unique=True,
        sqlite_where=sa.text("state IN ('address-pending', 'pending')"),
        postgresql_where=sa.text("state IN ('address-pending', 'pending')"),
    )
    op.create_table(
        "checklist_item",
        sa.Column("group_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("label", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("required", sa.Boolean(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind IN ('flag', 'text', 'date', 'count')", name=op.f("ck_checklist_item_kind")),
        sa.ForeignKeyConstraint(
            ["group_id"], ["expert_group.id"], name=op.f("fk_checklist_item_group_id_expert_group")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_checklist_item")),
        sa.UniqueConstraint("group_id", "code", name=op.f("uq_checklist_item_group_id_code")),
    )
    op.create_table(
        "clinician_address",
        sa.Column("clinician_id", sa.Uuid(), nullable=False),
        sa.Column("email", sa.String(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["clinician_id"], ["clinician.id"], name=op.f("fk_clinician_address_clinician_id_clinician")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_clinician_address")),
        sa.UniqueConstraint("email", name=op.f("uq_clinician_address_email")),
    )
    op.create_index(op.f("ix_clinician_address_clinician_id"), "clinician_address", ["clinician_id"], unique=False)
    op.create_table(
        "clinician_network",
        sa.Column("clinician_id", sa.Uuid(), nullable=False),
        sa.Column("network_id", sa.Uuid(), nullable=False),
        sa.Column("activated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["clinician_id"], ["clinician.id"], name=op.f("fk_clinician_network_clinician_id_clinician")
        ),
        sa.ForeignKeyConstraint(["network_id"], ["network.id"], name=op.f("fk_clinician_network_network_id_network")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_clinician_network")),
        sa.UniqueConstraint("clinician_id", "network_id", name=op.f("uq_clinician_network_clinician_id_network_id")),
    )
    op.create_index(op.f("ix_clinician_network_network_id"), "clinician_network", ["network_id"], unique=False)
    op.create_table(
        "consultation_request",
        sa.Column("group_id", sa.Uuid(), nullable=False),
        sa.Column("case_reference", sa.String(), nullable=False),
        sa.Column("question", sa.String(), nullable=False),
        sa.Column("urgency", sa.String(), nullable=False),
        sa.Column("consent_confirmed", sa.Boolean(), nullable=False),
        sa.Column("checklist", sa.JSON(), nullable=False),
        sa.Column("imaging", sa.JSON(), nullable=False),
        sa.Column("requester_id", sa.Uuid(), nullable=False),
        sa.Column("hospital_id", sa.Uuid(), nullable=True),
        sa.Column("attendees", sa.JSON(), nullable=False),
        sa.Column("earliest_on", sa.Date(), nullable=True),
        sa.Column("latest_on", sa.Date(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_by", sa.String(), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("waiting_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("displaced", sa.Boolean(), nullable=False),
        sa.Column("advised_on", sa.Date(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "state IN ('draft', 'submitted', 'returned', 'declined', 'accepted', 'allocated', 'waiting', 'offered', 'discussed', 'closed', 'withdrawn')",
            name=op.f("ck_consultation_request_state"),
        ),
        sa.CheckConstraint(
            "urgency IN ('emergency', 'urgent', 'routine')", name=op.f("ck_consultation_request_urgency")
        ),
        sa.ForeignKeyConstraint(
            ["group_id"], ["expert_group.id"], name=op.f("fk_consultation_request_group_id_expert_group")
        ),
        sa.ForeignKeyConstraint(
            ["hospital_id"], ["hospital.id"], name=op.f("fk_consultation_request_hospital_id_hospital")
        ),
        sa.ForeignKeyConstraint(
            ["requester_id"], ["clinician.id"], name=op.f("fk_consultation_request_requester_id_clinician")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consultation_request")),
    )
    op.create_index(
        op.f("ix_consultation_request_created_at_id"), "consultation_request", ["created_at", "id"], unique=False
    )
    op.create_index(
        op.f("ix_consultation_request_group_id_state_created_at_id"),
        "consultation_request",
        ["group_id", "state", "created_at", "id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_consultation_request_hospital_id_created_at"),
        "consultation_request",
        ["hospital_id", "created_at"],
        unique=False,
    )
    op.create_index(
        op.f("ix_consultation_request_requester_id"), "consultation_request", ["requester_id"], unique=False
    )
    op.create_table(
        "membership",
        sa.Column("group_id", sa.Uuid(), nullable=False),
        sa.Column("clinician_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("discipline", sa.String(), nullable=True),
        sa.Column("from_on", sa.Date(), nullable=False),
        sa.Column("until_on", sa.Date(), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("role IN ('lead', 'expert', 'coordinator')", name=op.f("ck_membership_role")),
        sa.ForeignKeyConstraint(["clinician_id"], ["clinician.id"], name=op.f("fk_membership_clinician_id_clinician")),
        sa.ForeignKeyConstraint(["group_id"], ["expert_group.id"], name=op.f("fk_membership_group_id_expert_group")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_membership")),
    )
    op.create_index(op.f("ix_membership_clinician_id"), "membership", ["clinician_id"], unique=False)
    op.create_index(
        "uq_membership_current",
        "membership",
        ["group_id", "clinician_id"],
        unique=True,
        sqlite_where=sa.text("until_on IS NULL"),
        postgresql_where=sa.text("until_on IS NULL"),
    )
    op.create_table(
        "notice",
        sa.Column("network_id", sa.Uuid(), nullable=True),
        sa.Column("group_id", sa.Uuid(), nullable=True),
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("language", sa.String(), nullable=False),
        sa.Column("notice_version", sa.String(), nullable=False),
        sa.Column("valid_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("body", sa.String(), nullable=True),
        sa.Column("link", sa.String(), nullable=True),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "kind IN ('privacy', 'factsheet', 'instructions', 'consent-form', 'case-sheet', 'guide')",
            name=op.f("ck_notice_kind"),
        ),
        sa.ForeignKeyConstraint(["group_id"], ["expert_group.id"], name=op.f("fk_notice_group_id_expert_group")),
        sa.ForeignKeyConstraint(["network_id"], ["network.id"], name=op.f("fk_notice_network_id_network")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notice")),
        sa.UniqueConstraint(
            "scope", "kind", "language", "notice_version", name=op.f("uq_notice_scope_kind_language_notice_version")
        ),
    )
    op.create_index(op.f("ix_notice_group_id"), "notice", ["group_id"], unique=False)
    op.create_index(op.f("ix_notice_network_id"), "notice", ["network_id"], unique=False)
    op.create_table(
        "series",
        sa.Column("group_id", sa.Uuid(), nullable=False),
        sa.Column("rule", sa.String(), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=True),
        sa.Column("start_time", sa.Time(), nullable=False),
        sa.Column("time_zone", sa.String(), nullable=False),
        sa.Column("slots", sa.Integer(), nullable=False),
        sa.Column("slot_minutes", sa.Integer(), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("slots BETWEEN 1 AND 50", name=op.f("ck_series_slots")),
        sa.ForeignKeyConstraint(["group_id"], ["expert_group.id"], name=op.f("fk_series_group_id_expert_group")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_series")),
    )
    op.create_index(op.f("ix_series_group_id"), "series", ["group_id"], unique=False)
    op.create_table(
        "webinar_request",
        sa.Column("hospital_id", sa.Uuid(), nullable=False),
        sa.Column("requester_id", sa.Uuid(), nullable=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("topic", sa.String(), nullable=False),
        sa.Column("language", sa.String(), nullable=False),
        sa.Column("duration_minutes", sa.Integer(), nullable=False),
        sa.Column("preferred", sa.JSON(), nullable=False),
        sa.Column("expected_audience", sa.Integer(), nullable=False),
        sa.Column("audience", sa.JSON(), nullable=False),
        sa.Column("speakers", sa.JSON(), nullable=False),
        sa.Column("credits", sa.Double(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_by", sa.String(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind IN ('webinar', 'web-conference')", name=op.f("ck_webinar_request_kind")),
        sa.CheckConstraint(
            "state IN ('submitted', 'approved', 'refused', 'cancelled')", name=op.f("ck_webinar_request_state")
        ),
        sa.CheckConstraint("duration_minutes BETWEEN 10 AND 1439", name=op.f("ck_webinar_request_duration")),
        sa.ForeignKeyConstraint(["hospital_id"], ["hospital.id"], name=op.f("fk_webinar_request_hospital_id_hospital")),
        sa.ForeignKeyConstraint(
            ["requester_id"], ["clinician.id"], name=op.f("fk_webinar_request_requester_id_clinician")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webinar_request")),
    )
    op.create_index(op.f("ix_webinar_request_hospital_id"), "webinar_request", ["hospital_id"], unique=False)
    op.create_index(
        op.f("ix_webinar_request_state_created_at_id"), "webinar_request", ["state", "created_at", "id"], unique=False
    )
    op.create_table(
        "notice_acceptance",
        sa.Column("notice_id", sa.Uuid(), nullable=False),
        sa.Column("registration_id", sa.Uuid(), nullable=True),
        sa.Column("clinician_id", sa.Uuid(), nullable=True),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("means", sa.String(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["notice_id"], ["notice.id"], name=op.f("fk_notice_acceptance_notice_id_notice")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notice_acceptance")),
    )
    op.create_index(op.f("ix_notice_acceptance_clinician_id"), "notice_acceptance", ["clinician_id"], unique=False)
    op.create_index(op.f("ix_notice_acceptance_notice_id"), "notice_acceptance", ["notice_id"], unique=False)
    op.create_index(
        op.f("ix_notice_acceptance_registration_id"), "notice_acceptance", ["registration_id"], unique=False
    )
    op.create_table(
        "session",
        sa.Column("group_id", sa.Uuid(), nullable=False),
        sa.Column("series_id", sa.Uuid(), nullable=False),
        sa.Column("occurrence_on", sa.Date(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("time_zone", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("state IN ('planned', 'held', 'cancelled')", name=op.f("ck_session_state")),
        sa.ForeignKeyConstraint(["group_id"], ["expert_group.id"], name=op.f("fk_session_group_id_expert_group")),
        sa.ForeignKeyConstraint(["series_id"], ["series.id"], name=op.f("fk_session_series_id_series")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_session")),
        sa.UniqueConstraint("series_id", "occurrence_on", name=op.f("uq_session_series_id_occurrence_on")),
    )
    op.create_index(op.f("ix_session_ends_at"), "session", ["ends_at"], unique=False)
    op.create_index(op.f("ix_session_group_id_starts_at_id"), "session", ["group_id", "starts_at", "id"], unique=False)
    op.create_index(op.f("ix_session_starts_at_id"), "session", ["starts_at", "id"], unique=False)
    op.create_table(
        "conference",
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("network_id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=True),
        sa.Column("webinar_request_id", sa.Uuid(), nullable=True),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("time_zone", sa.String(), nullable=False),
        sa.Column("is_wanted", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("host", sa.String(), nullable=True),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("problem", sa.String(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("attempted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempted_start", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempted_end", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempted_host", sa.String(), nullable=True),
        sa.Column("looks", sa.Integer(), nullable=False),
        sa.Column("waits", sa.Integer(), nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("worker", sa.String(), nullable=True),
        sa.Column("meeting_id", sa.String(), nullable=True),
        sa.Column("number", sa.String(), nullable=True),
        sa.Column("join_url", sa.String(), nullable=True),
        sa.Column("present_title", sa.String(), nullable=True),
        sa.Column("present_start", sa.DateTime(timezone=True), nullable=True),
        sa.Column("present_end", sa.DateTime(timezone=True), nullable=True),
        sa.Column("present_host", sa.String(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind IN ('session', 'webinar', 'web-conference')", name=op.f("ck_conference_kind")),
        sa.CheckConstraint(
            "state IN ('wanted', 'provisioning', 'ready', 'degraded', 'missing', 'failed', 'cancelled', 'held')",
            name=op.f("ck_conference_state"),
        ),
        sa.CheckConstraint("(session_id IS NULL) != (webinar_request_id IS NULL)", name=op.f("ck_conference_subject")),
        sa.ForeignKeyConstraint(["network_id"], ["network.id"], name=op.f("fk_conference_network_id_network")),
        sa.ForeignKeyConstraint(["session_id"], ["session.id"], name=op.f("fk_conference_session_id_session")),
        sa.ForeignKeyConstraint(
            ["webinar_request_id"],
            ["webinar_request.id"],
            name=op.f("fk_conference_webinar_request_id_webinar_request"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_conference")),
        sa.UniqueConstraint("key", name=op.f("uq_conference_key")),
        sa.UniqueConstraint("session_id", name=op.f("uq_conference_session_id")),
        sa.UniqueConstraint("webinar_request_id", name=op.f("uq_conference_webinar_request_id")),
    )
    op.create_index(op.f("ix_conference_network_id"), "conference", ["network_id"], unique=False)
    op.create_index(op.f("ix_conference_starts_at_id"), "conference", ["starts_at", "id"], unique=False)
    op.create_index(op.f("ix_conference_state_ends_at"), "conference", ["state", "ends_at"], unique=False)
    op.create_table(
        "slot",
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["session_id"], ["session.id"], name=op.f("fk_slot_session_id_session")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_slot")),
        sa.UniqueConstraint("session_id", "number", name=op.f("uq_slot_session_id_number")),
    )
    op.create_table(
        "allocation",
        sa.Column("slot_id", sa.Uuid(), nullable=False),
        sa.Column("request_id", sa.Uuid(), nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("released_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["request_id"], ["consultation_request.id"], name=op.f("fk_allocation_request_id_consultation_request")
        ),
        sa.ForeignKeyConstraint(["slot_id"], ["slot.id"], name=op.f("fk_allocation_slot_id_slot")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_allocation")),
    )
    op.create_index(op.f("ix_allocation_request_id"), "allocation", ["request_id"], unique=False)
    op.create_index(op.f("ix_allocation_slot_id"), "allocation", ["slot_id"], unique=False)
    op.create_index(
        "uq_allocation_request",
        "allocation",
        ["request_id"],
        unique=True,
        sqlite_where=sa.text("released_at IS NULL"),
        postgresql_where=sa.text("released_at IS NULL"),
    )
    op.create_index(
        "uq_allocation_slot",
        "allocation",
        ["slot_id"],
        unique=True,
        sqlite_where=sa.text("released_at IS NULL"),
        postgresql_where=sa.text("released_at IS NULL"),
    )
    op.create_table(
        "calendar_object",
        sa.Column("uid", sa.String(), nullable=False),
        sa.Column("conference_id", sa.Uuid(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("content_sequence", sa.Integer(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("join_url", sa.String(), nullable=False),
        sa.Column("group_name", sa.String(), nullable=True),
        sa.Column("topic", sa.String(), nullable=True),
        sa.Column("case_reference", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["conference_id"], ["conference.id"], name=op.f("fk_calendar_object_conference_id_conference")
        ),
        sa.PrimaryKeyConstraint("uid", name=op.f("pk_calendar_object")),
    )
    op.create_index(op.f("ix_calendar_object_conference_id"), "calendar_object", ["conference_id"], unique=False)
    op.create_table(
        "host_booking",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("seat", sa.Integer(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("conference_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("starts_at < ends_at", name=op.f("ck_host_booking_interval")),
        sa.ForeignKeyConstraint(
            ["account_id"], ["host_account.id"], name=op.f("fk_host_booking_account_id_host_account")
        ),
        sa.ForeignKeyConstraint(
            ["conference_id"], ["conference.id"], name=op.f("fk_host_booking_conference_id_conference")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_host_booking")),
        sa.UniqueConstraint("conference_id", name=op.f("uq_host_booking_conference_id")),
    )
    op.create_index(
        op.f("ix_host_booking_account_id_seat_starts_at"),
        "host_booking",
        ["account_id", "seat", "starts_at"],
        unique=False,
    )
    op.create_table(
        "invitation",
        sa.Column("uid", sa.String(), nullable=False),
        sa.Column("clinician_id", sa.Uuid(), nullable=False),
        sa.Column("conference_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("method", sa.String(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("first_message", sa.String(), nullable=True),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answer", sa.String(), nullable=True),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("answer IN ('accepted', 'declined', 'tentative')", name=op.f("ck_invitation_answer")),
        sa.CheckConstraint("method IN ('REQUEST', 'CANCEL')", name=op.f("ck_invitation_method")),
        sa.ForeignKeyConstraint(["clinician_id"], ["clinician.id"], name=op.f("fk_invitation_clinician_id_clinician")),
        sa.ForeignKeyConstraint(
            ["conference_id"], ["conference.id"], name=op.f("fk_invitation_conference_id_conference")
        ),
        sa.ForeignKeyConstraint(["uid"], ["calendar_object.uid"], name=op.f("fk_invitation_uid_calendar_object")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invitation")),
        sa.UniqueConstraint("uid", "clinician_id", name=op.f("uq_invitation_uid_clinician_id")),
    )
    op.create_index(op.f("ix_invitation_clinician_id"), "invitation", ["clinician_id"], unique=False)
    op.create_index(op.f("ix_invitation_conference_id"), "invitation", ["conference_id"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_invitation_conference_id"), table_name="invitation")
    op.drop_index(op.f("ix_invitation_clinician_id"), table_name="invitation")
    op.drop_table("invitation")
    op.drop_index(op.f("ix_host_booking_account_id_seat_starts_at"), table_name="host_booking")
    op.drop_table("host_booking")
    op.drop_index(op.f("ix_calendar_object_conference_id"), table_name="calendar_object")
    op.drop_table("calendar_object")
    op.drop_index(
        "uq_allocation_slot",
        table_name="allocation",
        sqlite_where=sa.text("released_at IS NULL"),
        postgresql_where=sa.text("released_at IS NULL"),
    )
    op.drop_index(
        "uq_allocation_request",
        table_name="allocation",
        sqlite_where=sa.text("released_at IS NULL"),
        postgresql_where=sa.text("released_at IS NULL"),
    )
    op.drop_index(op.f("ix_allocation_slot_id"), table_name="allocation")
    op.drop_index(op.f("ix_allocation_request_id"), table_name="allocation")
    op.drop_table("allocation")
    op.drop_table("slot")
    op.drop_index(op.f("ix_conference_state_ends_at"), table_name="conference")
    op.drop_index(op.f("ix_conference_starts_at_id"), table_name="conference")
    op.drop_index(op.f("ix_conference_network_id"), table_name="conference")
    op.drop_table("conference")
    op.drop_index(op.f("ix_session_starts_at_id"), table_name="session")
    op.drop_index(op.f("ix_session_group_id_starts_at_id"), table_name="session")
    op.drop_index(op.f("ix_session_ends_at"), table_name="session")
    op.drop_table("session")
    op.drop_index(op.f("ix_notice_acceptance_registration_id"), table_name="notice_acceptance")
    op.drop_index(op.f("ix_notice_acceptance_notice_id"), table_name="notice_acceptance")
    op.drop_index(op.f("ix_notice_acceptance_clinician_id"), table_name="notice_acceptance")
    op.drop_table("notice_acceptance")
    op.drop_index(op.f("ix_webinar_request_state_created_at_id"), table_name="webinar_request")
    op.drop_index(op.f("ix_webinar_request_hospital_id"), table_name="webinar_request")
    op.drop_table("webinar_request")
    op.drop_index(op.f("ix_series_group_id"), table_name="series")
    op.drop_table("series")
    op.drop_index(op.f("ix_notice_network_id"), table_name="notice")
    op.drop_index(op.f("ix_notice_group_id"), table_name="notice")
    op.drop_table("notice")
    op.drop_index(
        "uq_membership_current",
        table_name="membership",
        sqlite_where=sa.text("until_on IS NULL"),
        postgresql_where=sa.text("until_on IS NULL"),
    )
    op.drop_index(op.f("ix_membership_clinician_id"), table_name="membership")
    op.drop_table("membership")
    op.drop_index(op.f("ix_consultation_request_requester_id"), table_name="consultation_request")
    op.drop_index(op.f("ix_consultation_request_hospital_id_created_at"), table_name="consultation_request")
    op.drop_index(op.f("ix_consultation_request_group_id_state_created_at_id"), table_name="consultation_request")
    op.drop_index(op.f("ix_consultation_request_created_at_id"), table_name="consultation_request")
    op.drop_table("consultation_request")
    op.drop_index(op.f("ix_clinician_network_network_id"), table_name="clinician_network")
    op.drop_table("clinician_network")
    op.drop_index(op.f("ix_clinician_address_clinician_id"), table_name="clinician_address")
    op.drop_table("clinician_address")
    op.drop_table("checklist_item")
    op.drop_index(
        "uq_registration_open",
        table_name="registration",
        sqlite_where=sa.text("state IN ('address-pending', 'pending')"),
        postgresql_where=sa.text("state IN ('address-pending', 'pending')"),
    )
    op.drop_index(op.f("ix_registration_state_submitted_at_id"), table_name="registration")
    op.drop_index(op.f("ix_registration_due_at"), table_name="registration")
    op.drop_index(op.f("ix_registration_clinician_id"), table_name="registration")
    op.drop_table("registration")
    op.drop_index(op.f("ix_hospital_network_network_id"), table_name="hospital_network")
    op.drop_table("hospital_network")
    op.drop_index(op.f("ix_expert_group_network_id"), table_name="expert_group")
    op.drop_table("expert_group")
    op.drop_index(op.f("ix_clinician_hospital_id"), table_name="clinician")
    op.drop_index(op.f("ix_clinician_family_name"), table_name="clinician")
    op.drop_table("clinician")
    op.drop_index(op.f("ix_used_challenge_expires_at"), table_name="used_challenge")
    op.drop_table("used_challenge")
    op.drop_table("tick")
    op.drop_index(
        "ix_task_lock",
        table_name="task",
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    )
    op.drop_index(
        "ix_task_due",
        table_name="task",
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    )
    op.drop_table("task")
    op.drop_index(op.f("ix_rate_count_window_at"), table_name="rate_count")
    op.drop_table("rate_count")
    op.drop_table("network")
    op.drop_index(
        "ix_message_due",
        table_name="message",
        sqlite_where=sa.text("state IN ('queued', 'sending', 'deferred', 'ambiguous')"),
        postgresql_where=sa.text("state IN ('queued', 'sending', 'deferred', 'ambiguous')"),
    )
    op.drop_index(op.f("ix_message_created_at_id"), table_name="message")
    op.drop_index(op.f("ix_message_conference_id_created_at_id"), table_name="message")
    op.drop_index(op.f("ix_message_clinician_id"), table_name="message")
    op.drop_index(
        "ix_message_chain",
        table_name="message",
        sqlite_where=sa.text("chain IS NOT NULL"),
        postgresql_where=sa.text("chain IS NOT NULL"),
    )
    op.drop_table("message")
    op.drop_table("idempotency_key")
    op.drop_table("host_account")
    op.drop_table("hospital")
    op.drop_table("api_token")
