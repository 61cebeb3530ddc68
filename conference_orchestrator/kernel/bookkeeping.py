"""What the web must remember beyond a process: Idempotency-Keys, spent captcha challenges, counts of what was asked."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from conference_orchestrator.kernel.database import Identified, Model

# What answers are sealed for: they hold people's data, and that of a new token its word.
SEALED_ANSWER = "idempotency"


class IdempotencyKey(Identified, Model):
    """A creating request that carried an Idempotency-Key, and the answer it got.

    `committed_at` is written in the transaction of the effect; a row with it but without an answer belongs to a
    process that died in between, and the effect is never repeated.
    """

    __tablename__ = "idempotency_key"
    __table_args__ = (UniqueConstraint("owner", "path", "key"),)

    owner: Mapped[str]
    path: Mapped[str]
    key: Mapped[str]
    body_sha256: Mapped[str]
    lease_until: Mapped[datetime]
    committed_at: Mapped[datetime | None]
    status: Mapped[int | None]
    answer: Mapped[str | None]
    headers: Mapped[dict[str, Any] | None]


class UsedChallenge(Model):
    """A captcha challenge that was solved and spent; kept until it would expire anyway."""

    __tablename__ = "used_challenge"

    digest: Mapped[str] = mapped_column(primary_key=True)
    expires_at: Mapped[datetime] = mapped_column(index=True)


class RateCount(Model):
    """How often something was asked in one window of time. `subject` is a hash, never an address."""

    __tablename__ = "rate_count"
    __table_args__ = (Index(None, "window_at"),)

    subject: Mapped[str] = mapped_column(primary_key=True)
    window_at: Mapped[datetime] = mapped_column(primary_key=True)
    count: Mapped[int]


class RecentReading(Model):
    """Whose records an asker (as the audit names it) was shown lately: the clinicians' ids, and when, in epoch seconds.

    `read_at` is the last time, None when `records` was emptied since; `refused_at` when the audit last told of more
    than is allowed.
    """

    __tablename__ = "recent_reading"

    actor: Mapped[str] = mapped_column(primary_key=True)
    records: Mapped[dict[str, Any]]
    read_at: Mapped[datetime | None]
    refused_at: Mapped[datetime | None]
