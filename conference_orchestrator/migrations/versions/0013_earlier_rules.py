"""What a round had arranged until the day before a planned change is kept: its dates may still have exceptions.

A change that is still to come when this migration runs keeps what it had: of the time before it only the sessions are
known, and an exception of it is refused.

Revision ID: 0013
Revises: 0012
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "earlier_rule",
        sa.Column("series_id", sa.Uuid(), nullable=False),
        sa.Column("from_on", sa.Date(), nullable=False),
        sa.Column("rule", sa.String(), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=True),
        sa.Column("start_time", sa.Time(), nullable=False),
        sa.Column("time_zone", sa.String(), nullable=False),
        sa.Column("slots", sa.Integer(), nullable=False),
        sa.Column("slot_minutes", sa.Integer(), nullable=False),
        sa.Column("break_minutes", sa.Integer(), nullable=False),
        sa.Column("host_margin_minutes", sa.Integer(), nullable=False),
        sa.Column("holiday_countries", sa.JSON(), nullable=False),
        sa.Column("holiday_action", sa.String(), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("slots BETWEEN 1 AND 50", name=op.f("ck_earlier_rule_slots")),
        sa.CheckConstraint("ends_on >= from_on", name=op.f("ck_earlier_rule_range")),
        sa.ForeignKeyConstraint(["series_id"], ["series.id"], name=op.f("fk_earlier_rule_series_id_series")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_earlier_rule")),
        sa.UniqueConstraint("series_id", "from_on", name=op.f("uq_earlier_rule_series_id_from_on")),
    )


def downgrade() -> None:
    op.drop_table("earlier_rule")
