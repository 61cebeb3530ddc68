"""Telling people: messages are written with the change that causes them, and go out after its commit, one by one."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from email.utils import parseaddr
from functools import lru_cache
from itertools import groupby, islice
from typing import Any, cast
from uuid import UUID, uuid4
from weakref import WeakKeyDictionary

import structlog
from sqlalchemy import Connection, Row

from conference_orchestrator.flows import suppressing
from conference_orchestrator.kernel import links, ports
from conference_orchestrator.kernel.outbox import Rank, Task
from conference_orchestrator.kernel.times import Clock, rfc3339
from conference_orchestrator.kernel.transaction import Transaction, steps, transaction
from conference_orchestrator.kernel.turns import Turns
from conference_orchestrator.ledger import messages, suppressions
from conference_orchestrator.ledger.marks import Marks
from conference_orchestrator.ledger.messages import Draft, Message, Outcome, Recipient, State
from conference_orchestrator.ledger.suppressions import Reason, Scope
from conference_orchestrator.network import clinicians
from conference_orchestrator.network.clinicians import Clinician
from conference_orchestrator.notify import composing, kinds, mime
from conference_orchestrator.notify.mailing import Mailing, Mailings, Uncertain
from conference_orchestrator.notify.pace import Pace, domain_of
from conference_orchestrator.notify.reader import Reader
from conference_orchestrator.notify.sending import Deferred, Lost, MailSender, Refused, TooFast
from conference_orchestrator.notify.stored_facts import facts_from_json, facts_to_json

log = structlog.get_logger()

open_mail: ports.Port[Callable[[], MailSender]] = ports.Port("open_mail")

BATCH = 200
# So long one task begins with another mail. The last one may take a minute and a half, and all of it has to be over
# before the leases of the task and of its messages are.
SHIFT = timedelta(seconds=15)
# After each passing failure the next try waits longer; patience ends after a day (greylisting, a server that is down).
WAITS = [timedelta(seconds=s) for s in (5, 15, 60, 300, 900, 1800, 3600)]
PATIENCE = timedelta(hours=24)
# A message whose task was lost is found by the timer after this time.
LOST_AFTER = timedelta(minutes=2)

# Kinds whose mail holds a personal link: the purpose, the path, and the fact that carries it.
LINKS = {
    "registration-received": ("confirm", "/confirm/", "confirm_url"),
    "invitation": ("answer", "/i/", "answer_url"),
    "invitation-update": ("answer", "/i/", "answer_url"),
    "slot-offer": ("offer", "/o/", "answer_url"),
    "reminder": ("answer", "/i/", "answer_url"),
}
# The way into a meeting that lets in by personal links: see `entering`.
ENTRY_PURPOSE, ENTRY = "join", "/j/"

# Why an address gets no mail at all, in words for the helpdesk.
NO_MAIL = {
    Reason.BOUNCED: "mail to this address bounced",
    Reason.UNSUBSCRIBED: "no mail is wanted at this address",
    Reason.HELPDESK: "the helpdesk ended mail to this address",
}
# Batches go one after another in this process; one that takes longer waits for its mail server.
TURNS = Turns(seconds=0.3)
# What was composed lately for several people, in this process.
MAILINGS = Mailings()
# How fast the domains take mail, for each way out, in this process.
PACES: WeakKeyDictionary[Callable[[], MailSender], Pace] = WeakKeyDictionary()


def to_clinician(person: Clinician) -> Recipient:
    """The clinician as the one recipient of a message."""
    return Recipient(
        address=person.email,
        name=person.name,
        language=person.language,
        time_zone=person.time_zone,
        clinician_id=person.id,
    )


def to_helpdesk() -> Recipient:
    """The helpdesk's mailbox."""
    name, address = parseaddr(ports.settings().mail_from)
    return Recipient(address=address, name=name or "Helpdesk", language="en", time_zone="Europe/Brussels")


def draft(facts: kinds.Facts, *, to: Recipient, cause: str, **more: Any) -> Draft:
    """A message of the facts' kind. `cause` names what brought it about: the same cause is never told twice."""
    return Draft(kind=facts.kind, facts=facts_to_json(facts), to=to, cause=cause, **more)


