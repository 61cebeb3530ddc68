"""Conferences: our record of the video meeting wanted for a session, a web conference or a webinar.

The row says what is wanted (a window, a title, a host) and what is present at the provider (`meeting_id`,
`present_...`); `flows/conferencing.ensure` makes the second equal the first.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from enum import StrEnum
from uuid import UUID, uuid4

from sqlalchemy import CheckConstraint, ForeignKey, Index, Select, UniqueConstraint, and_, exists, false, or_, select
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.sql import ColumnElement

from conference_orchestrator.kernel.database import Model, Versioned, db, insert_new, one_of
from conference_orchestrator.kernel.errors import NotFound
from conference_orchestrator.kernel.paging import Page, Paging, page
from conference_orchestrator.kernel.principal import Principal, Role
from conference_orchestrator.scheduling.allocations import FIRM, Allocation
from conference_orchestrator.scheduling.sessions import Session, Slot
from conference_orchestrator.scheduling.webinar_requests import WebinarRequest


class Kind(StrEnum):
    """What the meeting is for."""

    SESSION = "session"
    WEBINAR = "webinar"
    WEB_CONFERENCE = "web-conference"


class State(StrEnum):
    """How the meeting stands."""

    WANTED = "wanted"
    PROVISIONING = "provisioning"
    READY = "ready"
    DEGRADED = "degraded"
    MISSING = "missing"
    FAILED = "failed"
    CANCELLED = "cancelled"
    HELD = "held"


class Conference(Versioned, Model):
    """The video meeting wanted for one session or one webinar request. `key` finds it again at the provider."""

    __tablename__ = "conference"
    __table_args__ = (
        one_of("state", State),
        one_of("kind", Kind),
        CheckConstraint("(session_id IS NULL) != (webinar_request_id IS NULL)", name="subject"),
        UniqueConstraint("session_id"),
        UniqueConstraint("webinar_request_id"),
        UniqueConstraint("key"),
        Index(None, "starts_at", "id"),
        Index(None, "state", "ends_at"),
    )

    kind: Mapped[str]
    network_id: Mapped[UUID] = mapped_column(ForeignKey("network.id"), index=True)
    session_id: Mapped[UUID | None] = mapped_column(ForeignKey("session.id"))
    webinar_request_id: Mapped[UUID | None] = mapped_column(ForeignKey("webinar_request.id"))
    title: Mapped[str]
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    time_zone: Mapped[str]
    host_margin_minutes: Mapped[int] = mapped_column(default=0)
    # Approved as urgent: it may take a host account of the reserve. A session's is urgent by its cases.
    is_urgent: Mapped[bool] = mapped_column(default=False)
    is_wanted: Mapped[bool] = mapped_column(default=True)
    reason: Mapped[str | None]

    provider: Mapped[str]
    host: Mapped[str | None]
    key: Mapped[str]
    state: Mapped[str] = mapped_column(default=State.WANTED)
    problem: Mapped[str | None]
    attempts: Mapped[int] = mapped_column(default=0)
    # Set before a create is sent, cleared when its outcome is known: in between a meeting may exist unknown to us.
    attempted_at: Mapped[datetime | None]
    attempted_start: Mapped[datetime | None]
    attempted_end: Mapped[datetime | None]
    # The account that the present meeting was asked to be made with: a move may book another one.
    attempted_host: Mapped[str | None]
    looks: Mapped[int] = mapped_column(default=0)
    # Passing failures in a row: each waits longer than the one before.
    waits: Mapped[int] = mapped_column(default=0)
    lease_until: Mapped[datetime | None]
    worker: Mapped[str | None]

    meeting_id: Mapped[str | None]
    number: Mapped[str | None]
    join_url: Mapped[str | None]
    registration_url: Mapped[str | None]
    # Host key and passwords, sealed (see kernel.sealing): what makes somebody host is in no answer but the host's own.
    secrets: Mapped[str | None]
    # How many sweeps in a row did not find the meeting: it counts as missing at the second.
    missed: Mapped[int] = mapped_column(default=0)
    # When the provider's list of who attended was complete and taken over.
    attended_at: Mapped[datetime | None]
    present_title: Mapped[str | None]
    present_start: Mapped[datetime | None]
    present_end: Mapped[datetime | None]
    present_host: Mapped[str | None]

    @property
    def link_for_people(self) -> str | None:
        """The link that may be mailed: None while there is none, or while the meeting is not set up as promised.

        A meeting that is being moved keeps its link, so people learn the new time before the provider does.
        """
        is_sound = self.is_wanted and self.state not in {State.DEGRADED, State.MISSING, State.CANCELLED}
        return self.join_url if is_sound else None

    @property
    def differs(self) -> bool:
        """Whether the meeting at the provider is not the one that is wanted."""
        wanted = (self.title, self.starts_at, self.ends_at)
        return wanted != (self.present_title, self.present_start, self.present_end) or self.has_another_host

    @property
    def has_another_host(self) -> bool:
        """Whether the meeting stands under another host account than the one that is booked for it now."""
        return self.meeting_id is not None and self.host != self.attempted_host

    def want(self, *, title: str, starts_at: datetime, ends_at: datetime) -> None:
        """Hold it in this window under this title; `ensure` sees to the rest. Another window is worth a new try.

        One that was cancelled is wanted again: its session came back.
        """
        moved = (self.starts_at, self.ends_at) != (starts_at, ends_at)
        if self.state == State.CANCELLED or (self.state == State.FAILED and moved):
            self.state, self.attempts = State.WANTED, 0
        self.is_wanted, self.reason = True, None
        self.title, self.starts_at, self.ends_at = title, starts_at, ends_at

    def look_anew(self, starts_at: datetime, ends_at: datetime, *, host: str | None, at: datetime) -> None:
        """A meeting under our key may exist in that window: have `ensure` look for it before anything else."""
        self.attempted_at, self.looks = at, 0
        self.attempted_start, self.attempted_end, self.attempted_host = starts_at, ends_at, host

    def meeting_is_gone(self) -> None:
        """Nothing stands at the provider any more; where it is still wanted `ensure` makes it again."""
        self.state = State.WANTED if self.is_wanted else State.CANCELLED
        self.meeting_id = self.number = self.join_url = self.registration_url = self.secrets = self.problem = None
        self.present_title = self.present_start = self.present_end = self.present_host = None
        self.attempts = self.missed = 0

    def start_over(self, provider: str) -> None:
        """Want it at another provider: what stands at the old one is no concern of this conference any more."""
        self.meeting_is_gone()
        self.provider, self.key, self.host = provider, new_key(), None
        self.looks = self.waits = 0
        self.attempted_at = self.attempted_start = self.attempted_end = self.attempted_host = None
        # Who is at work on the old meeting finds that it is not theirs to finish.
        self.worker = self.lease_until = None

    def cancel(self, reason: str | None) -> None:
        """It is not wanted any more; `ensure` takes the meeting away, the calendars are told at once."""
        self.is_wanted, self.reason = False, reason


def new_key() -> str:
    """A word that marks our meeting at the provider: unique, and about nobody."""
    return f"co-{uuid4().hex}"


def for_session(
    session: Session, *, network_id: UUID, title: str, provider: str, host_margin_minutes: int, at: datetime
) -> Conference:
    """The one conference of the session, made now if there was none. The database keeps it one (UNIQUE)."""
    row = {
        "id": uuid4(),
        "created_at": at,
        "version": 1,
        "kind": Kind.SESSION,
        "network_id": network_id,
        "session_id": session.id,
        "title": title,
        "starts_at": session.starts_at,
        "ends_at": session.ends_at,
        "time_zone": session.time_zone,
        "host_margin_minutes": host_margin_minutes,
        "is_urgent": False,
        "is_wanted": True,
        "provider": provider,
        "key": new_key(),
        "state": State.WANTED,
        "attempts": 0,
        "looks": 0,
        "waits": 0,
        "missed": 0,
    }
    db.session.execute(insert_new(Conference).values(row))
    return db.session.scalars(select(Conference).where(Conference.session_id == session.id).with_for_update()).one()


def of_session(session_id: UUID, *, lock: bool = False) -> Conference | None:
    """The session's conference, if its first slot was ever taken."""
    statement = select(Conference).where(Conference.session_id == session_id)
    return db.session.scalar(statement.with_for_update() if lock else statement)


