"""Workers that die, hang, or are several: nothing is lost, and what goes twice is the same mail."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Connection, Row, select

from conference_orchestrator.flows import delivering
from conference_orchestrator.flows.delivering import SHIFT
from conference_orchestrator.ledger import messages
from conference_orchestrator.ledger.messages import LEASE, Message, State
from conference_orchestrator.notify.sending import Refused
from tests.house import House
from tests.post import A_SECOND, DELIVER, Killed, Post, alert, ids, tell, told
from tests.scene import next_task, settle


def test_a_worker_killed_between_sending_and_marking_leads_to_the_same_mail_again(house: House, post: Post) -> None:
    post.troubles["a"] = [Killed()]
    tell(alert("a"), alert("b"))
    with pytest.raises(Killed):
        delivering.deliver(ids())
    delivering.deliver(ids())
    assert post.names() == ["a"], "while its lease lasts it may still be alive"
    house.clock.move_on(LEASE + A_SECOND)
    delivering.deliver(ids())
    assert post.names() == ["a", "a", "b"]
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
    post.before = lambda: house.clock.move_on(timedelta(seconds=7))
    tell(*[alert(f"n{number}") for number in range(10)])
    began = house.clock.at
    delivering.deliver(ids())
    assert house.clock.at - began <= SHIFT + timedelta(seconds=7)
    assert len(post.sent) == 3
    settle(house, DELIVER)
    assert len(set(post.sent)) == len(post.sent) == 10


def sent_by_four_workers(house: House, post: Post, monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Four workers on one batch, who claim it at the same moment; each of them looks again for what others left."""
    together, claim, waited = threading.Barrier(4, timeout=20), messages.claim, set[int]()

    def claim_together(*given: Any, **named: Any) -> list[Row[Any]]:
        if threading.get_ident() not in waited:
            waited.add(threading.get_ident())
            together.wait()
        return claim(*given, **named)

    monkeypatch.setattr(messages, "claim", claim_together)
    tell(*[alert(f"n{number}") for number in range(20)])
    batch = ids()
    assert house.at_once(4, lambda _: delivering.deliver(batch)) == [None] * 4
    return Counter(post.names())


def test_four_workers_on_one_batch_send_each_mail_once(
    house: House, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert sent_by_four_workers(house, post, monkeypatch) == {f"n{number}": 1 for number in range(20)}


def test_without_the_fence_they_send_mails_twice(house: House, post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: the claim only looks."""

    def look(connection: Connection, message_ids: Sequence[UUID], **_: object) -> Sequence[Row[Any]]:
        unsent = select(*messages._shown()).where(Message.id.in_(message_ids), Message.state != State.SENT)
        return connection.execute(unsent).all()

    monkeypatch.setattr(messages, "claim", look)
    monkeypatch.setattr(messages, "unfinished", lambda _: [])
    sent = sent_by_four_workers(house, post, monkeypatch)
    assert max(sent.values()) > 1, "the harness can no longer see what it guards against"
