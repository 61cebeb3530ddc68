"""Notices: privacy statement, factsheet, instructions and the like, in versions and languages; who accepted which."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ForeignKey, UniqueConstraint, or_, select
from sqlalchemy.orm import Mapped, mapped_column, relationship, undefer

from conference_orchestrator.kernel.database import Identified, Model, Versioned, db, one_of
from conference_orchestrator.kernel.errors import Conflict, Invalid, NotFound
from conference_orchestrator.network.notice_files import NoticeFile


class Kind(StrEnum):
    """What a notice is."""

    PRIVACY = "privacy"
    FACTSHEET = "factsheet"
    INSTRUCTIONS = "instructions"
    CONSENT_FORM = "consent-form"
    CASE_SHEET = "case-sheet"
    GUIDE = "guide"


class Notice(Versioned, Model):
    """One text in one language and version. A changed text is a new version: `sha256` is over the body or the link.

    Without a network and a group it holds for the whole installation.
    """

    __tablename__ = "notice"
    __table_args__ = (one_of("kind", Kind), UniqueConstraint("scope", "kind", "language", "notice_version"))

    network_id: Mapped[UUID | None] = mapped_column(ForeignKey("network.id"), index=True)
    group_id: Mapped[UUID | None] = mapped_column(ForeignKey("expert_group.id"), index=True)
    # What the notice belongs to as one text, since NULLs would not be unique.
    scope: Mapped[str]
    kind: Mapped[str]
    language: Mapped[str]
    notice_version: Mapped[str]
    valid_from: Mapped[datetime]
    title: Mapped[str]
    body: Mapped[str | None]
    link: Mapped[str | None]
    sha256: Mapped[str]

    # What is told about it comes with the notice, the bytes do not.
    file: Mapped[NoticeFile | None] = relationship(lazy="joined")


class NoticeAcceptance(Identified, Model):
    """Who accepted which notice, when and how. The subject is a plain id, so that it survives an erasure."""

    __tablename__ = "notice_acceptance"

    notice_id: Mapped[UUID] = mapped_column(ForeignKey("notice.id"), index=True)
    registration_id: Mapped[UUID | None] = mapped_column(index=True)
    clinician_id: Mapped[UUID | None] = mapped_column(index=True)
    accepted_at: Mapped[datetime]
    means: Mapped[str]


def digest(text: str) -> str:
    """SHA-256 of the text in UTF-8, in hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def publish(notice: Notice) -> Notice:
    """Store the notice. Publishing the same again changes nothing; Conflict for a changed text under an old version."""
    notice.scope = f"group:{notice.group_id}" if notice.group_id else f"network:{notice.network_id or ''}"
    notice.sha256 = digest(notice.body or notice.link or "")
    old = db.session.scalar(
        select(Notice).where(
            Notice.scope == notice.scope,
            Notice.kind == notice.kind,
            Notice.language == notice.language,
            Notice.notice_version == notice.notice_version,
        )
    )
    if old is None:
        db.session.add(notice)
        return notice
    if old.sha256 != notice.sha256:
        raise Conflict(
            f"Version {notice.notice_version} of this notice has another text; give the new text a new version."
        )
    return old


def get(notice_id: UUID) -> Notice:
    """The notice with that id, or NotFound. Notices are public."""
    found = db.session.get(Notice, notice_id)
    if found is None:
        raise NotFound("There is no such notice.")
    return found


def file_of(notice_id: UUID) -> NoticeFile:
    """The file of the notice with its bytes, or NotFound."""
    found = db.session.scalar(
        select(NoticeFile)
        .where(NoticeFile.notice_id == notice_id)
        .options(undefer(NoticeFile.content))
        .execution_options(populate_existing=True)
    )
    if found is None:
        raise NotFound("This notice has no file.")
    return found


def valid(
    *,
    at: datetime,
    network_id: UUID | None = None,
    group_id: UUID | None = None,
    kind: str | None = None,
    language: str | None = None,
) -> Sequence[Notice]:
    """The notices in force: of each kind, place and language the one with the latest `valid_from` that has come."""
    statement = select(Notice).where(Notice.valid_from <= at)
    if network_id is not None:
        statement = statement.where(or_(Notice.network_id == network_id, Notice.network_id.is_(None)))
    if group_id is not None:
        statement = statement.where(or_(Notice.group_id == group_id, Notice.group_id.is_(None)))
    if kind is not None:
        statement = statement.where(Notice.kind == kind)
    if language is not None:
        statement = statement.where(Notice.language == language)
    latest: dict[tuple[str, str, str], Notice] = {}
    for notice in db.session.scalars(statement.order_by(Notice.valid_from, Notice.created_at, Notice.id)):
        latest[notice.scope, notice.kind, notice.language] = notice
    return sorted(latest.values(), key=lambda n: (n.kind, n.language != "en", n.language, n.scope))


def for_reader(kind: Kind, *, network_id: UUID, language: str, at: datetime) -> Notice | None:
    """The notice of a kind for a reader: the own language before English, the network's before the installation's."""
    found = [n for n in valid(at=at, network_id=network_id, kind=kind) if n.group_id is None]
    preferred = sorted(found, key=lambda n: (n.language != language, n.language != "en", n.network_id is None))
    return preferred[0] if preferred else None


def privacy_statement(version: str, *, network_id: UUID, language: str, at: datetime) -> Notice:
    """The privacy statement in force that an applicant says to have accepted; Invalid for any other version."""
    current = for_reader(Kind.PRIVACY, network_id=network_id, language=language, at=at)
    if current is None:
        raise Invalid({"privacy_version": "The network has no privacy statement in force; ask its helpdesk."})
    if current.notice_version != version:
        raise Invalid({"privacy_version": f"The privacy statement in force is version {current.notice_version}."})
    return current
