"""Offers from two sides at the same time, on both databases: answers, the clock, the line, and a coordinator."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, text, update

from conference_orchestrator.flows import offering, panels
from conference_orchestrator.kernel import ports
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.errors import RuleBroken, SlotTaken
from conference_orchestrator.kernel.transaction import transaction
from conference_orchestrator.scheduling import allocations
from conference_orchestrator.scheduling.allocations import Allocation, Offer
from conference_orchestrator.scheduling.conferences import Conference
from conference_orchestrator.scheduling.requests import ConsultationRequest
from tests.flows.waiting_line import FOUR_HOURS, ONE_TUESDAY, Line, line_up, set_rules
from tests.house import HELPDESK
from tests.scheduling.stage import Stage

MANY = 50
A_SECOND = timedelta(seconds=1)


@dataclass
class ClockOfEachThread:
    """Who begins right before the end of an offer and commits right after it reads another time than the timer."""

    at: datetime
    own: threading.local = field(default_factory=threading.local)

    def now(self) -> datetime:
        return self.at + getattr(self.own, "ahead", timedelta())


def answer_whatever_became_of_it(offer_id: UUID, said: Offer, *, at: datetime) -> bool:
    """Like `allocations.answer` without its conditions."""
    values = {"offer": said, "answered_at": at, "released_at": None if said == Offer.ACCEPTED else at}
    db.session.execute(update(Allocation).where(Allocation.id == offer_id).values(**values))
    return True


def without_the_condition(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody looks whether the offer is open still: neither the view nor the statement that decides."""
    view = offering._view
    monkeypatch.setattr(offering, "_view", lambda *of: replace(view(*of), state=Offer.OPEN))
    monkeypatch.setattr(allocations, "answer", answer_whatever_became_of_it)


def without_the_indexes() -> None:
    with transaction():
        for name in ("uq_allocation_slot", "uq_allocation_request"):
            db.session.execute(text(f"DROP INDEX {name}"))


@pytest.fixture
def house_database(both_schemas: str) -> str:
    return both_schemas


@pytest.fixture
def line(stage: Stage) -> Line:
    """One slot tomorrow, offered to the first of two."""
    made = line_up(stage, [{}, {}])
    made.free()
    db.session.remove()
    return made


@pytest.fixture
def fifty_offers(stage: Stage) -> Stage:
    """A hundred in line, and the fifty slots of tomorrow offered to the first fifty."""
    stage.meet(slots=MANY, slot_minutes=1, **ONE_TUESDAY)
    set_rules(stage, **FOUR_HOURS)
    template = stage.request(stage.accepted()).request
    kept = ("group_id", "question", "urgency", "checklist", "requester_id", "hospital_id", "submitted_at")
    values = {name: getattr(template, name) for name in kept} | {"state": "waiting", "consent_confirmed": True}
    with transaction() as tx:
        for number in range(2 * MANY):
            since = tx.now + timedelta(microseconds=number)
            db.session.add(
                ConsultationRequest(
                    **values, id=uuid4(), case_reference=f"CASE-{number}", waiting_since=since, imaging=[], attendees=[]
                )
            )
    offering.offer_slots(stage.group.id)
    return stage


def run_out_while_accepted(stage: Stage) -> list[Any]:
    """All fifty run out and are offered on while all fifty are accepted; the last answer comes after all that."""
    offers = list(db.session.scalars(select(Allocation.id).where(Allocation.offer == "open")))
    assert len(offers) == MANY
    ends_at = offering.view(offers[0], by=HELPDESK).offer.expires_at
    assert ends_at is not None
    db.session.remove()
    clock = ClockOfEachThread(ends_at - A_SECOND)
    ports.clock.fill(stage.house.app, clock)
    gone = threading.Event()

    def accept(offer_id: UUID) -> Any:
        if offer_id == offers[0]:
            gone.wait(timeout=60)
        return offering.accept(offer_id, by=HELPDESK)

    def run_out(offer_id: UUID) -> None:
        clock.own.ahead = A_SECOND
        offering._expire(offer_id)
        offering.offer_slots(stage.group.id)
        if offer_id == offers[0]:
            gone.set()

    steps: list[Callable[[], Any]] = [lambda step=step, of=of: step(of) for of in offers for step in (run_out, accept)]
    answers = stage.house.at_once(2 * MANY, lambda n: steps[n]())
    db.session.remove()
    clock.at = ends_at
    assert [answer for answer in answers[::2] if answer is not None] == []
    return answers[1::2]


