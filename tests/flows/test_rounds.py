"""A group's round: its sessions, and what happens to meetings, cases and calendars when one moves or falls out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, update

from conference_orchestrator.flows import arranging, hosting, panels, rounds, standing
from conference_orchestrator.flows.inviting import session_uid
from conference_orchestrator.flows.rounds import Touched
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.errors import Invalid, NoHostFree, NotFound, RuleBroken, Stale
from conference_orchestrator.kernel.paging import Paging
from conference_orchestrator.kernel.principal import Principal, Role
from conference_orchestrator.kernel.transaction import transaction
from conference_orchestrator.ledger.invitations import Invitation
from conference_orchestrator.network.expert_groups import ExpertGroup
from conference_orchestrator.scheduling import requests, sessions
from conference_orchestrator.scheduling.conferences import Conference
from conference_orchestrator.scheduling.requests import ConsultationRequest
from conference_orchestrator.scheduling.series import Series
from conference_orchestrator.scheduling.sessions import Session, Slot
from tests.house import HELPDESK
from tests.scheduling.stage import ROUND, TUESDAY, WEEK, ProviderWithHosts, Stage

HOUR = timedelta(hours=1)
TOLD = ["ensure-conference", "issue-invitations"]


def contents() -> dict[str, list[tuple[Any, ...]]]:
    """All rows of the tables that a change of a session could touch."""
    tables = (Session, Slot, ConsultationRequest, Conference, Invitation)
    return {
        table.__tablename__: sorted(map(tuple, db.session.execute(select(table.__table__))), key=str)
        for table in tables
    }


class TestMoving:
    def test_the_session_moves_with_its_slots_and_its_meeting(self, full: Stage) -> None:
        session = full.first()
        moved = rounds.move(session.id, TUESDAY + 26 * HOUR, by=full.coordinator)
        assert not isinstance(moved, Touched)
        assert moved.session.starts_at == TUESDAY + 26 * HOUR
        assert [slot.starts_at - TUESDAY for slot in full.slots(session.id)] == [
            26 * HOUR,
            26 * HOUR + timedelta(minutes=20),
        ]
        conference = db.session.scalars(select(Conference)).one()
        assert (conference.starts_at, conference.ends_at) == (
            TUESDAY + 26 * HOUR,
            TUESDAY + 26 * HOUR + timedelta(minutes=40),
        )
        assert conference.title == "Brain Tumour panel, 25 November 2026"
        assert full.tasks() == TOLD

    def test_the_requests_keep_their_slots(self, full: Stage) -> None:
        rounds.move(full.first().id, TUESDAY + HOUR, by=HELPDESK)
        held = requests.holding_slots_of(full.first().id)
        assert [(one.state, one.case_reference) for one in held] == [("allocated", "CPMS-1"), ("allocated", "CPMS-2")]

    def test_everybody_who_holds_an_object_gets_one_update(self, full: Stage) -> None:
        invited = [(mail["to"], mail["uid"]) for mail in full.mails("invitation")]
        rounds.move(full.first().id, TUESDAY + HOUR, by=HELPDESK)
        full.work()
        assert sorted((mail["to"], mail["uid"]) for mail in full.mails("invitation-update")) == sorted(invited)
        assert full.mails("invitation-cancel") == []

    def test_a_session_without_a_case_moves_alone(self, round_of_tuesdays: Stage) -> None:
        rounds.move(round_of_tuesdays.first().id, TUESDAY + HOUR, by=HELPDESK)
        assert (round_of_tuesdays.tasks(), round_of_tuesdays.mails("all")) == ([], [])

    @pytest.mark.parametrize("to", [TUESDAY - 2 * WEEK, TUESDAY + timedelta(seconds=5), TUESDAY + timedelta(days=600)])
    def test_a_time_that_cannot_be_changes_nothing(self, full: Stage, to: datetime) -> None:
        before = contents()
        with pytest.raises(Invalid) as refused:
            rounds.move(full.first().id, to, by=HELPDESK)
        assert list(refused.value.errors) == ["starts_at"]
        assert (contents(), full.tasks()) == (before, [])

    def test_a_session_that_somebody_moved_meanwhile_is_stale(self, full: Stage) -> None:
        version = sessions.get(full.first().id).revision
        rounds.move(full.first().id, TUESDAY + HOUR, by=HELPDESK, expected=version)
        for change in (
            lambda: rounds.move(full.first().id, TUESDAY + 2 * HOUR, by=HELPDESK, expected=version),
            lambda: rounds.cancel(full.first().id, "Ill.", by=HELPDESK, expected=version),
        ):
            with pytest.raises(Stale):
                change()


class TestCancelling:
    def test_its_requests_come_first_on_the_waiting_list_and_are_told_why(self, full: Stage) -> None:
        waited_longest = full.waiting(case_reference="CPMS-0", urgency="emergency")
        held = [one.id for one in requests.holding_slots_of(full.first().id)]
        cancelled = rounds.cancel(full.first().id, "Two surgeons are ill.", by=full.coordinator)
        assert not isinstance(cancelled, Touched)
        assert (cancelled.session.state, cancelled.session.reason) == ("cancelled", "Two surgeons are ill.")
        places = [(full.request(one).request.state, full.request(one).position) for one in (*held, waited_longest)]
        assert places == [("waiting", 1), ("waiting", 2), ("waiting", 3)]
        told = [
            (mail["to"], mail["position"])
            for mail in full.mails("request-waiting")
            if mail["case_reference"] != "CPMS-0"
        ]
        assert sorted(told) == [("jörg@graz.example", 2), ("rui@porto.example", 1)]
        assert {mail["reason"] for mail in full.mails("request-waiting")} >= {rounds.SESSION_CANCELLED}

    def test_its_meeting_goes_and_its_host_is_free_at_once(self, full: Stage) -> None:
        full.tasks()
        rounds.cancel(full.first().id, "Ill.", by=HELPDESK)
        conference = db.session.scalars(select(Conference)).one()
        assert (conference.is_wanted, conference.reason) == (False, "Ill.")
        assert full.tasks() == TOLD
        assert all(slot.allocation is None for slot in rounds.session(full.first().id, by=HELPDESK).session.slots)

    def test_everybody_who_holds_an_object_gets_one_cancellation(self, full: Stage) -> None:
        invited = [(mail["to"], mail["uid"]) for mail in full.mails("invitation")]
        rounds.cancel(full.first().id, "Ill.", by=HELPDESK)
        full.work()
        assert sorted((mail["to"], mail["uid"]) for mail in full.mails("invitation-cancel")) == sorted(invited)
        assert full.mails("invitation-update") == []

    def test_nothing_is_allocated_again_by_itself(self, full: Stage) -> None:
        rounds.cancel(full.first().id, "Ill.", by=HELPDESK)
        full.work()
        arranging.extend()
        rounds.close_past()
        assert [one.request.state for one in standing.listed(Paging(), by=HELPDESK).items] == ["waiting", "waiting"]

    def test_a_displaced_request_takes_a_slot_of_the_next_session_and_is_no_longer_first(self, full: Stage) -> None:
        (first, _) = [one.id for one in requests.holding_slots_of(full.first().id)]
        rounds.cancel(full.first().id, "Ill.", by=HELPDESK)
        found = panels.allocate(first, by=HELPDESK).request
        assert found.allocation is not None
        assert (found.allocation.slot.starts_at, found.displaced) == (TUESDAY + WEEK, False)

    def test_a_session_is_cancelled_once(self, full: Stage) -> None:
        rounds.cancel(full.first().id, "Ill.", by=HELPDESK)
        with pytest.raises(RuleBroken, match="The session is cancelled"):
            rounds.cancel(full.first().id, "Ill again.", by=HELPDESK)
        with pytest.raises(RuleBroken, match="The session is cancelled"):
            rounds.move(full.first().id, TUESDAY + HOUR, by=HELPDESK)


CHANGES: dict[str, Callable[..., Any]] = {
    "move": lambda stage, **named: rounds.move(stage.first().id, TUESDAY + HOUR, by=HELPDESK, **named),
    "cancel": lambda stage, **named: rounds.cancel(stage.first().id, "Ill.", by=HELPDESK, **named),
}


class TestPreview:
    @pytest.mark.parametrize("change", CHANGES)
    def test_a_preview_changes_nothing(self, full: Stage, change: str) -> None:
        before, mails = contents(), len(full.mails("all"))
        assert isinstance(CHANGES[change](full, preview=True), Touched)
        assert (contents(), full.tasks(), len(full.mails("all"))) == (before, [], mails)

    @pytest.mark.parametrize("change", CHANGES)
    def test_a_preview_counts_the_mails_and_people_that_the_change_then_touches(self, full: Stage, change: str) -> None:
        foreseen = CHANGES[change](full, preview=True)
        held = [one.id for one in requests.holding_slots_of(full.first().id)]
        before = {mail.id for mail in full.house.messages()}
        CHANGES[change](full)
        full.work()
        sent = [mail for mail in full.house.messages() if mail.id not in before]
        assert (foreseen.sessions, foreseen.requests) == ((full.first().id,), tuple(held))
        assert (foreseen.people, foreseen.mails) == (len({mail.address for mail in sent}), len(sent))

    def test_the_numbers_themselves(self, full: Stage) -> None:
        """Three members, Rui and Inês for the first case, Jörg, a member, for the second."""
        moved, cancelled = (CHANGES[change](full, preview=True) for change in ("move", "cancel"))
        assert (moved.people, moved.mails) == (5, 6)
        assert (cancelled.people, cancelled.mails) == (5, 8)

    def test_the_preview_of_a_session_that_nobody_knows_of_touches_nobody(self, round_of_tuesdays: Stage) -> None:
        found = rounds.move(round_of_tuesdays.first().id, TUESDAY + HOUR, by=HELPDESK, preview=True)
        assert found == Touched(sessions=(round_of_tuesdays.first().id,))
        assert (found.people, found.mails) == (0, 0)

    def test_what_cannot_be_done_is_said_by_the_preview(self, full: Stage) -> None:
        with pytest.raises(Invalid):
            rounds.move(full.first().id, TUESDAY - WEEK, by=HELPDESK, preview=True)

    def test_a_preview_may_be_followed_by_the_change(self, full: Stage) -> None:
        version = sessions.get(full.first().id).revision
        rounds.move(full.first().id, TUESDAY + HOUR, by=HELPDESK, preview=True, expected=version)
        rounds.move(full.first().id, TUESDAY + HOUR, by=HELPDESK, expected=version)
        assert full.first().starts_at == TUESDAY + HOUR


class TestClosing:
    def test_the_coming_sessions_are_cancelled_and_their_requests_come_first(self, full: Stage) -> None:
        (series_id,) = db.session.scalars(select(Series.id))
        arranging.close_series(series_id, by=full.coordinator)
        assert {session.state for session in full.sessions()} == {"cancelled"}
        assert [one.position for one in standing.listed(Paging(), by=HELPDESK).items] in ([1, 2], [2, 1])
        assert full.tasks() == TOLD
        assert list(arranging.series_of(full.group.id, by=HELPDESK).items) == []

    def test_a_session_that_has_begun_is_still_held(self, full: Stage) -> None:
        full.house.clock.at = TUESDAY + timedelta(minutes=5)
        (series_id,) = db.session.scalars(select(Series.id))
        arranging.close_series(series_id, by=HELPDESK)
        assert [session.state for session in full.sessions()[:2]] == ["planned", "cancelled"]

    def test_a_round_that_was_closed_stays_closed_since_then(self, full: Stage) -> None:
        (series_id,) = db.session.scalars(select(Series.id))
        arranging.close_series(series_id, by=HELPDESK)
        closed_at = full.house.clock.at
        full.house.clock.move_on(WEEK)
        arranging.close_series(series_id, by=HELPDESK)
        assert arranging.one_series(series_id, by=HELPDESK).closed_at == closed_at


class TestPast:
    def test_a_session_whose_time_has_passed_was_held_and_its_cases_discussed(self, full: Stage) -> None:
        full.house.clock.at = TUESDAY + timedelta(minutes=40)
        rounds.close_past()
        assert [session.state for session in full.sessions()[:2]] == ["held", "planned"]
        assert full.first().reason is None
        assert {one.request.state for one in standing.listed(Paging(), by=HELPDESK).items} == {"discussed"}

    def test_a_session_without_a_case_was_not_held_and_says_why(self, round_of_tuesdays: Stage) -> None:
        stage = round_of_tuesdays
        panels.release(stage.allocated(), by=HELPDESK)
        stage.house.clock.at = TUESDAY + timedelta(minutes=40)
        rounds.close_past()
        assert (stage.first().state, stage.first().reason) == ("cancelled", "No case was on its list.")

    def test_a_session_that_reached_none_of_its_cases_was_held_all_the_same(self, full: Stage) -> None:
        full.house.clock.at = TUESDAY + timedelta(minutes=40)
        for case in requests.holding_slots_of(full.first().id):
            panels.not_reached(case.id, by=HELPDESK)
        rounds.close_past()
        assert (full.first().state, full.first().reason) == ("held", None)

    def test_a_session_is_not_over_before_its_end(self, full: Stage) -> None:
        full.house.clock.at = TUESDAY + timedelta(minutes=39)
        rounds.close_past()
        assert full.first().state == "planned"

    def test_a_cancelled_session_is_not_held_afterwards(self, full: Stage) -> None:
        rounds.cancel(full.first().id, "Ill.", by=HELPDESK)
        full.house.clock.at = TUESDAY + HOUR
        rounds.close_past()
        assert full.first().state == "cancelled"


class TestQuorum:
    def answer(self, stage: Stage, name: str, answer: str) -> None:
        mine = update(Invitation).where(
            Invitation.uid == session_uid(stage.first().id), Invitation.clinician_id == stage.people[name].id
        )
        with transaction():
            db.session.execute(mine.values(answer=answer))

    def test_the_forecast_follows_the_answers_of_the_experts(self, full: Stage) -> None:
        def forecast() -> tuple[Any, ...]:
            found = rounds.session(full.first().id, by=HELPDESK).quorum
            return found.needed, found.accepted, found.declined, found.missing_disciplines

        assert forecast() == (2, 0, 0, ("neurosurgery", "radiotherapy"))
        self.answer(full, "zoé", "accepted")
        self.answer(full, "łucja", "declined")
        assert forecast() == (2, 1, 1, ("radiotherapy",))

    def test_the_answer_of_a_coordinator_is_none_of_an_expert(self, full: Stage) -> None:
        self.answer(full, "jörg", "accepted")
        assert rounds.session(full.first().id, by=HELPDESK).quorum.accepted == 0


class TestScope:
    @pytest.mark.parametrize(
        "foreign",
        [
            Principal(role=Role.COORDINATOR, group_id=uuid4()),
            Principal(role=Role.HELPDESK, network_id=uuid4()),
            Principal(role=Role.CLINICIAN, clinician_id=uuid4()),
        ],
        ids=str,
    )
    def test_for_others_the_round_does_not_exist(self, full: Stage, foreign: Principal) -> None:
        session_id: UUID = full.first().id
        series_id: UUID = full.first().series_id
        before = contents()
        for thing, step in (
            ("expert group", lambda: arranging.define_series(full.group.id, ROUND, by=foreign)),
            ("expert group", lambda: arranging.series_of(full.group.id, by=foreign)),
            ("series", lambda: arranging.one_series(series_id, by=foreign)),
            ("series", lambda: arranging.close_series(series_id, by=foreign)),
            ("session", lambda: rounds.session(session_id, by=foreign)),
            ("session", lambda: rounds.move(session_id, TUESDAY + HOUR, by=foreign)),
            ("session", lambda: rounds.cancel(session_id, "No.", by=foreign)),
        ):
            with pytest.raises(NotFound, match=f"There is no such {thing}"):
                step()
        assert (list(rounds.listed(Paging(), by=foreign).items), contents()) == ([], before)

    def test_a_list_shows_what_has_not_ended_unless_a_range_is_given(
        self, round_of_tuesdays: Stage, other_group: ExpertGroup
    ) -> None:
        stage = round_of_tuesdays
        stage.house.clock.at = TUESDAY + timedelta(minutes=39)

        def starts(**narrowed: Any) -> list[timedelta]:
            found = rounds.listed(Paging(limit=500), by=HELPDESK, group="brain", **narrowed)
            return [one.session.starts_at - TUESDAY for one in found.items]

        assert starts()[:2] == [timedelta(0), WEEK]
        stage.house.clock.move_on(timedelta(minutes=1))
        assert starts()[:2] == [WEEK, 2 * WEEK]
        assert starts(from_at=TUESDAY, until_at=TUESDAY + WEEK) == [timedelta(0)]
        assert starts(until_at=TUESDAY) == []
        both = rounds.listed(Paging(limit=500), by=HELPDESK).items
        assert {one.session.group_id for one in both} == {stage.group.id, other_group.id}

    def test_the_pages_of_a_list_hold_every_session_once(
        self, round_of_tuesdays: Stage, other_group: ExpertGroup
    ) -> None:
        found: list[UUID] = []
        at = None
        for _ in range(60):
            page = rounds.listed(Paging(limit=1, cursor=at), by=HELPDESK)
            found += [one.session.id for one in page.items]
            at = page.next
            if at is None:
                break
        assert (len(found), set(found)) == (52, {session.id for session in round_of_tuesdays.sessions()})
        assert other_group.code == "ewing"


class TestHosts:
    @pytest.fixture
    def one_host(self, round_of_tuesdays: Stage) -> Stage:
        round_of_tuesdays.provide(ProviderWithHosts())
        hosting.add_host({"provider": "mock", "email": "ann@hosts.example", "capacity": 1, "kinds": []})
        return round_of_tuesdays

    def test_a_session_is_not_moved_to_where_no_host_is_free(self, one_host: Stage, other_group: ExpertGroup) -> None:
        """The other group has moved out of the way to twelve; we may not follow it there."""
        theirs = next(s for s in one_host.sessions() if s.group_id == other_group.id)
        rounds.move(theirs.id, TUESDAY + HOUR, by=HELPDESK)
        one_host.allocated(group="ewing")
        one_host.allocated()
        mine = next(s for s in one_host.sessions() if s.group_id == one_host.group.id)
        before = contents()
        with pytest.raises(
            NoHostFree, match=r"Every host account is busy then; next free \(Europe/Berlin\): 24"
        ) as refused:
            rounds.move(mine.id, TUESDAY + HOUR, by=HELPDESK)
        assert refused.value.extra["next_free"] == [
            "2026-11-24T12:00:00Z",
            "2026-11-24T12:30:00Z",
            "2026-11-24T13:00:00Z",
        ]
        assert contents() == before
        with pytest.raises(NoHostFree):
            rounds.move(mine.id, TUESDAY + HOUR, by=HELPDESK, preview=True)
        rounds.move(mine.id, TUESDAY + 2 * HOUR, by=HELPDESK)

    def test_a_cancelled_session_gives_its_host_back(self, one_host: Stage, other_group: ExpertGroup) -> None:
        one_host.allocated()
        mine = next(s for s in one_host.sessions() if s.group_id == one_host.group.id)
        rounds.cancel(mine.id, "Ill.", by=HELPDESK)
        theirs = one_host.allocated(group=other_group.code)
        conference = rounds.session(one_host.request(theirs).request.allocation.slot.session_id, by=HELPDESK)  # type: ignore[union-attr]
        assert conference.session.conference is not None
        assert (conference.session.conference.host, conference.session.conference.problem) == (
            "ann@hosts.example",
            None,
        )


def test_a_series_starts_no_earlier_than_its_first_day(stage: Stage) -> None:
    stage.meet(starts_on=date(2026, 12, 2))
    assert stage.first().occurrence_on == date(2026, 12, 8)
