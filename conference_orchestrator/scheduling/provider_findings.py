"""What a look at a provider found that is not as it should be, for the helpdesk to see to."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from enum import StrEnum
from uuid import UUID, uuid4

from sqlalchemy import ForeignKey, Index, exists, or_, select, text, update
from sqlalchemy.orm import Mapped, mapped_column

from conference_orchestrator.kernel.database import Model, Versioned, db, insert_new, one_of
from conference_orchestrator.kernel.errors import Invalid, NotFound, RuleBroken
from conference_orchestrator.kernel.paging import Page, Paging, page
from conference_orchestrator.scheduling.conferences import Conference

OPEN = text("resolved_at IS NULL")


class Kind(StrEnum):
    """What is wrong."""

    ORPHAN = "orphan"  # a meeting with a key of ours that no conference wants
    MISSING = "missing"  # a conference's meeting is gone
    DRIFT = "drift"  # somebody changed the meeting at the provider


class Action(StrEnum):
    """What the helpdesk has done about it."""

    DELETE = "delete"  # the orphan is deleted at the provider
    RECREATE = "recreate"  # the missing meeting is made again, people get the new link
    RESTORE = "restore"  # the meeting gets the time and title that were wanted
    IGNORE = "ignore"


FITTING = {
    Kind.ORPHAN: {Action.DELETE, Action.IGNORE},
    Kind.MISSING: {Action.RECREATE, Action.IGNORE},
    Kind.DRIFT: {Action.RESTORE, Action.IGNORE},
}


class ProviderFinding(Versioned, Model):
    """One thing found; found again while it is open it stays one. `meeting_id` is the provider's."""

    __tablename__ = "provider_finding"
    __table_args__ = (
        one_of("kind", Kind),
        one_of("action", Action),
        Index(
            "uq_provider_finding_open",
            "provider",
            "kind",
            "meeting_id",
            unique=True,
            sqlite_where=OPEN,
            postgresql_where=OPEN,
        ),
        Index(None, "created_at", "id"),
    )

    provider: Mapped[str]
    kind: Mapped[str]
    conference_id: Mapped[UUID | None] = mapped_column(ForeignKey("conference.id"), index=True)
    meeting_id: Mapped[str]
    host: Mapped[str | None]
    detail: Mapped[str]
    starts_at: Mapped[datetime | None]
    resolved_at: Mapped[datetime | None]
    resolved_by: Mapped[str | None]
    action: Mapped[str | None]

    def resolve(self, action: Action, *, by: str) -> None:
        """The helpdesk decides. Invalid for what makes no sense here, RuleBroken when it was decided already."""
        if self.action is not None or self.resolved_at is not None:
            raise RuleBroken("This finding was seen to already.")
        if action not in FITTING[Kind(self.kind)]:
            fitting = " or ".join(sorted(FITTING[Kind(self.kind)]))
            raise Invalid({"action": f"For {'an' if self.kind == Kind.ORPHAN else 'a'} {self.kind} choose {fitting}."})
        self.action, self.resolved_by = action, by

    @property
    def state(self) -> str:
        """open, resolving (decided, not done at the provider yet) or resolved."""
        if self.resolved_at is not None:
            return "resolved"
        return "open" if self.action is None else "resolving"


def note(conference: Conference, kind: Kind, detail: str, *, at: datetime) -> bool:
    """Something is wrong with the conference's meeting; True when that is new. One that is open says what is so now."""
    return _note(
        conference.provider,
        kind,
        conference.meeting_id or "",
        {
            "conference_id": conference.id,
            "host": conference.present_host,
            "detail": detail,
            "starts_at": conference.starts_at,
        },
        at=at,
    )


def note_orphan(
    provider: str, meeting_id: str, detail: str, *, host: str | None, starts_at: datetime, at: datetime
) -> bool:
    """A meeting with a key of ours belongs to nothing; True when that is new."""
    return _note(provider, Kind.ORPHAN, meeting_id, {"host": host, "detail": detail, "starts_at": starts_at}, at=at)


def settle(conference: Conference, kind: Kind, *, at: datetime, by: str) -> None:
    """What was wrong with the conference's meeting is so no more."""
    statement = update(ProviderFinding).where(
        ProviderFinding.conference_id == conference.id, ProviderFinding.kind == kind, OPEN
    )
    db.session.execute(statement.values(resolved_at=at, resolved_by=by, version=ProviderFinding.version + 1))


