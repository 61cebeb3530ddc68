"""Telling people: messages are written with the change that causes them, and go out after its commit, one by one."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from email.utils import parseaddr
from typing import Any
from uuid import UUID, uuid4

import structlog
from sqlalchemy import Connection, Row, select

from conference_orchestrator.kernel import links, ports
from conference_orchestrator.kernel.errors import RuleBroken
from conference_orchestrator.kernel.outbox import Rank, Task
from conference_orchestrator.kernel.principal import Principal
from conference_orchestrator.kernel.times import rfc3339
from conference_orchestrator.kernel.transaction import Transaction, steps, transaction
from conference_orchestrator.ledger import messages
from conference_orchestrator.ledger.messages import Draft, Message, Recipient, State
from conference_orchestrator.network import clinicians
from conference_orchestrator.network.clinicians import Clinician
from conference_orchestrator.notify import composing, kinds, mime
from conference_orchestrator.notify.reader import Reader
from conference_orchestrator.notify.sending import Deferred, Lost, MailSender, Refused

log = structlog.get_logger()

open_mail: ports.Port[Callable[[], MailSender]] = ports.Port("open_mail")

BATCH = 100
# So long one task sends: with a slow server the rest of the batch is handed on before the task's lease runs out.
SHIFT = timedelta(minutes=1)
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
    return Draft(kind=facts.kind, facts=kinds.facts_to_json(facts), to=to, cause=cause, **more)


def tell(tx: Transaction, *drafts: Draft) -> None:
    """Write the messages with the change, and have them sent after its commit, in batches."""
    new = messages.write(drafts, now=tx.now)
    rank = min((d.rank for d in drafts), default=Rank.NORMAL)
    for start in range(0, len(new), BATCH):
        tx.after(_task(new[start : start + BATCH], rank=rank))


def tell_helpdesk(tx: Transaction, title: str, detail: str, *, path: str, cause: str) -> None:
    """Alert the helpdesk: fixed words as the title, what is wrong and what to do as the detail."""
    facts = kinds.DeskAlert(title=title, detail=detail, url=links.url(path))
    tell(tx, draft(facts, to=to_helpdesk(), cause=cause, rank=Rank.URGENT))


def deliver(message_ids: Sequence[UUID]) -> None:
    """Send those of the messages that are due, each at most once at a time; come back for the rest."""
    worker = f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}"
    until = ports.clock().now() + SHIFT
    with steps() as connection, open_mail()() as sender:
        erased = _to_the_erased(connection, message_ids)
        for message_id in message_ids:
            now = ports.clock().now()
            if now > until:
                break
            row = messages.claim(connection, message_id, worker=worker, now=now)
            if row is not None:
                _send(connection, sender, row, worker=worker, is_erased=row.id in erased)
    if rest := messages.unfinished(message_ids):
        with transaction() as tx:
            soonest = max(min(at for _, at in rest), tx.now + timedelta(seconds=1))
            tx.after(_task([message_id for message_id, _ in rest], due_at=soonest))


def deliver_overdue() -> None:
    """The timer's safety net: messages that nobody came back for get a new task."""
    with transaction() as tx:
        lost = messages.overdue(before=tx.now - LOST_AFTER)
        for start in range(0, len(lost), BATCH):
            tx.after(_task(lost[start : start + BATCH]))


def retry(message_id: UUID, *, by: Principal) -> Message:
    """The helpdesk sends a message again that failed or may not have arrived. It keeps its Message-ID.

    RuleBroken for one that is on its way, was accepted by the mail server, or was replaced by a later one.
    """
    with transaction() as tx:
        message = messages.get(message_id, lock=True)
        if message.state not in {State.FAILED, State.AMBIGUOUS, State.DEFERRED}:
            raise RuleBroken(f"This message is {message.state}; only a failed or doubtful one is sent again.")
        if message.state != State.DEFERRED and messages.is_replaced(message):
            raise RuleBroken("This message tells what is not so any more; send the latest one of this invitation.")
        message.state, message.due_at, message.lost_answers = State.DEFERRED, tx.now, 0
        message.last_answer = f"repeated by {by}"
        tx.after(_task([message.id], rank=Rank.URGENT))
    return message