def hold(session_ids: Collection[UUID]) -> None:
    """Lock the conferences of these sessions, before the first of them asks for a host account.

    Accounts are locked last: who held them while waiting for a conference would wait in a ring with `ensure`.
    """
    mine = select(Conference.id).where(Conference.session_id.in_(session_ids)).order_by(Conference.id)
    db.session.execute(mine.with_for_update())


def wanted_of(session_ids: Collection[UUID]) -> set[UUID]:
    """Those of the sessions for which a meeting is wanted."""
    statement = select(Conference.session_id).where(Conference.session_id.in_(session_ids), Conference.is_wanted)
    return {session_id for session_id in db.session.scalars(statement) if session_id is not None}


def of_request(request_id: UUID) -> Conference | None:
    """The conference of the session in which the consultation request holds a slot now."""
    held = (
        select(Slot.session_id)
        .join(Allocation, Allocation.slot_id == Slot.id)
        .where(Allocation.request_id == request_id, FIRM)
    )
    return db.session.scalar(select(Conference).where(Conference.session_id.in_(held)))


def coming_of_group(group_id: UUID, *, now: datetime) -> list[UUID]:
    """The conferences of the group's sessions that are not over."""
    of_group = select(Session.id).where(Session.group_id == group_id)
    statement = select(Conference.id).where(Conference.session_id.in_(of_group), Conference.ends_at > now)
    return list(db.session.scalars(statement))


