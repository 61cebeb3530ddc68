"""Nothing that was to be told is lost; what is told twice says the same, and one recipient never stops the others."""

from __future__ import annotations

import email
import email.policy
import threading
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Self
from uuid import UUID

import pytest
from aiosmtpd.smtp import Envelope
from sqlalchemy import Connection, Row, select, update

from conference_orchestrator.flows import delivering
from conference_orchestrator.flows.delivering import BATCH, LOST_AFTER, PATIENCE, SHIFT, WAITS, open_mail
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.errors import RuleBroken
from conference_orchestrator.kernel.outbox import Rank
from conference_orchestrator.kernel.transaction import is_open, transaction
from conference_orchestrator.ledger import messages
from conference_orchestrator.ledger.messages import LEASE, Draft, Message, Recipient, State
from conference_orchestrator.notify import kinds
from conference_orchestrator.notify.sending import Deferred, Lost, Refused
from conference_orchestrator.notify.smtp import SmtpSender
from tests.house import HELPDESK, House
from tests.notify.conftest import LoopbackController
from tests.stage import next_task, settle

DELIVER = "deliver"
A_SECOND = timedelta(seconds=1)


class Killed(BaseException):
    """The process ends here."""


class Post:
    """A mail server in memory. `troubles` are what befalls the next mails to an address, None being nothing."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []
        self.troubles: dict[str, list[BaseException | None]] = {}
        self.before: Callable[[], Any] = lambda: None
        self.saw_transaction_open = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def send(self, from_address: str, to_address: str, data: bytes) -> str:
        assert from_address == "helpdesk@network.example"
        self.saw_transaction_open |= is_open()
        self.before()
        name = to_address.partition("@")[0]
        trouble = self.troubles[name].pop(0) if self.troubles.get(name) else None
        if trouble is None or isinstance(trouble, Lost | Killed):
            self.sent.append((name, header(data, "Message-ID")))
        if trouble is not None:
            raise trouble
        return "250 taken"

    def names(self) -> list[str]:
        """Who was sent a mail, in order."""
        return [name for name, _ in self.sent]


def header(mail: bytes, name: str) -> str:
    return str(email.message_from_bytes(mail, policy=email.policy.default)[name])


@pytest.fixture
def house_database(both_schemas: str) -> str:
    return both_schemas


@pytest.fixture
def post(house: House) -> Post:
    made = Post()
    open_mail.fill(house.app, lambda: made)
    return made


def alert(name: str, **more: Any) -> Draft:
    to = Recipient(address=f"{name}@hospital.example", name=name, language="en", time_zone="Europe/Lisbon")
    facts = kinds.DeskAlert(title="Something waits", detail="Look.", url="https://conference.example/")
    return delivering.draft(facts, to=to, **{"cause": "because", **more})


def tell(*drafts: Draft) -> None:
    with transaction() as tx:
        delivering.tell(tx, *drafts)


def told(name: str, *, kind: str = "desk-alert") -> Message:
    """The message to that person, as it is in the database now."""
    db.session.rollback()
    mine = select(Message).where(Message.name == name, Message.kind == kind).execution_options(populate_existing=True)
    return db.session.scalars(mine).one()


def ids() -> list[UUID]:
    db.session.rollback()
    return list(db.session.scalars(select(Message.id).order_by(Message.address, Message.number)))


def due_in(house: House, name: str) -> timedelta:
    return told(name).due_at - house.clock.at


# ---- written with the change -----------------------------------------------------------------------------------------


def test_one_cause_is_told_once_to_each_recipient(house: House, post: Post) -> None:
    tell(alert("a"), alert("b"), alert("a"))
    tell(alert("b"), alert("c"))
    tell(alert("a", cause="another"))
    settle(house, DELIVER)
    assert Counter(post.names()) == {"a": 2, "b": 1, "c": 1}
    assert not post.saw_transaction_open


def test_messages_go_out_in_batches(house: House, post: Post) -> None:
    tell(*[alert(f"n{number}") for number in range(2 * BATCH + 50)])
    assert [len(payload["messages"]) for payload in house.queue.of_kind(DELIVER)] == [100, 100, 50]


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


# ---- what can come of it ---------------------------------------------------------------------------------------------


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


# ---- in order --------------------------------------------------------------------------------------------------------


def chain(number: int) -> Draft:
    """The object of that number, all of one UID for one person."""
    return alert("ines", cause=f"object {number}", chain="uid:ines", number=number)


def sent_objects() -> list[str]:
    db.session.rollback()
    return list(db.session.scalars(select(Message.cause).where(Message.state == "sent").order_by(Message.number)))


def test_a_later_object_never_overtakes_an_earlier_one(house: House, post: Post) -> None:
    tell(chain(1))
    tell(chain(2))
    request, cancel = ids()
    delivering.deliver([cancel])
    assert post.sent == []
    delivering.deliver([request, cancel])
    assert [identifier for _, identifier in post.sent] == [delivering.message_id(i) for i in (request, cancel)]


@pytest.mark.parametrize("trouble", [Deferred("450 greylisted"), Lost("silence")])
def test_it_waits_while_the_earlier_one_is_deferred_or_in_doubt(house: House, post: Post, trouble: Exception) -> None:
    post.troubles["ines"] = [trouble]
    tell(chain(1))
    tell(chain(2))
    request, cancel = ids()
    delivering.deliver([request])
    delivering.deliver([cancel])
    assert sent_objects() == []
    settle(house, DELIVER)
    assert sent_objects() == ["object 1", "object 2"]
    assert post.sent[-1] == ("ines", delivering.message_id(cancel))


@pytest.mark.parametrize("trouble", [[Refused("550")], [Lost("silence")] * 3])
def test_it_goes_once_the_earlier_one_is_given_up(house: House, post: Post, trouble: list[Exception]) -> None:
    post.troubles["ines"] = [*trouble]
    tell(chain(1))
    tell(chain(2))
    settle(house, DELIVER)
    assert sent_objects() == ["object 2"]


def test_who_waits_for_an_earlier_one_is_not_asked_for_again_and_again(house: House, post: Post) -> None:
    """Greylisting of an hour and more must not let tasks multiply, nor keep anybody busy."""
    post.troubles["ines"] = [Deferred("450 greylisted")] * 9
    tell(chain(1))
    tell(chain(2))
    ran = 0
    end = house.clock.at + timedelta(hours=1)
    while house.clock.at < end:
        delivering.deliver_overdue()
        ran += settle(house, DELIVER, moving_the_clock=False)
        assert len(house.queue.of_kind(DELIVER)) <= 2
        house.clock.move_on(timedelta(minutes=1))
    assert sent_objects() == []
    assert ran < 30
    settle(house, DELIVER)
    assert sent_objects() == ["object 1", "object 2"]


# ---- workers that die, hang, or are two ------------------------------------------------------------------------------


def test_a_worker_killed_between_sending_and_marking_leads_to_the_same_mail_again(house: House, post: Post) -> None:
    post.troubles["a"] = [Killed()]
    tell(alert("a"), alert("b"))
    with pytest.raises(Killed):
        delivering.deliver(ids())
    delivering.deliver(ids())
    assert post.names() == ["a", "b"], "while its lease lasts it may still be alive"
    house.clock.move_on(LEASE + A_SECOND)
    delivering.deliver(ids())
    assert post.names() == ["a", "b", "a"]
    assert len(set(post.sent)) == 2, "the same Message-ID"
    assert (told("a").state, told("a").attempts) == ("sent", 2)


def test_a_batch_comes_back_for_what_another_worker_has_in_hand(house: House, post: Post) -> None:
    post.troubles["a"] = [Killed()]
    tell(alert("a"))
    with pytest.raises(Killed):
        delivering.deliver(ids())
    house.queue.tasks.clear()
    delivering.deliver(ids())
    assert next_task(house, DELIVER).due_at == house.clock.at + LEASE


def test_a_worker_that_lost_its_lease_writes_nothing(house: House, post: Post) -> None:
    def hang() -> None:
        post.before = lambda: None
        house.clock.move_on(LEASE + A_SECOND)
        with house.app.app_context():
            delivering.deliver(ids())

    post.before = hang
    post.troubles["a"] = [None, Refused("550 and this is the late one")]
    tell(alert("a"))
    delivering.deliver(ids())
    assert (told("a").state, told("a").last_answer) == ("sent", "250 taken")


def test_a_slow_server_makes_a_task_hand_on_the_rest_before_its_lease_ends(house: House, post: Post) -> None:
    post.before = lambda: house.clock.move_on(timedelta(seconds=25))
    tell(*[alert(f"n{number}") for number in range(10)])
    began = house.clock.at
    delivering.deliver(ids())
    assert house.clock.at - began <= SHIFT + timedelta(seconds=25)
    assert len(post.sent) == 3
    settle(house, DELIVER)
    assert len(set(post.sent)) == len(post.sent) == 10


def sent_by_four_workers(house: House, post: Post) -> Counter[str]:
    """Four workers on one batch; each waits with its first mail until all of them have one in hand."""
    together, first = threading.Barrier(4, timeout=20), threading.local()

    def wait_once() -> None:
        if not hasattr(first, "seen"):
            first.seen = True
            together.wait()

    post.before = wait_once
    tell(*[alert(f"n{number}") for number in range(20)])
    batch = ids()
    assert house.at_once(4, lambda _: delivering.deliver(batch)) == [None] * 4
    return Counter(post.names())


def test_four_workers_on_one_batch_send_each_mail_once(house: House, post: Post) -> None:
    assert sent_by_four_workers(house, post) == {f"n{number}": 1 for number in range(20)}


def test_without_the_fence_they_send_mails_twice(house: House, post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: the claim only looks."""

    def look(connection: Connection, message_id: UUID, **_: object) -> Row[Any] | None:
        unsent = select(Message.__table__).where(Message.id == message_id, Message.state != State.SENT)
        return connection.execute(unsent).one_or_none()

    monkeypatch.setattr(messages, "claim", look)
    monkeypatch.setattr(messages, "unfinished", lambda _: [])
    assert max(sent_by_four_workers(house, post).values()) > 1, "the harness can no longer see what it guards against"


