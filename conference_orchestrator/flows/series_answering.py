"""Answers to a series that a person holds as one calendar object: to the whole of it, or to one date."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import islice
from uuid import UUID

from conference_orchestrator.flows.inviting import session_uid
from conference_orchestrator.kernel import links, ports, times
from conference_orchestrator.kernel.errors import Invalid, NotFound, RuleBroken
from conference_orchestrator.kernel.principal import SYSTEM
from conference_orchestrator.kernel.transaction import Transaction, transaction
from conference_orchestrator.ledger import invitations, series_calendars
from conference_orchestrator.ledger.invitations import Answer, Method
from conference_orchestrator.ledger.series_calendars import SeriesCalendar
from conference_orchestrator.ledger.series_content import SeriesContent
from conference_orchestrator.network import clinicians, expert_groups
from conference_orchestrator.network.clinicians import Clinician
from conference_orchestrator.scheduling import series, sessions

UID = "series-"
MOST_SHOWN = 6


@dataclass(frozen=True)
class HeldSeries:
    """A series that a person holds, locked, and the date that is answered; None: all of them."""

    calendar: SeriesCalendar
    content: SeriesContent
    clinician_id: UUID
    on: date | None

    @property
    def name(self) -> str:
        """What is answered, as the helpdesk reads it."""
        which = f"the session of {self.on:%d %B %Y}" if self.on else "all its sessions"
        return f"{self.content.group_name}, {which}"

    @property
    def time_sequence(self) -> int:
        """An answer with a lower SEQUENCE was to another time."""
        timed = self.content.timed
        of_date = timed.get(self.content.start_on(self.on), 0) if self.on else 0
        return max(of_date, timed.get(None, 0))

    @property
    def window(self) -> tuple[datetime, datetime] | None:
        """From when to when the date that is answered is held."""
        return self.content.on(self.content.start_on(self.on))[:2] if self.on else None

    def obstacle(self, *, now: datetime) -> str | None:
        """Why nothing can be answered any more; None while it can."""
        row = series_calendars.invitation(self.calendar.uid, self.clinician_id)
        if row is None or row.method == Method.CANCEL:
            return "cancelled"
        if self.on is None:
            return "over" if self.calendar.ended_at is not None else None
        start = self.content.start_on(self.on)
        if start in self.content.left_out:
            return "cancelled"
        return "over" if self.content.on(start).ends_at <= now else None

    def take(
        self, tx: Transaction, said: Answer, *, sequence: int | None = None, stamp: datetime | None = None
    ) -> None:
        """The answer counts from now on, for each session that it is about."""
        whose = (self.calendar.uid, self.clinician_id)
        if self.on is None and sequence is None:
            sequence = self.calendar.sequence  # by link: to all as it is now
        series_calendars.keep_answer(*whose, self.on, said, at=tx.now, sequence=sequence, stamp=stamp)
        own = series_calendars.answered(*whose) if self.on is None else {}
        for on, single in self.content.changed.items():
            if single.session_id is not None and self._is_about(on, own, sequence=sequence, now=tx.now):
                for session in invitations.of_person(self.clinician_id, [session_uid(single.session_id)]):
                    session.answer, session.answered_at = said, tx.now

    def _is_about(self, on: datetime, own: Collection[date], *, sequence: int | None, now: datetime) -> bool:
        """Whether an answer counts for that start: one to all not for what is over, moved or answered by itself."""
        day = times.wall(on, self.content.time_zone).date()
        if self.on is not None:
            return day == self.on
        is_over = self.content.on(on).ends_at <= now
        return day not in own and not is_over and self.content.is_answered_with_all(on, sequence)


@dataclass(frozen=True, kw_only=True)
class Coming:
    """A session of the series that is not over: `on` is the date that the rule gives, also after a move."""

    on: date
    starts_at: datetime
    ends_at: datetime
    is_moved: bool
    answer: str | None


@dataclass(frozen=True, kw_only=True)
class SeriesView:
    """A series as its holder sees it: `state` is open, cancelled or over.

    `coming`: the next sessions, and the later ones that were moved.
    """

    clinician: Clinician
    group_name: str
    network_id: UUID
    state: str
    answer: str | None
    answered_at: datetime | None
    coming: Sequence[Coming]


def shown(token: str) -> SeriesView | None:
    """The series that the link is about; None for a link to a single meeting. NotFound for a word not made here."""
    row = series_calendars.by_id(links.subject_of("answer", token))
    if row is None:
        return None
    person = clinicians.by_ids([row.clinician_id]).get(row.clinician_id)
    held = _held(row.uid, row.clinician_id, at=None, on=None, lock=False)
    if person is None or isinstance(held, str):
        raise NotFound("This link is not valid any more.")
    now = ports.clock().now()
    of = series.get(held.calendar.series_id)
    return SeriesView(
        clinician=person,
        group_name=held.content.group_name,
        network_id=expert_groups.get(of.group_id, visible_to=SYSTEM).network_id,
        state=held.obstacle(now=now) or "open",
        answer=row.answer,
        answered_at=row.answered_at,
        coming=_coming(held, of.id, row.clinician_id, now=now),
    )


def answer(token: str, said: Answer, *, on: date | None = None) -> bool:
    """Answer to all sessions of the series that the link is about, or to that date; False for a link to one meeting.

    RuleBroken when it is cancelled or over, Invalid for a date that the series does not have.
    """
    row = series_calendars.by_id(links.subject_of("answer", token))
    if row is None:
        return False
    with transaction() as tx:
        held = hold(row.uid, row.clinician_id, at=None, on=on)
        if isinstance(held, str):
            raise Invalid({"on": "The series has no session on this date."})
        if standing := held.obstacle(now=tx.now):
            raise RuleBroken(f"This invitation is {standing}: there is nothing to answer any more.")
        held.take(tx, said)
    return True


def _coming(held: HeldSeries, series_id: UUID, clinician_id: UUID, *, now: datetime) -> list[Coming]:
    """The next sessions and those that were moved, as they come, and what stands for each."""
    content = held.content
    next_ones = islice(content.dates(from_on=times.wall(now, content.time_zone).date()), MOST_SHOWN)
    starts = {content.start_on(day) for day in next_ones} | {on for on in content.changed if content.is_moved(on)}
    coming = {on: content.on(on) for on in starts - content.left_out if content.on(on).ends_at > now}
    days = {on: times.wall(on, content.time_zone).date() for on in coming}
    said = series_calendars.answers_to([(series_id, day) for day in days.values()])
    return [
        Coming(
            on=days[on],
            starts_at=one.starts_at,
            ends_at=one.ends_at,
            is_moved=content.is_moved(on),
            answer=said.get((series_id, days[on]), {}).get(clinician_id),
        )
        for on, one in sorted(coming.items(), key=lambda found: found[1].starts_at)
    ]


def hold(uid: str, clinician_id: UUID, *, at: datetime | None, on: date | None) -> HeldSeries | str:
    """Lock the series that the person holds, for an answer to the occurrence at that instant or date, or to all.

    Else why there is none to be answered.
    """
    return _held(uid, clinician_id, at=at, on=on, lock=True)


def hold_date(session_id: UUID, clinician_id: UUID) -> HeldSeries | None:
    """Lock the series of which the person holds the session as a date; None for who holds none with that date."""
    session, now = sessions.get(session_id), ports.clock().now()
    for calendar in series_calendars.open_of_series(session.series_id):
        held = hold(calendar.uid, clinician_id, at=None, on=session.occurrence_on)
        if isinstance(held, HeldSeries) and held.obstacle(now=now) is None:
            return held
    return None


def _held(uid: str, clinician_id: UUID, *, at: datetime | None, on: date | None, lock: bool) -> HeldSeries | str:
    calendar = series_calendars.state_of(uid, lock=lock)
    if calendar is None or series_calendars.invitation(uid, clinician_id, lock=lock) is None:
        return f"nobody was sent a series with the UID {uid} as the sender was."
    content = SeriesContent.from_json(calendar.content)
    day = times.wall(at, content.time_zone).date() if at else on
    if day is not None and (not content.covers(day) or (at is not None and content.start_on(day) != at)):
        return "it is about a date that the series does not have."
    return HeldSeries(calendar, content, clinician_id, day)
