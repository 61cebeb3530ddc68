"""Exceptions of series, offers, absences, substitutes, replans.

Revision ID: 0003
Revises: 0002
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
EMPTY_LIST, EMPTY_MAP = sa.text("'[]'"), sa.text("'{}'")
OPEN_OFFER = sa.text("offer = 'open'")
# By table: each CHECK as it was and as it is.
CHECKS: dict[str, dict[str, tuple[str | None, str | None]]] = {
    "checklist_item": {
        "kind": (
            "kind IN ('flag', 'text', 'date', 'count')",
            "kind IN ('flag', 'text', 'date', 'count', 'choice', 'file-reference')",
        )
    },
    "membership": {
        "role": (
            "role IN ('lead', 'expert', 'coordinator')",
            "role IN ('lead', 'expert', 'coordinator', 'substitute')",
        )
    },
    "allocation": {
        "offer": (None, "offer IN ('open', 'accepted', 'refused', 'expired', 'withdrawn')"),
        "expiry": (None, "(offer IS NULL) = (expires_at IS NULL)"),
        "offer_held": (None, "offer IS NULL OR offer = 'accepted' OR (offer = 'open') = (released_at IS NULL)"),
    },
}


def new_columns() -> dict[str, list[sa.Column[Any]]]:
    # The defaults stay in the database: an older version of the service may still write beside this one.
    return {
        "checklist_item": [
            sa.Column("options", sa.JSON(), nullable=False, server_default=EMPTY_LIST),
            sa.Column("labels", sa.JSON(), nullable=False, server_default=EMPTY_MAP),
        ],
        "conference": [sa.Column("host_margin_minutes", sa.Integer(), nullable=False, server_default="0")],
        "consultation_request": [sa.Column("reasons", sa.JSON(), nullable=False, server_default=EMPTY_LIST)],
        "expert_group": [sa.Column("quorum_substitutes", sa.Boolean(), nullable=False, server_default=sa.false())],
        "series": [
            sa.Column("break_minutes", sa.Integer(), nullable=False, server_default="0"),
            sa.Column("host_margin_minutes", sa.Integer(), nullable=False, server_default="0"),
            sa.Column("holiday_countries", sa.JSON(), nullable=False, server_default=EMPTY_LIST),
            sa.Column("holiday_action", sa.String(), nullable=True),
            sa.Column("from_on", sa.Date(), nullable=True),
        ],
        "session": [
            sa.Column("left_out", sa.Boolean(), nullable=False, server_default=sa.false()),
            sa.Column("holidays", sa.JSON(), nullable=False, server_default=EMPTY_LIST),
            sa.Column("quorum_warned_at", INSTANT, nullable=True),
            sa.Column("at_risk_since", INSTANT, nullable=True),
            sa.Column("kept_at", INSTANT, nullable=True),
        ],
        "slot": [sa.Column("withdrawn", sa.Boolean(), nullable=False, server_default=sa.false())],
        "allocation": [
            sa.Column("offer", sa.String(), nullable=True),
            sa.Column("expires_at", INSTANT, nullable=True),
            sa.Column("answered_at", INSTANT, nullable=True),
        ],
    }


def upgrade() -> None:
    create_tables()
    for table, columns in new_columns().items():
        for column in columns:
            op.add_column(table, column)
    op.create_index(
        "ix_allocation_offer", "allocation", ["expires_at"], sqlite_where=OPEN_OFFER, postgresql_where=OPEN_OFFER
    )
    set_checks(before=0, after=1)


def create_tables() -> None:
    op.create_table(
        "absence",
        sa.Column("clinician_id", sa.Uuid(), nullable=False),
        sa.Column("from_on", sa.Date(), nullable=False),
        sa.Column("until_on", sa.Date(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.CheckConstraint("until_on >= from_on", name=op.f("ck_absence_range")),
        sa.ForeignKeyConstraint(["clinician_id"], ["clinician.id"], name=op.f("fk_absence_clinician_id_clinician")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_absence")),
    )
    op.create_index(op.f("ix_absence_clinician_id_until_on"), "absence", ["clinician_id", "until_on"])
    op.create_table(
        "replan",
        sa.Column("group_id", sa.Uuid(), nullable=False),
        sa.Column("moves", sa.JSON(), nullable=False),
        sa.Column("unplaced", sa.JSON(), nullable=False),
        sa.Column("applied_at", INSTANT, nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(["group_id"], ["expert_group.id"], name=op.f("fk_replan_group_id_expert_group")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_replan")),
    )
    op.create_index(op.f("ix_replan_group_id"), "replan", ["group_id"])
    op.create_table(
        "series_exception",
        sa.Column("series_id", sa.Uuid(), nullable=False),
        sa.Column("occurrence_on", sa.Date(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("starts_at", INSTANT, nullable=True),
        sa.Column("until_on", sa.Date(), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.CheckConstraint("(kind = 'pause') = (until_on IS NOT NULL)", name=op.f("ck_series_exception_until")),
        sa.CheckConstraint("kind != 'move' OR starts_at IS NOT NULL", name=op.f("ck_series_exception_moved")),
        sa.CheckConstraint("kind IN ('extra', 'move') OR starts_at IS NULL", name=op.f("ck_series_exception_starts")),
        sa.CheckConstraint("kind IN ('skip', 'move', 'extra', 'pause')", name=op.f("ck_series_exception_kind")),
        sa.ForeignKeyConstraint(["series_id"], ["series.id"], name=op.f("fk_series_exception_series_id_series")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_series_exception")),
        sa.UniqueConstraint("series_id", "occurrence_on", name=op.f("uq_series_exception_series_id_occurrence_on")),
    )
    op.create_table(
        "substitute",
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("clinician_id", sa.Uuid(), nullable=False),
        sa.Column("discipline", sa.String(), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(["clinician_id"], ["clinician.id"], name=op.f("fk_substitute_clinician_id_clinician")),
        sa.ForeignKeyConstraint(["session_id"], ["session.id"], name=op.f("fk_substitute_session_id_session")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_substitute")),
        sa.UniqueConstraint("session_id", "clinician_id", name=op.f("uq_substitute_session_id_clinician_id")),
    )
    op.create_index(op.f("ix_substitute_clinician_id"), "substitute", ["clinician_id"])


def set_checks(*, before: int, after: int) -> None:
    """On SQLite, which cannot change a CHECK, the batch makes the table anew and copies its rows."""
    for table, checks in CHECKS.items():
        with op.batch_alter_table(table) as batch:
            for name, pair in checks.items():
                if pair[before] is not None:
                    batch.drop_constraint(op.f(f"ck_{table}_{name}"), type_="check")
                if (wanted := pair[after]) is not None:
                    batch.create_check_constraint(op.f(f"ck_{table}_{name}"), wanted)


def downgrade() -> None:
    # What the earlier version does not know: offers that nobody accepted hold no slot there, substitutes are no members.
    op.execute("UPDATE allocation SET released_at = taken_at WHERE offer = 'open'")
    op.execute("UPDATE consultation_request SET state = 'waiting' WHERE state = 'offered'")
    op.execute("DELETE FROM membership WHERE role = 'substitute'")
    op.execute("DELETE FROM checklist_item WHERE kind IN ('choice', 'file-reference')")
    op.drop_index("ix_allocation_offer", "allocation")
    set_checks(before=1, after=0)
    for table, columns in new_columns().items():
        for column in columns:
            op.drop_column(table, column.name)
    for table in ("substitute", "series_exception", "replan", "absence"):
        op.drop_table(table)