def tell(tx: Transaction, *drafts: Draft) -> None:
    """Write the messages with the change, and have them sent after its commit, in batches, the most urgent first.

    More than one batch is a mailing: what concerns few people goes before it, however urgent each of its messages is.
    """
    if len(drafts) > BATCH:
        drafts = tuple(replace(one, rank=Rank.BULK) for one in drafts)
    ranks = {one.id: one.rank for one in drafts}
    new = messages.write(drafts, now=tx.now)
    tx.after(*_tasks([(message_id, ranks[message_id]) for message_id in new]))


def tell_helpdesk(tx: Transaction, title: str, detail: str, *, path: str, cause: str) -> None:
    """Alert the helpdesk: fixed words as the title, what is wrong and what to do as the detail."""
    facts = kinds.DeskAlert(title=title, detail=detail, url=links.url(path))
    tell(tx, draft(facts, to=to_helpdesk(), cause=cause, rank=Rank.URGENT))


def deliver(message_ids: Sequence[UUID]) -> None:
    """Send those of the messages that are due, each at most once at a time; come back for the rest."""
    worker = f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}"
    with TURNS.one(), steps() as connection, open_mail()() as sender:
        is_done = _send_all(connection, sender, message_ids, worker=worker)
    if not is_done and (rest := messages.unfinished(message_ids)):
        with transaction() as tx:
            soonest = max(min(at for _, at, _ in rest), tx.now + timedelta(seconds=1))
            rank = min(rank for *_, rank in rest)
            tx.after(deliver_later([message_id for message_id, *_ in rest], rank=rank, due_at=soonest))


def deliver_overdue() -> None:
    """The timer's safety net: messages that nobody came back for get a new task."""
    with transaction() as tx:
        tx.after(*_tasks(messages.overdue(before=tx.now - LOST_AFTER)))


def _tasks(message_ids: Iterable[tuple[UUID, int]]) -> list[Task]:
    """The batches in which the messages go, each given with its rank, the most urgent first."""
    made = []
    ordered = sorted(message_ids, key=lambda one: one[1])
    for rank, alike in groupby(ordered, key=lambda one: one[1]):
        part = [message_id for message_id, _ in alike]
        made += [deliver_later(part[start : start + BATCH], rank=Rank(rank)) for start in range(0, len(part), BATCH)]
    return made


def deliver_later(message_ids: Sequence[UUID], *, rank: Rank = Rank.NORMAL, due_at: datetime | None = None) -> Task:
    """The task that sends the messages, at most `BATCH`."""
    return Task(kind="deliver", payload={"messages": [str(i) for i in message_ids]}, rank=rank, due_at=due_at)


def _send_all(connection: Connection, sender: MailSender, message_ids: Sequence[UUID], *, worker: str) -> bool:
    """One after the other until the shift ends; whether each of them came to its end here.

    All are claimed together, and each is marked by itself as soon as it is sent.
    """
    way = _way_out(sender)
    until, left, finished = way.clock.now() + SHIFT, list(message_ids), 0
    while left and (taken := messages.claim(connection, left, worker=worker, now=way.clock.now())):
        finished += _send_taken(connection, way, taken, worker=worker, until=until)
        gone = {row.id for row in taken}
        # What waited for an earlier one of its chain may go now.
        left = [message_id for message_id in left if message_id not in gone] if way.clock.now() <= until else []
    return finished == len(message_ids)


def _send_taken(
    connection: Connection, way: _WayOut, taken: Sequence[Row[Any]], *, worker: str, until: datetime
) -> int:
    """Send what was claimed; how many came to their end."""
    back: list[UUID] = []
    held: list[tuple[UUID, datetime, str]] = []
    withheld = _withheld(connection, taken)
    with Marks(connection, worker=worker) as marks:
        line = _Line(way, taken, withheld)
        for row, mail in line:
            now = way.clock.now()
            if now > until:
                back.append(row.id)
            elif (may_go_at := way.pace.may_go(domain_of(row.address), now)) > now:
                held.append((row.id, may_go_at, f"waits: mails to {domain_of(row.address)} go too fast"))
            else:
                marks.write(mail if isinstance(mail, Outcome) else _send(way, row, mail, next_to=line.next_to))
    messages.release(connection, [*back, *(message_id for message_id, _, _ in held)], worker=worker)
    for message_id, may_go_at, why in held:
        messages.postpone(connection, message_id, until=may_go_at, answer=why)
    return marks.ended


