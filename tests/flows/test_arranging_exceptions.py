"""Single dates of a round that are not what its rule says, and what becomes of their sessions."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from conference_orchestrator.flows import arranging, panels, reconciling, rounds
from conference_orchestrator.flows.rounds import Touched
from conference_orchestrator.kernel.errors import Conflict, Invalid, NotFound, RuleBroken
from conference_orchestrator.scheduling.sessions import Session
from tests.flows.round_of_a_group import Round
from tests.house import HELPDESK
from tests.scheduling.stage import TUESDAY, WEEK, Stage

HOUR = timedelta(hours=1)
FIRST, SECOND, THIRD = date(2026, 11, 24), date(2026, 12, 1), date(2026, 12, 8)
THURSDAY = date(2026, 11, 26)


@pytest.fixture
def tuesdays(round_of_tuesdays: Stage) -> Round:
    return Round(round_of_tuesdays)


@pytest.fixture
def busy(full: Stage) -> Round:
    return Round(full)


class TestSkipping:
    def test_the_session_is_cancelled_and_says_why(self, tuesdays: Round) -> None:
        tuesdays.add(SECOND, "skip")
        assert tuesdays.states(FIRST, SECOND) == [
            ("planned", None),
            ("cancelled", "Not on this date: the round skips it."),
        ]

    def test_its_requests_come_first_and_everybody_is_told(self, busy: Round) -> None:
        busy.add(FIRST, "skip")
        busy.stage.work()
        assert len(busy.stage.mails("invitation-cancel")) == len(busy.stage.mails("invitation")) == 6
        assert sorted(mail["position"] for mail in busy.stage.mails("request-waiting")) == [1, 2]

    def test_extending_does_not_bring_it_back(self, tuesdays: Round) -> None:
        tuesdays.add(SECOND, "skip")
        tuesdays.stage.house.clock.move_on(timedelta(days=1))
        arranging.extend()
        assert tuesdays.on(SECOND).state == "cancelled"

    def test_a_date_beyond_the_horizon_is_not_made_when_the_horizon_comes_to_it(self, tuesdays: Round) -> None:
        tuesdays.add(date(2027, 5, 25), "skip")
        tuesdays.stage.house.clock.move_on(2 * WEEK)
        arranging.extend()
        assert [session.occurrence_on for session in tuesdays.stage.sessions()[-2:]] == [
            date(2027, 5, 18),
            date(2027, 6, 1),
        ]

    def test_taken_back_the_same_session_is_planned_again_in_the_shape_of_the_round(self, tuesdays: Round) -> None:
        before = tuesdays.on(SECOND)
        added = tuesdays.add(SECOND, "skip").exception
        arranging.change_series(tuesdays.id, {"slots": 3}, by=HELPDESK)
        tuesdays.remove(added.id)
        revived = tuesdays.on(SECOND)
        assert (revived.id, revived.state, revived.reason, revived.left_out) == (before.id, "planned", None, False)
        assert [slot.starts_at - revived.starts_at for slot in tuesdays.stage.slots(revived.id)] == [
            timedelta(minutes=minutes) for minutes in (0, 20, 40)
        ]

    def test_a_revived_session_has_its_meeting_again_once_a_slot_is_taken(self, busy: Round) -> None:
        busy.add(FIRST, "skip")
        busy.stage.work()
        busy.remove(FIRST)
        slot = busy.stage.slots(busy.on(FIRST).id)[0]
        panels.allocate(busy.stage.accepted(case_reference="CPMS-9"), slot_id=slot.id, by=HELPDESK)
        found = rounds.session(busy.on(FIRST).id, by=HELPDESK).session
        assert found.conference is not None
        assert (found.conference.is_wanted, found.state) == (True, "planned")

    def test_a_session_that_a_person_cancelled_does_not_come_back(self, tuesdays: Round) -> None:
        rounds.cancel(tuesdays.on(SECOND).id, "Congress.", by=HELPDESK)
        tuesdays.add(FIRST, "pause", until_on=THIRD)
        tuesdays.remove(FIRST)
        assert tuesdays.states(FIRST, SECOND, THIRD) == [
            ("planned", None),
            ("cancelled", "Congress."),
            ("planned", None),
        ]

    def test_it_would_come_back_if_it_did_not_say_who_left_it_out(
        self, tuesdays: Round, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def cancel_as_if_left_out(session: Session, reason: str, *, at: datetime) -> None:
            session.state, session.reason, session.left_out = "cancelled", reason, True

        monkeypatch.setattr(Session, "cancel", cancel_as_if_left_out)
        rounds.cancel(tuesdays.on(SECOND).id, "Congress.", by=HELPDESK)
        tuesdays.add(FIRST, "pause", until_on=THIRD)
        tuesdays.remove(FIRST)
        assert tuesdays.states(SECOND) == [("planned", None)]


class TestPausing:
    def test_every_session_of_the_pause_falls_out_its_last_day_included(self, tuesdays: Round) -> None:
        tuesdays.add(FIRST, "pause", until_on=SECOND)
        assert tuesdays.states(FIRST, SECOND, THIRD) == [
            ("cancelled", "The round pauses."),
            ("cancelled", "The round pauses."),
            ("planned", None),
        ]

    def test_a_pause_that_ends_early_is_taken_back_for_what_is_still_to_come(self, tuesdays: Round) -> None:
        tuesdays.add(FIRST, "pause", until_on=THIRD)
        tuesdays.stage.house.clock.move_on(timedelta(days=3))
        tuesdays.remove(FIRST)
        assert [state for state, _ in tuesdays.states(FIRST, SECOND, THIRD)] == ["cancelled", "planned", "planned"]


class TestMoving:
    def test_the_session_is_held_at_the_other_time_with_its_cases(self, busy: Round) -> None:
        session_id = busy.on(FIRST).id
        busy.add(FIRST, "move", starts_at=TUESDAY + 26 * HOUR)
        busy.stage.work()
        assert (busy.on(FIRST).id, busy.on(FIRST).starts_at) == (session_id, TUESDAY + 26 * HOUR)
        assert len(busy.stage.mails("invitation-update")) == 6

    def test_taken_back_it_is_held_when_the_rule_says(self, tuesdays: Round) -> None:
        tuesdays.add(FIRST, "move", starts_at=TUESDAY + 26 * HOUR)
        tuesdays.remove(FIRST)
        assert tuesdays.on(FIRST).starts_at == TUESDAY

    def test_who_was_moved_by_hand_afterwards_stays_where_it_is(self, tuesdays: Round) -> None:
        tuesdays.add(FIRST, "move", starts_at=TUESDAY + 26 * HOUR)
        rounds.move(tuesdays.on(FIRST).id, TUESDAY + 50 * HOUR, by=HELPDESK)
        tuesdays.remove(FIRST)
        assert tuesdays.on(FIRST).starts_at == TUESDAY + 50 * HOUR

    def test_an_exception_of_its_own_date_moves_even_what_was_moved_by_hand(self, tuesdays: Round) -> None:
        rounds.move(tuesdays.on(FIRST).id, TUESDAY + 50 * HOUR, by=HELPDESK)
        tuesdays.add(FIRST, "move", starts_at=TUESDAY + 26 * HOUR)
        assert tuesdays.on(FIRST).starts_at == TUESDAY + 26 * HOUR

    def test_an_exception_of_another_date_does_not(self, tuesdays: Round) -> None:
        rounds.move(tuesdays.on(FIRST).id, TUESDAY + 50 * HOUR, by=HELPDESK)
        tuesdays.add(SECOND, "skip")
        assert tuesdays.on(FIRST).starts_at == TUESDAY + 50 * HOUR

    def test_a_date_beyond_the_horizon_that_is_moved_has_its_session_at_once(self, tuesdays: Round) -> None:
        tuesdays.add(date(2027, 6, 1), "move", starts_at=TUESDAY + 2 * HOUR)
        assert tuesdays.on(date(2027, 6, 1)).starts_at == TUESDAY + 2 * HOUR


class TestExtra:
    def test_an_extra_session_exists_at_once_at_the_hour_of_the_others(self, tuesdays: Round) -> None:
        tuesdays.add(THURSDAY, "extra")
        assert tuesdays.on(THURSDAY).starts_at == TUESDAY + timedelta(days=2)
        assert len(tuesdays.stage.slots(tuesdays.on(THURSDAY).id)) == 2

    def test_or_at_its_own(self, tuesdays: Round) -> None:
        tuesdays.add(THURSDAY, "extra", starts_at=TUESDAY + 53 * HOUR)
        assert tuesdays.on(THURSDAY).starts_at == TUESDAY + 53 * HOUR

    def test_it_is_held_in_a_pause_too(self, tuesdays: Round) -> None:
        tuesdays.add(FIRST, "pause", until_on=THIRD)
        tuesdays.add(SECOND, "extra")
        assert [state for state, _ in tuesdays.states(FIRST, SECOND, THIRD)] == ["cancelled", "planned", "cancelled"]

    def test_taken_back_its_session_falls_out_and_added_again_it_is_the_same_one(self, tuesdays: Round) -> None:
        tuesdays.add(THURSDAY, "extra")
        session_id = tuesdays.on(THURSDAY).id
        tuesdays.remove(THURSDAY)
        assert tuesdays.states(THURSDAY) == [("cancelled", "The round was changed.")]
        tuesdays.add(THURSDAY, "extra")
        assert (tuesdays.on(THURSDAY).id, tuesdays.on(THURSDAY).state) == (session_id, "planned")


class TestWhatMayBe:
    @pytest.mark.parametrize(
        ("wrong", "field"),
        [
            ({"on": THURSDAY, "kind": "skip"}, "on"),
            ({"on": THURSDAY, "kind": "move", "starts_at": TUESDAY + HOUR}, "on"),
            ({"on": FIRST, "kind": "extra"}, "on"),
            ({"on": date(2026, 11, 17), "kind": "skip"}, "on"),
            ({"on": date(2026, 11, 19), "kind": "extra"}, "on"),
            (
                {"on": date(2026, 11, 23), "kind": "extra", "starts_at": datetime(2026, 11, 23, 8, tzinfo=UTC)},
                "starts_at",
            ),
            ({"on": date(2029, 11, 20), "kind": "skip"}, "on"),
            ({"on": FIRST, "kind": "skip", "starts_at": TUESDAY + HOUR}, "starts_at"),
            ({"on": FIRST, "kind": "skip", "until_on": SECOND}, "until_on"),
            ({"on": FIRST, "kind": "move"}, "starts_at"),
            ({"on": FIRST, "kind": "move", "starts_at": TUESDAY - WEEK}, "starts_at"),
            ({"on": FIRST, "kind": "move", "starts_at": TUESDAY + timedelta(seconds=1)}, "starts_at"),
            ({"on": FIRST, "kind": "move", "starts_at": TUESDAY + timedelta(days=600)}, "starts_at"),
            ({"on": FIRST, "kind": "pause"}, "until_on"),
            ({"on": FIRST, "kind": "pause", "until_on": date(2026, 11, 23)}, "until_on"),
            ({"on": FIRST, "kind": "pause", "until_on": date(2029, 1, 1)}, "until_on"),
            ({"on": FIRST, "kind": "pause", "until_on": SECOND, "starts_at": TUESDAY}, "starts_at"),
            ({"on": THURSDAY, "kind": "extra", "starts_at": TUESDAY + HOUR}, "starts_at"),
        ],
    )
    def test_what_makes_no_sense_is_refused_by_the_name_of_its_field(
        self, tuesdays: Round, wrong: dict[str, Any], field: str
    ) -> None:
        with pytest.raises(Invalid) as refused:
            arranging.add_exception(tuesdays.id, wrong, by=HELPDESK)
        assert list(refused.value.errors) == [field]
        assert list(arranging.exceptions_of(tuesdays.id, by=HELPDESK).items) == []

    def test_an_extra_session_at_an_hour_that_no_clock_shows_is_refused(self, tuesdays: Round) -> None:
        arranging.change_series(
            tuesdays.id,
            {"start_time": time(2, 30)},
            by=HELPDESK,
        )
        with pytest.raises(Invalid, match="On 28 March 2027 no clock in Europe/Berlin shows 02:30") as refused:
            tuesdays.add(date(2027, 3, 28), "extra")
        assert list(refused.value.errors) == ["starts_at"]

    def test_a_date_after_the_end_of_the_round_is_refused(self, tuesdays: Round) -> None:
        arranging.change_series(tuesdays.id, {"ends_on": THIRD}, by=HELPDESK)
        with pytest.raises(Invalid, match="The round ends on 8 December 2026"):
            tuesdays.add(date(2026, 12, 10), "extra")

    def test_a_date_has_one_exception(self, tuesdays: Round) -> None:
        tuesdays.add(FIRST, "skip")
        with pytest.raises(Conflict, match="This date has an exception already"):
            tuesdays.add(FIRST, "move", starts_at=TUESDAY + HOUR)

    def test_a_session_that_a_person_cancelled_is_neither_moved_nor_skipped(self, tuesdays: Round) -> None:
        rounds.cancel(tuesdays.on(FIRST).id, "Congress.", by=HELPDESK)
        for kind, more in (("move", {"starts_at": TUESDAY + HOUR}), ("skip", {})):
            with pytest.raises(Invalid, match="on: The session is cancelled"):
                tuesdays.add(FIRST, kind, **more)

    def test_a_round_that_has_ended_has_no_exceptions_any_more(self, tuesdays: Round) -> None:
        arranging.close_series(tuesdays.id, by=HELPDESK)
        with pytest.raises(RuleBroken, match="The round has ended"):
            tuesdays.add(FIRST, "skip")

    @pytest.mark.parametrize("which", [FIRST, uuid4()], ids=["date", "id"])
    def test_what_is_not_there_is_not_taken_back(self, tuesdays: Round, which: UUID | date) -> None:
        with pytest.raises(NotFound, match="no such exception"):
            tuesdays.remove(which)

    def test_an_exception_of_another_round_is_not_taken_back(self, tuesdays: Round) -> None:
        added = tuesdays.add(FIRST, "skip").exception
        other = tuesdays.stage.meet(rule="FREQ=WEEKLY;BYDAY=FR")
        with pytest.raises(NotFound):
            arranging.remove_exception(other, added.id, by=HELPDESK)


class TestPreview:
    @pytest.mark.parametrize(
        ("kind", "more"), [("skip", {}), ("move", {"starts_at": TUESDAY + HOUR}), ("pause", {"until_on": THIRD})]
    )
    def test_a_preview_counts_the_mails_that_the_exception_then_causes(
        self, busy: Round, kind: str, more: dict[str, Any]
    ) -> None:
        foreseen = busy.add(FIRST, kind, preview=True, **more)
        assert busy.on(FIRST).state == "planned"
        assert busy.on(FIRST).starts_at == TUESDAY
        assert list(arranging.exceptions_of(busy.id, by=HELPDESK).items) == []
        before = {mail.id for mail in busy.stage.house.messages()}
        busy.add(FIRST, kind, **more)
        busy.stage.work()
        sent = [mail for mail in busy.stage.house.messages() if mail.id not in before]
        assert (foreseen.mails, foreseen.people) == (len(sent), len({mail.address for mail in sent}))
        assert foreseen.mails > 0
        assert busy.on(FIRST).id in foreseen.sessions

    def test_the_preview_of_taking_back_leaves_it_there(self, tuesdays: Round) -> None:
        tuesdays.add(FIRST, "skip")
        assert tuesdays.remove(FIRST, preview=True) == Touched(sessions=(tuesdays.on(FIRST).id,))
        assert tuesdays.on(FIRST).state == "cancelled"

    def test_the_preview_of_the_end_of_a_round_cancels_nothing(self, busy: Round) -> None:
        foreseen = arranging.close_series(busy.id, by=HELPDESK, preview=True)
        assert {session.state for session in busy.stage.sessions()} == {"planned"}
        assert (len(foreseen.sessions), len(foreseen.requests), foreseen.mails) == (26, 2, 8)


def test_nothing_is_touched_but_the_dates_whose_plan_differs(busy: Round, monkeypatch: pytest.MonkeyPatch) -> None:
    laid_out: list[date] = []
    lay_out = reconciling._lay_out

    def noting(tx: Any, row: Session, *more: Any) -> Touched:
        laid_out.append(row.occurrence_on)
        return lay_out(tx, row, *more)

    monkeypatch.setattr(reconciling, "_lay_out", noting)
    busy.add(SECOND, "move", starts_at=TUESDAY + WEEK + HOUR)
    assert laid_out == [SECOND]
