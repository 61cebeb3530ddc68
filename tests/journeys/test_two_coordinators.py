"""Two people act on one thing at the same moment: one is served, the other is told, and nothing is left half done."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import pytest
from sqlalchemy import func, select

from conference_orchestrator.flows import rounds
from conference_orchestrator.kernel import transaction
from conference_orchestrator.kernel.database import Model, db
from conference_orchestrator.kernel.principal import Principal
from conference_orchestrator.ledger.messages import Message
from conference_orchestrator.scheduling import requests, sessions, waiting_list
from conference_orchestrator.scheduling.allocation import Rules
from conference_orchestrator.scheduling.allocations import Allocation
from conference_orchestrator.scheduling.conferences import Conference
from conference_orchestrator.scheduling.requests import ConsultationRequest, State
from conference_orchestrator.scheduling.sessions import Session, Slot
from tests import postgres
from tests.journeys import crowds
from tests.journeys.acts import (
    NOT_NOW,
    SERVED,
    TAKEN,
    Act,
    Outcome,
    Processes,
    Threads,
    Way,
    allocation,
    move,
    triage,
    withdrawal,
)
from tests.journeys.crowds import Round
from tests.journeys.service import database_of

ROUNDS = 20
LATER = timedelta(hours=2)
T = TypeVar("T", bound=Model)


@pytest.fixture(scope="module")
def processes(
    postgres_server: str, migrated_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Processes]:
    """One service for all tests: each round is in a network of its own."""
    with (
        postgres.database(postgres_server, template=migrated_template) as url,
        database_of(url) as app,
        crowds.four_processes(url, tmp_path_factory.mktemp("web")) as service,
    ):
        yield Processes(app, service)


@pytest.fixture
def threads(both_schemas: str) -> Iterator[Threads]:
    with database_of(both_schemas) as app:
        yield Threads(app)


@pytest.fixture(params=["threads on SQLite", "processes on PostgreSQL"])
def way(request: pytest.FixtureRequest) -> Iterator[Way]:
    if request.param.startswith("processes"):
        yield request.getfixturevalue("processes")
        return
    with database_of(request.getfixturevalue("sqlite_schema")) as app:
        yield Threads(app)


def test_of_two_who_give_one_slot_to_two_requests_one_is_told_that_it_is_taken(way: Way) -> None:
    for _ in range(ROUNDS):
        wanted = crowds.new_round(way.app, wanting=2)
        answers = give_both(way, wanted)
        assert sorted(answers) == [SERVED, TAKEN]
        states = [found(way, ConsultationRequest, request).state for request in wanted.requests]
        assert states == [State.ALLOCATED if answer == SERVED else State.ACCEPTED for answer in answers]
        assert held(way, wanted) == 1


@pytest.mark.parametrize("decision", ["accept", "return"])
def test_a_request_that_is_withdrawn_while_it_is_accepted_or_returned_is_withdrawn(way: Way, decision: str) -> None:
    for number in range(ROUNDS):
        wanted = crowds.new_round(way.app, wanting=1, state=State.SUBMITTED)
        [request] = wanted.requests
        decided, gone = in_turn(number, way, wanted, triage(request, decision), withdrawal(request))
        assert gone == SERVED
        assert decided in {SERVED, NOT_NOW}
        assert found(way, ConsultationRequest, request).state == State.WITHDRAWN
        assert mails(way, request) == (decision == "return" and decided == SERVED)


def test_a_request_is_either_withdrawn_or_declined_and_only_the_declined_gets_a_mail(way: Way) -> None:
    for number in range(ROUNDS):
        wanted = crowds.new_round(way.app, wanting=1, state=State.SUBMITTED)
        [request] = wanted.requests
        decided, gone = in_turn(number, way, wanted, triage(request, "decline"), withdrawal(request))
        assert sorted([decided, gone]) == [SERVED, NOT_NOW]
        declined = decided == SERVED
        assert found(way, ConsultationRequest, request).state == (State.DECLINED if declined else State.WITHDRAWN)
        assert mails(way, request) == declined


def test_of_two_who_decide_about_one_request_one_is_told_that_it_is_decided(way: Way) -> None:
    for number in range(ROUNDS):
        wanted = crowds.new_round(way.app, wanting=1, state=State.SUBMITTED)
        [request] = wanted.requests
        accepted, declined = in_turn(number, way, wanted, triage(request, "accept"), triage(request, "decline"))
        assert sorted([accepted, declined]) == [SERVED, NOT_NOW]
        expected = State.ACCEPTED if accepted == SERVED else State.DECLINED
        assert found(way, ConsultationRequest, request).state == expected
        assert mails(way, request) == (declined == SERVED)


def test_a_request_that_is_withdrawn_while_it_is_allocated_holds_no_slot(way: Way) -> None:
    for number in range(ROUNDS):
        wanted = crowds.new_round(way.app, wanting=1)
        [request] = wanted.requests
        given, gone = in_turn(number, way, wanted, allocation(request, wanted.slot_id), withdrawal(request))
        assert gone == SERVED
        assert given in {SERVED, NOT_NOW}
        assert found(way, ConsultationRequest, request).state == State.WITHDRAWN
        assert held(way, wanted) == 0


def test_a_slot_that_is_taken_while_its_session_moves_is_held_at_the_new_time(way: Way) -> None:
    for number in range(ROUNDS):
        wanted = crowds.new_round(way.app, wanting=1)
        starts_at = found(way, Session, wanted.session_id).starts_at + LATER
        [request] = wanted.requests
        acts = allocation(request, wanted.slot_id), move(wanted.session_id, starts_at)
        assert in_turn(number, way, wanted, *acts) == (SERVED, SERVED)
        assert held(way, wanted) == 1
        assert found(way, Slot, wanted.slot_id).starts_at == starts_at
        assert meeting_begins(way, wanted) == starts_at


def in_turn(number: int, way: Way, within: Round, *acts: Act) -> tuple[Outcome, Outcome]:
    """Both at once; another one is let go first from round to round, so that both orders come about."""
    one, other = way.at_once(within, *(acts if number % 2 else reversed(acts)))
    return (one, other) if number % 2 else (other, one)


def give_both(way: Way, wanted: Round) -> list[Outcome]:
    return way.at_once(wanted, *[allocation(request, wanted.slot_id) for request in wanted.requests])


def found(way: Way, model: type[T], identifier: UUID) -> T:
    with way.app.app_context():
        return db.session.get_one(model, identifier)


def held(way: Way, within: Round) -> int:
    """How many hold the slot."""
    holding = select(func.count()).where(Allocation.slot_id == within.slot_id, Allocation.released_at.is_(None))
    with way.app.app_context():
        return db.session.scalar(holding) or 0


def mails(way: Way, request: UUID) -> int:
    """How many were written about the request."""
    about = select(func.count()).where(Message.cause.startswith(f"request:{request}:"))
    with way.app.app_context():
        return db.session.scalar(about) or 0


def meeting_begins(way: Way, within: Round) -> datetime | None:
    """When the meeting of the session is wanted."""
    with way.app.app_context():
        return db.session.scalar(select(Conference.starts_at).where(Conference.session_id == within.session_id))


# ---- the negative controls -------------------------------------------------------------------------------------------


def test_both_hold_the_slot_once_the_unique_indexes_are_gone(
    threads: Threads, both_schemas: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    crowds.drop_unique_allocations(both_schemas)
    wanted = crowds.new_round(threads.app, wanting=2)
    both_have_looked, look = threading.Barrier(2, timeout=30), waiting_list.rules_unless_held

    def look_together(*of: Any, **named: Any) -> Rules:
        seen = look(*of, **named)
        both_have_looked.wait()
        return seen

    monkeypatch.setattr(waiting_list, "rules_unless_held", look_together)
    assert give_both(threads, wanted) == [SERVED, SERVED]
    assert held(threads, wanted) == 2, "the test can no longer see what it guards against"


def test_both_hold_the_slot_over_four_processes_once_the_unique_indexes_are_gone(
    postgres_schema: str, tmp_path: Path
) -> None:
    crowds.drop_unique_allocations(postgres_schema)
    with database_of(postgres_schema) as app, crowds.four_processes(postgres_schema, tmp_path) as service:
        wanted = crowds.new_round(app, wanting=2)
        with crowds.allocations_held_back(postgres_schema, until=2):
            answers = give_both(Processes(app, service), wanted)
        assert answers == [SERVED, SERVED], "the test can no longer see the bug"


@pytest.mark.parametrize("decision", ["accept", "return", "decline", "allocate"])
def test_somebody_is_refused_for_no_reason_once_requests_are_not_locked(
    threads: Threads, monkeypatch: pytest.MonkeyPatch, decision: str
) -> None:
    state = State.ACCEPTED if decision == "allocate" else State.SUBMITTED
    wanted = crowds.new_round(threads.app, wanting=1, state=state)
    [request] = wanted.requests
    take_locks_away(monkeypatch)
    both_have_looked, get = threading.Barrier(2, timeout=30), requests.get

    def look(request_id: UUID, *, lock: bool = False, **more: Any) -> ConsultationRequest:
        seen = get(request_id, **more)
        if lock:
            both_have_looked.wait()
        return seen

    monkeypatch.setattr(requests, "get", look)
    act = allocation(request, wanted.slot_id) if decision == "allocate" else triage(request, decision)
    answers = threads.at_once(wanted, act, withdrawal(request))
    assert not {SERVED, NOT_NOW}.issuperset(answers), "the test can no longer see what it guards against"


def test_a_move_waits_for_who_takes_a_slot_of_the_session(threads: Threads, monkeypatch: pytest.MonkeyPatch) -> None:
    assert meeting_follows(threads, monkeypatch, seconds=0.5)  # In vain, as it should.


def test_a_meeting_stays_behind_once_its_session_is_not_held_still(
    threads: Threads, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_locks_away(monkeypatch)

    def look(slot_id: UUID, **_: Any) -> tuple[Slot, Session]:
        [seen] = db.session.execute(select(Slot, Session).join(Slot.session).where(Slot.id == slot_id))
        return seen[0], seen[1]

    monkeypatch.setattr(sessions, "hold_still", look)
    assert not meeting_follows(threads, monkeypatch, seconds=30), "the test can no longer see what it guards against"


def meeting_follows(threads: Threads, monkeypatch: pytest.MonkeyPatch, *, seconds: float) -> bool:
    """One takes a slot, and between the look at its session and the taking waits that long for the other's move."""
    wanted = crowds.new_round(threads.app, wanting=1)
    starts_at = found(threads, Session, wanted.session_id).starts_at + LATER
    looked, moved, hold = threading.Event(), threading.Event(), sessions.hold_still

    def hold_and_dawdle(*of: Any, **named: Any) -> tuple[Slot, Session]:
        holding = hold(*of, **named)
        looked.set()
        moved.wait(timeout=seconds)
        return holding

    def move_then(*, by: Principal) -> None:
        assert looked.wait(timeout=30)
        rounds.move(wanted.session_id, starts_at, by=by)
        moved.set()

    monkeypatch.setattr(sessions, "hold_still", hold_and_dawdle)
    taking = allocation(wanted.requests[0], wanted.slot_id)
    answers = threads.at_once(wanted, taking, replace(move(wanted.session_id, starts_at), flow=move_then))
    return answers == [SERVED, SERVED] and meeting_begins(threads, wanted) == starts_at


def take_locks_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let transactions that write begin like those that read, so that SQLite does not keep them apart either."""
    monkeypatch.setattr(transaction, "WRITES", "nobody looks at this option")
