"""A host account that is withdrawn, or can do less: its coming conferences go to others, or wait for one."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, select

from conference_orchestrator.flows import conferencing, hosting, rounds
from conference_orchestrator.flows.hosting import Reassignment
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.transaction import transaction
from conference_orchestrator.network.expert_groups import ExpertGroup
from conference_orchestrator.scheduling import conferences as every_conference
from conference_orchestrator.scheduling import host_pool
from conference_orchestrator.scheduling.conferences import Conference
from conference_orchestrator.scheduling.host_pool import HostAccount, HostBooking, Wanted
from tests.faulty_provider import FaultyProvider
from tests.flows.test_hosting import add_host, conferences
from tests.flows.test_hosting_reserve import hosts, session_of
from tests.house import HELPDESK
from tests.scheduling.stage import TUESDAY, Stage

MINUTE = timedelta(minutes=1)


@pytest.fixture
def provider(round_of_tuesdays: Stage) -> FaultyProvider:
    """One that gives every meeting a link of its own."""
    made = FaultyProvider(needs_host=True)
    hosting.provider_named.fill(round_of_tuesdays.house.app, lambda _: made)
    return made


@pytest.fixture
def ann(round_of_tuesdays: Stage, other_group: ExpertGroup, provider: FaultyProvider) -> HostAccount:
    """An account of two seats that hosts two groups at the same hour, their meetings made."""
    assert (other_group.code, provider.calls) == ("ewing", [])
    made = add_host("ann", capacity=2)
    round_of_tuesdays.allocated()
    round_of_tuesdays.allocated(group="ewing")
    round_of_tuesdays.work()
    assert hosts() == {"Brain": "ann", "Ewing": "ann"}
    return made


def standing() -> list[tuple[str, str | None, str | None]]:
    return [(one.state, one.problem, one.host and one.host.partition("@")[0]) for one in conferences()]


WITHDRAWN = ("wanted", "no-host-free", None)


class TestWithdrawn:
    def test_its_conferences_go_to_another_account_and_everybody_gets_the_new_link_once(
        self, round_of_tuesdays: Stage, ann: HostAccount, provider: FaultyProvider
    ) -> None:
        add_host("bea", capacity=2)
        links = {one.join_url for one in conferences()}
        hosting.change_host(ann.id, {"is_active": False})
        assert hosts() == {"Brain": "bea", "Ewing": "bea"}, "in the transaction of the change"
        round_of_tuesdays.work()
        found = conferences()
        assert {(one.state, one.present_host) for one in found} == {("ready", "bea@hosts.example")}
        assert links.isdisjoint(one.join_url for one in found)
        assert Counter(meeting.ref.host for meeting in provider.meetings.values()) == {"bea@hosts.example": 2}
        assert not provider.sees_transaction_open
        told = [mail["to"] for mail in round_of_tuesdays.mails("invitation-update")]
        assert sorted(told) == sorted(mail["to"] for mail in round_of_tuesdays.mails("invitation"))
        assert round_of_tuesdays.mails("desk-alert") == []

    def test_those_for_which_no_account_is_free_wait_and_one_alert_names_them(
        self, round_of_tuesdays: Stage, ann: HostAccount
    ) -> None:
        hosting.change_host(ann.id, {"is_active": False})
        assert standing() == [WITHDRAWN] * 2
        (alert,) = round_of_tuesdays.mails("desk-alert")
        assert alert["title"] == "Conferences have lost their host account"
        assert alert["detail"] == (
            "ann@hosts.example was changed, and no other account is free for 2: "
            "Brain Tumour panel, 24 November 2026 (2026-11-24T10:00:00Z), "
            "Ewing panel, 24 November 2026 (2026-11-24T10:00:00Z). "
            "Add an account or move them; they are taken up by themselves when one is free."
        )
        round_of_tuesdays.work()
        assert standing() == [WITHDRAWN] * 2
        assert {one.meeting_id for one in conferences()} == {None}, "the meeting that nobody can host is taken away"
        assert len(round_of_tuesdays.mails("desk-alert")) == 1

    def test_the_one_that_starts_first_gets_the_account_that_is_left(self, ann: HostAccount) -> None:
        rounds.move(session_of("Brain"), TUESDAY + 20 * MINUTE, by=HELPDESK)
        add_host("bea")
        hosting.change_host(ann.id, {"is_active": False})
        assert hosts() == {"Brain": None, "Ewing": "bea"}

    def test_those_that_wait_are_taken_up_when_an_account_is_added(
        self, round_of_tuesdays: Stage, ann: HostAccount
    ) -> None:
        hosting.change_host(ann.id, {"is_active": False})
        round_of_tuesdays.work()
        add_host("bea", capacity=2)
        round_of_tuesdays.work()
        assert standing() == [("ready", None, "bea")] * 2

    def test_those_that_wait_are_taken_up_when_the_account_comes_back(
        self, round_of_tuesdays: Stage, ann: HostAccount
    ) -> None:
        hosting.change_host(ann.id, {"is_active": False})
        hosting.change_host(ann.id, {"is_active": True})
        round_of_tuesdays.work()
        assert standing() == [("ready", None, "ann")] * 2

    def test_a_conference_that_had_failed_is_tried_again_under_the_next_account(
        self, round_of_tuesdays: Stage, ann: HostAccount
    ) -> None:
        with transaction():
            failed = db.session.scalars(select(Conference).where(Conference.title.startswith("Brain"))).one()
            failed.state, failed.attempts = "failed", 6
        hosting.change_host(ann.id, {"is_active": False})
        add_host("bea", capacity=2)
        round_of_tuesdays.work()
        assert standing() == [("ready", None, "bea")] * 2

    def test_a_conference_that_has_begun_stays_where_it_is(self, round_of_tuesdays: Stage, ann: HostAccount) -> None:
        round_of_tuesdays.house.clock.at = TUESDAY
        add_host("bea", capacity=2)
        hosting.change_host(ann.id, {"is_active": False})
        assert hosts() == {"Brain": "ann", "Ewing": "ann"}


class TestLess:
    def test_with_fewer_seats_only_those_on_the_seats_taken_away_go(self, ann: HostAccount) -> None:
        add_host("bea")
        hosting.change_host(ann.id, {"capacity": 1})
        assert hosts() == {"Brain": "ann", "Ewing": "bea"}

    def test_one_that_finds_another_seat_of_its_account_keeps_its_meeting(
        self, round_of_tuesdays: Stage, ann: HostAccount
    ) -> None:
        rounds.cancel(session_of("Brain"), "Ill.", by=HELPDESK)
        round_of_tuesdays.work()
        meeting = db.session.scalar(select(Conference.meeting_id).where(Conference.title.startswith("Ewing")))
        hosting.change_host(ann.id, {"capacity": 1})
        round_of_tuesdays.work()
        kept = next(one for one in conferences() if one.title.startswith("Ewing"))
        assert (kept.meeting_id, kept.host) == (meeting, "ann@hosts.example")
        assert db.session.scalars(select(HostBooking.seat)).all() == [1]

    def test_with_fewer_kinds_only_those_of_the_other_kinds_go(self, ann: HostAccount) -> None:
        hosting.change_host(ann.id, {"kinds": ["session"]})
        assert hosts() == {"Brain": "ann", "Ewing": "ann"}
        hosting.change_host(ann.id, {"kinds": ["webinar"]})
        assert hosts() == {"Brain": None, "Ewing": None}


class TestPreview:
    def test_it_tells_who_would_go_where_and_who_would_wait_and_changes_nothing(
        self, round_of_tuesdays: Stage, ann: HostAccount
    ) -> None:
        add_host("bea")
        round_of_tuesdays.tasks()
        found = hosting.change_host(ann.id, {"is_active": False}, preview=True)
        assert isinstance(found, Reassignment)
        assert [(one.title, one.host) for one in found.moved] == [
            ("Brain Tumour panel, 24 November 2026", "bea@hosts.example")
        ]
        assert [(one.title, one.host) for one in found.without_host] == [("Ewing panel, 24 November 2026", None)]
        db.session.expire_all()
        assert standing() == [("ready", None, "ann")] * 2
        assert host_pool.get(ann.id).is_active
        assert (round_of_tuesdays.tasks(), round_of_tuesdays.mails("desk-alert")) == ([], [])

    def test_what_it_tells_is_what_the_change_does(self, ann: HostAccount) -> None:
        add_host("bea")
        told = hosting.change_host(ann.id, {"capacity": 1, "kinds": ["webinar"]}, preview=True)
        assert isinstance(told, Reassignment)
        hosting.change_host(ann.id, {"capacity": 1, "kinds": ["webinar"]})
        assert {one.conference_id: one.host for one in (*told.moved, *told.without_host)} == {
            one.id: one.host for one in conferences()
        }


def test_a_cancelled_conference_frees_its_seat_for_the_one_that_waits(
    round_of_tuesdays: Stage, ann: HostAccount
) -> None:
    hosting.change_host(ann.id, {"capacity": 1})
    round_of_tuesdays.work()
    assert hosts() == {"Brain": "ann", "Ewing": None}
    rounds.cancel(session_of("Brain"), "Ill.", by=HELPDESK)
    conferencing.sweep()
    round_of_tuesdays.work()
    assert hosts()["Ewing"] == "ann"
    assert standing()[1] == ("ready", None, "ann")


def test_the_nearest_of_those_that_wait_is_tried_first(round_of_tuesdays: Stage, ann: HostAccount) -> None:
    rounds.move(session_of("Brain"), TUESDAY + 20 * MINUTE, by=HELPDESK)
    hosting.change_host(ann.id, {"is_active": False})
    round_of_tuesdays.work()
    add_host("bea")
    round_of_tuesdays.work()
    assert hosts() == {"Brain": None, "Ewing": "bea"}


def test_the_number_of_reads_does_not_grow_with_the_conferences(round_of_tuesdays: Stage) -> None:
    reads: list[str] = []

    def note(*given: Any) -> None:
        reads.extend([given[2]] if given[2].startswith("SELECT") else [])

    taken = {}
    for number in (2, 12):
        first = add_host(f"first-{number}", capacity=12, provider="webex")
        held_by_sessions(round_of_tuesdays, number)
        second = add_host(f"second-{number}", capacity=12, provider="webex")
        reads.clear()
        event.listen(db.engine, "before_cursor_execute", note)
        hosting.change_host(first.id, {"is_active": False})
        event.remove(db.engine, "before_cursor_execute", note)
        taken[number] = len(reads)
        assert set(db.session.scalars(select(HostBooking.account_id))) == {second.id}
        assert round_of_tuesdays.house.count(HostBooking) == number
        with transaction():
            db.session.get_one(HostAccount, second.id).is_active = False
            host_pool.release(*db.session.scalars(select(Conference.id)))
    assert taken[2] == taken[12] < 12


def held_by_sessions(stage: Stage, number: int) -> None:
    """Conferences of so many sessions that hold accounts."""
    with transaction() as tx:
        for session in stage.sessions()[:number]:
            wanted = every_conference.for_session(
                session, network_id=stage.network.id, title="Panel", provider="webex", host_margin_minutes=0, at=tx.now
            )
            window = {"starts_at": session.starts_at, "ends_at": session.ends_at}
            host_pool.book(Wanted(conference_id=wanted.id, provider="webex", kind="session", **window))
