"""Mail of ours that came back: its delivery has failed, and an address that does not exist gets nothing more.

Anybody can write a bounce. It is believed only when it names the Message-ID of a mail that went to that very address:
nobody else can know it. What only names an address that we wrote to is shown to the helpdesk.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import datetime, timedelta
from email.utils import parseaddr
from uuid import UUID

from sqlalchemy import Row, select

from conference_orchestrator.flows import delivering
from conference_orchestrator.flows.counting import Fate, together
from conference_orchestrator.kernel import ports
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.transaction import Transaction
from conference_orchestrator.ledger import messages, suppressions
from conference_orchestrator.ledger.inbound import InboundMail, State
from conference_orchestrator.ledger.messages import Message
from conference_orchestrator.ledger.suppressions import Reason, Scope
from conference_orchestrator.notify.bounces import Bounce
from conference_orchestrator.notify.replies import Inbound

TITLE = "Mail to an address comes back"
# So long after a mail has gone its bounce may come: servers try for five days, ours for one before that.
COMES_BACK_WITHIN = timedelta(days=10)
# Permanent failures (RFC 3463) that say nothing about the address: our own address (1.7, 1.8), a full mailbox (2.2), a
# mail too large (2.3, 3.4), its form or the talk between the servers (5, 6), their policy (7).
NOT_THE_ADDRESS = re.compile(r"5\.(1\.[78]|2\.[23]|3\.4|[567]\.\d+)")


def of_bounces(tx: Transaction, mail: Inbound, kept: InboundMail) -> Fate:
    """See to each recipient that the mail names, always in the same order."""
    ordered = sorted(mail.bounces, key=lambda one: (one.original_message_id or "", one.recipient))
    named = {one: _named(one) for one in ordered if one.action == "failed"}
    lately = _written_to([one.recipient for one, message in named.items() if message is None], now=tx.now)
    fates = []
    for one in ordered:
        message = named.get(one)
        if one.action != "failed":
            fates.append(Fate(state=State.IGNORED, detail=f"{_told(one)}."))
        elif message is None:
            fates.append(_of_address(tx, one, lately.get(one.recipient)))
        else:
            fates.append(_of_message(tx, one, message, kept))
    return together(fates)


def row_id_of(message_id: str) -> UUID | None:
    """The message row that a Message-ID was made for, the inverse of `mime.message_id`; None for a foreign one."""
    found = re.fullmatch(r"<([0-9a-f]{32})@[^@]*>", message_id)
    return UUID(found[1]) if found else None


def is_of_the_address(status: str) -> bool:
    """Whether the failure means that nothing will ever arrive at the address."""
    return status.startswith("5.") and NOT_THE_ADDRESS.fullmatch(status) is None


def _of_message(tx: Transaction, bounce: Bounce, message: Message, kept: InboundMail) -> Fate:
    """A mail of ours came back: it has failed, and its address is looked at."""
    told = _told(bounce)
    whose = {"clinician_id": message.clinician_id, "conference_id": message.conference_id}
    if message.address.lower() != bounce.recipient:
        said = f"A mail to {message.address} was handed on and refused there. {told}."
        return Fate(state=State.OPEN, detail=said, **whose)
    if _has_gone(message):
        message.state, message.last_answer = messages.State.FAILED, f"It came back: {told}"[:500]
        message.lease_until = None
    if not is_of_the_address(bounce.status):
        return Fate(state=State.COUNTED, detail=f"{told}. The address stays in use.", **whose)
    if bounce.recipient in _own_addresses():
        return Fate(state=State.OPEN, detail=f"Mail to ourselves comes back. {told}.", **whose)
    _suppress(tx, bounce, message, kept)
    return Fate(state=State.COUNTED, detail=f"{told}. Nothing more is sent to the address.", **whose)


def _has_gone(message: Message) -> bool:
    """Whether it was taken, also by a server whose answer was lost. What a person has sent again goes all the same."""
    is_in_doubt = message.state == messages.State.DEFERRED and message.lost_answers > 0
    # A server may send it back before we have written down that it took it.
    is_just_gone = message.state == messages.State.SENDING and message.attempts == 1
    return message.state in {messages.State.SENT, messages.State.AMBIGUOUS} or is_in_doubt or is_just_gone


def _suppress(tx: Transaction, bounce: Bounce, message: Message, kept: InboundMail) -> None:
    detail = f"{bounce.status} {bounce.diagnostic}".strip()
    address = message.address
    if suppressions.add(address, Scope.ALL, Reason.BOUNCED, detail=detail, message_id=message.id, at=tx.now):
        said = (
            f"{message.name} cannot be reached at {address}: {detail}. Nothing more is sent there. Ask for the right "
            "address and change it, or take the suppression away when it is mended."
        )
        delivering.tell_helpdesk(tx, TITLE, said, path="/", cause=f"bounced:{kept.id}:{message.id}")


def _of_address(tx: Transaction, bounce: Bounce, last: Row[str, UUID, UUID | None] | None) -> Fate:
    """Without our Message-ID: worth a look when we wrote there lately, else nothing of ours."""
    if last is None or bounce.recipient in _own_addresses():
        return Fate(state=State.IGNORED, detail=f"No mail of ours came back. {_told(bounce)}.")
    said = f"{_told(bounce)}. The mail does not name the one that came back, so the address stays in use."
    if is_of_the_address(bounce.status):
        note = f"{said} If it is wrong, change it, or suppress it."
        delivering.tell_helpdesk(tx, TITLE, note, path="/", cause=f"maybe-bounced:{last.id}:{tx.now:%Y-%m-%d}")
    return Fate(state=State.OPEN, detail=said, clinician_id=last.clinician_id)


def _written_to(addresses: Collection[str], *, now: datetime) -> dict[str, Row[str, UUID, UUID | None]]:
    """The last mail that went to each of the addresses lately. One look for all: a bounce may name hundreds."""
    if not addresses:
        return {}
    lately = select(Message.address, Message.id, Message.clinician_id).where(
        Message.created_at > now - COMES_BACK_WITHIN, Message.address.in_(addresses), Message.sent_at.is_not(None)
    )
    return {row.address: row for row in db.session.execute(lately.order_by(Message.sent_at))}


def _named(bounce: Bounce) -> Message | None:
    """The message that came back, locked."""
    row_id = row_id_of(bounce.original_message_id) if bounce.original_message_id else None
    return db.session.scalar(select(Message).where(Message.id == row_id).with_for_update()) if row_id else None


def _told(bounce: Bounce) -> str:
    return f"{bounce.recipient}: {bounce.action}, {bounce.status} {bounce.diagnostic}".strip()


def _own_addresses() -> set[str]:
    settings = ports.settings()
    return {parseaddr(mailbox)[1].lower() for mailbox in (settings.mail_from, settings.reply_to)}
