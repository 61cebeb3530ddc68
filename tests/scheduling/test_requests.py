"""How far a request may come from where, what it lacks, and its place among those that wait."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import inspect, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm.exc import StaleDataError

from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.errors import NotFound, RuleBroken
from conference_orchestrator.kernel.paging import Paging
from conference_orchestrator.kernel.principal import ANONYMOUS, Principal, Role
from conference_orchestrator.kernel.transaction import transaction
from conference_orchestrator.network.expert_groups import ChecklistItem, ExpertGroup
from conference_orchestrator.scheduling import requests
from conference_orchestrator.scheduling.requests import ConsultationRequest, State
from tests.house import HELPDESK
from tests.scheduling.stage import Stage

AT = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
COMPLETE = {"checklist": {"report": True}, "consent_confirmed": True}


def request(state: str = "draft", **changes: Any) -> ConsultationRequest:
    """A request of a group that wants a pathology report; nothing is stored."""
    group = ExpertGroup(checklist=[ChecklistItem(code="report", kind="flag", required=True)])
    return ConsultationRequest(group=group, state=state, displaced=False, **COMPLETE | changes)


STEPS: dict[str, Callable[[ConsultationRequest], None]] = {
    "change": lambda one: one.change(COMPLETE, at=AT),
    "accept": lambda one: one.accept(by=HELPDESK, at=AT),
    "send back": lambda one: one.send_back("Images?", by=HELPDESK, at=AT),
    "decline": lambda one: one.decline("No.", by=HELPDESK, at=AT),
    "compete for a slot": lambda one: one.must_be_allocatable(),
    "be offered a slot": lambda one: one.offered(),
    "refuse an offer": lambda one: one.offer_ended("It was refused."),
    "release": lambda one: one.released(),
    "withdraw": lambda one: one.withdraw(by=HELPDESK, at=AT),
    "record the advice": lambda one: one.advised(date(2026, 11, 23)),
    "be put back": lambda one: one.not_reached(since=AT, because="The session did not come to it."),
}
# From which state which steps lead where; every other step is forbidden.
ALLOWED = {
    "draft": {"change": "submitted", "withdraw": "withdrawn"},
    "submitted": {
        "change": "submitted",
        "accept": "accepted",
        "send back": "returned",
        "decline": "declined",
        "withdraw": "withdrawn",
    },
    "returned": {"change": "submitted", "decline": "declined", "withdraw": "withdrawn"},
    "declined": {},
    "accepted": {"compete for a slot": "accepted", "send back": "returned", "withdraw": "withdrawn"},
    "allocated": {
        "release": "accepted",
        "withdraw": "withdrawn",
        "record the advice": "closed",
        "be put back": "waiting",
    },
    "waiting": {
        "compete for a slot": "waiting",
        "be offered a slot": "offered",
        "send back": "returned",
        "release": "accepted",
        "withdraw": "withdrawn",
    },
    "offered": {"refuse an offer": "waiting", "release": "accepted", "withdraw": "withdrawn"},
    "discussed": {"record the advice": "closed", "be put back": "waiting"},
    "closed": {},
    "withdrawn": {},
}


class TestStates:
    @pytest.mark.parametrize("state", State)
    @pytest.mark.parametrize("step", STEPS)
    def test_each_step_leads_from_its_states_and_from_no_other(self, state: str, step: str) -> None:
        one = request(state)
        leads_to = ALLOWED[state].get(step)
        if leads_to is None:
            with pytest.raises(RuleBroken, match=f"A request that is {state} cannot be") as refused:
                STEPS[step](one)
            assert refused.value.extra == {"state": state}
            assert one.state == state
        else:
            STEPS[step](one)
            assert one.state == leads_to

    def test_the_table_knows_every_state(self) -> None:
        assert set(ALLOWED) == set(State)

    def test_only_a_request_with_a_slot_was_discussed_by_its_session(self) -> None:
        reached = {}
        for state in State:
            one = request(state)
            one.discussed()
            reached[state] = one.state
        assert reached == {state: state for state in State} | {"allocated": "discussed"}

    def test_a_state_outside_the_list_is_refused_by_the_database(self, stage: Stage) -> None:
        request_id = stage.submitted()
        with pytest.raises(IntegrityError), transaction():
            db.session.execute(
                update(ConsultationRequest).where(ConsultationRequest.id == request_id).values(state="mislaid")
            )


class TestEntering:
    def test_a_complete_request_is_submitted_and_an_incomplete_one_a_draft(self) -> None:
        complete, incomplete = request(), request()
        complete.enter({}, at=AT)
        incomplete.enter({"checklist": {}, "consent_confirmed": False}, at=AT)
        assert (complete.state, complete.submitted_at) == ("submitted", AT)
        assert (incomplete.state, incomplete.submitted_at) == ("draft", None)
        assert incomplete.missing_items() == ["report", "consent"]

    def test_a_submitted_request_that_loses_an_answer_is_a_draft_again(self) -> None:
        one = request("submitted")
        one.change({"checklist": {}}, at=AT)
        assert one.state == "draft"

    def test_a_correction_does_not_make_it_younger(self) -> None:
        one = request()
        one.enter({}, at=AT)
        one.change({"question": "Another?"}, at=AT + timedelta(days=1))
        assert one.submitted_at == AT

    def test_a_returned_request_is_submitted_when_it_is_complete_again(self) -> None:
        one = request("returned", checklist={})
        one.change(COMPLETE, at=AT)
        assert (one.state, one.submitted_at) == ("submitted", AT)

    def test_what_the_group_asks_for_since_is_missing_at_the_acceptance(self) -> None:
        one = request("submitted")
        one.group.checklist.append(ChecklistItem(code="images", kind="count", required=True))
        with pytest.raises(RuleBroken, match="lacks: images") as refused:
            one.accept(by=HELPDESK, at=AT)
        assert refused.value.extra == {"missing": ["images"]}

    def test_a_decision_is_kept_with_who_when_and_why(self) -> None:
        one = request("submitted")
        one.send_back("Images?", by=HELPDESK, at=AT)
        assert (one.reason, one.decided_by, one.decided_at) == ("Images?", "helpdesk", AT)

    def test_what_the_group_asks_for_since_keeps_an_accepted_request_from_a_slot(self) -> None:
        one = request("accepted", consent_confirmed=False)
        one.group.checklist.append(ChecklistItem(code="images", kind="count", required=True))
        with pytest.raises(RuleBroken, match="lacks: images, consent") as refused:
            one.must_be_allocatable()
        assert refused.value.extra == {"missing": ["images", "consent"]}

    def test_what_ends_the_waiting_forgets_the_place_and_the_reasons(self) -> None:
        for end in (
            lambda one: one.released(),
            lambda one: one.withdraw(by=HELPDESK, at=AT),
            lambda one: one.allocated(),
        ):
            one = request("waiting", waiting_since=AT, reasons=["Every slot of the coming sessions is taken."])
            one.displaced = True
            end(one)
            assert (one.waiting_since, one.displaced, one.reasons) == (None, False, [])

    def test_an_offer_changes_nothing_of_the_place_in_line(self) -> None:
        one = request("waiting", waiting_since=AT)
        one.offered()
        one.offer_ended("It was refused.")
        assert (one.state, one.waiting_since, one.reasons) == ("waiting", AT, ["It was refused."])

    def test_who_was_displaced_once_stays_so_while_waiting(self) -> None:
        one = request("accepted")
        one.wait(since=AT, because=["Its session fell out."], displaced=True)
        one.wait(since=AT, because=["Every slot is taken."])
        assert (one.displaced, one.reasons) == (True, ["Every slot is taken."])

    def test_who_was_not_reached_comes_before_those_who_waited(self) -> None:
        one = request("discussed")
        one.not_reached(since=AT, because="The session did not come to it.")
        assert (one.state, one.displaced, one.reasons) == ("waiting", True, ["The session did not come to it."])


SCOPES: dict[str, Callable[[Stage], Principal]] = {
    "helpdesk": lambda _: HELPDESK,
    "auditor": lambda _: Principal(role=Role.AUDITOR),
    "helpdesk of the network": lambda stage: Principal(role=Role.HELPDESK, network_id=stage.network.id),
    "its group's coordinator": lambda stage: stage.coordinator,
    "its hospital": lambda stage: stage.centre("porto"),
    "its requester": lambda stage: stage.clinician("rui"),
}
OTHERS: dict[str, Callable[[Stage], Principal]] = {
    "anonymous": lambda _: ANONYMOUS,
    "helpdesk of another network": lambda _: Principal(role=Role.HELPDESK, network_id=uuid4()),
    "another group's coordinator": lambda _: Principal(role=Role.COORDINATOR, group_id=uuid4()),
    "another hospital": lambda stage: stage.centre("graz"),
    "a colleague of the requester": lambda stage: stage.clinician("inês"),
    "an expert of the group": lambda stage: stage.clinician("zoé"),
    "its coordinator narrowed to another network": lambda stage: Principal(
        role=Role.COORDINATOR, group_id=stage.group.id, network_id=uuid4()
    ),
}


class TestWriteWaiting:
    def test_it_stands_as_it_was_put_in_line_under_the_next_version(self, round_of_tuesdays: Stage) -> None:
        seen = read_outside(round_of_tuesdays.accepted())
        seen.wait(since=AT, because=["Every slot is taken."], displaced=True)
        changed = {column.key for column in inspect(seen).attrs if column.history.has_changes()}
        assert changed == set(requests.WAITING_COLUMNS), "nothing of it would be left unwritten"
        with transaction():
            requests.write_waiting(seen)
        stored = requests.get(seen.id, visible_to=HELPDESK)
        shown = (stored.state, stored.waiting_since, stored.reasons, stored.displaced)
        assert shown == (State.WAITING, AT, ["Every slot is taken."], True)
        assert stored.version == seen.version

    def test_what_was_changed_since_it_was_read_is_left_as_it_is(self, round_of_tuesdays: Stage) -> None:
        seen = read_outside(round_of_tuesdays.accepted())
        with transaction():
            requests.get(seen.id, visible_to=HELPDESK).withdraw(by=HELPDESK, at=AT)
        seen.wait(since=AT, because=[])
        with pytest.raises(StaleDataError), transaction():
            requests.write_waiting(seen)
        assert requests.get(seen.id, visible_to=HELPDESK).state == State.WITHDRAWN


def read_outside(request_id: UUID) -> ConsultationRequest:
    """As somebody read it who then waited for the lock of the group."""
    seen = requests.get(request_id, visible_to=HELPDESK)
    db.session.close()
    return seen


class TestScope:
    @pytest.mark.parametrize("who", SCOPES)
    def test_a_request_is_seen_by(self, stage: Stage, who: str) -> None:
        request_id, by = stage.submitted(), SCOPES[who](stage)
        assert requests.get(request_id, visible_to=by).id == request_id
        assert [one.id for one in requests.listed(Paging(), visible_to=by).items] == [request_id]

    @pytest.mark.parametrize("who", OTHERS)
    def test_a_request_does_not_exist_for(self, stage: Stage, who: str) -> None:
        request_id, by = stage.submitted(), OTHERS[who](stage)
        with pytest.raises(NotFound, match="no such consultation request"):
            requests.get(request_id, visible_to=by)
        assert list(requests.listed(Paging(), visible_to=by).items) == []

    def test_a_list_is_narrowed_by_state_and_group(self, stage: Stage) -> None:
        draft, submitted = stage.in_state("draft"), stage.submitted()

        def ids(**narrowed: Any) -> list[UUID]:
            return [one.id for one in requests.listed(Paging(), visible_to=HELPDESK, **narrowed).items]

        assert sorted(ids(), key=str) == sorted([draft, submitted], key=str)
        assert ids(state="draft") == [draft]
        assert ids(group_id=uuid4()) == []
