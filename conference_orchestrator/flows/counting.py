"""Answers that come by mail: whose each is, whether it counts, and what the helpdesk is told of those that do not.

An answer counts when its ATTENDEE and the mail's From are addresses of one person who holds the invitation. Nothing
else of the mail is believed: neither who organises, nor when the meeting is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from uuid import UUID

from sqlalchemy import select

from conference_orchestrator.flows import answering, delivering, series_answering
from conference_orchestrator.flows.answering import Held
from conference_orchestrator.flows.series_answering import HeldSeries
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.errors import Invalid
from conference_orchestrator.kernel.transaction import Transaction
from conference_orchestrator.ledger import series_calendars
from conference_orchestrator.ledger.inbound import InboundMail, State
from conference_orchestrator.ledger.invitations import Answer, Invitation
from conference_orchestrator.ledger.series_calendars import OccurrenceAnswer, SeriesInvitation
from conference_orchestrator.network import clinicians
from conference_orchestrator.network.clinicians import Clinician, ClinicianAddress
from conference_orchestrator.notify.calendar_answers import CalendarAnswer
from conference_orchestrator.notify.received_text import safe_line
from conference_orchestrator.notify.replies import Inbound
from conference_orchestrator.scheduling import wording

PROPOSAL = "Somebody who is invited proposes another time"
LONGEST_COMMENT, LONGEST_DETAIL = 300, 2000
# So wrong a clock may be.
AHEAD = timedelta(days=1)
OLD = "Ignored, because it answers an old version: the time has changed since"
# What keeps an answer: an invitation, one to a series, or what was said to one date of a series.
Answered = Invitation | SeriesInvitation | OccurrenceAnswer
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Fate:
    """What becomes of a mail, or of one thing that it says; `detail` tells it in a sentence."""

    state: State
    detail: str
    clinician_id: UUID | None = None
    conference_id: UUID | None = None


@dataclass(frozen=True)
class Given:
    """Where an answer stands among others. The SEQUENCE is never above what was sent, the stamp never far ahead.

    Either would make every later answer look old.
    """

    sequence: int
    stamp: datetime | None


def of_reply(tx: Transaction, mail: Inbound) -> Fate:
    """Count what the mail answers; what does not count says why."""
    person = _sender(mail)
    if isinstance(person, str):
        return Fate(state=State.OPEN, detail=f"Not counted: {person}")
    return together([_counted(tx, one, person) for one in _of_person(mail, person)])


def of_counter(tx: Transaction, mail: Inbound, kept: InboundMail) -> Fate:
    """A proposal of another time is no answer: the helpdesk sees it, once, with the times."""
    person = _sender(mail)
    if isinstance(person, str):
        return Fate(state=State.OPEN, detail=f"Another time is proposed, but {person}")
    proposed = next((one for one in _of_person(mail, person) if isinstance(one, CalendarAnswer)), None)
    held = _held(proposed, person) if proposed else "nothing of it is about the sender."
    if proposed is None or isinstance(held, str):
        return Fate(state=State.OPEN, detail=f"Another time is proposed, but {held}", clinician_id=person.id)
    kept.proposed_starts_at, kept.proposed_ends_at = proposed.proposed_starts_at, proposed.proposed_ends_at
    detail = f"{person.name} proposes {_when(proposed)} for {held.name}.{_comment(proposed)}"
    told = f"{detail} The invitation stays unanswered: move the session, or write to {person.email}."
    delivering.tell_helpdesk(tx, PROPOSAL, told, path="/", cause=f"proposal:{kept.id}")
    return Fate(state=State.OPEN, detail=detail, clinician_id=person.id, conference_id=_conference_of(held))


def together(fates: Sequence[Fate]) -> Fate:
    """The fate of a mail that says several things: it is open when one of them is, and counted when one counted."""
    state = next(state for state in (State.OPEN, State.COUNTED, State.IGNORED) if state in {f.state for f in fates})
    return Fate(
        state=state,
        detail=" ".join(dict.fromkeys(fate.detail for fate in fates))[:LONGEST_DETAIL],
        clinician_id=next((fate.clinician_id for fate in fates if fate.clinician_id), None),
        conference_id=next((fate.conference_id for fate in fates if fate.conference_id), None),
    )


def _sender(mail: Inbound) -> Clinician | str:
    """The clinician who wrote the mail, else why nobody can be sure of that."""
    if mail.authentication == "fail":
        return f"by our mail server's checks it does not come from {mail.from_address}."
    if mail.from_address is None:
        return "the mail names no sender, or several."
    person = clinicians.by_email(_canonical(mail.from_address))
    if person is None or person.state != clinicians.State.ACTIVE:
        return f"{mail.from_address} is no clinician's address."
    return person


def _of_person(mail: Inbound, person: Clinician) -> Iterator[CalendarAnswer | str]:
    """What the mail says for its sender about each event; an event that is answered for somebody else only, as a text.

    In the order of the UIDs: two mails that answer the same invitations lock them in the same order.
    """
    also = select(ClinicianAddress.email).where(ClinicianAddress.clinician_id == person.id)
    own = {person.email, *db.session.scalars(also)}
    for _, about in groupby(sorted(mail.answers, key=_order), key=lambda one: _order(one)[:2]):
        answers = list(about)
        mine = [one for one in answers if _canonical(one.attendee) in own]
        yield from mine
        if not mine:
            yield f"it answers for {answers[0].attendee}, but comes from {mail.from_address}."


def _order(answer: CalendarAnswer) -> tuple[str, str, int, datetime]:
    occurrence = answer.recurrence_at or answer.recurrence_on
    return answer.uid, str(occurrence), answer.sequence, answer.stamp or LONG_AGO


def _counted(tx: Transaction, answer: CalendarAnswer | str, person: Clinician) -> Fate:
    held = answer if isinstance(answer, str) else _held(answer, person)
    if isinstance(answer, str) or isinstance(held, str):
        return Fate(state=State.OPEN, detail=f"Not counted: {held}", clinician_id=person.id)
    given = Given(min(answer.sequence, _sequence_of(held)), _stamp(answer, now=tx.now))
    state, said = _obstacle(answer, held, given, now=tx.now) or (State.COUNTED, f"{person.name} {answer.said.lower()}")
    if state == State.COUNTED:
        held.take(tx, Answer(answer.said.lower()), sequence=given.sequence, stamp=given.stamp)
    return Fate(
        state=state,
        detail=f"{said}: {held.name}.{_comment(answer)}",
        clinician_id=person.id,
        conference_id=_conference_of(held),
    )


def _obstacle(
    answer: CalendarAnswer, held: Held | HeldSeries, given: Given, *, now: datetime
) -> tuple[State, str] | None:
    """Why the answer does not count; open where somebody has to look at it, ignored where nothing is to be done."""
    if (wrong := _wrong(answer)) is not None:
        return State.OPEN, wrong
    if (ended := held.obstacle(now=now)) is not None:
        return State.IGNORED, f"Ignored, because it is {ended}"
    if answer.sequence < held.time_sequence:
        return State.IGNORED, OLD
    row = _kept(held, at=now)
    return _obstacle_of_order(answer, row, given) if row.answer is not None else None


def _wrong(answer: CalendarAnswer) -> str | None:
    """Why nobody can count it, whatever it is about."""
    if answer.problem:
        return f"Not counted: {answer.problem.removesuffix('.')}"
    if answer.said.lower() not in list(Answer):
        return f"Not counted, because {answer.said} is neither a yes nor a no"
    return None


def _obstacle_of_order(answer: CalendarAnswer, row: Answered, given: Given) -> tuple[State, str] | None:
    counts, later = row.answer, _is_later(given, row)
    if later is None and answer.said.lower() != counts:
        return State.OPEN, f"Not counted, because nobody can tell whether {answer.said.lower()} or {counts} came later"
    return None if later else (State.IGNORED, f"Ignored, because this or a later answer counts already ({counts})")


def _is_later(given: Given, row: Answered) -> bool | None:
    """Whether it was given after the answer that counts (RFC 5546, 2.1.5); None when that cannot be told.

    An answer by link has its time and no SEQUENCE.
    """
    if given.stamp is None:
        return None
    if row.answered_sequence is not None and row.answered_stamp is not None:
        mine, counts = (given.sequence, given.stamp), (row.answered_sequence, row.answered_stamp)
        return None if mine == counts else mine > counts
    return row.answered_at is None or given.stamp > row.answered_at


def _stamp(answer: CalendarAnswer, *, now: datetime) -> datetime | None:
    """When the answer was given; None when that cannot be so."""
    return answer.stamp if answer.stamp is not None and answer.stamp <= now + AHEAD else None


def _held(answer: CalendarAnswer, person: Clinician) -> Held | HeldSeries | str:
    """What the person holds and answers, locked, else why there is nothing of the kind."""
    if answer.uid.startswith(series_answering.UID):
        return series_answering.hold(answer.uid, person.id, at=answer.recurrence_at, on=answer.recurrence_on)
    mine = select(Invitation.id).where(Invitation.uid == answer.uid, Invitation.clinician_id == person.id)
    invitation_id = db.session.scalar(mine)
    if invitation_id is None:
        return f"{person.name} is not invited to the meeting with the UID {answer.uid}."
    if answer.recurrence_at is not None or answer.recurrence_on is not None:
        return "it is about one date of a series, and the invitation is to a single meeting."
    return answering.hold(invitation_id)


def _kept(held: Held | HeldSeries, *, at: datetime) -> Answered:
    if isinstance(held, Held):
        return held.kept
    return series_calendars.answer_to(held.calendar.uid, held.clinician_id, held.on, at=at)


def _sequence_of(held: Held | HeldSeries) -> int:
    """The highest that was sent."""
    return held.sequence if isinstance(held, Held) else held.calendar.sequence


def _conference_of(held: Held | HeldSeries) -> UUID | None:
    return held.conference_id if isinstance(held, Held) else None


def _canonical(address: str) -> str:
    try:
        return clinicians.canonical(address)
    except Invalid:
        return address


def _when(answer: CalendarAnswer) -> str:
    return f"{wording.moment(answer.proposed_starts_at, 'UTC')} UTC" if answer.proposed_starts_at else "another time"


def _comment(answer: CalendarAnswer) -> str:
    return f' With it: "{safe_line(answer.comment, LONGEST_COMMENT)}"' if answer.comment else ""