class _Line:
    """The messages in their turn, each with its mail, or how it ends without one."""

    def __init__(self, way: _WayOut, taken: Sequence[Row[Any]], withheld: Mapping[UUID, str]) -> None:
        self._way = way
        self._mails = ((row, _mail_or_end(row, withheld.get(row.id))) for row in taken)
        self._first: list[tuple[Row[Any], bytes | Outcome]] = []

    def __iter__(self) -> Iterator[tuple[Row[Any], bytes | Outcome]]:
        while self._has_another():
            yield self._first.pop()

    def next_to(self) -> str | None:
        """To whom the next mail goes if nothing comes between. It is composed with the asking."""
        if not self._has_another():
            return None
        (row, mail), now = self._first[0], self._way.clock.now()
        may_go = not isinstance(mail, Outcome) and self._way.pace.may_go(domain_of(row.address), now) <= now
        return row.address if may_go else None

    def _has_another(self) -> bool:
        self._first = self._first or list(islice(self._mails, 1))
        return bool(self._first)


def _mail_or_end(row: Row[Any], withheld: str | None) -> bytes | Outcome:
    if withheld:
        return Outcome(message_id=row.id, state=State.SUPPRESSED, answer=withheld)
    try:
        return _mail(row, row.facts)
    except Exception as error:
        log.exception("message is at fault", message=str(row.id), kind=row.kind)
        return _at_fault(row, error)


def _at_fault(row: Row[Any], error: Exception) -> Outcome:
    """The helpdesk sees it, and the other messages of the batch go out."""
    answer = f"It could not be composed: {type(error).__name__}"
    return Outcome(message_id=row.id, state=State.FAILED, answer=answer)


@dataclass(frozen=True)
class _WayOut:
    """What the mails of a batch share on their way out; looked up once."""

    sender: MailSender
    own_address: str
    clock: Clock
    pace: Pace


def _way_out(sender: MailSender) -> _WayOut:
    # The pace belongs to the process and to the way that the application's mail leaves.
    pace = PACES.setdefault(open_mail(), Pace())
    return _WayOut(sender, _own_address(), ports.clock(), pace)


def _withheld(connection: Connection, batch: Sequence[Row[Any]]) -> dict[UUID, str]:
    """Why some of the messages are not sent, by their ids: what has changed since they were written."""
    gone = clinicians.erased(connection, {row.clinician_id for row in batch if row.clinician_id})
    unwanted = suppressions.of_addresses(connection, {row.address for row in batch})
    found: dict[UUID, str] = {}
    for row in batch:
        address = row.address.lower()
        if row.clinician_id in gone:
            found[row.id] = "not sent: the clinician was erased"
        elif reason := unwanted.get((address, Scope.ALL)):
            found[row.id] = f"not sent: {NO_MAIL[Reason(reason)]}; mend the address or lift the suppression"
        elif row.kind == kinds.Reminder.kind and (address, Scope.REMINDERS) in unwanted:
            found[row.id] = "not sent: no reminders are wanted at this address"
    return found


def _send(way: _WayOut, row: Row[Any], mail: bytes, *, next_to: Callable[[], str | None]) -> Outcome:
    """Hand over one mail. Whatever comes of it, the others go on."""
    if reason := _outdated(row, now=way.clock.now()):
        return Outcome(message_id=row.id, state=State.SUPPRESSED, answer=reason)
    try:
        answer = way.sender.send(way.own_address, row.address, mail, next_to=next_to)
    except Refused as error:
        return Outcome(message_id=row.id, state=State.FAILED, answer=str(error))
    except (Deferred, Lost) as error:
        if isinstance(error, TooFast):
            way.pace.too_fast(domain_of(row.address), way.clock.now())
        return _again(row, error, now=way.clock.now())
    except Exception as error:
        log.exception("message is at fault", message=str(row.id), kind=row.kind)
        return _at_fault(row, error)
    now = way.clock.now()
    way.pace.went(domain_of(row.address), now)
    return Outcome(message_id=row.id, state=State.SENT, answer=answer, sent_at=now)


def _outdated(row: Row[Any], *, now: datetime) -> str | None:
    outdated_at = _outdated_at(row.kind, row.facts)
    if outdated_at is None or outdated_at > now:
        return None
    return f"not sent: outdated since {rfc3339(outdated_at)}"


