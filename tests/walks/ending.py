"""What must hold at the end of a walk, when all faults are over and all that was to be done is done."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from uuid import UUID

from conference_orchestrator.flows import verifying
from conference_orchestrator.flows.delivering import message_id
from conference_orchestrator.insight import invariants
from conference_orchestrator.insight.invariants import protections
from tests.walks import checks
from tests.walks.checks import FIRM
from tests.walks.world import World

WITHDRAWN = "SELECT id FROM consultation_request WHERE state = 'withdrawn'"
# The verb under which the audit has what became of an offer.
DECIDED = {"accepted": "accept", "refused": "refuse", "expired": "expire"}

Window = tuple[datetime, datetime]
Holder = tuple[str, UUID]


@dataclass(frozen=True)
class Said:
    """One calendar object that one person was to be sent, as its message says."""

    id: UUID
    number: int
    sequence: int
    window: Window
    url: str | None
    state: str
    is_cancel: bool


def wrongs(world: World) -> list[str]:
    """All that is wrong, one line each."""
    said = said_to(world)
    return [
        *checks.broken(world),
        *verified(world),
        *undone(world),
        *at_the_provider(world),
        *in_the_ledger(said),
        *held_wrongly(world, said),
        *out_of_order(world, said),
        *sent_too_often(world),
        *offered_in_silence(world),
        *told_though_erased(world),
        *not_in_the_audit(world),
    ]


def verified(world: World) -> Iterator[str]:
    """The service itself finds nothing; no step takes its indexes away, and to ask for them takes long."""
    with world.app.app_context():
        for invariant in invariants.ALL:
            if invariant is not protections.missing:
                yield from map(str, invariant(world.now))
        yield from map(str, verifying.look_at_meetings().troubles)


def undone(world: World) -> Iterator[str]:
    """Nothing is left that should have been done by now."""
    for task in world.due():
        yield f"not done: {task}"
    open_still = "SELECT kind, state FROM message WHERE state IN ('queued', 'sending', 'deferred')"
    for kind, state in world.rows(open_still):
        yield f"not sent: a message of the kind {kind} is {state}"


def at_the_provider(world: World) -> Iterator[str]:
    """Exactly one meeting stands for each conference that is to come, at its time, and none for anything else."""
    standing = {m.ref.id: m for m in world.provider.meetings.values() if m.ends_at > world.now}
    wanted = (
        "SELECT key, meeting_id, starts_at, ends_at FROM conference"
        " WHERE is_wanted AND ends_at > ? AND coalesce(problem, '') != 'no-host-free'"
    )
    for key, meeting_id, starts_at, ends_at in world.rows(wanted, _stored(world.now)):
        mine = [meeting for meeting in standing.values() if meeting.key == key]
        for meeting in mine:
            del standing[meeting.ref.id]
        if [(m.ref.id, m.starts_at, m.ends_at) for m in mine] != [(meeting_id, _at(starts_at), _at(ends_at))]:
            yield f"the provider has {mine} where one meeting {meeting_id} from {starts_at} to {ends_at} is wanted"
    for meeting in standing.values():
        yield f"the provider has a meeting that nobody wants: {meeting}"


def in_the_ledger(said: dict[Holder, list[Said]]) -> Iterator[str]:
    """Of each calendar object each person is told changes only, each with a higher SEQUENCE than the one before."""
    contents: dict[tuple[str, int], tuple[Window, str | None]] = {}
    for (uid, person), objects in said.items():
        if objects[0].is_cancel:
            yield f"{person} is told of {uid} first by a CANCEL"
        for before, now in pairwise(objects):
            if now.sequence <= before.sequence:
                yield f"{person} gets {uid} with SEQUENCE {before.sequence}, then {now.sequence}"
            if now.is_cancel and before.is_cancel:
                yield f"{person} gets a CANCEL of {uid} after a CANCEL"
            is_same = (now.window, now.url) == (before.window, before.url)
            if is_same and not (now.is_cancel or before.is_cancel):
                yield f"{person} gets {uid} again though nothing changed"
        for one in objects:
            content = (one.window, one.url)
            if not one.is_cancel and contents.setdefault((uid, one.sequence), content) != content:
                yield f"{uid} says two things with SEQUENCE {one.sequence}"


def held_wrongly(world: World, said: dict[Holder, list[Said]]) -> Iterator[str]:
    """Who is wanted holds a REQUEST with the right hour, and nobody else holds one that is still to come."""
    latest = {holder: [one for one in objects if one.state != "suppressed"][-1:] for holder, objects in said.items()}
    held = {
        holder: one.window
        for holder, objects in latest.items()
        for one in objects
        if not one.is_cancel and one.window[1] > world.now
    }
    active = set(world.all_ids("SELECT id FROM clinician WHERE state = 'active'"))
    wanted = {holder: window for holder, window in _wanted(world) if holder[1] in active and window[1] > world.now}
    for holder in sorted(wanted.keys() | held.keys(), key=str):
        if holder[1] in active and held.get(holder) != wanted.get(holder):
            yield f"{holder} holds {held.get(holder)} and should hold {wanted.get(holder)}"


def out_of_order(world: World, said: dict[Holder, list[Said]]) -> Iterator[str]:
    """The server takes the objects of one UID for one person in their order, each as its message says."""
    objects = {}
    with world.app.app_context():
        for holder, those in said.items():
            objects |= {message_id(one.id): (holder, one) for one in those}
    last: dict[Holder, int] = {}
    for mail in world.mailbox.taken:
        if mail.uid is None:
            continue
        holder, one = objects[mail.message_id]
        if (mail.uid, mail.sequence, mail.method == "CANCEL") != (holder[0], one.sequence, one.is_cancel):
            yield f"the mail {mail} is not what its message says: {one}"
        if one.number < last.get(holder, 0):
            yield f"{holder} is sent number {one.number} after number {last[holder]}"
        last[holder] = one.number


def sent_too_often(world: World) -> Iterator[str]:
    """A mail is sent again only where the answer was lost, or its sender ended before it wrote the answer down."""
    copies = Counter(mail.message_id for mail in world.mailbox.taken)
    surplus = sum(copies.values()) - len(copies)
    reasons = world.mailbox.lost + world.deaths["after a mail"]
    if surplus > reasons:
        yield f"{surplus} mails were sent twice, and for {reasons} of them there was a reason"


def offered_in_silence(world: World) -> Iterator[str]:
    """Each offer was told in exactly one mail."""
    told = Counter(cause for (cause,) in world.rows("SELECT cause FROM message WHERE kind = 'slot-offer'"))
    for offer_id in world.all_ids("SELECT id FROM allocation WHERE offer IS NOT NULL"):
        if told.pop(f"offer:{offer_id}", 0) != 1:
            yield f"the offer {offer_id} was not told in one mail"
    for cause in told:
        yield f"a mail tells of what was not offered: {cause}"


def told_though_erased(world: World) -> Iterator[str]:
    """Who was erased gets no mail any more."""
    with world.app.app_context():
        kinds = {message_id(UUID(row_id)): kind for row_id, kind in world.rows("SELECT id, kind FROM message")}
    for mail in world.mailbox.taken:
        if mail.to in world.erased and mail.at > world.erased[mail.to]:
            yield f"{mail.to} was erased at {world.erased[mail.to]} and is sent {kinds[mail.message_id]} at {mail.at}"


def not_in_the_audit(world: World) -> Iterator[str]:
    """What became of requests and offers by somebody's word, or by the policy, stands in the audit each time."""
    recorded = Counter(world.rows("SELECT action, subject FROM audit"))
    became = [("request.withdraw", one) for one in world.all_ids(WITHDRAWN)]
    offers = world.rows("SELECT request_id, offer FROM allocation WHERE offer IS NOT NULL")
    became += [("offer.make", UUID(request_id)) for request_id, _ in offers]
    became += [(f"offer.{DECIDED[offer]}", UUID(request_id)) for request_id, offer in offers if offer in DECIDED]
    for (action, request_id), times in Counter(became).items():
        found = recorded[action, f"consultation_request:{request_id}"]
        if found != times:
            yield f"{action} of request {request_id} happened {times} times and is recorded {found} times"