def settle_overtaken(*, at: datetime) -> None:
    """What was wrong with a meeting is no matter where the conference has another one by now, or needs none."""
    still_has_it = exists().where(
        Conference.id == ProviderFinding.conference_id,
        Conference.provider == ProviderFinding.provider,
        Conference.meeting_id == ProviderFinding.meeting_id,
        Conference.is_wanted,
        Conference.ends_at > at,
    )
    statement = update(ProviderFinding).where(ProviderFinding.kind != Kind.ORPHAN, OPEN, ~still_has_it)
    by = "the conference has another meeting by now, or needs none"
    db.session.execute(statement.values(resolved_at=at, resolved_by=by, version=ProviderFinding.version + 1))


def concerned(provider: str) -> set[UUID]:
    """The conferences of which something found at the provider is open."""
    statement = select(ProviderFinding.conference_id).where(
        ProviderFinding.provider == provider, ProviderFinding.conference_id.is_not(None), OPEN
    )
    return {conference_id for conference_id in db.session.scalars(statement) if conference_id is not None}


def known_orphans(provider: str) -> set[str]:
    """The ids of the orphans that the helpdesk knows of and has not had deleted."""
    statement = select(ProviderFinding.meeting_id).where(
        ProviderFinding.provider == provider,
        ProviderFinding.kind == Kind.ORPHAN,
        or_(OPEN, ProviderFinding.action == Action.IGNORE),
    )
    return set(db.session.scalars(statement))


def settle_orphans(
    provider: str, there: Collection[str], *, hosts: Collection[str | None], until: datetime, at: datetime
) -> None:
    """Orphans of these hosts that begin before `until` and are not there any more are no matter."""
    of_hosts = ProviderFinding.host.in_([host for host in hosts if host is not None])
    seen = or_(of_hosts, ProviderFinding.host.is_(None)) if None in hosts else of_hosts
    statement = update(ProviderFinding).where(
        ProviderFinding.provider == provider,
        ProviderFinding.kind == Kind.ORPHAN,
        ProviderFinding.meeting_id.not_in(there),
        ProviderFinding.starts_at < until,
        seen,
        OPEN,
    )
    gone = {"resolved_at": at, "resolved_by": "it is gone", "version": ProviderFinding.version + 1}
    db.session.execute(statement.values(gone))


def get(finding_id: UUID, *, lock: bool = False) -> ProviderFinding:
    """The finding with that id, or NotFound."""
    statement = select(ProviderFinding).where(ProviderFinding.id == finding_id)
    found = db.session.scalar(statement.with_for_update() if lock else statement)
    if found is None:
        raise NotFound("There is no such finding.")
    return found


def listed(paging: Paging, *, is_open: bool | None = None, kind: str | None = None) -> Page[ProviderFinding]:
    """Findings, the oldest first; all of them, or those that are open or not."""
    statement = select(ProviderFinding)
    if is_open is not None:
        resolved = ProviderFinding.resolved_at
        statement = statement.where(resolved.is_(None) if is_open else resolved.is_not(None))
    if kind is not None:
        statement = statement.where(ProviderFinding.kind == kind)
    return page(statement, paging, by=[ProviderFinding.created_at, ProviderFinding.id])


def _note(provider: str, kind: Kind, meeting_id: str, more: dict[str, object], *, at: datetime) -> bool:
    """One open finding for each meeting and kind. What a person said to ignore, and is still the same, is not new."""
    same = [
        ProviderFinding.provider == provider,
        ProviderFinding.kind == kind,
        ProviderFinding.meeting_id == meeting_id,
    ]
    ignored = select(ProviderFinding.id).where(*same, ProviderFinding.action == Action.IGNORE)
    if db.session.scalar(ignored.where(ProviderFinding.detail == more["detail"]).limit(1)) is not None:
        return False
    row = {
        "id": uuid4(),
        "created_at": at,
        "version": 1,
        "provider": provider,
        "kind": kind,
        "meeting_id": meeting_id,
        **more,
    }
    new = db.session.execute(insert_new(ProviderFinding).values(row).returning(ProviderFinding.id)).one_or_none()
    if new is None:
        known = update(ProviderFinding).where(*same, ProviderFinding.detail != more["detail"], OPEN)
        db.session.execute(known.values(detail=more["detail"], version=ProviderFinding.version + 1))
    return new is not None
