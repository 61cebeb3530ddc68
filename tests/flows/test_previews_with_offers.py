"""A preview counts the offers that follow from the change, in a group that has its free slots offered."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest

from conference_orchestrator.flows import arranging, rounds
from conference_orchestrator.kernel.errors import SlotTaken
from conference_orchestrator.scheduling import allocations
from conference_orchestrator.scheduling.allocations import Allocation
from tests.flows.waiting_line import FOUR_HOURS, set_rules
from tests.house import HELPDESK
from tests.scene import settle
from tests.scheduling.stage import TUESDAY, Stage

SECOND = date(2026, 12, 1)
Change = Callable[[Stage, bool], Any]


def cancelled(stage: Stage, preview: bool) -> Any:
    return rounds.cancel(stage.first().id, "Ill.", by=HELPDESK, preview=preview)


def moved(stage: Stage, preview: bool) -> Any:
    """On that day the one who waits for such a day can come."""
    return rounds.move(stage.sessions()[1].id, TUESDAY + timedelta(days=2), by=HELPDESK, preview=preview)


def changed(stage: Stage, preview: bool) -> Any:
    return arranging.change_series(stage.first().series_id, {"slots": 1}, by=HELPDESK, preview=preview)


def skipped(stage: Stage, preview: bool) -> Any:
    entered = {"on": date(2026, 11, 24), "kind": "skip"}
    return arranging.add_exception(stage.first().series_id, entered, by=HELPDESK, preview=preview)


def added(stage: Stage, preview: bool) -> Any:
    entered = {"on": date(2026, 11, 26), "kind": "extra"}
    return arranging.add_exception(stage.first().series_id, entered, by=HELPDESK, preview=preview)


@pytest.fixture
def offering_group(full: Stage) -> Stage:
    """Both slots of the first session are taken; somebody who can come on the Thursday after it alone waits."""
    full.waiting()
    set_rules(full, **FOUR_HOURS)
    full.house.queue.tasks.clear()
    return full


def work(stage: Stage) -> None:
    settle(stage.house, "offer-slots", "ensure-conference", "issue-invitations", moving_the_clock=False)


def name_of(value: Any) -> str | None:
    return getattr(value, "__name__", None)


@pytest.mark.parametrize(
    ("change", "offers"), [(cancelled, 2), (moved, 1), (changed, 1), (skipped, 2), (added, 1)], ids=name_of
)
def test_a_preview_counts_the_offers_that_follow(offering_group: Stage, change: Change, offers: int) -> None:
    stage = offering_group
    foreseen = change(stage, True)
    assert stage.house.count(Allocation) == 2, "nothing is offered by a look"
    before = {mail.id for mail in stage.house.messages()}
    change(stage, False)
    work(stage)
    sent = [mail for mail in stage.house.messages() if mail.id not in before]
    assert len([mail for mail in sent if mail.kind == "slot-offer"]) == offers
    assert (foreseen.mails, foreseen.people) == (len(sent), len({mail.address for mail in sent}))
    assert len(set(foreseen.requests)) == len(foreseen.requests)


def test_a_look_at_which_somebody_else_was_faster_foresees_no_offer_and_is_answered(
    offering_group: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def taken(*_: Any, **__: Any) -> Any:
        raise SlotTaken("The slot is taken.")

    both = cancelled(offering_group, True)
    monkeypatch.setattr(allocations, "take", taken)
    foreseen = cancelled(offering_group, True)
    assert (foreseen.sessions, foreseen.requests) == (both.sessions, both.requests)
    assert foreseen.mails == both.mails - 2