def said_to(world: World) -> dict[Holder, list[Said]]:
    """What each person was to be told of each UID, in order."""
    statement = (
        "SELECT clinician_id, id, number, kind, facts, state FROM message"
        " WHERE chain IS NOT NULL AND kind != 'reminder' ORDER BY chain, number"
    )
    found: dict[Holder, list[Said]] = {}
    for person, row_id, number, kind, facts, state in world.rows(statement):
        told = json.loads(facts)
        window = datetime.fromisoformat(told["starts_at"]), datetime.fromisoformat(told["ends_at"])
        one = Said(UUID(row_id), number, told["sequence"], window, told["join_url"], state, kind == "invitation-cancel")
        found.setdefault((told["uid"], UUID(person)), []).append(one)
    return found


def _wanted(world: World) -> Iterator[tuple[Holder, Window]]:
    """Who should hold which object of the coming conferences that have a meeting, at which hour."""
    coming = (
        "SELECT m.id, m.group_id, m.starts_at, m.ends_at FROM conference c JOIN session m ON m.id = c.session_id"
        " WHERE c.is_wanted AND c.ends_at > ? AND c.join_url IS NOT NULL"
    )
    for session_id, group_id, starts_at, ends_at in world.rows(coming, _stored(world.now)):
        experts = world.all_ids(
            "SELECT clinician_id FROM membership WHERE group_id = ? AND until_on IS NULL AND role != 'substitute'"
            " UNION SELECT clinician_id FROM substitute WHERE session_id = ?",
            group_id,
            session_id,
        )
        for person in experts:
            yield (f"session-{UUID(session_id)}", person), (_at(starts_at), _at(ends_at))
        yield from _requesters(world, session_id)


def _requesters(world: World, session_id: str) -> Iterator[tuple[Holder, Window]]:
    cases = (
        "SELECT r.id, r.requester_id, r.attendees, s.starts_at, s.ends_at FROM allocation a"
        " JOIN slot s ON s.id = a.slot_id JOIN consultation_request r ON r.id = a.request_id"
        f" WHERE s.session_id = ? AND {FIRM}"
    )
    for request_id, requester, attendees, starts_at, ends_at in world.rows(cases, session_id):
        for person in {UUID(requester), *map(UUID, json.loads(attendees))}:
            yield (f"request-{UUID(request_id)}", person), (_at(starts_at), _at(ends_at))


def _at(stored: str) -> datetime:
    return datetime.fromisoformat(stored).replace(tzinfo=UTC)


def _stored(at: datetime) -> str:
    return at.replace(tzinfo=None).isoformat(" ", "microseconds")
