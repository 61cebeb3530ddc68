"""A session that is held at another time: what goes with it, who is told, and what is said of it afterwards."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pytest
from sqlalchemy import update

from conference_orchestrator.flows import arranging, directory, offering, rounds
from conference_orchestrator.flows.rounds import SessionView, Touched
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.transaction import transaction
from conference_orchestrator.network.expert_groups import ExpertGroup
from conference_orchestrator.scheduling import requests, sessions
from conference_orchestrator.scheduling.allocations import Allocation
from conference_orchestrator.scheduling.sessions import Session
from tests.flows.waiting_line import HOUR, Line, line_up
from tests.house import HELPDESK
from tests.scheduling.stage import TUESDAY, Stage

CLASH = "Zoé Großmann is expected at Ewing at the same time: Tuesday 24 November 2026, 11.00."


@pytest.fixture
def offered(stage: Stage) -> Line:
    """The only slot of tomorrow is offered to the only one who waits."""
    line = line_up(stage, [{}])
    line.free()
    assert line.states() == ["offered"]
    return line


class TestToItsOwnTime:
    def test_nothing_changes_and_nobody_is_touched(self, full: Stage) -> None:
        with transaction() as tx:
            sessions.get(full.first().id, lock=True).quorum_warned_at = tx.now
        version, mails = full.first().version, len(full.mails("all"))
        assert rounds.move(full.first().id, TUESDAY, by=HELPDESK, preview=True) == Touched()
        rounds.move(full.first().id, TUESDAY, by=HELPDESK)
        full.work()
        assert (full.first().version, full.first().quorum_warned_at) == (version, full.house.clock.at)
        assert (full.tasks(), len(full.mails("all"))) == ([], mails)

    def test_an_open_offer_stays(self, offered: Line) -> None:
        before = offered.offer().offer.id
        rounds.move(offered.stage.first().id, TUESDAY, by=HELPDESK)
        offered.work()
        assert (offered.offer().offer.id, offered.offer().state) == (before, "open")


class TestOffers:
    def test_a_preview_names_the_request_that_loses_its_offer(self, offered: Line) -> None:
        session_id = offered.stage.first().id
        for seen in (
            rounds.move(session_id, TUESDAY + HOUR, by=HELPDESK, preview=True),
            rounds.cancel(session_id, "Ill.", by=HELPDESK, preview=True),
        ):
            assert isinstance(seen, Touched)
            assert (seen.requests, seen.people) == (tuple(offered.waiting), 1)

    def test_who_refused_the_old_hour_is_offered_the_new_one(self, offered: Line) -> None:
        offering.refuse(offered.offer().offer.id, by=HELPDESK)
        offered.work()
        assert offered.states() == ["waiting"]
        rounds.move(offered.stage.first().id, TUESDAY + 8 * 24 * HOUR, by=HELPDESK)
        offered.work()
        assert offered.states() == ["offered"]

    def test_a_refusal_of_which_the_hour_was_not_kept_counts_at_every_hour(self, offered: Line) -> None:
        offering.refuse(offered.offer().offer.id, by=HELPDESK)
        with transaction():
            db.session.execute(update(Allocation).values(offered_starts_at=None))
        rounds.move(offered.stage.first().id, TUESDAY + HOUR, by=HELPDESK)
        offered.work()
        assert offered.states() == ["waiting"]

    def test_who_refused_the_new_hour_too_is_not_offered_it_again(self, offered: Line) -> None:
        for hours in (1, 2):
            offering.refuse(offered.offer().offer.id, by=HELPDESK)
            rounds.move(offered.stage.first().id, TUESDAY + hours * HOUR, by=HELPDESK)
            offered.work()
        offering.refuse(offered.offer().offer.id, by=HELPDESK)
        rounds.move(offered.stage.first().id, TUESDAY + HOUR, by=HELPDESK)
        offered.work()
        assert offered.states() == ["waiting"]


class TestClashes:
    @pytest.fixture
    def shared(self, stage: Stage, other_group: ExpertGroup) -> Session:
        """Zoé is expected at the other group on Tuesdays at eleven; ours meets at three, and this is its first one."""
        directory.add_member(other_group.id, stage.people["zoé"].id, role="expert", by=HELPDESK)
        stage.meet(start_time=time(15))
        return next(session for session in stage.sessions() if session.group_id == stage.group.id)

    def test_a_move_tells_who_is_expected_elsewhere_then(self, shared: Session) -> None:
        moved = rounds.move(shared.id, TUESDAY + timedelta(minutes=30), by=HELPDESK)
        assert isinstance(moved, SessionView)
        assert moved.warnings == (CLASH,)

    def test_its_preview_tells_the_same(self, shared: Session) -> None:
        seen = rounds.move(shared.id, TUESDAY + timedelta(minutes=30), by=HELPDESK, preview=True)
        assert isinstance(seen, Touched)
        assert seen.warnings == (CLASH,)

    def test_a_move_to_where_nobody_is_expected_elsewhere_tells_nothing(self, shared: Session) -> None:
        moved = rounds.move(shared.id, TUESDAY + HOUR, by=HELPDESK)
        assert isinstance(moved, SessionView)
        assert moved.warnings == ()


class TestHolidays:
    CHRISTMAS = "DE: Christmas Day"

    @pytest.fixture
    def fridays(self, stage: Stage) -> Stage:
        stage.meet(rule="FREQ=WEEKLY;BYDAY=FR", holidays={"countries": ["DE"], "action": "flag"})
        return stage

    def on(self, stage: Stage, day: date) -> Session:
        return next(session for session in stage.sessions() if session.occurrence_on == day)

    def test_a_session_that_leaves_a_holiday_loses_its_name(self, fridays: Stage) -> None:
        christmas = self.on(fridays, date(2026, 12, 25))
        assert christmas.holidays == [self.CHRISTMAS]
        rounds.move(christmas.id, datetime(2026, 12, 29, 10, tzinfo=UTC), by=HELPDESK)
        assert self.on(fridays, date(2026, 12, 25)).holidays == []

    def test_a_session_that_moves_onto_a_holiday_has_its_name(self, fridays: Stage) -> None:
        before = self.on(fridays, date(2026, 12, 18))
        rounds.move(before.id, datetime(2026, 12, 25, 15, tzinfo=UTC), by=HELPDESK)
        assert self.on(fridays, date(2026, 12, 18)).holidays == [self.CHRISTMAS]

    def test_it_keeps_it_when_the_round_changes_elsewhere(self, fridays: Stage) -> None:
        before = self.on(fridays, date(2026, 12, 18))
        rounds.move(before.id, datetime(2026, 12, 25, 15, tzinfo=UTC), by=HELPDESK)
        arranging.add_exception(before.series_id, {"on": date(2026, 11, 27), "kind": "skip"}, by=HELPDESK)
        assert self.on(fridays, date(2026, 12, 18)).holidays == [self.CHRISTMAS]


class TestReasons:
    EARLIEST = "The earliest suitable free slot: Tuesday 24 November 2026, 11.20."

    def reasons(self, stage: Stage) -> list[str]:
        """Why the case has the second slot."""
        (_, second) = requests.holding_slots_of(stage.first().id)
        return stage.request(second.id).reasons

    def test_the_reasons_of_a_case_say_where_its_slot_is_now(self, full: Stage) -> None:
        assert self.reasons(full) == [self.EARLIEST]
        for hours, now in ((1, "12.20"), (2, "13.20")):
            rounds.move(full.first().id, TUESDAY + hours * HOUR, by=HELPDESK)
            moved = f"The slot moved to Tuesday 24 November 2026, {now}."
            assert self.reasons(full) == [self.EARLIEST, moved]

    def test_the_same_when_the_round_changes(self, full: Stage) -> None:
        arranging.change_series(full.first().series_id, {"start_time": time(9)}, by=HELPDESK)
        moved = "The slot moved to Tuesday 24 November 2026, 09.20."
        assert self.reasons(full) == [self.EARLIEST, moved]

    def test_a_slot_that_stays_where_it_is_has_not_moved(self, full: Stage) -> None:
        arranging.change_series(full.first().series_id, {"slots": 3}, by=HELPDESK)
        assert self.reasons(full) == [self.EARLIEST]