def get(conference_id: UUID, *, visible_to: Principal, lock: bool = False) -> Conference:
    """The conference with that id, or NotFound outside the asker's scope."""
    statement = _scoped(visible_to).where(Conference.id == conference_id)
    if lock:
        statement = statement.with_for_update(of=Conference).execution_options(populate_existing=True)
    found = db.session.scalar(statement)
    if found is None:
        raise NotFound("There is no such conference.")
    return found


def listed(
    paging: Paging,
    *,
    visible_to: Principal,
    now: datetime,
    from_at: datetime | None = None,
    until_at: datetime | None = None,
    state: str | None = None,
) -> Page[Conference]:
    """Conferences within the asker's scope by start; without a range those that have not ended."""
    statement = _scoped(visible_to)
    if from_at is None and until_at is None:
        statement = statement.where(Conference.ends_at > now)
    if from_at is not None:
        statement = statement.where(Conference.starts_at >= from_at)
    if until_at is not None:
        statement = statement.where(Conference.starts_at < until_at)
    if state is not None:
        statement = statement.where(Conference.state == state)
    return page(statement, paging, by=[Conference.starts_at, Conference.id])


def unsettled(*, now: datetime, but_not_at: Collection[str] = ()) -> list[UUID]:
    """Coming conferences whose meeting is not as wanted, and cancelled ones whose meeting may still exist.

    Without those at the providers named.
    """
    elsewhere = and_(
        Conference.state == State.READY,
        or_(
            Conference.present_start != Conference.starts_at,
            Conference.present_end != Conference.ends_at,
            Conference.present_title.is_(None),
            Conference.host.is_distinct_from(Conference.attempted_host),
            Conference.attempted_at.is_not(None),
        ),
    )
    # What is missing waits for a person: a meeting is not replaced behind the backs of those who hold its link.
    unmade = Conference.state.in_([State.WANTED, State.PROVISIONING])
    wanted = and_(Conference.is_wanted, or_(unmade, elsewhere))
    unwanted = and_(~Conference.is_wanted, Conference.state.not_in([State.CANCELLED, State.HELD]))
    statement = select(Conference.id).where(Conference.ends_at > now, or_(wanted, unwanted))
    asked = statement.where(Conference.provider.not_in(but_not_at))
    return list(db.session.scalars(asked.order_by(Conference.starts_at)))


