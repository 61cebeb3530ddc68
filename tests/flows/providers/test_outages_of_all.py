"""Many conferences at a provider that is away for half an hour, or says for minutes that it is too much.

How many does not matter to the bounds: sixty in the normal run, `CO_TEST_WAITING=300` for as many as are promised.
"""

from __future__ import annotations

import os
from datetime import time, timedelta

import pytest
from sqlalchemy import func, select

from conference_orchestrator.flows import circuits, conferencing
from conference_orchestrator.flows.delivering import open_mail
from conference_orchestrator.flows.hosting import provider_named
from conference_orchestrator.kernel.database import db
from conference_orchestrator.providers import errors
from conference_orchestrator.scheduling.conferences import Conference
from conference_orchestrator.scheduling.provider_states import CreateAttempt
from tests.faulty_provider import FaultyProvider
from tests.flows.providers.conftest import ENSURE, pass_time, wanted, work
from tests.house import House
from tests.post import Post
from tests.scene import Scene

WAITING = int(os.environ.get("CO_TEST_WAITING", "60"))
OF_A_GROUP = 25
QUARTER = timedelta(minutes=15)
MOST_CALLS = 35
"""Two that are tolerated, one each after 15 and 30 seconds, then one a minute: the bound for half an hour."""
MOST_CALLS_IN_A_STORM = 12
"""One for each pause of 30 seconds that the provider asks for within five minutes, and some at the edges."""


def waiting_at(scene: Scene, number: int) -> None:
    """So many conferences, some of each group, none of which has a meeting."""
    anna = scene.clinician("anna")
    for first in range(0, number, OF_A_GROUP):
        group = scene.group(f"group-{first}", anna, at=time(8 + first // OF_A_GROUP))
        wanted(group, min(OF_A_GROUP, number - first))


def how_many(state: str) -> int:
    db.session.rollback()
    return db.session.scalar(select(func.count()).where(Conference.state == state)) or 0


def outage(house: House, provider: FaultyProvider) -> None:
    """Half an hour, with the timer's safety net at work."""
    provider.fail("create", errors.Unreachable, times=None)
    for _ in range(2):
        conferencing.sweep()
        pass_time(house, QUARTER, ENSURE)


def test_half_an_hour_without_the_provider_costs_a_bounded_number_of_calls_and_is_made_up_for_in_three_minutes(
    house: House, scene: Scene, provider: FaultyProvider
) -> None:
    waiting_at(scene, WAITING)
    outage(house, provider)
    assert provider.count("create") <= MOST_CALLS
    assert scene.alerts() == ["The provider cannot be reached"]
    assert how_many("wanted") == WAITING
    assert len(house.queue.of_kind(ENSURE)) <= 2 * WAITING, "the safety net adds to what waits at most once"
    provider.mend()
    pass_time(house, timedelta(minutes=3), ENSURE)
    assert how_many("ready") == len(provider.meetings) == WAITING
    assert scene.alerts() == ["The provider cannot be reached"]


def test_without_the_protection_the_calls_have_no_such_bound(
    house: House, scene: Scene, provider: FaultyProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control, with few conferences."""
    monkeypatch.setattr(circuits, "closed_until", lambda *_: None)
    waiting_at(scene, 10)
    outage(house, provider)
    assert provider.count("create") > 5 * MOST_CALLS


def test_meanwhile_slots_are_given_and_mail_goes_out(house: House, scene: Scene, provider: FaultyProvider) -> None:
    post = Post()
    open_mail.fill(house.app, lambda: post)
    group = scene.group("brain", scene.clinician("anna"))
    wanted(group, 10, first=1)
    provider.fail("create", errors.Unreachable, times=None)
    pass_time(house, timedelta(minutes=10), ENSURE)
    scene.allocated(scene.clinician("ines"), group)
    work(house, "deliver", ENSURE, until=house.clock.at + timedelta(minutes=5))
    assert scene.conference(group).state == "wanted"
    assert "helpdesk" in post.names(), "the alert about the outage is sent during the outage"
    provider.mend()
    work(house, "deliver", "issue-invitations", ENSURE, until=house.clock.at + timedelta(minutes=3))
    assert {"ines", "anna"} <= set(post.names()), "the link follows"


def test_a_storm_of_too_many_requests_is_sat_out_and_the_quota_kept(house: House, scene: Scene) -> None:
    provider = FaultyProvider(creates_per_day=WAITING + MOST_CALLS_IN_A_STORM)
    provider_named.fill(house.app, lambda _: provider)
    waiting_at(scene, WAITING)
    provider.fail("create", errors.RateLimited, times=None, retry_after=30.0)
    pass_time(house, timedelta(minutes=5), ENSURE)
    assert provider.count("create") <= MOST_CALLS_IN_A_STORM
    assert how_many("wanted") == WAITING
    assert scene.alerts() == []
    provider.mend()
    pass_time(house, timedelta(minutes=3), ENSURE)
    assert how_many("ready") == len(provider.meetings) == WAITING
    assert house.count(CreateAttempt) == provider.count("create") <= WAITING + MOST_CALLS_IN_A_STORM