# ---- lost tasks, and the helpdesk ------------------------------------------------------------------------------------


def test_a_message_whose_task_was_lost_is_found(house: House, post: Post) -> None:
    tell(alert("a"))
    house.queue.tasks.clear()
    house.clock.move_on(LOST_AFTER)
    delivering.deliver_overdue()
    assert house.queue.tasks == [], "its task may still come"
    house.clock.move_on(A_SECOND)
    delivering.deliver_overdue()
    settle(house, DELIVER)
    assert post.names() == ["a"]


def test_what_is_done_waits_or_is_in_hand_is_not_overdue(house: House, post: Post) -> None:
    post.troubles["waits"] = [Deferred("450")] * 7
    post.troubles["hand"] = [Killed()]
    tell(alert("sent"), alert("waits"))
    settle(house, DELIVER, moving_the_clock=False)
    tell(alert("hand"))
    house.clock.move_on(timedelta(hours=1))
    delivering.deliver([told("waits").id])
    with pytest.raises(Killed):
        delivering.deliver([told("hand").id])
    house.queue.tasks.clear()
    delivering.deliver_overdue()
    assert [told("sent").state, told("waits").state, told("hand").state] == ["sent", "deferred", "sending"]
    assert house.queue.tasks == []


@pytest.mark.parametrize("trouble", [[Refused("550")], [Lost("silence")] * 3, [Deferred("450")]])
def test_the_helpdesk_sends_again_what_did_not_arrive(house: House, post: Post, trouble: list[Exception]) -> None:
    post.troubles["a"] = [*trouble]
    tell(alert("a"))
    settle(house, DELIVER, moving_the_clock=isinstance(trouble[0], Lost))
    house.queue.tasks.clear()
    again = delivering.retry(told("a").id, by=HELPDESK)
    assert (again.state, again.due_at, again.last_answer) == ("deferred", house.clock.at, "repeated by helpdesk")
    assert next_task(house, DELIVER).rank == Rank.URGENT
    settle(house, DELIVER)
    assert told("a").state == "sent"
    assert {identifier for _, identifier in post.sent} == {delivering.message_id(told("a").id)}


@pytest.mark.parametrize("state", ["queued", "sending", "sent", "suppressed"])
def test_what_is_on_its_way_or_has_arrived_is_not_sent_again(house: House, post: Post, state: str) -> None:
    tell(alert("a"))
    with transaction():
        db.session.execute(update(Message).values(state=state))
    with pytest.raises(RuleBroken, match=state):
        delivering.retry(told("a").id, by=HELPDESK)


def test_an_object_that_a_later_one_replaced_is_not_sent_again(house: House, post: Post) -> None:
    post.troubles["ines"] = [Refused("550"), None]
    tell(chain(1))
    tell(chain(2))
    settle(house, DELIVER)
    request, _ = ids()
    with pytest.raises(RuleBroken, match="not so any more"):
        delivering.retry(request, by=HELPDESK)


# ---- over the wire ---------------------------------------------------------------------------------------------------


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
