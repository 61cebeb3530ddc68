"""Verifying: whether the meetings stand at the providers as our records say, and what is mended without a person.

The providers are asked with nothing open. What the service is at work on, or changed while it was asked about, is no
trouble. Mending deletes nothing, may be repeated, and leaves to a person what only a person can decide.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import groupby
from uuid import UUID

from sqlalchemy import or_, select, update

from conference_orchestrator import migrations
from conference_orchestrator.flows import rounds
from conference_orchestrator.flows.hosting import ensure_later, issue_later, provider_named
from conference_orchestrator.kernel import ports
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.outbox import Task
from conference_orchestrator.kernel.principal import SYSTEM
from conference_orchestrator.kernel.times import rfc3339
from conference_orchestrator.kernel.transaction import Transaction, transaction
from conference_orchestrator.ledger import messages
from conference_orchestrator.providers.base import ConferenceProvider, Meeting, MeetingRef, to_the_minute
from conference_orchestrator.providers.errors import AuthError, NotFound, ProviderError
from conference_orchestrator.scheduling import allocations, conferences, sessions
from conference_orchestrator.scheduling.conferences import Conference, State
from conference_orchestrator.settings import SettingsError

# What a task that `repair` wrote will end: a second look may find it still.
LEFT_TO_TASKS = frozenset({"offer-overdue", "message-stuck"})
STUCK_AFTER = timedelta(minutes=10)
# The states in which the next step for a meeting is not taken already, and it is not given up.
MENDABLE = frozenset({State.READY, State.DEGRADED})


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """What is wrong with a meeting, as one line: `present` is the meeting as the provider has it, None without one.

    `conference` is as it was when the provider was asked; None when the provider could not be asked at all.
    """

    invariant: str
    said: str
    conference: Conference | None = None
    present: Meeting | None = None

    def __str__(self) -> str:
        return f"{self.invariant}: {self.said}"


@dataclass
class Look:
    """What came of asking the providers; `not_asked` says of which meetings nothing can be known from here."""

    troubles: list[Trouble] = field(default_factory=list)
    not_asked: list[str] = field(default_factory=list)


def look_at_meetings() -> Look:
    """Ask each provider for the meetings of coming conferences: one under its key, at its time, with the id we know."""
    look = Look()
    for name, of_provider in groupby(_settled(), key=lambda conference: conference.provider):
        asked = list(of_provider)
        try:
            provider = provider_named()(name)
        except SettingsError as error:
            look.troubles.append(_cannot_be_asked(name, str(error), left=len(asked)))
            continue
        able = provider.capabilities()
        if not able.keeps_meetings:
            look.not_asked.append(f"{name}: it keeps no meetings that could be asked for")
        elif not able.is_durable:
            look.not_asked.append(f"{name}: meetings live in the serving process, not asked")
        else:
            look.troubles += _unchanged(_asked(provider, name, asked))
    return look


def repair(troubles: Iterable[Trouble], *, misinformed: Iterable[UUID]) -> list[str]:
    """Mend what needs no person; what was done, one line each.

    `misinformed` are the conferences whose invitations are to be looked at again.
    """
    mended = _close_past()
    with transaction() as tx:
        mended += _run_again(tx)
        mended += _end_offers(tx)
        mended += _find_lost_messages(tx)
        for conference_id in sorted(set(misinformed)):
            tx.after(issue_later(conference_id))
            mended.append(f"conference {conference_id}: its invitations are looked at again")
        mended += _look_again(tx, troubles)
    return mended


def _settled() -> Sequence[Conference]:
    """The coming conferences with a meeting that nobody is at work on or about to be, by provider."""
    now = ports.clock().now()
    task = migrations.metadata().tables["task"]
    in_hand = set(db.session.scalars(select(task.c.lock).where(task.c.state == "open", task.c.lock.is_not(None))))
    statement = select(Conference).where(
        Conference.is_wanted,
        Conference.meeting_id.is_not(None),
        Conference.ends_at > now,
        Conference.attempted_at.is_(None),
        or_(Conference.lease_until.is_(None), Conference.lease_until <= now),
    )
    found = db.session.scalars(statement.order_by(Conference.provider, Conference.starts_at, Conference.id)).all()
    # No transaction stays open while the providers are asked.
    db.session.close()
    return [conference for conference in found if ensure_later(conference.id).lock not in in_hand]


def _asked(provider: ConferenceProvider, name: str, asked: Sequence[Conference]) -> Iterator[Trouble]:
    for number, conference in enumerate(asked):
        try:
            yield from _compared(provider, conference)
        except ProviderError as error:
            if error.repeatable or isinstance(error, AuthError):
                # It would be so for each of the others, and each would take its time-out.
                yield _cannot_be_asked(name, error.message, left=len(asked) - number)
                return
            yield _trouble("meeting-not-shown", conference, f"{name} does not show the meeting: {error.message}")


def _compared(provider: ConferenceProvider, conference: Conference) -> Iterator[Trouble]:
    ref = MeetingRef(conference.provider, conference.meeting_id or "", conference.present_host)
    can_find = provider.capabilities().find_by_key
    wanted = (conference.starts_at, conference.ends_at)
    found = {one.ref.id: one for one in (provider.find(conference.key, ref.host, *wanted) if can_find else ())}
    for surplus in sorted(found.keys() - {ref.id}):
        yield _trouble("meeting-twice", conference, f"there is a meeting {surplus} besides {ref.id}")
    meeting = found.get(ref.id) or _known(provider, ref)
    if meeting is None:
        yield _trouble("meeting-missing", conference, f"there is no meeting {ref.id}")
        return
    if can_find and ref.id not in found and meeting.key != conference.key:
        yield _trouble("meeting-unmarked", conference, f"the meeting {ref.id} has lost our key")
    if (meeting.starts_at, meeting.ends_at) != tuple(map(to_the_minute, wanted)):
        held = f"{rfc3339(meeting.starts_at)} to {rfc3339(meeting.ends_at)}"
        said = f"the meeting {ref.id} is held {held}, wanted from {rfc3339(conference.starts_at)}"
        yield _trouble("meeting-at-another-time", conference, said, present=meeting)


def _known(provider: ConferenceProvider, ref: MeetingRef) -> Meeting | None:
    try:
        return provider.get(ref)
    except NotFound:
        return None


def _unchanged(troubles: Iterable[Trouble]) -> list[Trouble]:
    """Without those of conferences that were changed while the provider was asked: it was asked for what was."""
    found = list(troubles)
    asked = [trouble.conference.id for trouble in found if trouble.conference is not None]
    statement = select(Conference.id, Conference.version).where(Conference.id.in_(asked))
    versions = {row.id: row.version for row in db.session.execute(statement)}
    db.session.close()
    return [t for t in found if t.conference is None or t.conference.version == versions.get(t.conference.id)]


def _trouble(invariant: str, conference: Conference, said: str, *, present: Meeting | None = None) -> Trouble:
    said = f"conference {conference.id}: {said}"
    return Trouble(invariant=invariant, said=said, conference=conference, present=present)


def _cannot_be_asked(provider: str, why: str, *, left: int) -> Trouble:
    return Trouble(invariant=provider, said=f"cannot be asked: {why} (meetings not looked at: {left})")


def _close_past() -> list[str]:
    past = [session.id for session in sessions.over(now=ports.clock().now())]
    if past:
        rounds.close_past()
    return [f"session {session_id}: closed" for session_id in past]


def _run_again(tx: Transaction) -> list[str]:
    task = migrations.metadata().tables["task"]
    fresh = {"state": "open", "attempts": 0, "due_at": tx.now, "lease_until": None, "worker": None}
    again = update(task).where(task.c.state == "dead").values(fresh).returning(task.c.id, task.c.kind)
    return [f"task {task_id} ({kind}): runs again" for task_id, kind in db.session.execute(again)]


def _end_offers(tx: Transaction) -> list[str]:
    ending = allocations.run_out(at=tx.now)
    if ending:
        tx.after(Task(kind="expire-offers", lock="expire-offers"))
    return [f"offer {offer.id}: ends" for offer in ending]


def _find_lost_messages(tx: Transaction) -> list[str]:
    lost = len(messages.overdue(before=tx.now - STUCK_AFTER))
    if lost == 0:
        return []
    tx.after(Task(kind="deliver-overdue", lock="deliver-overdue"))
    return [f"mail: messages that nobody came back for are sent, {lost} of them"]


def _look_again(tx: Transaction, troubles: Iterable[Trouble]) -> list[str]:
    owned_up = {
        trouble.conference.id: said for trouble in troubles if trouble.conference and (said := _own_up(trouble))
    }
    db.session.flush()
    waiting = dict.fromkeys(conferences.unsettled(now=tx.now), "its meeting is looked at again")
    to_do = waiting | owned_up
    tx.after(*map(ensure_later, to_do))
    return [f"conference {conference_id}: {said}" for conference_id, said in to_do.items()]


def _own_up(trouble: Trouble) -> str | None:
    """Write down what is at the provider, so that `ensure` finds a difference and makes it right; what it will do."""
    before = trouble.conference
    if before is None or before.state not in MENDABLE:
        return None
    conference = conferences.get(before.id, visible_to=SYSTEM, lock=True)
    if conference.version != before.version:
        return None
    if trouble.invariant == "meeting-missing":
        conference.meeting_is_gone()
        return "its meeting is made again"
    if trouble.present is not None:
        conference.present_start, conference.present_end = trouble.present.starts_at, trouble.present.ends_at
        return "its meeting is moved to its time"
    return None
