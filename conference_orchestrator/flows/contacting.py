"""Writing to the helpdesk by the form: the message is kept until it was seen to, and the helpdesk is told at once.

Who wrote gets no mail from here, so nobody can have mail sent to somebody else's address. The helpdesk answers from its
own mailbox.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from conference_orchestrator.flows import bookkeeping, delivering
from conference_orchestrator.kernel import ports
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.errors import Busy
from conference_orchestrator.kernel.paging import Page, Paging
from conference_orchestrator.kernel.principal import Principal
from conference_orchestrator.kernel.transaction import transaction
from conference_orchestrator.network import clinicians, contact_messages, networks
from conference_orchestrator.network.contact_messages import ContactMessage

MESSAGES_PER_ADDRESS, WITHIN = 3, timedelta(hours=1)


def write(entered: Mapping[str, Any]) -> ContactMessage:
    """Keep the message and tell the helpdesk.

    Invalid, naming the field, for an unknown network or what is no address; Busy when the address wrote three times
    within the hour.
    """
    network = networks.find(entered["network"])
    address = clinicians.canonical(entered["email"])
    subject = hashlib.sha256(f"contact:{address}".encode()).hexdigest()
    calls, until = bookkeeping.count(subject, window=WITHIN)
    if calls > MESSAGES_PER_ADDRESS:
        wait = int((until - ports.clock().now()).total_seconds()) + 1
        raise Busy("Three messages from one address within an hour are enough; try again later.", retry_after=wait)
    with transaction() as tx:
        written = ContactMessage(
            network_id=network.id,
            name=entered["name"],
            email=address,
            message=entered["message"],
            resolved_at=None,
            created_at=tx.now,
        )
        db.session.add(written)
        db.session.flush()
        detail = f"{written.name} <{address}> writes to {network.name}: {written.message}"
        title = "Somebody wrote to the helpdesk"
        delivering.tell_helpdesk(tx, title, detail, path="/", cause=cause(written.id))
    return written


def cause(message_id: UUID) -> str:
    """What the alert about the message names as its cause."""
    return f"contact:{message_id}"


def listed(paging: Paging, *, state: str | None, by: Principal) -> Page[ContactMessage]:
    """The messages within the asker's scope."""
    return contact_messages.listed(paging, visible_to=by, state=state)


def resolve(message_id: UUID, *, by: Principal) -> ContactMessage:
    """The helpdesk has seen to it; said again it changes nothing."""
    with transaction() as tx:
        message = contact_messages.get(message_id, visible_to=by)
        if message.resolved_at is None:
            message.resolved_at = tx.now
            tx.record("contact.resolve", message, by=by)
    return message