def _again(row: Row[Any], error: Deferred | Lost, *, now: datetime) -> Outcome:
    """The message waits for its next attempt, unless its time is over."""
    if isinstance(error, Lost):
        state = State.AMBIGUOUS
    else:
        state = State.FAILED if now - row.tried_since > PATIENCE else State.DEFERRED
    due_at = now + WAITS[min(row.attempts, len(WAITS)) - 1]
    return Outcome(message_id=row.id, state=state, answer=str(error), due_at=due_at, is_lost=isinstance(error, Lost))


def mail(message: Row[Any] | Message) -> bytes:
    """The whole mail of a message. Composed anew it is the same mail, byte by byte."""
    return _mail(message, json.dumps(message.facts))


def _mail(row: Row[Any] | Message, shared: str) -> bytes:
    settings = ports.settings()
    reader = Reader(name=row.name, address=row.address, language=row.language, time_zone=row.time_zone)
    return mime.build(
        _encoded(row, reader, shared),
        sender=settings.mail_from,
        reply_to=settings.reply_to,
        reader=reader,
        message_id=message_id(row.id),
        references=row.references,
        date=row.created_at,
        unsubscribe_url=_unsubscribe_url(row),
    )


def facts_of(message: Message) -> kinds.Facts:
    """What the message tells, with the personal links made now."""
    shared = json.dumps(message.facts)
    return _facts(message, shared, _links(message, shared))


def _facts(row: Row[Any] | Message, shared: str, own: Mapping[str, str]) -> kinds.Facts:
    data = {**_told(shared), **own}
    if series := data.get("series"):
        data["series"] = {**series, "changed": [_with_entry(one) for one in series["changed"]]}
    return facts_from_json(row.kind, data)


def _with_entry(session: Mapping[str, Any]) -> dict[str, Any]:
    """A session of a series, with the way in that is made for this person alone where there is one."""
    entry = session["entry"]
    return {**session, "join_url": links.url(ENTRY + links.token(ENTRY_PURPOSE, UUID(entry)))} if entry else {**session}


def _encoded(row: Row[Any] | Message, reader: Reader, shared: str) -> mime.Encoded:
    """The parts of the mail: of a mailing that was prepared, or composed for this reader alone."""
    own = _links(row, shared)
    key = (row.kind, shared, tuple(own), reader.language, reader.time_zone)
    prepared = MAILINGS.get(
        key,
        lambda: Mailing(
            _facts(row, shared, own), links=tuple(own), language=reader.language, time_zone=reader.time_zone
        ),
    )
    if prepared is not None:
        with suppress(Uncertain):
            return prepared.encoded_for(reader, own)
    return mime.encoded(composing.compose(_facts(row, shared, own), reader))


def _links(row: Row[Any] | Message, shared: str) -> dict[str, str]:
    """The personal links of the message, by the facts that carry them; they are made anew each time."""
    made: dict[str, str] = {}
    if row.kind in LINKS and row.link_subject is not None:
        purpose, path, fact = LINKS[row.kind]
        made[fact] = links.url(path + links.token(purpose, row.link_subject))
        if _told(shared).get("has_personal_link"):
            made["join_url"] = links.url(ENTRY + links.token(ENTRY_PURPOSE, row.link_subject))
    return made


# `shared` is what the messages of one mailing have in common: their facts, as a JSON document.
@lru_cache(maxsize=256)
def _told(shared: str) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", json.loads(shared))


@lru_cache(maxsize=256)
def _outdated_at(kind: str, shared: str) -> datetime | None:
    return facts_from_json(kind, _told(shared)).outdated_at


def _unsubscribe_url(row: Row[Any] | Message) -> str | None:
    """Where one click ends reminders. What else we send is an answer, or somebody waits for it."""
    if row.kind != kinds.Reminder.kind or row.clinician_id is None:
        return None
    return suppressing.unsubscribe_url(row.clinician_id)


def message_id(row_id: UUID) -> str:
    """The Message-ID of the message with that id; the same at every try."""
    return mime.message_id(row_id, _own_address().rpartition("@")[2])


def _own_address() -> str:
    return _address_of(ports.settings().mail_from)


@lru_cache(maxsize=8)
def _address_of(mailbox: str) -> str:
    return parseaddr(mailbox)[1]
