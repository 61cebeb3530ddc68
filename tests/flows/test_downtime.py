"""The service was down for two days: what became meaningless meanwhile is dropped, all else is done once."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from structlog.testing import capture_logs

from conference_orchestrator.flows import delivering, digesting, offering, watching
from conference_orchestrator.jobs.timetable import EVERY
from conference_orchestrator.kernel.database import db
from conference_orchestrator.ledger.messages import Message
from conference_orchestrator.notify import kinds
from conference_orchestrator.scheduling import allocation, offers, waiting_list
from conference_orchestrator.scheduling.requests import ConsultationRequest
from tests.flows.whole_timetable import DESK, HOUR, Service, begin
from tests.scene import settle
from tests.scheduling.stage import Stage

TUESDAY = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
DOWN = 49 * HOUR
# It ends on Wednesday: Tuesday's session is over, Friday's warning fell due meanwhile.
ENDS = TUESDAY - 30 * HOUR + DOWN
TWO_SESSIONS = {"rule": "FREQ=WEEKLY;BYDAY=TU,FR", "starts_on": date(2026, 11, 24), "ends_on": date(2026, 11, 27)}


@pytest.fixture
def down(stage: Stage) -> Service:
    """A day before Tuesday's session a slot was freed and offered, the quorum is in doubt; then nothing ran."""
    made = begin(stage, TUESDAY, **TWO_SESSIONS)
    made.at(TUESDAY - 80 * HOUR)
    stage.house.clock.at = TUESDAY - 31 * HOUR
    made.free()
    made.work()
    return made


def told_afterwards(down: Service, *, names: list[str] | None = None) -> Counter[tuple[str, str]]:
    """What was told once the service was up again and everything had run, three times."""
    before = down.told()
    for minutes in (0, 1, 10):
        down.at(ENDS + timedelta(minutes=minutes), names=names)
    return down.told() - before


STILL_MEANINGFUL = {
    (DESK, "A registration is overdue"): 1,
    (DESK, digesting.TITLE): 1,
    (DESK, watching.TITLES["warning"]): 1,
    ("jörg", watching.TITLES["warning"]): 1,
}


@pytest.mark.parametrize("names", [list(EVERY), list(reversed(EVERY))], ids=["in order", "in reverse"])
def test_nobody_gets_more_than_one_mail_for_each_thing_that_still_has_a_meaning(
    down: Service, names: list[str]
) -> None:
    assert told_afterwards(down, names=names) == STILL_MEANINGFUL
    assert {mail["detail"].partition(":")[0] for mail in down.stage.mails("desk-alert")} >= {
        "Brain Tumour, Friday 27 November 2026, 11.00 (Europe/Berlin)"
    }


def test_an_offer_that_ran_out_meanwhile_ends_once(down: Service) -> None:
    offered, _ = down.waiting
    held = down.stage.request(offered).offered
    assert held is not None
    offer_id = held.id
    told_afterwards(down)
    ended = offering.view(offer_id, by=down.stage.coordinator)
    assert (ended.state, ended.offer.released_at) == ("expired", ENDS)
    request = down.stage.request(offered)
    assert (request.request.state, request.position) == ("waiting", 1)
    assert request.request.reasons == [
        "The slot of Tuesday 24 November 2026, 11.20 was offered, and nobody answered in time."
    ]


def test_no_slot_of_a_session_that_has_begun_is_offered(down: Service) -> None:
    before = down.told()
    told_afterwards(down)
    assert down.told()["jörg", "slot-offer"] == 0
    assert down.told()["inês", "slot-offer"] == before["inês", "slot-offer"] == 1


def test_slots_of_the_past_are_offered_once_nobody_looks_at_the_clock(
    down: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control: free slots, the end of an offer and the policy each look."""
    free_slots = waiting_list.free_slots

    def as_before(group_id: Any, *, rules: Any, now: datetime) -> Any:
        return free_slots(group_id, rules=rules, now=now - DOWN)

    monkeypatch.setattr(waiting_list, "free_slots", as_before)
    monkeypatch.setattr(offers, "held_until", lambda *_, now, **__: now + HOUR)
    monkeypatch.setattr(allocation, "first_obstacle", lambda *_, **__: None)
    monkeypatch.setattr(allocation, "_earliest", lambda _, free, **__: next(iter(free), None))
    assert told_afterwards(down, names=["expire-offers"])["jörg", "slot-offer"] == 1


@pytest.fixture
def down_before_the_mails(stage: Stage) -> Service:
    """The same, but the service was down before the mails about the freed slot had gone out."""
    made = begin(stage, TUESDAY, **TWO_SESSIONS)
    made.at(TUESDAY - 80 * HOUR)
    stage.house.clock.at = TUESDAY - 31 * HOUR
    made.free()
    settle(stage.house, "offer-slots", "issue-invitations", moving_the_clock=False)
    return made


def test_mails_that_wait_and_tell_of_the_past_are_dropped_with_a_reason(down_before_the_mails: Service) -> None:
    # A cancellation is told however late: the calendar would show the appointment for ever.
    assert told_afterwards(down_before_the_mails) == STILL_MEANINGFUL | {("rui", "invitation-cancel"): 1}
    dropped = db.session.scalars(select(Message).where(Message.state == "suppressed")).all()
    assert sorted((mail.kind, mail.last_answer) for mail in dropped) == [
        ("slot-offer", "not sent: outdated since 2026-11-24T03:00:00Z"),
    ]


def test_a_mail_tells_of_the_past_once_nobody_looks_whether_it_is_outdated(
    down_before_the_mails: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control."""
    monkeypatch.setattr(kinds.SlotOffer, "outdated_at", None)
    monkeypatch.setattr(delivering, "_outdated_at", delivering._outdated_at.__wrapped__)  # remembers nothing
    assert told_afterwards(down_before_the_mails)["inês", "slot-offer"] == 1


def test_the_session_that_passed_is_closed_and_its_case_was_discussed(down: Service) -> None:
    told_afterwards(down)
    tuesday, friday = down.stage.sessions()
    assert (tuesday.state, friday.state) == ("held", "planned")
    assert states(down) == {"CASE-1": "discussed", "HELD": "withdrawn", "LATER-0": "allocated", "LATER-1": "allocated"}


def test_a_missing_quorum_of_a_session_that_has_begun_is_dropped_with_a_reason(down: Service) -> None:
    down.stage.house.clock.at = TUESDAY + timedelta(minutes=10)
    before = down.told()
    with capture_logs() as logs:
        down.at(TUESDAY + timedelta(minutes=10))
        down.at(ENDS)
    said = [line for line in logs if "the session has begun" in line["event"]]
    assert [(line["session"], line["log_level"]) for line in said] == [(str(down.stage.first().id), "warning")]
    assert (down.told() - before)[DESK, watching.TITLES["at-risk"]] == 0


def test_people_are_warned_of_the_past_once_nobody_looks_at_the_clock(
    down: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control."""
    step_due = watching.step_due
    monkeypatch.setattr(watching, "step_due", lambda *of, now, **more: step_due(*of, now=now - 20 * HOUR, **more))
    assert told_afterwards(down, names=["watch-quorum"])[DESK, watching.TITLES["at-risk"]] == 1


def states(down: Service) -> dict[str, str]:
    """How those stand who had slots."""
    found = db.session.execute(select(ConsultationRequest.case_reference, ConsultationRequest.state))
    return {case: state for case, state in found if not case.startswith("WAITS")}
