"""Who is told which conference holds a host account: whoever may read that conference, and nobody else."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest

from conference_orchestrator.flows import hosting, webinars
from conference_orchestrator.kernel.errors import NotFound
from conference_orchestrator.kernel.principal import ANONYMOUS, SYSTEM, Principal, Role
from conference_orchestrator.network.expert_groups import ExpertGroup
from conference_orchestrator.scheduling import conferences, host_pool
from conference_orchestrator.scheduling.host_pool import Holding
from tests.house import HELPDESK
from tests.scheduling.stage import ProviderWithHosts, Stage

WEBINAR = {
    "hospital": "porto",
    "kind": "webinar",
    "topic": "Lessons",
    "language": "en",
    "duration_minutes": 60,
    "expected_audience": 30,
}


@pytest.fixture
def held(round_of_tuesdays: Stage) -> list[Holding]:
    """A session of the group and a webinar of Porto hold an account."""
    round_of_tuesdays.provide(ProviderWithHosts())
    hosting.add_host({"provider": "mock", "email": "ann@hosts.example"})
    round_of_tuesdays.allocated()
    request_id = webinars.submit(WEBINAR, by=HELPDESK).id
    webinars.approve(request_id, datetime(2026, 12, 3, 15, 0, tzinfo=UTC), by=HELPDESK)
    return host_pool.holdings()


def may_read(conference_id: UUID, by: Principal) -> bool:
    try:
        conferences.get(conference_id, visible_to=by)
    except NotFound:
        return False
    return True


def test_who_may_read_a_conference_is_told_that_it_holds_an_account(
    round_of_tuesdays: Stage, other_group: ExpertGroup, held: list[Holding]
) -> None:
    stage = round_of_tuesdays
    askers = [
        HELPDESK,
        SYSTEM,
        Principal(role=Role.AUDITOR),
        stage.coordinator,
        Principal(role=Role.COORDINATOR, group_id=other_group.id),
        stage.centre("porto"),
        stage.centre("graz"),
        stage.clinician("rui"),
        Principal(role=Role.HELPDESK, network_id=stage.network.id),
        Principal(role=Role.HELPDESK, network_id=UUID(int=1)),
        ANONYMOUS,
    ]
    told = {(by, one.conference_id): "title" in one.shown_to(by) for by in askers for one in held}
    assert told == {(by, one.conference_id): may_read(one.conference_id, by) for by in askers for one in held}
    assert sum(told.values()) == 10


def test_whoever_is_not_known_is_told_only_the_times(held: list[Holding]) -> None:
    assert [one.shown_to(None) for one in held] == [
        {"starts_at": "2026-11-24T10:00:00Z", "ends_at": "2026-11-24T10:40:00Z"},
        {"starts_at": "2026-12-03T15:00:00Z", "ends_at": "2026-12-03T16:00:00Z"},
    ]