def providers_ahead(*, now: datetime) -> list[str]:
    """The providers at which meetings of coming conferences may stand."""
    return list(db.session.scalars(select(Conference.provider).where(Conference.ends_at > now).distinct()))


def hosts_ahead(provider: str, *, now: datetime) -> set[str | None]:
    """The host accounts under which meetings of coming conferences stand, None for the owner of the credentials."""
    statement = select(Conference.present_host).where(
        Conference.provider == provider, Conference.ends_at > now, Conference.meeting_id.is_not(None)
    )
    return set(db.session.scalars(statement.distinct()))


def standing(provider: str, *, now: datetime, until: datetime) -> Sequence[Conference]:
    """The provider's conferences that have a meeting and begin by then, read for a look at it."""
    statement = select(Conference).where(
        Conference.provider == provider,
        Conference.is_wanted,
        Conference.meeting_id.is_not(None),
        Conference.ends_at > now,
        Conference.starts_at < until,
        Conference.state.in_([State.READY, State.DEGRADED, State.MISSING]),
    )
    found = db.session.scalars(statement.order_by(Conference.starts_at, Conference.id)).all()
    # No transaction stays open while the provider is asked.
    db.session.close()
    return found


def with_meeting(provider: str, meeting_id: str, *, now: datetime) -> Sequence[Conference]:
    """The coming conference that has this meeting, if any; read for a look at it."""
    statement = select(Conference).where(
        Conference.provider == provider, Conference.meeting_id == meeting_id, Conference.ends_at > now
    )
    found = db.session.scalars(statement).all()
    db.session.close()
    return found


def by_keys(keys: Collection[str], *, lock: bool = False) -> dict[str, Conference]:
    """The conferences that have these keys."""
    statement = select(Conference).where(Conference.key.in_(keys)).order_by(Conference.id)
    found = db.session.scalars(statement.with_for_update() if lock else statement)
    return {conference.key: conference for conference in found}


def with_problem(problem: str, *, now: datetime) -> list[UUID]:
    """Coming conferences that stand still for that reason, the nearest first."""
    statement = select(Conference.id).where(Conference.problem == problem, Conference.ends_at > now)
    return list(db.session.scalars(statement.where(Conference.is_wanted).order_by(Conference.starts_at)))


def over(*, now: datetime) -> list[Conference]:
    """Conferences whose time has passed while their meeting stood."""
    standing = [State.READY, State.DEGRADED]
    return list(db.session.scalars(select(Conference).where(Conference.ends_at <= now, Conference.state.in_(standing))))


def _scoped(by: Principal) -> Select[Conference]:
    """Everything for the helpdesk and the auditor, own groups for a coordinator, own webinars for a centre."""
    statement = select(Conference)
    if by.network_id is not None:
        statement = statement.where(Conference.network_id == by.network_id)
    match by.role:
        case Role.HELPDESK | Role.AUDITOR | Role.SYSTEM:
            return statement
        case Role.COORDINATOR:
            own: ColumnElement[bool] = exists().where(
                Session.id == Conference.session_id, Session.group_id == by.group_id
            )
        case Role.REFERENCE_CENTRE:
            own = exists().where(
                WebinarRequest.id == Conference.webinar_request_id, WebinarRequest.hospital_id == by.hospital_id
            )
        case _:
            own = false()
    return statement.where(own)