def _task(message_ids: Sequence[UUID], *, rank: Rank = Rank.NORMAL, due_at: datetime | None = None) -> Task:
    return Task(kind="deliver", payload={"messages": [str(i) for i in message_ids]}, rank=rank, due_at=due_at)


def _to_the_erased(connection: Connection, message_ids: Sequence[UUID]) -> set[UUID]:
    """Those of the messages whose clinician asked to be forgotten since they were written."""
    to = select(Message.id).join(Clinician, Clinician.id == Message.clinician_id)
    gone = to.where(Message.id.in_(message_ids), Clinician.state == clinicians.State.ERASED)
    return set(connection.execute(gone).scalars())


def _send(connection: Connection, sender: MailSender, row: Row[Any], *, worker: str, is_erased: bool) -> None:
    """One message: compose, send, mark. Whatever goes wrong with it, the others go on."""
    _, from_address = parseaddr(ports.settings().mail_from)
    more: dict[str, Any] = {}
    try:
        if is_erased:
            state, answer = State.SUPPRESSED, "not sent: the clinician was erased"
        elif (outdated_at := facts_of(row).outdated_at) is not None and outdated_at <= ports.clock().now():
            state, answer = State.SUPPRESSED, f"not sent: outdated since {rfc3339(outdated_at)}"
        else:
            answer = sender.send(from_address, row.address, mail(row))
            state, more = State.SENT, {"sent_at": ports.clock().now()}
    except Refused as error:
        state, answer = State.FAILED, str(error)
    except Deferred as error:
        state, answer = State.DEFERRED, str(error)
        if ports.clock().now() - row.created_at > PATIENCE:
            state = State.FAILED
    except Lost as error:
        state, answer, more = State.AMBIGUOUS, str(error), {"lost_answers": row.lost_answers + 1}
    except Exception as error:
        # The message itself is at fault: the helpdesk sees it, and the other messages of the batch go out.
        log.exception("message cannot be composed", message=str(row.id), kind=row.kind)
        state, answer = State.FAILED, f"It could not be composed: {type(error).__name__}"
    if state in {State.DEFERRED, State.AMBIGUOUS}:
        more["due_at"] = ports.clock().now() + WAITS[min(row.attempts, len(WAITS)) - 1]
    messages.mark(connection, row.id, worker=worker, state=state, answer=answer, **more)


def mail(row: Row[Any] | Message) -> bytes:
    """The whole mail of a message. Composed anew it is the same mail: same Message-ID, same calendar object."""
    settings = ports.settings()
    reader = Reader(name=row.name, address=row.address, language=row.language, time_zone=row.time_zone)
    return mime.build(
        composing.compose(facts_of(row), reader),
        sender=settings.mail_from,
        reply_to=settings.reply_to,
        reader=reader,
        message_id=message_id(row.id),
        references=row.references,
        date=row.created_at,
    )


def facts_of(row: Row[Any] | Message) -> kinds.Facts:
    """What the message tells, with the personal link made now."""
    data = dict(row.facts)
    if row.kind in LINKS and row.link_subject is not None:
        purpose, path, fact = LINKS[row.kind]
        data[fact] = links.url(path + links.token(purpose, row.link_subject))
        if data.get("has_personal_link"):
            data["join_url"] = links.url(ENTRY + links.token(ENTRY_PURPOSE, row.link_subject))
    return kinds.facts_from_json(row.kind, data)


def message_id(row_id: UUID) -> str:
    """The Message-ID of the message with that id; the same at every try."""
    _, address = parseaddr(ports.settings().mail_from)
    return mime.message_id(row_id, address.rpartition("@")[2])
