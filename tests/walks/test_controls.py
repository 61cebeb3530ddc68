"""The negative controls: a short walk that ends well, and ends badly once one protection is taken away."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text, update

from conference_orchestrator.flows import inviting, offering, provider_steps, rounds
from conference_orchestrator.flows.provider_steps import Outcome
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.transaction import transaction
from conference_orchestrator.ledger import invitations
from conference_orchestrator.providers.errors import Ambiguous
from conference_orchestrator.scheduling import allocations
from conference_orchestrator.scheduling.allocations import Allocation, Offer
from tests.walks import checks, ending
from tests.walks.steps import Steps
from tests.walks.world import Beginning, World

Way = Callable[[Steps], None]


def found(world: World, begun: Beginning, way: Way) -> str:
    """What the checks of the walks find at the end of this way, and on it."""
    steps = Steps(world, begun)
    way(steps)
    on_the_way = [*checks.broken(world), *steps.lost()]
    world.settle()
    return "\n".join([*on_the_way, *steps.lost(), *ending.wrongs(world)])


def two_take_one_slot(steps: Steps) -> None:
    """Two of Brain Tumour take the first free slot of Ewing's round, which is not theirs, and then one of their own."""
    steps.release(1)
    steps.release(2)
    accepted = steps.world.all_ids("SELECT id FROM consultation_request WHERE state = 'accepted' ORDER BY created_at")
    free = steps.world.rows(
        "SELECT s.place FROM (SELECT id, row_number() OVER (ORDER BY starts_at, id) - 1 AS place FROM slot) s"
        " WHERE NOT EXISTS (SELECT 1 FROM allocation a WHERE a.slot_id = s.id AND a.released_at IS NULL)"
    )
    assert len(accepted) == 2
    for request_id in accepted:
        steps.book(request_id, slot=free[0][0])


def move_twice(steps: Steps) -> None:
    for _ in range(2):
        steps.move(0, timedelta(hours=1))
        steps.world.run_due()


def accept_what_was_refused(steps: Steps) -> None:
    """Who was offered a slot refuses it and withdraws; later the page with the offer, still open, says yes."""
    steps.release(1)
    steps.world.run_due()
    offered: list[UUID] = steps.world.all_ids("SELECT request_id FROM allocation WHERE offer = 'open'")
    assert len(offered) == 1
    steps.answer_offer(0, accept=False, by_link=True)
    steps.asked[offered[0]] = {"withdrawn"}
    steps.world.attempt("withdraw", lambda: _withdraw(offered[0]))
    (refused,) = steps.world.all_ids("SELECT id FROM allocation WHERE offer = 'refused'")
    steps.world.attempt("accept", lambda: offering.accept(refused, by=_helpdesk()))


def lose_the_answer_of_a_create(steps: Steps) -> None:
    """A second case of Ewing is the first of its session; the provider makes the meeting and does not say so."""
    steps.world.provider.fail("create", Ambiguous, applied=True)
    asked = steps.submit("ewing", "routine", complete=True, window=4, by=0)
    assert asked is not None
    steps.world.run_due()


def cancel_a_session(steps: Steps) -> None:
    steps.cancel(1)
    steps.world.run_due()


def test_two_who_take_one_slot(world: World, begun: Beginning) -> None:
    assert found(world, begun, two_take_one_slot) == ""
    assert world.refused["book a named slot"] == 1


def test_two_who_take_one_slot_once_the_index_is_dropped(world: World, begun: Beginning) -> None:
    with world.app.app_context(), transaction():
        db.session.execute(text("DROP INDEX uq_allocation_slot"))
    assert "a slot is held by two" in found(world, begun, two_take_one_slot)


def test_a_session_that_moves_twice(world: World, begun: Beginning) -> None:
    assert found(world, begun, move_twice) == ""


def test_a_session_that_moves_twice_once_its_sequence_stays(
    world: World, begun: Beginning, monkeypatch: pytest.MonkeyPatch
) -> None:
    issue = invitations.issue
    monkeypatch.setattr(invitations, "issue", lambda *of, **more: [replace(s, sequence=0) for s in issue(*of, **more)])
    assert "with SEQUENCE 0, then 0" in found(world, begun, move_twice)


def test_a_session_that_moves_twice_once_its_change_is_not_seen(
    world: World, begun: Beginning, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(invitations, "_changed", lambda *_: ())
    assert "and should hold" in found(world, begun, move_twice)


def test_an_offer_that_was_refused_and_is_accepted(world: World, begun: Beginning) -> None:
    assert found(world, begun, accept_what_was_refused) == ""
    assert world.refused["accept"] == 1


def test_an_offer_that_was_refused_and_is_accepted_once_its_state_does_not_count(
    world: World, begun: Beginning, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = offering._view

    def answer(offer_id: UUID, said: Offer, **_: Any) -> bool:
        db.session.execute(update(Allocation).where(Allocation.id == offer_id).values(offer=said, released_at=None))
        return True

    monkeypatch.setattr(allocations, "answer", answer)
    monkeypatch.setattr(offering, "_view", lambda *of: replace(view(*of), state=Offer.OPEN))
    assert "is allocated and should be one of ['withdrawn']" in found(world, begun, accept_what_was_refused)


def test_a_meeting_that_was_made_without_an_answer(world: World, begun: Beginning) -> None:
    assert found(world, begun, lose_the_answer_of_a_create) == ""


def test_a_meeting_that_was_made_without_an_answer_once_nobody_looks_for_it(
    world: World, begun: Beginning, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provider_steps, "_look", lambda *_: Outcome())
    assert "where one meeting" in found(world, begun, lose_the_answer_of_a_create)


def test_a_session_that_is_cancelled(world: World, begun: Beginning) -> None:
    assert found(world, begun, cancel_a_session) == ""


def test_a_session_that_is_cancelled_once_its_cases_are_forgotten(
    world: World, begun: Beginning, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rounds, "displace", lambda *_, **__: None)
    assert "a slot that will not be is held" in found(world, begun, cancel_a_session)


def test_a_session_that_is_cancelled_once_nobody_is_told(
    world: World, begun: Beginning, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inviting, "issue", lambda _: None)
    assert "invited-to-cancelled" in found(world, begun, cancel_a_session)
