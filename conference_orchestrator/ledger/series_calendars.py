"""Series as one calendar object: what it says, who holds it, and what each answered to the whole and to single dates.

Only people who chose it hold a series; all others hold its sessions one by one (`invitations`). A series has one
SEQUENCE counter, which its master and its single dates share.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import ForeignKey, UniqueConstraint, delete, select
from sqlalchemy.orm import Mapped, mapped_column

from conference_orchestrator.kernel import times
from conference_orchestrator.kernel.database import Identified, Model, db, one_of
from conference_orchestrator.ledger import series_content
from conference_orchestrator.ledger.invitations import JUST_NOW, REPAIRED, Answer, Method
from conference_orchestrator.ledger.series_content import Change, DateChange, SeriesContent, Single


class SeriesCalendar(Model):
    """What the object of that UID says now. `ended_at`: nothing of it lies ahead any more since then."""

    __tablename__ = "series_calendar"

    uid: Mapped[str] = mapped_column(primary_key=True)
    series_id: Mapped[UUID] = mapped_column(ForeignKey("series.id"), index=True)
    sequence: Mapped[int]
    content: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class SeriesInvitation(Identified, Model):
    """That a person holds the series, and what the person answered to it as a whole."""

    __tablename__ = "series_invitation"
    __table_args__ = (
        one_of("method", Method),
        one_of("answer", Answer),
        UniqueConstraint("uid", "clinician_id"),
    )

    uid: Mapped[str] = mapped_column(ForeignKey("series_calendar.uid"))
    clinician_id: Mapped[UUID] = mapped_column(ForeignKey("clinician.id"), index=True)
    method: Mapped[str]
    sequence: Mapped[int]
    # How many mails the person was sent of it: orders them on their way out.
    number: Mapped[int]
    first_message: Mapped[str | None]
    sent_at: Mapped[datetime]
    answer: Mapped[str | None]
    answered_at: Mapped[datetime | None]
    # The SEQUENCE that was answered, by mail or by link; the DTSTAMP of an answer by mail.
    answered_sequence: Mapped[int | None]
    answered_stamp: Mapped[datetime | None]

    def answer_on(self, on: datetime, content: SeriesContent, *, of_date: str | None) -> str | None:
        """The answer that counts for the session of that start: what was said to its date, else to the whole."""
        return of_date or (self.answer if content.is_answered_with_all(on, self.answered_sequence) else None)


class OccurrenceAnswer(Identified, Model):
    """What a person answered to one date of a series; it goes before the answer to the whole."""

    __tablename__ = "occurrence_answer"
    __table_args__ = (one_of("answer", Answer), UniqueConstraint("uid", "clinician_id", "occurrence_on"))

    uid: Mapped[str]
    clinician_id: Mapped[UUID] = mapped_column(ForeignKey("clinician.id"), index=True)
    occurrence_on: Mapped[date]
    answer: Mapped[str]
    answered_at: Mapped[datetime]
    answered_sequence: Mapped[int | None]
    answered_stamp: Mapped[datetime | None]


@dataclass(frozen=True)
class Step:
    """One object to send to one person: the whole series, or with `on` one date of it.

    `before`: the session of that date as the person's calendar shows it until then; `dates`: which dates of the whole
    are not as they were told.
    """

    invitation: SeriesInvitation
    method: Method
    sequence: int
    number: int
    is_new: bool = False
    on: datetime | None = None
    before: Single | None = None
    changed: tuple[str, ...] = ()
    dates: Sequence[DateChange] = ()


def issue(
    uid: str, content: SeriesContent | None, wanted: Mapping[UUID, bool], *, series_id: UUID, at: datetime
) -> tuple[list[Step], SeriesContent | None]:
    """Make the ledger say that exactly the `wanted` hold the object as it is now; what to send, and what it says.

    `wanted` tells of each person whether each change comes as the whole series. Without `content` nobody holds it.
    An answer to a date that is held at another time now was to something else.
    """
    state = _locked(uid, content, series_id=series_id, at=at)
    if state is None:
        return [], None
    before = shown = SeriesContent.from_json(state.content)
    rows = db.session.scalars(select(SeriesInvitation).where(SeriesInvitation.uid == uid)).all()
    held = {row.clinician_id: row for row in rows}
    holding = {person: row for person, row in held.items() if row.method == Method.REQUEST}
    wanted = wanted if content is not None else {}
    seen = series_content.change(before, content, now=at) if content is not None else Change()
    leaving = [row for person, row in holding.items() if person not in wanted]
    back = any(person in held and person not in holding for person in wanted)
    if (seen and holding) or leaving or back:
        state.sequence += 1
    if content is not None:
        moved = _moved(before, content)
        _forget_answers(uid, content, moved, holding.values())
        timed = {**before.timed, **dict.fromkeys(moved, state.sequence)}
        shown = replace(content, timed=timed)
        state.content = shown.to_json()
    steps = [_step(row, Method.CANCEL, state, at=at) for row in leaving]
    for person in sorted(wanted):
        row = holding.get(person)
        if row is None and (content is None or content.is_over(at)):
            continue  # nobody is invited to what has passed
        if row is None:
            steps.append(_invite(held.get(person), person, state, at=at))
        elif seen:
            assert content is not None, "there is something to see"
            steps += _changes(row, seen, before, content, state, is_whole=wanted[person], at=at)
    return steps, shown


def keep(uid: str, content: SeriesContent, *, series_id: UUID, at: datetime) -> None:
    """Have the object follow the rule that this one follows, without telling anybody yet.

    What it says of single dates stays as it was told: else nobody would be told of a date that changed meanwhile.
    """
    state = _locked(uid, content, series_id=series_id, at=at)
    before = SeriesContent.from_json(state.content) if state is not None else content
    if state is not None and before.ruling != content.ruling:
        state.content = replace(content, timed=before.timed).to_json()


def repeat(uid: str, clinician_id: UUID, *, at: datetime) -> Step | None:
    """Send the person the whole series again as it is; None for who does not hold it, or got it just now.

    The SEQUENCE stays.
    """
    state = _locked(uid, None, series_id=None, at=at)
    row = db.session.scalar(
        select(SeriesInvitation).where(
            SeriesInvitation.uid == uid,
            SeriesInvitation.clinician_id == clinician_id,
            SeriesInvitation.method == Method.REQUEST,
        )
    )
    if state is None or row is None or row.sent_at > at - JUST_NOW:
        return None
    row.number, row.sequence, row.sent_at = row.number + 1, state.sequence, at
    return Step(row, Method.REQUEST, state.sequence, row.number, changed=(REPAIRED,))


def open_of_series(series_id: UUID) -> Sequence[SeriesCalendar]:
    """The objects of the series of which something may lie ahead, the oldest first."""
    statement = select(SeriesCalendar).where(SeriesCalendar.series_id == series_id, SeriesCalendar.ended_at.is_(None))
    return db.session.scalars(statement.order_by(SeriesCalendar.created_at, SeriesCalendar.uid)).all()


def held_by(clinician_id: UUID) -> Sequence[str]:
    """The UIDs of the series that the person holds and of which something may lie ahead."""
    statement = select(SeriesInvitation.uid).join(SeriesCalendar, SeriesCalendar.uid == SeriesInvitation.uid)
    return db.session.scalars(
        statement.where(
            SeriesInvitation.clinician_id == clinician_id,
            SeriesInvitation.method == Method.REQUEST,
            SeriesCalendar.ended_at.is_(None),
        ).order_by(SeriesInvitation.uid)
    ).all()


def of_date(series_id: UUID, on: date, people: Collection[UUID]) -> dict[UUID, SeriesInvitation]:
    """Who of the people holds the series with that date, and the invitation of each."""
    held: dict[UUID, SeriesInvitation] = {}
    for state in open_of_series(series_id):
        if SeriesContent.from_json(state.content).covers(on):
            mine = select(SeriesInvitation).where(
                SeriesInvitation.uid == state.uid,
                SeriesInvitation.clinician_id.in_(people),
                SeriesInvitation.method == Method.REQUEST,
            )
            held |= {row.clinician_id: row for row in db.session.scalars(mine)}
    return held


def invitation(uid: str, clinician_id: UUID, *, lock: bool = False) -> SeriesInvitation | None:
    """That the person holds, or held, the series; None for who never did."""
    statement = select(SeriesInvitation).where(
        SeriesInvitation.uid == uid, SeriesInvitation.clinician_id == clinician_id
    )
    return db.session.scalar(
        statement.with_for_update().execution_options(populate_existing=True) if lock else statement
    )


def state_of(uid: str, *, lock: bool = False) -> SeriesCalendar | None:
    """What the object of that UID says; None for a UID that is no series."""
    statement = select(SeriesCalendar).where(SeriesCalendar.uid == uid)
    return db.session.scalar(
        statement.with_for_update().execution_options(populate_existing=True) if lock else statement
    )


def by_id(invitation_id: UUID) -> SeriesInvitation | None:
    """The invitation to a series with that id; None for an id that is none."""
    return db.session.scalar(select(SeriesInvitation).where(SeriesInvitation.id == invitation_id))


def answered(uid: str, clinician_id: UUID) -> dict[date, str]:
    """What the person has answered to dates by themselves."""
    statement = select(OccurrenceAnswer.occurrence_on, OccurrenceAnswer.answer).where(
        OccurrenceAnswer.uid == uid, OccurrenceAnswer.clinician_id == clinician_id
    )
    return {row.occurrence_on: row.answer for row in db.session.execute(statement)}


def answers_to(
    dates: Collection[tuple[UUID, date]],
) -> dict[tuple[UUID, date], dict[UUID, str]]:
    """What people answered to these dates of series, by series and date: to the date itself, else to the whole."""
    if not dates:
        return {}
    held = (
        select(SeriesCalendar, SeriesInvitation)
        .join(SeriesInvitation, SeriesInvitation.uid == SeriesCalendar.uid)
        .where(SeriesCalendar.series_id.in_({series_id for series_id, _ in dates}))
        .where(SeriesInvitation.method == Method.REQUEST)
    )
    rows = [(state, whole) for state, whole in db.session.execute(held)]
    singles = {
        (one.uid, one.clinician_id, one.occurrence_on): one.answer
        for one in db.session.scalars(
            select(OccurrenceAnswer).where(
                OccurrenceAnswer.uid.in_({state.uid for state, _ in rows}),
                OccurrenceAnswer.occurrence_on.in_({on for _, on in dates}),
            )
        )
    }
    contents = {state.uid: SeriesContent.from_json(state.content) for state, _ in rows}
    found: dict[tuple[UUID, date], dict[UUID, str]] = {}
    for state, whole in rows:
        for series_id, on in dates:
            content = contents[state.uid]
            if state.series_id != series_id or not content.covers(on):
                continue
            of_date = singles.get((state.uid, whole.clinician_id, on))
            if said := whole.answer_on(content.start_on(on), content, of_date=of_date):
                found.setdefault((series_id, on), {})[whole.clinician_id] = said
    return found


def answer_to(uid: str, clinician_id: UUID, on: date | None, *, at: datetime) -> SeriesInvitation | OccurrenceAnswer:
    """The row that keeps what the person answers to the date, or with None to the whole; a new one holds no answer."""
    if on is None:
        whole = invitation(uid, clinician_id, lock=True)
        assert whole is not None, "the person holds the series"
        return whole
    row = db.session.scalar(
        select(OccurrenceAnswer).where(
            OccurrenceAnswer.uid == uid,
            OccurrenceAnswer.clinician_id == clinician_id,
            OccurrenceAnswer.occurrence_on == on,
        )
    )
    return row or OccurrenceAnswer(uid=uid, clinician_id=clinician_id, occurrence_on=on, created_at=at)


def keep_answer(
    uid: str,
    clinician_id: UUID,
    on: date | None,
    said: str,
    *,
    at: datetime,
    sequence: int | None = None,
    stamp: datetime | None = None,
) -> None:
    """What the person says to the date, or with None to the whole, counts; SEQUENCE and DTSTAMP of one by mail."""
    row = answer_to(uid, clinician_id, on, at=at)
    row.answer, row.answered_at, row.answered_sequence, row.answered_stamp = said, at, sequence, stamp
    db.session.add(row)


def _locked(uid: str, content: SeriesContent | None, *, series_id: UUID | None, at: datetime) -> SeriesCalendar | None:
    state = state_of(uid, lock=True)
    if state is None and content is not None and series_id is not None:
        # The caller holds the lock of the series: nobody else makes it at the same time.
        state = SeriesCalendar(
            uid=uid, series_id=series_id, sequence=0, content=content.to_json(), created_at=at, ended_at=None
        )
        db.session.add(state)
        db.session.flush()
    return state


def _moved(before: SeriesContent, after: SeriesContent) -> set[datetime | None]:
    """The dates that are held at another time now; None among them when all are."""
    if (before.starts_at, before.ends_at, before.rule) != (after.starts_at, after.ends_at, after.rule):
        return {None}
    return {on for on in {*before.changed, *after.changed} if before.on(on)[:2] != after.on(on)[:2]}


def _forget_answers(
    uid: str, content: SeriesContent, moved: Collection[datetime | None], rows: Collection[SeriesInvitation]
) -> None:
    gone = delete(OccurrenceAnswer).where(OccurrenceAnswer.uid == uid)
    if None in moved:
        for row in rows:
            row.answer = row.answered_at = row.answered_sequence = row.answered_stamp = None
        db.session.execute(gone)
    elif moved:
        days = [times.wall(on, content.time_zone).date() for on in moved if on is not None]
        db.session.execute(gone.where(OccurrenceAnswer.occurrence_on.in_(days)))


def _invite(row: SeriesInvitation | None, person: UUID, state: SeriesCalendar, *, at: datetime) -> Step:
    if row is None:
        row = SeriesInvitation(
            id=uuid4(), uid=state.uid, clinician_id=person, number=0, first_message=None, created_at=at
        )
        db.session.add(row)
    row.answer = row.answered_at = row.answered_sequence = row.answered_stamp = None
    return _step(row, Method.REQUEST, state, is_new=True, at=at)


def _changes(
    row: SeriesInvitation,
    seen: Change,
    before: SeriesContent,
    after: SeriesContent,
    state: SeriesCalendar,
    *,
    is_whole: bool,
    at: datetime,
) -> list[Step]:
    if seen.is_whole or is_whole:
        what, dates = series_content.seen_in_whole(before, after, seen)
        return [_step(row, Method.REQUEST, state, changed=what, dates=dates, at=at)]
    steps = [_step(row, Method.CANCEL, state, on=on, before=before.on(on), at=at) for on in seen.gone]
    # It still holds the series; only dates of it were taken back.
    row.method = Method.REQUEST
    different = [(on, before.on(on), series_content.seen(before, after, on)) for on in seen.different]
    return steps + [
        _step(row, Method.REQUEST, state, on=on, before=held, changed=what, at=at) for on, held, what in different
    ]


def _step(row: SeriesInvitation, method: Method, state: SeriesCalendar, *, at: datetime, **more: Any) -> Step:
    row.method, row.sequence, row.sent_at = method, state.sequence, at
    row.number += 1
    return Step(row, method, state.sequence, row.number, **more)
