"""The helpdesk sends again what failed, was held back or is not found: to the address that is right now."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from conference_orchestrator.flows import delivering, joining, resending, suppressing
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.errors import RuleBroken
from conference_orchestrator.kernel.outbox import Rank
from conference_orchestrator.kernel.transaction import transaction
from conference_orchestrator.ledger.messages import Draft, Message
from conference_orchestrator.ledger.suppressions import Suppression
from conference_orchestrator.network.clinicians import Clinician
from conference_orchestrator.notify import kinds
from conference_orchestrator.notify.sending import Deferred, Lost, Refused
from tests.house import HELPDESK, House
from tests.mails import erase
from tests.post import DELIVER, Post, alert, chain, ids, tell, told
from tests.scene import Scene, next_task, settle


@pytest.fixture
def anna(house: House) -> Clinician:
    return Scene(house).clinician("anna")


def waiting(person: Clinician, **more: Any) -> Draft:
    """What the person is told of the waiting list."""
    facts = kinds.RequestWaiting(case_reference="CPMS-1", group_name="Brain", position=1, reason="It is full.")
    return delivering.draft(facts, to=delivering.to_clinician(person), cause="because", **more)


def to_anna() -> Message:
    return told("Anna Ávila", kind="request-waiting")


def moves_to(person: Clinician, email: str) -> None:
    """The helpdesk mends the person's address."""
    joining.change(person.id, {"email": email}, by=HELPDESK)


@pytest.mark.parametrize("trouble", [[Refused("550")], [Lost("silence")] * 3, [Deferred("450")]])
def test_the_helpdesk_sends_again_what_did_not_arrive(house: House, post: Post, trouble: list[Exception]) -> None:
    post.troubles["a"] = [*trouble]
    tell(alert("a"))
    settle(house, DELIVER, moving_the_clock=isinstance(trouble[0], Lost))
    house.queue.tasks.clear()
    again = resending.retry(told("a").id, by=HELPDESK)
    assert (again.state, again.due_at, again.last_answer) == ("deferred", house.clock.at, "repeated by helpdesk")
    assert next_task(house, DELIVER).rank == Rank.URGENT
    settle(house, DELIVER)
    assert told("a").state == "sent"
    assert {identifier for _, identifier in post.sent} == {delivering.message_id(told("a").id)}


def test_the_helpdesk_sends_again_what_arrived_but_is_not_found(house: House, post: Post) -> None:
    tell(alert("a"))
    settle(house, DELIVER)
    resending.retry(told("a").id, by=HELPDESK)
    settle(house, DELIVER)
    assert (told("a").state, told("a").attempts) == ("sent", 2)
    assert post.sent == [("a", delivering.message_id(told("a").id))] * 2


@pytest.mark.parametrize("state", ["queued", "sending"])
def test_what_is_on_its_way_is_not_sent_again(house: House, post: Post, state: str) -> None:
    tell(alert("a"))
    with transaction():
        db.session.execute(update(Message).values(state=state))
    with pytest.raises(RuleBroken, match=state):
        resending.retry(told("a").id, by=HELPDESK)


@pytest.mark.parametrize("trouble", [Refused("550"), None], ids=["failed", "sent"])
def test_an_object_that_a_later_one_replaced_is_not_sent_again(
    house: House, post: Post, trouble: Exception | None
) -> None:
    post.troubles["ines"] = [trouble, None]
    tell(chain(1))
    tell(chain(2))
    settle(house, DELIVER)
    request, _ = ids()
    with pytest.raises(RuleBroken, match="not so any more"):
        resending.retry(request, by=HELPDESK)


def test_what_was_held_back_goes_once_the_suppression_is_lifted(house: House, post: Post) -> None:
    suppressing.add({"address": "a@hospital.example", "scope": "all"}, by=HELPDESK)
    tell(alert("a"))
    settle(house, DELIVER)
    assert told("a").state == "suppressed"
    suppressing.lift(db.session.scalars(select(Suppression.id)).one(), by=HELPDESK)
    resending.retry(told("a").id, by=HELPDESK)
    settle(house, DELIVER)
    assert (told("a").state, post.names()) == ("sent", ["a"])


def test_what_was_held_back_is_held_back_again_while_the_suppression_stands(house: House, post: Post) -> None:
    suppressing.add({"address": "a@hospital.example", "scope": "all"}, by=HELPDESK)
    tell(alert("a"))
    settle(house, DELIVER)
    resending.retry(told("a").id, by=HELPDESK)
    settle(house, DELIVER)
    assert (told("a").state, post.names()) == ("suppressed", [])


def test_a_mail_goes_to_the_address_that_was_mended_meanwhile(house: House, post: Post, anna: Clinician) -> None:
    post.troubles["anna"] = [Refused("550 no such person")]
    tell(waiting(anna))
    settle(house, DELIVER)
    moves_to(anna, "a.avila@clinic.example")
    resending.retry(to_anna().id, by=HELPDESK)
    settle(house, DELIVER)
    assert (to_anna().state, to_anna().address) == ("sent", "a.avila@clinic.example")
    assert post.names() == ["a.avila"]


def test_a_mail_that_the_new_address_has_already_is_not_written_to_it_twice(
    house: House, post: Post, anna: Clinician
) -> None:
    tell(waiting(anna))
    settle(house, DELIVER)
    first = to_anna().id
    moves_to(anna, "a.avila@clinic.example")
    again = waiting(anna)
    tell(Draft(**{**vars(again), "to": delivering.to_clinician(db.session.get(Clinician, anna.id))}))
    settle(house, DELIVER)
    with pytest.raises(RuleBroken, match=r"a\.avila@clinic\.example has this message already"):
        resending.retry(first, by=HELPDESK)
    assert post.names() == ["anna", "a.avila"]


def test_who_was_erased_is_sent_nothing_again(house: House, post: Post, anna: Clinician) -> None:
    tell(waiting(anna))
    settle(house, DELIVER)
    erase(anna)
    with pytest.raises(RuleBroken, match="erased"):
        resending.retry(to_anna().id, by=HELPDESK)


def test_patience_begins_anew_when_a_person_has_it_sent_again(house: House, post: Post) -> None:
    post.troubles["a"] = [Refused("550 no such person"), Deferred("450 greylisted")]
    tell(alert("a"))
    settle(house, DELIVER)
    house.clock.move_on(timedelta(days=2))
    resending.retry(told("a").id, by=HELPDESK)
    delivering.deliver(ids())
    assert told("a").state == "deferred"
    settle(house, DELIVER)
    assert told("a").state == "sent"