def held() -> list[tuple[UUID, UUID, str]]:
    """Slot, request and offer of what is held now."""
    rows = select(Allocation.slot_id, Allocation.request_id, Allocation.offer).where(Allocation.released_at.is_(None))
    return [(slot_id, request_id, offer) for slot_id, request_id, offer in db.session.execute(rows)]


class TestFiftyRunOutWhileFiftyAccept:
    """R02."""

    def test_no_slot_and_no_request_is_held_twice_and_each_freed_slot_goes_to_one_with_one_mail(
        self, fifty_offers: Stage
    ) -> None:
        answers = run_out_while_accepted(fifty_offers)
        accepted = sum(not isinstance(answer, Exception) for answer in answers)
        freed = MANY - accepted
        assert freed >= 1, "the last answer came too late"
        assert all(isinstance(answer, RuleBroken) for answer in answers if isinstance(answer, Exception)), answers
        assert Counter(offer for _, _, offer in held()) == Counter({"accepted": accepted, "open": freed})
        assert len({slot for slot, _, _ in held()}) == len({request for _, request, _ in held()}) == MANY
        states = Counter(db.session.scalars(select(ConsultationRequest.state)))
        assert (states["allocated"], states["offered"]) == (accepted, freed)
        assert len(fifty_offers.mails("slot-offer")) == MANY + freed
        told = Counter(message.cause for message in fifty_offers.house.messages("slot-offer"))
        assert set(told.values()) == {1}
        assert fifty_offers.house.count(Conference) == min(accepted, 1)

    def test_they_collide_once_the_protection_is_taken_away(
        self, fifty_offers: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        without_the_condition(monkeypatch)
        without_the_indexes()
        run_out_while_accepted(fifty_offers)
        most = Counter(slot for slot, _, _ in held()).most_common(1)
        assert most[0][1] > 1, "the harness can no longer see the bug"


def answers_to(line: Line, *steps: Callable[..., Any]) -> list[Any]:
    offer_id = line.offer().offer.id
    db.session.remove()
    return line.stage.house.at_once(len(steps), lambda n: steps[n](offer_id, by=HELPDESK))


class TestTwoAnswers:
    """R03."""

    @pytest.mark.parametrize("other", [offering.accept, offering.refuse])
    def test_of_two_who_answer_one_offer_one_is_told_what_the_other_said(
        self, line: Line, other: Callable[..., Any]
    ) -> None:
        answers = answers_to(line, offering.accept, other)
        assert sum(isinstance(answer, RuleBroken) for answer in answers) == 1
        (said,) = [answer.state for answer in answers if not isinstance(answer, Exception)]
        assert line.offer().state == said
        assert line.states()[0] == ("allocated" if said == "accepted" else "waiting")
        assert len(held()) == (said == "accepted")

    def test_both_count_once_the_protection_is_taken_away(self, line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
        without_the_condition(monkeypatch)
        answers = answers_to(line, offering.accept, offering.accept)
        assert not [a for a in answers if isinstance(a, Exception)], "the harness can no longer see the bug"

    def test_an_acceptance_counts_after_a_refusal_once_the_protection_is_taken_away(
        self, line: Line, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        without_the_condition(monkeypatch)
        for step in (offering.refuse, offering.accept):
            step(line.offer().offer.id, by=HELPDESK)
        assert line.states()[0] == "allocated", "the harness can no longer see the bug"

    def test_two_accepted_answers_make_one_meeting(self, line: Line) -> None:
        answers_to(line, offering.accept, offering.accept)
        assert line.stage.house.count(Conference) == 1


def withdraw_first(line: Line) -> Any:
    """What becomes of an acceptance that was on its way while the request was withdrawn."""
    offer_id, request_id = line.offer().offer.id, line.waiting[0]
    withdrawn = threading.Event()
    db.session.remove()

    def withdraw() -> None:
        panels.withdraw(request_id, by=HELPDESK)
        withdrawn.set()

    def accept() -> Any:
        withdrawn.wait(timeout=30)
        return offering.accept(offer_id, by=HELPDESK)

    steps = [withdraw, accept]
    return line.stage.house.at_once(2, lambda n: steps[n]())[1]


class TestAcceptedWhileWithdrawn:
    """R03: withdrawing an allocated request is right too, so the withdrawal counts in either order."""

    def test_a_withdrawn_request_holds_nothing_whoever_was_faster(self, stage: Stage) -> None:
        line = line_up(stage, [{}, {}, {}, {}])
        line.free()
        for place in range(3):
            offer_id, request_id = line.offer(place).offer.id, line.waiting[place]
            db.session.remove()
            steps = [
                lambda of=offer_id: offering.accept(of, by=HELPDESK),
                lambda of=request_id: panels.withdraw(of, by=HELPDESK),
            ]
            answers = stage.house.at_once(2, lambda n: steps[n]())  # noqa: B023  - both are done within the round
            assert not isinstance(answers[0], Exception) or isinstance(answers[0], RuleBroken)
            assert not isinstance(answers[1], Exception)
            line.work()
            assert line.states()[place : place + 2] == ["withdrawn", "offered"]
            assert [request for _, request, _ in held()] == [line.waiting[place + 1]]

    def test_an_offer_whose_request_was_withdrawn_is_open_no_more(self, line: Line) -> None:
        assert isinstance(withdraw_first(line), RuleBroken)
        assert line.states()[0] == "withdrawn"

    def test_it_is_accepted_once_the_protection_is_taken_away(
        self, line: Line, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        without_the_condition(monkeypatch)
        withdraw_first(line)
        assert line.states()[0] == "allocated", "the harness can no longer see the bug"


def give_away_while_offering(line: Line) -> list[Any]:
    """The freed slot is offered by the group's rule while a coordinator gives it to the second in line by name."""
    panels.withdraw(line.holders.pop(), by=HELPDESK)
    slot_id = line.stage.slots(line.stage.first().id)[0].id
    db.session.remove()
    steps = [
        lambda: offering.offer_slots(line.stage.group.id),
        lambda: panels.allocate(line.waiting[1], slot_id=slot_id, by=HELPDESK),
    ]
    return line.stage.house.at_once(2, lambda n: steps[n]())


class TestOfferedWhileGiven:
    def test_the_slot_is_held_once(self, stage: Stage) -> None:
        line = line_up(stage, [{}, {}])
        offered, given = give_away_while_offering(line)
        assert offered is None
        ((_, request, offer),) = held()
        assert (request, offer) == (
            (line.waiting[0], "open") if isinstance(given, SlotTaken) else (line.waiting[1], None)
        )
        assert len(line.mails()) == isinstance(given, SlotTaken)


class TestOfferedWhileGivenWithoutTheIndexes:
    """On SQLite one writes after the other, so the negative control is PostgreSQL's."""

    @pytest.fixture
    def house_database(self, postgres_schema: str) -> str:
        return postgres_schema

    def test_the_slot_is_held_twice(self, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
        line = line_up(stage, [{}, {}])
        without_the_indexes()
        both_chose, take = threading.Barrier(2, timeout=30), allocations.take

        def take_when_both_chose(*of: Any, **named: Any) -> UUID:
            both_chose.wait()
            return take(*of, **named)

        monkeypatch.setattr(allocations, "take", take_when_both_chose)
        give_away_while_offering(line)
        assert len({slot for slot, _, _ in held()}) < len(held()), "the harness can no longer see the bug"


def test_the_line_is_served_by_several_at_once_as_by_one(stage: Stage) -> None:
    line = line_up(stage, [{} for _ in range(6)], slots=3)
    for request_id in line.holders:
        panels.withdraw(request_id, by=HELPDESK)
    db.session.remove()
    assert stage.house.at_once(4, lambda _: offering.offer_slots(stage.group.id)) == [None] * 4
    assert line.states() == ["offered"] * 3 + ["waiting"] * 3
    assert line.mails() == ["CASE-1", "CASE-2", "CASE-3"]


def test_the_clocks_of_these_tests_differ_by_thread() -> None:
    clock = ClockOfEachThread(datetime(2026, 11, 23, tzinfo=UTC))
    clock.own.ahead = A_SECOND
    assert clock.now() == clock.at + A_SECOND
