"""Bearer tokens: each carries one role and its scope. Only the SHA-256 of a token is kept."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime
from uuid import UUID

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Mapped, mapped_column

from conference_orchestrator.kernel.database import Identified, Model, db, one_of, personal
from conference_orchestrator.kernel.errors import NotFound
from conference_orchestrator.kernel.paging import Page, Paging, page
from conference_orchestrator.kernel.principal import Principal, Role


class ApiToken(Identified, Model):
    """A way in for one role. Scope columns are plain ids: the audit outlives what they point to."""

    __tablename__ = "api_token"
    __table_args__ = (one_of("role", Role),)

    sha256: Mapped[str] = mapped_column(unique=True)
    role: Mapped[str]
    name: Mapped[str | None] = mapped_column(info=personal("content"))
    network_id: Mapped[UUID | None]
    group_id: Mapped[UUID | None]
    hospital_id: Mapped[UUID | None]
    clinician_id: Mapped[UUID | None]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


def new_secret() -> str:
    """A random word for a link or a token, with 256 random bits."""
    return secrets.token_urlsafe(32)


def digest(secret: str) -> str:
    """What is kept of a random word: its SHA-256 in hex. It needs no salt, the word cannot be guessed."""
    return hashlib.sha256(secret.encode()).hexdigest()


# Every call of the API asks it: columns without a model around them, and the statement built once.
BY_DIGEST = select(*ApiToken.__table__.c).where(ApiToken.sha256 == bindparam("sha256"))


def principal_of(secret: str, *, at: datetime) -> Principal | None:
    """Who the token belongs to; None when it is unknown, expired or revoked."""
    token = db.session.connection().execute(BY_DIGEST, {"sha256": digest(secret)}).one_or_none()
    if token is None or token.revoked_at is not None or (token.expires_at is not None and token.expires_at <= at):
        return None
    return Principal(
        role=Role(token.role),
        token_id=token.id,
        network_id=token.network_id,
        group_id=token.group_id,
        hospital_id=token.hospital_id,
        clinician_id=token.clinician_id,
    )


def get(token_id: UUID) -> ApiToken:
    """The token's record, or NotFound."""
    found = db.session.get(ApiToken, token_id)
    if found is None:
        raise NotFound("There is no such token.")
    return found


def listed(paging: Paging) -> Page[ApiToken]:
    """All tokens, oldest first."""
    return page(select(ApiToken), paging, by=[ApiToken.created_at, ApiToken.id])
