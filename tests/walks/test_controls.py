"""The negative controls: a short walk that ends well, and ends badly once one protection is taken away."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text, update

from conference_orchestrator.flows import erasing, inviting, offering, panels, provider_steps, sweeping
from conference_orchestrator.flows.provider_steps import Outcome
from conference_orchestrator.kernel import audit
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.transaction import transaction
from conference_orchestrator.ledger import invitations
from conference_orchestrator.providers.errors import Ambiguous
from conference_orchestrator.scheduling import allocations, waiting_list
from conference_orchestrator.scheduling.allocations import Allocation, Offer
from tests.house import HELPDESK
from tests.walks import checks, ending
from tests.walks.steps import Steps
from tests.walks.world import Beginning, World

Way = Callable[[Steps], None]


def found(world: World, begun: Beginning, way: Way) -> str:
    """What the checks of the walks find after this way, or, if all is well then, at its end."""
    steps = Steps(world, begun)
    way(steps)
    if wrong := [*checks.broken(world), *steps.lost()]:
        return "\n".join(wrong)
    world.settle()
    return "\n".join([*steps.lost(), *ending.wrongs(world)])


def two_take_one_slot(steps: Steps) -> None:
    """A case gives its slot back, and two emergencies, which no rule of the group binds, are given it."""
    slot_id = slot_of(steps.world, "CPMS-2")
    release(steps, "CPMS-2")
    places = steps.world.all_ids("SELECT id FROM slot WHERE NOT withdrawn ORDER BY starts_at, id")
    for by in (0, 3):
        asked = steps.submit("brain", "emergency", complete=True, window=None, by=by)
        assert asked is not None
        steps.accept(asked)
        steps.book(asked, slot=places.index(slot_id))


def move_twice(steps: Steps) -> None:
    for _ in range(2):
        steps.move(0, timedelta(hours=1))
        steps.world.run_due()


def erase_and_move(steps: Steps) -> None:
    """The lead of a group asks to be forgotten, then a session to which she was invited moves."""
    steps.erase("zoe")
    steps.world.run_due()
    steps.move(0, timedelta(hours=1))


def accept_what_was_refused(steps: Steps) -> None:
    """Who was offered a slot refuses it and withdraws; later the page with the offer, still open, says yes."""
    release(steps, "CPMS-2")
    steps.world.run_due()
    (offered,) = steps.world.all_ids("SELECT request_id FROM allocation WHERE offer = 'open'")
    steps.answer_offer(0, accept=False, by_link=True)
    assert steps.world.attempt("withdraw", lambda: panels.withdraw(offered, by=HELPDESK))
    steps.asked[offered] = {"withdrawn"}
    (refused,) = steps.world.all_ids("SELECT id FROM allocation WHERE offer = 'refused'")
    steps.world.attempt("accept what was refused", lambda: offering.accept(refused, by=HELPDESK))


def lose_the_answer_of_a_create(steps: Steps) -> None:
    """A second case of Ewing is the first of its session; the provider makes the meeting and does not say so."""
    steps.world.provider.fail("create", Ambiguous, applied=True)
    asked = steps.submit("ewing", "routine", complete=True, window=4, by=0)
    assert asked is not None
    steps.world.run_due()


def release(steps: Steps, case: str) -> None:
    (request_id,) = steps.world.all_ids("SELECT id FROM consultation_request WHERE case_reference = ?", case)
    assert steps.world.attempt("release", lambda: panels.release(request_id, by=HELPDESK))


def slot_of(world: World, case: str) -> UUID:
    """The slot that the case holds."""
    statement = (
        "SELECT a.slot_id FROM allocation a JOIN consultation_request r ON r.id = a.request_id"
        " WHERE r.case_reference = ? AND a.released_at IS NULL"
    )
    (slot_id,) = world.all_ids(statement, case)
    return slot_id


def cancel_a_session(steps: Steps) -> None:
    steps.cancel(1)
    steps.world.run_due()


@pytest.fixture
def both_saw_it_free(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who looks sees the slot as it was before the other one took it."""
    look = waiting_list.rules_unless_held
    monkeypatch.setattr(waiting_list, "rules_unless_held", lambda one, _slot, **by: look(one, uuid4(), **by))


@pytest.mark.usefixtures("both_saw_it_free")
def test_two_who_take_one_slot(world: World, begun: Beginning) -> None:
    assert found(world, begun, two_take_one_slot) == ""
    assert (world.done["book a named slot"], world.refused["book a named slot"]) == (1, 1)


@pytest.mark.usefixtures("both_saw_it_free")
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
    assert world.refused["accept what was refused"] == 1


def test_an_offer_that_was_refused_and_is_accepted_once_its_state_does_not_count(
    world: World, begun: Beginning, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = offering._view

    def answer(offer_id: UUID, said: Offer, *, at: datetime) -> bool:
        released_at = None if said == Offer.ACCEPTED else at
        values = {"offer": said, "answered_at": at, "released_at": released_at}
        db.session.execute(update(Allocation).where(Allocation.id == offer_id).values(**values))
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
    # Nor finds the sweep afterwards that there are two.
    monkeypatch.setattr(sweeping, "_strays", lambda *_: None)
    assert "where one meeting" in found(world, begun, lose_the_answer_of_a_create)


def test_a_session_that_is_cancelled(world: World, begun: Beginning) -> None:
    assert found(world, begun, cancel_a_session) == ""


def test_a_session_that_is_cancelled_once_its_slots_are_kept(
    world: World, begun: Beginning, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(allocations, "release", lambda *_, **__: None)
    assert "a slot that will not be is held" in found(world, begun, cancel_a_session)


def test_a_session_that_is_cancelled_once_nobody_is_told(
    world: World, begun: Beginning, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inviting, "issue", lambda _: None)
    assert "invited-to-cancelled" in found(world, begun, cancel_a_session)


def test_an_offer_once_what_becomes_of_it_is_not_recorded(
    world: World, begun: Beginning, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "append", lambda *_, **__: None)
    assert "is recorded 0 times" in found(world, begun, accept_what_was_refused)


def test_a_session_that_is_cancelled_once_a_row_of_the_audit_was_changed(world: World, begun: Beginning) -> None:
    with world.app.app_context(), db.engine.begin() as connection:
        connection.execute(text("DROP TRIGGER audit_refuses_update"))
        connection.execute(text("UPDATE audit SET actor = 'nobody' WHERE sequence = 2"))
    assert "audit-broken: row 2" in found(world, begun, cancel_a_session)


def test_somebody_who_is_erased_before_the_session_moves(world: World, begun: Beginning) -> None:
    assert found(world, begun, erase_and_move) == ""
    assert (world.done["erase"], world.done["move"]) == (1, 1)


def test_somebody_who_is_erased_once_nothing_is_forgotten(
    world: World, begun: Beginning, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasing, "erase", lambda *_, **__: None)
    assert "zoe@hospital.example was erased at" in found(world, begun, erase_and_move)
