"""The helpdesk has a message sent again: one that failed, was held back, or is not found any more."""

from __future__ import annotations

from uuid import UUID

from conference_orchestrator.flows import delivering
from conference_orchestrator.flows.directory import flush
from conference_orchestrator.kernel.errors import RuleBroken
from conference_orchestrator.kernel.outbox import Rank
from conference_orchestrator.kernel.principal import Principal
from conference_orchestrator.kernel.transaction import transaction
from conference_orchestrator.ledger import messages
from conference_orchestrator.ledger.messages import Message, State
from conference_orchestrator.network import clinicians


def retry(message_id: UUID, *, by: Principal, expected: int | None = None) -> Message:
    """Send the message again, to the clinician's address as it is now; why it was held back is looked at anew.

    It keeps its Message-ID. RuleBroken for one that is on its way or was replaced by a later one, for a clinician who
    was erased, and where the new address has the same message already.
    """
    with transaction() as tx:
        message = messages.get(message_id, lock=True)
        message.must_match(expected)
        if message.state in {State.QUEUED, State.SENDING}:
            raise RuleBroken(f"This message is {message.state}: it is on its way already.")
        if message.state != State.DEFERRED and messages.is_replaced(message):
            raise RuleBroken("This message tells what is not so any more; send the latest one of this invitation.")
        if message.clinician_id is not None:
            _address(message, message.clinician_id)
        message.state, message.due_at, message.lost_answers = State.DEFERRED, tx.now, 0
        message.tried_since = tx.now
        message.last_answer = f"repeated by {by}"
        tx.record("delivery.retry", message, by=by)
        tx.after(delivering.deliver_later([message.id], rank=Rank.URGENT))
    return message


def _address(message: Message, clinician_id: UUID) -> None:
    """Have it go to the person by the name and the address that are right now."""
    person = clinicians.by_ids([clinician_id]).get(clinician_id)
    if person is None:
        raise RuleBroken("This clinician was erased; nothing more is sent.")
    message.address, message.name = person.email, person.name
    flush(RuleBroken(f"{person.email} has this message already; send that one again."))
