"""A mailing is composed once, and each mail of it is what it would have been alone; few people never wait for many."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from conference_orchestrator.flows import delivering
from conference_orchestrator.flows.delivering import BATCH
from conference_orchestrator.jobs.embedded import EmbeddedEngine, EmbeddedQueue
from conference_orchestrator.kernel import ports
from conference_orchestrator.kernel.outbox import Rank
from conference_orchestrator.ledger.messages import Draft, Recipient
from conference_orchestrator.notify import composing, mailing
from conference_orchestrator.notify.mailing import WORTH_PREPARING, Mailings
from conference_orchestrator.notify.sending import nobody
from tests.house import House
from tests.notify.examples import EXAMPLES
from tests.post import A_SECOND, DELIVER, Post, alert, ids, tell

NAMES = ["Łucja Großmann", "Inês Ávila", "Anna Weber", 'Zoé "Zizi" Martin, MD', "a\\b", "Jan de Vries", "Mary O'Neil"]


@pytest.fixture(autouse=True)
def nothing_prepared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivering, "MAILINGS", Mailings())


@pytest.fixture
def composed(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The names of the readers for whom a mail was composed."""
    names: list[str] = []
    compose = composing.compose

    def counting(facts: Any, reader: Any) -> Any:
        names.append(reader.name)
        return compose(facts, reader)

    monkeypatch.setattr(composing, "compose", counting)
    monkeypatch.setattr(mailing, "compose", counting)
    return names


class Keeping(Post):
    """A mail server that keeps the whole mails by the addresses that they went to."""

    def __init__(self) -> None:
        super().__init__()
        self.mails: dict[str, bytes] = {}

    def send(
        self, from_address: str, to_address: str, data: bytes, *, next_to: Callable[[], str | None] = nobody
    ) -> str:
        self.mails[to_address] = data
        return super().send(from_address, to_address, data, next_to=next_to)


@pytest.fixture
def keeping(house: House) -> Keeping:
    made = Keeping()
    delivering.open_mail.fill(house.app, lambda: made)
    return made


def told_of(example: str, *, language: str = "en", cause: str = "an event") -> list[Draft]:
    """That event, told to each of the names."""
    facts, _ = EXAMPLES[example]
    return [
        delivering.draft(
            facts,
            to=Recipient(
                address=f"{cause[-1]}{place}@hospital.example",
                name=name,
                language=language,
                time_zone="Europe/Berlin",
                clinician_id=uuid4(),
            ),
            cause=cause,
            link_subject=uuid4(),
        )
        for place, name in enumerate(NAMES)
    ]


@pytest.mark.parametrize("example", ["invitation", "invitation-update", "invitation-cancel", "reminder"])
def test_each_mail_of_a_mailing_is_the_mail_that_it_would_be_alone(
    house: House, keeping: Keeping, monkeypatch: pytest.MonkeyPatch, example: str
) -> None:
    tell(*told_of(example), *told_of(example, language="de", cause="another"))
    delivering.deliver(ids())
    assert len(keeping.mails) == 2 * len(NAMES)
    for message in house.messages():
        monkeypatch.setattr(delivering, "MAILINGS", Mailings())
        assert keeping.mails[message.address] == delivering.mail(message)


def test_a_mailing_is_composed_for_the_first_few_and_for_odd_names_only(
    house: House, keeping: Keeping, composed: list[str]
) -> None:
    tell(*told_of("invitation"))
    batch = ids()
    delivering.deliver(batch)
    alone = WORTH_PREPARING - 1
    assert composed.count("a\\b") == 1
    assert len([name for name in composed if name in NAMES]) == alone + 1
    assert len(composed) == alone + 1 + 2, "twice to prepare it: with marks, and as a trial"


def test_without_mailings_each_mail_is_composed(
    house: House, keeping: Keeping, composed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control."""
    monkeypatch.setattr(Mailings, "get", lambda *_: None)
    tell(*told_of("invitation"))
    delivering.deliver(ids())
    assert sorted(composed) == sorted(NAMES)


def engine(house: House) -> EmbeddedEngine:
    queue = EmbeddedQueue()
    ports.queue.fill(house.app, queue)
    work = {DELIVER: lambda payload: delivering.deliver([UUID(one) for one in payload["messages"]])}
    return EmbeddedEngine(house.app.app_context, queue, work=work)


def test_an_urgent_mail_waits_for_one_batch_of_a_large_mailing_at_most(house: House, post: Post) -> None:
    work = engine(house)
    tell(*[alert(f"n{number}", rank=Rank.URGENT) for number in range(3 * BATCH)])

    def meanwhile() -> None:
        post.before = lambda: None
        house.clock.move_on(A_SECOND)
        tell(alert("urgent", rank=Rank.URGENT))

    post.before = meanwhile
    work.run_due()
    assert len(post.sent) == 3 * BATCH + 1
    assert post.names().index("urgent") == BATCH


def test_in_the_order_of_their_coming_it_would_wait_for_all(
    house: House, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control: a mailing of urgent mails is as urgent as each."""
    monkeypatch.setattr(delivering, "replace", lambda one, **_: one)
    with pytest.raises(AssertionError):
        test_an_urgent_mail_waits_for_one_batch_of_a_large_mailing_at_most(house, post)
    assert post.names().index("urgent") == 3 * BATCH


def test_in_one_change_the_urgent_ones_go_first(house: House, post: Post) -> None:
    tell(alert("bulk", rank=Rank.BULK), alert("urgent", rank=Rank.URGENT), alert("normal"))
    assert [task.rank for task in house.queue.tasks] == [Rank.URGENT, Rank.NORMAL, Rank.BULK]


def test_what_is_left_of_a_batch_keeps_its_rank(house: House, post: Post) -> None:
    post.before = lambda: house.clock.move_on(timedelta(minutes=2))
    tell(alert("a", rank=Rank.BULK), alert("b", rank=Rank.BULK))
    delivering.deliver(ids())
    assert house.queue.tasks[-1].rank == Rank.BULK


def test_a_lost_task_is_found_with_its_rank(house: House, post: Post) -> None:
    tell(alert("bulk", rank=Rank.BULK), alert("urgent", rank=Rank.URGENT))
    house.queue.tasks.clear()
    house.clock.move_on(timedelta(hours=1))
    delivering.deliver_overdue()
    assert [task.rank for task in house.queue.tasks] == [Rank.URGENT, Rank.BULK]
