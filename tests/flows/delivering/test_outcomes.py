"""What can come of a mail, what is repeated and what is not; one recipient never stops the others."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest
from aiosmtpd.smtp import Envelope

from conference_orchestrator.flows import delivering
from conference_orchestrator.flows.delivering import BATCH, PATIENCE, WAITS, open_mail
from conference_orchestrator.kernel.errors import RuleBroken
from conference_orchestrator.kernel.outbox import Rank
from conference_orchestrator.kernel.transaction import transaction
from conference_orchestrator.ledger.messages import Draft, Recipient
from conference_orchestrator.notify import kinds
from conference_orchestrator.notify.sending import Deferred, Lost, Refused
from conference_orchestrator.notify.smtp import SmtpSender
from tests.house import House
from tests.notify.conftest import LoopbackController
from tests.post import DELIVER, Post, alert, due_in, header, ids, tell, told
from tests.scene import next_task, settle


def test_one_cause_is_told_once_to_each_recipient(house: House, post: Post) -> None:
    tell(alert("a"), alert("b"), alert("a"))
    tell(alert("b"), alert("c"))
    tell(alert("a", cause="another"))
    settle(house, DELIVER)
    assert Counter(post.names()) == {"a": 2, "b": 1, "c": 1}
    assert not post.saw_transaction_open


def test_messages_go_out_in_batches(house: House, post: Post) -> None:
    tell(*[alert(f"n{number}") for number in range(2 * BATCH + 50)])
    assert [len(payload["messages"]) for payload in house.queue.of_kind(DELIVER)] == [BATCH, BATCH, 50]


def test_a_change_that_came_to_nothing_tells_nobody(house: House, post: Post) -> None:
    def change() -> None:
        with transaction() as tx:
            delivering.tell(tx, alert("a"))
            raise RuleBroken("no")

    with pytest.raises(RuleBroken):
        change()
    assert (house.messages(), house.queue.tasks) == ([], [])


def test_what_is_urgent_is_delivered_first(house: House, post: Post) -> None:
    tell(alert("a"), alert("b", rank=Rank.URGENT))
    assert next_task(house, DELIVER).rank == Rank.URGENT


def test_delivering_again_sends_nothing(house: House, post: Post) -> None:
    tell(alert("a"))
    for _ in range(3):
        delivering.deliver(ids())
    assert post.names() == ["a"]
    assert (told("a").state, told("a").last_answer, told("a").sent_at) == ("sent", "250 taken", house.clock.at)


def test_a_refused_mail_has_failed_and_is_not_repeated(house: House, post: Post) -> None:
    post.troubles["a"] = [Refused("550 no such person")]
    tell(alert("a"))
    settle(house, DELIVER)
    assert (told("a").state, told("a").last_answer) == ("failed", "550 no such person")
    assert told("a").attempts == 1


def test_a_deferred_mail_goes_later_after_growing_waits(house: House, post: Post) -> None:
    post.troubles["a"] = [Deferred("450 greylisted")] * 9
    tell(alert("a"))
    waits = []
    for _ in range(9):
        delivering.deliver(ids())
        assert (told("a").state, told("a").last_answer) == ("deferred", "450 greylisted")
        waits.append(due_in(house, "a"))
        delivering.deliver(ids())  # before it is due nothing is tried
        house.clock.move_on(waits[-1])
    assert waits == [*WAITS, WAITS[-1], WAITS[-1]]
    delivering.deliver(ids())
    assert (told("a").state, told("a").attempts, post.names()) == ("sent", 10, ["a"])


def test_after_a_day_a_deferred_mail_has_failed(house: House, post: Post) -> None:
    post.troubles["a"] = [Deferred("450 greylisted")] * 100
    tell(alert("a"))
    began = house.clock.at
    settle(house, DELIVER)
    assert told("a").state == "failed"
    assert PATIENCE < house.clock.at - began <= PATIENCE + WAITS[-1]
    assert told("a").attempts < 35


def test_patience_is_counted_from_the_first_attempt(house: House, post: Post) -> None:
    """What could not be tried, as the service was down, has its whole day still."""
    post.troubles["a"] = [Deferred("450 greylisted")]
    tell(alert("a"))
    house.clock.move_on(PATIENCE + timedelta(hours=1))
    delivering.deliver(ids())
    assert told("a").state == "deferred"
    settle(house, DELIVER)
    assert told("a").state == "sent"


def test_a_lost_answer_is_repeated_twice_with_the_same_message_id_and_then_left_to_a_human(
    house: House, post: Post
) -> None:
    post.troubles["a"] = [Lost("silence")] * 9
    tell(alert("a"))
    settle(house, DELIVER)
    assert post.names() == ["a"] * 3
    assert len(set(post.sent)) == 1
    assert (told("a").state, told("a").lost_answers) == ("ambiguous", 3)
    house.clock.move_on(timedelta(days=1))
    delivering.deliver_overdue()
    settle(house, DELIVER)
    assert len(post.sent) == 3


def test_a_mail_that_arrived_at_the_second_try_is_sent(house: House, post: Post) -> None:
    post.troubles["a"] = [Lost("silence")]
    tell(alert("a"))
    settle(house, DELIVER)
    assert told("a").state == "sent"
    assert len(set(post.sent)) == 1


@pytest.mark.parametrize("trouble", [Refused("550"), Deferred("450"), Lost("silence"), ValueError("a fault of ours")])
def test_one_poisoned_recipient_does_not_stop_the_others(house: House, post: Post, trouble: Exception) -> None:
    post.troubles["n05"] = [trouble] * 99
    tell(*[alert(f"n{number:02}") for number in range(10)])
    delivering.deliver(ids())
    others = {f"n{number:02}" for number in range(10)} - {"n05"}
    assert others <= set(post.names())
    assert {told(name).state for name in others} == {"sent"}
    assert told("n05").state != "sent"


def test_a_message_that_cannot_be_composed_has_failed_and_the_others_go_out(house: House, post: Post) -> None:
    tell(Draft(kind="desk-alert", facts={"title": "half"}, cause="x", to=alert("a").to), alert("b"))
    settle(house, DELIVER)
    assert post.names() == ["b"]
    assert (told("a").state, told("a").last_answer) == ("failed", "It could not be composed: TypeError")


def test_a_server_that_nobody_can_reach_leaves_all_for_later(house: House, post: Post) -> None:
    for name in "abc":
        post.troubles[name] = [Deferred("no connection")] * 4
    tell(*map(alert, "abc"))
    settle(house, DELIVER)
    assert sorted(post.names()) == ["a", "b", "c"]


class Inbox:
    """What aiosmtpd hands over."""

    def __init__(self) -> None:
        self.envelopes: list[Envelope] = []

    async def handle_DATA(self, _server: object, _session: object, envelope: Envelope) -> str:  # noqa: N802  - aiosmtpd's name
        self.envelopes.append(envelope)
        return "250 taken for good"


def test_each_mail_goes_over_smtp_to_its_one_recipient(house: House) -> None:
    inbox = Inbox()
    server = LoopbackController(inbox)
    server.start()
    try:
        url = f"smtp://127.0.0.1:{server.port}?tls=none"
        open_mail.fill(house.app, lambda: SmtpSender(url, timeout=20))
        tell(*map(alert, "abc"))
        settle(house, DELIVER)
    finally:
        server.stop()
    assert sorted(envelope.rcpt_tos for envelope in inbox.envelopes) == [[f"{n}@hospital.example"] for n in "abc"]
    assert {envelope.mail_from for envelope in inbox.envelopes} == {"helpdesk@network.example"}
    received = {header(envelope.content, "Message-ID") for envelope in inbox.envelopes}
    assert received == {delivering.message_id(identifier) for identifier in ids()}
    assert {told(name).last_answer for name in "abc"} == {"250 taken for good"}


def offer(house: House, *, lasts: timedelta) -> Draft:
    """A slot held for so long, counted from now."""
    now = house.clock.now()
    facts = kinds.SlotOffer(
        case_reference="CPMS-1",
        group_name="Brain Tumour",
        starts_at=now + timedelta(days=9),
        ends_at=now + timedelta(days=9, minutes=20),
        time_zone="Europe/Berlin",
        held_until=now + lasts,
    )
    to = Recipient(address="ines@hospital.example", name="ines", language="en", time_zone="Europe/Lisbon")
    return delivering.draft(facts, to=to, cause="offer")


def test_a_mail_that_is_outdated_when_its_turn_comes_is_not_sent_and_says_why(house: House, post: Post) -> None:
    tell(offer(house, lasts=timedelta(hours=24)))
    house.clock.move_on(timedelta(hours=49))
    delivering.deliver(ids())
    delivering.deliver(ids())
    assert post.sent == []
    found = told("ines", kind="slot-offer")
    assert (found.state, found.last_answer) == ("suppressed", "not sent: outdated since 2026-11-24T09:00:00Z")


def test_the_same_mail_goes_while_it_is_worth_telling(house: House, post: Post) -> None:
    tell(offer(house, lasts=timedelta(hours=24)))
    house.clock.move_on(timedelta(hours=23))
    delivering.deliver(ids())
    assert post.names() == ["ines"]
