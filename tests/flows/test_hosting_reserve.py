"""The reserve: host accounts kept back for urgent calls, taken by these only where no other account is free."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import select

from conference_orchestrator.flows import hosting, panels, rounds, webinars
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.errors import NoHostFree
from conference_orchestrator.kernel.principal import SYSTEM
from conference_orchestrator.kernel.transaction import transaction
from conference_orchestrator.network.expert_groups import ExpertGroup
from conference_orchestrator.scheduling import webinar_requests
from conference_orchestrator.scheduling.conferences import Conference
from tests.flows.test_hosting import add_host, conferences
from tests.house import HELPDESK
from tests.scheduling.stage import TUESDAY, WEEK, ProviderWithHosts, Stage

AT = datetime(2026, 12, 3, 15, 0, tzinfo=UTC)
WEBINAR = {
    "hospital": "porto",
    "kind": "webinar",
    "topic": "Lessons",
    "language": "en",
    "duration_minutes": 60,
    "expected_audience": 30,
}


@pytest.fixture
def reserved(round_of_tuesdays: Stage, other_group: ExpertGroup) -> Stage:
    """One account for all and one for urgent calls; two groups that meet at the same hour."""
    assert other_group.code == "ewing"
    round_of_tuesdays.provide(ProviderWithHosts())
    add_host("ann")
    add_host("red", is_reserve=True)
    return round_of_tuesdays


def hosts() -> dict[str, str | None]:
    """Which account each group's, or webinar's, conference has."""
    return {one.title.split(" ")[0]: one.host and one.host.partition("@")[0] for one in conferences()}


def approved(*, urgent: bool) -> Conference:
    """A webinar that is held at that time, urgently or not."""
    request_id = webinars.submit(WEBINAR, by=HELPDESK).id
    with transaction() as tx:
        request = webinar_requests.get(request_id, visible_to=SYSTEM, lock=True)
        request.approve(AT, by=HELPDESK, at=tx.now)
        return hosting.want_for_webinar(tx, request, AT, urgent=urgent)


class TestSessions:
    def test_a_session_without_an_urgent_case_waits_while_the_reserve_is_free(self, reserved: Stage) -> None:
        reserved.allocated()
        reserved.allocated(group="ewing")
        assert hosts() == {"Brain": "ann", "Ewing": None}

    @pytest.mark.parametrize("urgency", ["emergency", "urgent"])
    def test_a_session_with_an_urgent_case_takes_the_reserve_where_no_other_is_free(
        self, reserved: Stage, urgency: str
    ) -> None:
        reserved.allocated()
        reserved.allocated(group="ewing", urgency=urgency)
        assert hosts() == {"Brain": "ann", "Ewing": "red"}

    def test_an_urgent_case_leaves_the_reserve_alone_while_another_account_is_free(self, reserved: Stage) -> None:
        reserved.allocated(urgency="emergency")
        assert hosts() == {"Brain": "ann"}

    def test_a_session_that_waits_takes_the_reserve_once_an_urgent_case_is_in_it(self, reserved: Stage) -> None:
        reserved.allocated()
        reserved.allocated(group="ewing")
        reserved.allocated(group="ewing", urgency="emergency")
        reserved.work()
        assert [(one.host, one.state, one.problem) for one in conferences()] == [
            ("ann@hosts.example", "ready", None),
            ("red@hosts.example", "ready", None),
        ]

    def test_a_session_that_moves_gives_the_reserve_back_for_another_account(self, reserved: Stage) -> None:
        reserved.allocated()
        reserved.allocated(group="ewing", urgency="emergency")
        rounds.move(session_of("Ewing"), TUESDAY + 2 * WEEK, by=HELPDESK)
        assert hosts() == {"Brain": "ann", "Ewing": "ann"}

    def test_a_session_whose_urgent_case_has_left_does_not_move_within_the_reserve(self, reserved: Stage) -> None:
        reserved.allocated()
        left = reserved.allocated(group="ewing", urgency="emergency")
        panels.release(left, by=HELPDESK)
        assert hosts()["Ewing"] == "red", "what it has it keeps"
        with pytest.raises(NoHostFree) as refused:
            rounds.move(session_of("Ewing"), TUESDAY + timedelta(minutes=20), by=HELPDESK)
        assert refused.value.extra["next_free"]


@pytest.mark.usefixtures("reserved")
class TestWebinars:
    def test_one_that_is_not_urgent_is_refused_and_told_only_times_outside_of_the_reserve(self) -> None:
        assert approved(urgent=False).host == "ann@hosts.example"
        with pytest.raises(NoHostFree) as refused:
            approved(urgent=False)
        assert refused.value.extra["next_free"][0] == "2026-12-03T16:00:00Z"  # type: ignore[index]
        assert [one.host for one in refused.value.held_by] == ["ann@hosts.example"]  # type: ignore[attr-defined]

    def test_an_urgent_one_takes_the_reserve_and_keeps_it(self, reserved: Stage) -> None:
        assert [approved(urgent=urgent).host for urgent in (False, True)] == ["ann@hosts.example", "red@hosts.example"]
        reserved.work()
        found = conferences()
        assert {(one.host, one.present_host) for one in found} == {(f"{n}@hosts.example",) * 2 for n in ("ann", "red")}

    def test_an_urgent_one_is_refused_when_the_reserve_is_taken_too(self) -> None:
        approved(urgent=False)
        approved(urgent=True)
        with pytest.raises(NoHostFree) as refused:
            approved(urgent=True)
        assert len(refused.value.held_by) == 2


def test_an_account_that_becomes_part_of_the_reserve_keeps_what_it_holds(reserved: Stage) -> None:
    reserved.allocated()
    ann = next(one for one in hosting.host_pool.active("mock") if one.email.startswith("ann"))
    hosting.change_host(ann.id, {"is_reserve": True})
    assert hosts() == {"Brain": "ann"}
    reserved.allocated(group="ewing")
    assert hosts() == {"Brain": "ann", "Ewing": None}


def session_of(group: str) -> UUID:
    """The session for which that group's conference is wanted."""
    statement = select(Conference.session_id).where(Conference.title.startswith(group))
    return next(one for one in db.session.scalars(statement) if one is not None)
