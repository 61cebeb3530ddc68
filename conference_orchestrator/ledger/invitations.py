"""Invitations: which calendar object each person holds. The ledger alone decides what is sent next.

One SEQUENCE counter for each UID. It rises when the time, the link or the status changes and with every CANCEL
(RFC 5546 section 2.1.4), and with nothing else; a late joiner gets the present state only. Who is invited without
having one of the limited places holds the object without its link, and gets the link with the place.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID, uuid4

from sqlalchemy import ForeignKey, Index, UniqueConstraint, false, func, select
from sqlalchemy.orm import Mapped, mapped_column

from conference_orchestrator.kernel.database import Identified, Model, db, insert_new, one_of
from conference_orchestrator.kernel.errors import NotFound


class Method(StrEnum):
    """What the person was sent last (RFC 5546 section 1.4)."""

    REQUEST = "REQUEST"
    CANCEL = "CANCEL"


class Answer(StrEnum):
    """What the person said."""

    ACCEPTED = "accepted"
    DECLINED = "declined"
    TENTATIVE = "tentative"


# What is sent again because the person asked for it: nothing has changed.
REPAIRED = "repair"
# What was sent so short a time ago is on its way still.
JUST_NOW = timedelta(minutes=5)
# The role of who may register for a place and has none: the object that such a person holds tells no link.
UNREGISTERED = "invited"


class CalendarObject(Model):
    """The present state of one UID. People who hold a REQUEST of `content_sequence` or later are up to date."""

    __tablename__ = "calendar_object"

    uid: Mapped[str] = mapped_column(primary_key=True)
    conference_id: Mapped[UUID] = mapped_column(ForeignKey("conference.id"), index=True)
    sequence: Mapped[int] = mapped_column(default=0)
    content_sequence: Mapped[int] = mapped_column(default=0)
    # An answer to an earlier one was to another time.
    time_sequence: Mapped[int] = mapped_column(default=0, server_default="0")
    starts_at: Mapped[datetime] = mapped_column(index=True)
    ends_at: Mapped[datetime]
    join_url: Mapped[str]
    # What names it, kept so that a CANCEL can be written when the session or the request is gone.
    group_name: Mapped[str | None]
    topic: Mapped[str | None]
    case_reference: Mapped[str | None]


class Invitation(Identified, Model):
    """What one person holds of one UID, and what the person answered."""

    __tablename__ = "invitation"
    __table_args__ = (
        one_of("method", Method),
        one_of("answer", Answer),
        UniqueConstraint("uid", "clinician_id"),
        Index(None, "clinician_id", "number"),
    )

    uid: Mapped[str] = mapped_column(ForeignKey("calendar_object.uid"))
    clinician_id: Mapped[UUID] = mapped_column(ForeignKey("clinician.id"))
    conference_id: Mapped[UUID] = mapped_column(ForeignKey("conference.id"), index=True)
    role: Mapped[str]
    method: Mapped[str]
    sequence: Mapped[int]
    # Rises with each change of what the person holds: orders what the person is sent, and tells feeds that it changed.
    number: Mapped[int] = mapped_column(default=0)
    first_message: Mapped[str | None]
    sent_at: Mapped[datetime]
    answer: Mapped[str | None]
    answered_at: Mapped[datetime | None]
    # The person holds it as a date of the series, not as an object of its own.
    carried: Mapped[bool] = mapped_column(default=False, server_default=false())
    # SEQUENCE and DTSTAMP of the answer that counts, where it came by mail (RFC 5546, 2.1.5).
    answered_sequence: Mapped[int | None]
    answered_stamp: Mapped[datetime | None]

    def forget_answer(self) -> None:
        """What the person said was to something else."""
        self.answer = self.answered_at = self.answered_sequence = self.answered_stamp = None


@dataclass(frozen=True, kw_only=True)
class Content:
    """What an object says. Its window and its link make it another object, the names only tell what it is."""

    starts_at: datetime
    ends_at: datetime
    join_url: str
    group_name: str | None = None
    topic: str | None = None
    case_reference: str | None = None


@dataclass(frozen=True)
class Step:
    """One object to send to one person."""

    invitation: Invitation
    object: CalendarObject
    is_new: bool
    method: Method
    sequence: int
    changed: tuple[str, ...]
    previous_start: datetime | None


def issue(
    uid: str, content: Content | None, wanted: Mapping[UUID, str], *, conference_id: UUID, at: datetime
) -> list[Step]:
    """Make the ledger say that exactly the `wanted` (with their roles) hold the object as it is now; what to send.

    `content` None: there is nothing to invite to yet, so nobody is invited, but who is not wanted any more is told.
    """
    state = _locked(uid, content, conference_id=conference_id)
    if state is None:
        return []
    held = {row.clinician_id: row for row in db.session.scalars(select(Invitation).where(Invitation.uid == uid))}
    leaving = [row for person, row in held.items() if row.method == Method.REQUEST and person not in wanted]
    back = [row for person, row in held.items() if row.method == Method.CANCEL and person in wanted] if content else []
    placed = content is not None and any(_gets_the_link(row, wanted.get(person)) for person, row in held.items())
    changed, before = _changed(state, content), state.starts_at
    holds_any = any(row.method == Method.REQUEST for row in held.values())
    if (changed and holds_any) or leaving or back or placed:
        state.sequence += 1
    if content is not None and (changed or state.conference_id != conference_id):
        _take_over(state, content, changed, conference_id=conference_id)
    steps = [_cancel(row, state, at=at) for row in leaving]
    if content is None:
        return steps
    for person in sorted(wanted):
        row = held.get(person)
        if row is None or row.method == Method.CANCEL:
            steps.append(_invite(row, person, wanted[person], state, at=at))
        else:
            seen = _seen(changed, was=row.role, role=wanted[person])
            is_other_role, row.role = row.role != wanted[person], wanted[person]
            is_behind = row.sequence < state.content_sequence
            if seen:
                steps.append(_update(row, state, changed=seen, before=before, at=at))
            elif is_behind or is_other_role:
                # Nothing that the person is told has changed; a feed shows it all the same.
                row.number, row.sequence = row.number + 1, state.sequence if is_behind else row.sequence
    return steps


def carry(uid: str, steps: Sequence[Step], carried: Collection[UUID], *, at: datetime) -> list[Step]:
    """Of the steps those that are told by themselves: of a date of a series its holders are told by the series.

    Who changes from one to the other gets the object taken back, or for the first time.
    """
    holding = select(Invitation).where(Invitation.uid == uid, Invitation.method == Method.REQUEST)
    rows = db.session.scalars(holding).all()
    turning = [row for row in rows if row.carried != (row.clinician_id in carried)]
    untold = {step.invitation.id for step in steps if step.is_new}
    for row in turning:
        row.carried = not row.carried
    told = [step for step in steps if not step.invitation.carried]
    own = {step.invitation.id for step in told}
    back = [row for row in turning if row.id not in (untold if row.carried else own)]
    if not back:
        return told
    state = state_of(uid)
    state.sequence += 1
    for row in back:
        method = Method.CANCEL if row.carried else Method.REQUEST
        row.number, row.sequence, row.sent_at = row.number + 1, state.sequence, at
        told.append(Step(row, state, not row.carried, method, state.sequence, (), None))
    return told


def repair(clinician_id: UUID, *, at: datetime) -> list[Step]:
    """Send the person again every object of the own that the person holds and that is not over, as it is.

    The SEQUENCE that the person holds stays. What was sent just now is not sent again.
    """
    statement = (
        select(Invitation, CalendarObject)
        .join(CalendarObject, CalendarObject.uid == Invitation.uid)
        .where(Invitation.clinician_id == clinician_id, Invitation.method == Method.REQUEST)
        .where(Invitation.carried.is_(False), Invitation.sent_at <= at - JUST_NOW, CalendarObject.ends_at > at)
        .order_by(CalendarObject.starts_at, CalendarObject.uid)
        .with_for_update(of=CalendarObject)
    )
    held = db.session.execute(statement.execution_options(populate_existing=True)).all()
    for row, _ in held:
        row.number, row.sent_at = row.number + 1, at
    return [Step(row, state, False, Method.REQUEST, row.sequence, (REPAIRED,), None) for row, state in held]


def repeat(uid: str, changed: str, *, at: datetime) -> list[Step]:
    """Send the object again to everybody who holds it with its link, because something else that it tells has changed.

    The SEQUENCE that each person holds stays.
    """
    statement = select(CalendarObject).where(CalendarObject.uid == uid).with_for_update()
    state = db.session.scalar(statement.execution_options(populate_existing=True))
    if state is None:
        return []
    holding = select(Invitation).where(
        Invitation.uid == uid, Invitation.method == Method.REQUEST, Invitation.role != UNREGISTERED
    )
    rows = db.session.scalars(holding.order_by(Invitation.clinician_id)).all()
    for row in rows:
        row.number, row.sent_at = row.number + 1, at
    return [Step(row, state, False, Method.REQUEST, row.sequence, (changed,), None) for row in rows]


def _take_over(state: CalendarObject, content: Content, changed: tuple[str, ...], *, conference_id: UUID) -> None:
    state.conference_id = conference_id
    state.starts_at, state.ends_at, state.join_url = content.starts_at, content.ends_at, content.join_url
    if changed:
        state.content_sequence = state.sequence
    if "time" in changed:
        state.time_sequence = state.sequence


def _gets_the_link(row: Invitation, role: str | None) -> bool:
    return row.method == Method.REQUEST and row.role == UNREGISTERED and role not in {None, UNREGISTERED}


def _seen(changed: tuple[str, ...], *, was: str, role: str) -> tuple[str, ...]:
    """What of a change the person sees: the link only with a place, and with a new place for the first time."""
    time = tuple(what for what in changed if what == "time")
    if role == UNREGISTERED:
        return time
    return (*time, "link") if was == UNREGISTERED else changed


def _locked(uid: str, content: Content | None, *, conference_id: UUID) -> CalendarObject | None:
    if content is not None:
        row = {
            "uid": uid,
            "conference_id": conference_id,
            "sequence": 0,
            "content_sequence": 0,
            "time_sequence": 0,
            **asdict(content),
        }
        db.session.execute(insert_new(CalendarObject).values(row))
    statement = select(CalendarObject).where(CalendarObject.uid == uid).with_for_update()
    return db.session.scalar(statement.execution_options(populate_existing=True))


def _changed(state: CalendarObject, content: Content | None) -> tuple[str, ...]:
    if content is None:
        return ()
    time = (state.starts_at, state.ends_at) != (content.starts_at, content.ends_at)
    link = state.join_url != content.join_url
    return (*(["time"] if time else []), *(["link"] if link else []))


def _invite(row: Invitation | None, person: UUID, role: str, state: CalendarObject, *, at: datetime) -> Step:
    if row is None:
        row = Invitation(id=uuid4(), uid=state.uid, clinician_id=person, number=0, answer=None, first_message=None)
        db.session.add(row)
    _send(row, Method.REQUEST, state, at=at)
    row.role = role
    row.forget_answer()
    return Step(row, state, True, Method.REQUEST, state.sequence, (), None)


def _update(
    row: Invitation, state: CalendarObject, *, changed: tuple[str, ...], before: datetime, at: datetime
) -> Step:
    _send(row, Method.REQUEST, state, at=at)
    if "time" in changed:
        row.forget_answer()  # the answer was to another time
    return Step(row, state, False, Method.REQUEST, state.sequence, changed, before if "time" in changed else None)


def _cancel(row: Invitation, state: CalendarObject, *, at: datetime) -> Step:
    _send(row, Method.CANCEL, state, at=at)
    return Step(row, state, False, Method.CANCEL, state.sequence, (), None)


def _send(row: Invitation, method: Method, state: CalendarObject, *, at: datetime) -> None:
    row.method, row.sequence, row.sent_at = method, state.sequence, at
    row.conference_id = state.conference_id
    row.number += 1


def uids_of(conference_id: UUID) -> Sequence[str]:
    """The UIDs that were last sent for the conference."""
    return db.session.scalars(select(CalendarObject.uid).where(CalendarObject.conference_id == conference_id)).all()


def state_of(uid: str) -> CalendarObject:
    """The present state of the UID."""
    return db.session.scalars(select(CalendarObject).where(CalendarObject.uid == uid)).one()


def get(invitation_id: UUID, *, lock: bool = False) -> Invitation:
    """The invitation with that id, or NotFound."""
    statement = select(Invitation).where(Invitation.id == invitation_id)
    found = db.session.scalar(
        statement.with_for_update().execution_options(populate_existing=True) if lock else statement
    )
    if found is None:
        raise NotFound("There is no such invitation.")
    return found


def answers(conference_ids: Sequence[UUID]) -> dict[UUID, dict[str, int]]:
    """For each conference how many hold an invitation (`sent`), and how many answered what (`none`: nothing yet)."""
    statement = (
        select(Invitation.conference_id, Invitation.answer, func.count())
        .where(Invitation.conference_id.in_(conference_ids), Invitation.method == Method.REQUEST)
        .group_by(Invitation.conference_id, Invitation.answer)
    )
    found = {c: {"sent": 0, **{str(a): 0 for a in Answer}, "none": 0} for c in conference_ids}
    for conference_id, answer, number in db.session.execute(statement):
        found[conference_id]["sent"] += number
        found[conference_id][answer or "none"] += number
    return found


def of_person(clinician_id: UUID, uids: Collection[str]) -> Sequence[Invitation]:
    """The REQUESTs of these UIDs that the person holds."""
    return db.session.scalars(
        select(Invitation).where(
            Invitation.clinician_id == clinician_id, Invitation.uid.in_(uids), Invitation.method == Method.REQUEST
        )
    ).all()


def told_by_themselves(uids: Collection[str]) -> Sequence[UUID]:
    """Who holds a REQUEST of the UIDs, once for each; without those who are told of it as a date of a series."""
    holding = select(Invitation.clinician_id).where(Invitation.uid.in_(uids), Invitation.method == Method.REQUEST)
    return db.session.scalars(holding.where(Invitation.carried.is_(False))).all()


def answers_by_person(uids: Sequence[str]) -> dict[tuple[str, UUID], str | None]:
    """What each holder of a REQUEST of the UIDs answered."""
    statement = select(Invitation.uid, Invitation.clinician_id, Invitation.answer).where(
        Invitation.uid.in_(uids), Invitation.method == Method.REQUEST
    )
    return {(uid, person): answer for uid, person, answer in db.session.execute(statement)}
