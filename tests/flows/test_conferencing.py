"""Exactly one meeting per conference, whatever the provider answers and wherever we are interrupted."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import datetime, time, timedelta
from typing import Any
from uuid import UUID

import pytest
import requests
from sqlalchemy import select

from conference_orchestrator.flows import conferencing, hosting, panels, provider_steps, rounds
from conference_orchestrator.flows.hosting import ensure_later, provider_named
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.errors import RuleBroken
from conference_orchestrator.kernel.transaction import transaction
from conference_orchestrator.network.expert_groups import ExpertGroup
from conference_orchestrator.providers import errors
from conference_orchestrator.providers.exchange import Timeouts
from conference_orchestrator.providers.sandbox import RunningSandbox
from conference_orchestrator.providers.webex import WebexProvider
from conference_orchestrator.scheduling.conferences import Conference
from conference_orchestrator.scheduling.host_pool import HostBooking
from tests.faulty_provider import FaultyProvider
from tests.house import HELPDESK, House
from tests.stage import Stage, next_task, settle

ENSURE = "ensure-conference"


@pytest.fixture
def stage(house: House) -> Stage:
    return Stage(house)


@pytest.fixture
def provider(house: House) -> FaultyProvider:
    made = FaultyProvider()
    provider_named.fill(house.app, lambda _: made)
    return made


@pytest.fixture
def group(stage: Stage, provider: FaultyProvider) -> ExpertGroup:
    """A group with one case in its first session, whose meeting nobody has made yet."""
    ines = stage.clinician("ines")
    made = stage.group("brain", stage.clinician("anna"), stage.clinician("emil"))
    stage.allocated(ines, made)
    return made


@pytest.fixture
def conference_id(stage: Stage, group: ExpertGroup) -> UUID:
    return stage.conference(group).id


def the_only(provider: FaultyProvider) -> Any:
    (meeting,) = provider.meetings.values()
    return meeting


# ---- over HTTP, against the sandbox ----------------------------------------------------------------------------------


@pytest.fixture
def sandbox(house: House, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningSandbox]:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with RunningSandbox(now=house.clock.now) as running:
        webex = WebexProvider(running.url, "token-of-the-test", timeouts=Timeouts(connect=5, read=1))
        provider_named.fill(house.app, lambda _: webex)
        yield running


@pytest.fixture
def wanted(stage: Stage, sandbox: RunningSandbox) -> UUID:
    """A conference whose meeting is to be made at the sandbox."""
    ines = stage.clinician("ines")
    made = stage.group("brain", stage.clinician("anna"))
    stage.allocated(ines, made)
    return stage.conference(made).id


FAULTS: dict[str, tuple[dict[str, Any] | None, int]] = {
    "none": (None, 1),
    "applied, no answer": ({"fault": "apply-then-drop"}, 1),
    "applied, half an answer": ({"fault": "reset-in-body"}, 1),
    "applied, an empty object": ({"fault": "empty-object"}, 1),
    "applied, a page": ({"fault": "html"}, 1),
    "applied, then 502": ({"status": 502, "applied": True}, 1),
    "applied, answered too late": ({"delay": 30}, 1),
    "dropped before": ({"fault": "drop-before-apply"}, 2),
    "503 before": ({"status": 503}, 2),
    "429": ({"status": 429, "retry_after": "7"}, 1),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_create_that_goes_wrong_ends_in_exactly_one_meeting(
    house: House, stage: Stage, sandbox: RunningSandbox, wanted: UUID, fault: str
) -> None:
    rule, attempts = FAULTS[fault]
    if rule is not None:
        sandbox.faults.add(method="POST", **rule)
    settle(house, ENSURE)
    (meeting,) = sandbox.meetings()
    conference = stage.fresh(wanted)
    assert conference.state == "ready"
    assert conference.meeting_id == meeting["id"]
    assert conference.attempts == attempts
    assert requests.get(conference.join_url, timeout=10).status_code == 200, "the link is dead"
    assert sandbox.mails == [], "the provider mails nobody"


def test_creating_at_once_again_makes_two_meetings(
    house: House, sandbox: RunningSandbox, wanted: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control: without the look the harness sees what the look prevents."""
    before = conferencing._next

    def hasty(conference: Conference, *, now: datetime) -> str | None:
        return "create" if conference.attempted_at is not None else before(conference, now=now)

    monkeypatch.setattr(conferencing, "_next", hasty)
    sandbox.faults.add(method="POST", fault="apply-then-drop")
    settle(house, ENSURE)
    assert len(sandbox.meetings()) == 2


def test_a_list_that_lags_behind_leads_to_no_second_meeting(
    house: House, stage: Stage, sandbox: RunningSandbox, wanted: UUID
) -> None:
    sandbox.faults.add(method="POST", list_lag=3)
    step = conferencing._begin(wanted)
    provider_steps.act(step)  # and here the process dies
    house.clock.move_on(conferencing.LEASE)
    house.queue.tasks.append(ensure_later(wanted))
    settle(house, ENSURE)
    assert len(sandbox.meetings()) == 1
    assert sandbox.count("POST") == 1
    assert stage.fresh(wanted).state == "ready"


def test_a_moved_session_keeps_its_meeting_and_its_link(
    house: House, stage: Stage, sandbox: RunningSandbox, wanted: UUID
) -> None:
    settle(house, ENSURE)
    before = stage.fresh(wanted)
    link, session_id = before.join_url, before.session_id
    rounds.move(session_id, before.starts_at + timedelta(hours=2), by=HELPDESK)
    settle(house, ENSURE)
    after = stage.fresh(wanted)
    (meeting,) = sandbox.meetings()
    assert datetime.fromisoformat(meeting["start"]) == after.starts_at
    assert (after.join_url, after.state, after.differs) == (link, "ready", False)
    assert sandbox.count("POST") == 1


def test_a_cancelled_session_leaves_no_meeting(
    house: House, stage: Stage, sandbox: RunningSandbox, wanted: UUID
) -> None:
    settle(house, ENSURE)
    rounds.cancel(stage.fresh(wanted).session_id, "ill", by=HELPDESK)
    settle(house, ENSURE)
    assert sandbox.meetings() == []
    assert stage.fresh(wanted).state == "cancelled"


def test_a_refused_token_is_given_up_at_once_and_told_once(
    house: House, stage: Stage, sandbox: RunningSandbox, wanted: UUID
) -> None:
    sandbox.faults.add(method="POST", status=401, times=None)
    settle(house, ENSURE)
    conferencing.ensure(wanted)
    assert stage.fresh(wanted).state == "failed"
    assert sandbox.count("POST") == 1
    assert stage.alerts() == ["A meeting could not be made"]


# ---- interrupted, doubtful, twice ------------------------------------------------------------------------------------


def test_the_attempt_is_committed_before_the_provider_is_called(
    house: House, stage: Stage, provider: FaultyProvider, conference_id: UUID
) -> None:
    seen: list[Any] = []
    provider.during("create", lambda: seen.append(stage.fresh(conference_id).state))
    conferencing.ensure(conference_id)
    assert seen == ["provisioning"]


def test_a_meeting_made_before_a_crash_is_adopted(
    house: House, stage: Stage, provider: FaultyProvider, conference_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as dying:
        dying.setattr(conferencing, "_finish", lambda *_: (_ for _ in ()).throw(SystemExit))
        with pytest.raises(SystemExit):
            conferencing.ensure(conference_id)
    house.clock.move_on(conferencing.LEASE)
    conferencing.ensure(conference_id)
    assert provider.calls == ["create", "find"]
    assert stage.fresh(conference_id).meeting_id == the_only(provider).ref.id


def test_a_crash_between_intent_and_call_is_settled_before_the_next_create(
    house: House, provider: FaultyProvider, conference_id: UUID
) -> None:
    conferencing._begin(conference_id)
    house.clock.move_on(conferencing.LEASE)
    began = house.clock.at
    settle(house, ENSURE)
    assert provider.calls == ["find"] * 4 + ["create"]
    assert house.clock.at - began == sum(conferencing.SETTLING, timedelta())
    assert len(provider.meetings) == 1


def test_while_one_worker_holds_the_lease_another_comes_back_later(
    house: House, provider: FaultyProvider, conference_id: UUID
) -> None:
    conferencing._begin(conference_id)
    house.queue.tasks.clear()
    conferencing.ensure(conference_id)
    assert provider.calls == []
    assert next_task(house, ENSURE).due_at == house.clock.at + conferencing.LEASE


@pytest.mark.parametrize("times", [1, 2, 5])
def test_lost_answers_are_followed_by_looks_and_never_by_a_second_meeting(
    house: House, provider: FaultyProvider, conference_id: UUID, times: int
) -> None:
    provider.fail("create", errors.Ambiguous, times=times)
    settle(house, ENSURE)
    assert provider.count("create") == times + 1
    assert provider.count("find") == 3 * times
    assert len(provider.meetings) == 1


def test_of_two_meetings_the_smallest_id_stays_and_the_desk_is_told(
    house: House, stage: Stage, provider: FaultyProvider, conference_id: UUID
) -> None:
    step = conferencing._begin(conference_id)
    for _ in range(3):
        provider_steps.act(step)
    house.clock.move_on(conferencing.LEASE)
    conferencing.ensure(conference_id)
    assert the_only(provider).ref.id == "meeting-001"
    assert stage.fresh(conference_id).state == "ready"
    assert stage.alerts() == ["A meeting existed twice"]


def test_a_cancellation_of_a_surplus_meeting_that_fails_is_done_again(
    house: House, provider: FaultyProvider, conference_id: UUID
) -> None:
    step = conferencing._begin(conference_id)
    for _ in range(3):
        provider_steps.act(step)
    house.clock.move_on(conferencing.LEASE)
    provider.fail("cancel", errors.Transient, applied=True)
    settle(house, ENSURE)
    assert the_only(provider).ref.id == "meeting-001"


def test_a_worker_that_wakes_up_after_its_lease_leaves_one_meeting(
    house: House, stage: Stage, provider: FaultyProvider, conference_id: UUID
) -> None:
    asleep = conferencing._begin(conference_id)
    house.clock.move_on(conferencing.LEASE)
    settle(house, ENSURE)
    known = stage.fresh(conference_id).meeting_id
    house.clock.move_on(timedelta(seconds=1))
    conferencing._finish(asleep, provider_steps.act(asleep))
    assert len(provider.meetings) == 2
    settle(house, ENSURE)
    assert the_only(provider).ref.id == known, "the link that may have been mailed stays"
    assert stage.fresh(conference_id).meeting_id == known
    assert stage.alerts() == ["A meeting existed twice"]


def test_a_worker_that_wakes_up_while_another_creates_leaves_one_meeting(
    house: House, stage: Stage, provider: FaultyProvider, conference_id: UUID
) -> None:
    asleep = conferencing._begin(conference_id)
    house.clock.move_on(conferencing.LEASE)

    def wake_up() -> None:
        house.clock.move_on(timedelta(seconds=1))
        conferencing._finish(asleep, provider_steps.act(asleep))

    provider.during("create", wake_up)
    settle(house, ENSURE)
    assert provider.count("create") == 2
    assert stage.fresh(conference_id).meeting_id == the_only(provider).ref.id


# ---- many at once ----------------------------------------------------------------------------------------------------


class TestManyAtOnce:
    """Eight workers on one conference, on both databases."""

    @pytest.fixture
    def house_database(self, both_schemas: str) -> str:
        return both_schemas

    def test_one_of_eight_workers_creates(
        self, house: House, stage: Stage, provider: FaultyProvider, conference_id: UUID
    ) -> None:
        eight_at_once(house, provider, conference_id)
        assert provider.calls == ["create"]
        settle(house, ENSURE)
        assert stage.fresh(conference_id).meeting_id == the_only(provider).ref.id

    def test_all_eight_create_once_lease_and_look_are_taken_away(
        self, house: House, provider: FaultyProvider, conference_id: UUID, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(conferencing, "LEASE", timedelta(0))
        monkeypatch.setattr(conferencing, "_next", lambda *_, **__: "create")
        eight_at_once(house, provider, conference_id, all_create=True)
        assert provider.count("create") > 1, "the harness can no longer see the fault it guards against"


def eight_at_once(house: House, provider: FaultyProvider, conference_id: UUID, *, all_create: bool = False) -> None:
    """Run eight workers; the one that creates waits in the provider until the others are done (or create too)."""
    go_on, together = threading.Event(), threading.Barrier(8)
    for _ in range(8):
        provider.during("create", (lambda: together.wait(20)) if all_create else (lambda: go_on.wait(20)))

    def work() -> None:
        with house.app.app_context():
            conferencing.ensure(conference_id)

    with ThreadPoolExecutor(8) as threads:
        running = {threads.submit(work) for _ in range(8)}
        while not all_create and len(running) > 1:
            done, running = wait(running, timeout=20, return_when="FIRST_COMPLETED")
            assert done, "no worker came to an end"
        go_on.set()
        for one in running:
            one.result(timeout=20)


# ---- outages, refusals, patience -------------------------------------------------------------------------------------


def test_an_unreachable_provider_costs_no_attempt_and_is_told_once(
    house: House, stage: Stage, provider: FaultyProvider, conference_id: UUID
) -> None:
    provider.fail("create", errors.Unreachable, times=9)
    conferencing.ensure(conference_id)
    waiting = stage.fresh(conference_id)
    assert (waiting.state, waiting.attempts, waiting.problem) == ("wanted", 0, "as the test told it")
    settle(house, ENSURE)
    after = stage.fresh(conference_id)
    assert (after.state, after.attempts, after.waits, after.problem) == ("ready", 1, 0, None)
    assert provider.calls == ["create"] * 10, "nothing was looked for, because nothing can have been made"
    assert stage.alerts() == ["The provider cannot be reached"]


def test_the_waits_grow_to_a_minute(house: House, provider: FaultyProvider, conference_id: UUID) -> None:
    house.queue.tasks.clear()
    provider.fail("create", errors.Unreachable, times=7)
    waits = []
    for _ in range(7):
        conferencing.ensure(conference_id)
        due_at = next_task(house, ENSURE).due_at
        waits.append((due_at - house.clock.at).total_seconds())
        house.clock.at = due_at
        house.queue.tasks.clear()
    assert waits == [2, 5, 15, 30, 60, 60, 60]


def test_the_provider_is_left_alone_as_long_as_it_asks(
    house: House, provider: FaultyProvider, conference_id: UUID
) -> None:
    house.queue.tasks.clear()
    provider.fail("create", errors.RateLimited, retry_after=600.0)
    conferencing.ensure(conference_id)
    assert next_task(house, ENSURE).due_at == house.clock.at + timedelta(minutes=10)
    settle(house, ENSURE)
    assert len(provider.meetings) == 1


@pytest.mark.parametrize("refusal", [errors.Invalid, errors.AuthError, errors.Forbidden, errors.Conflict])
def test_a_refusal_fails_at_once_with_one_alert(
    house: House, stage: Stage, provider: FaultyProvider, conference_id: UUID, refusal: type[errors.ProviderError]
) -> None:
    provider.fail("create", refusal, times=None)
    settle(house, ENSURE)
    conferencing.ensure(conference_id)
    conferencing.sweep()
    settle(house, ENSURE)
    failed = stage.fresh(conference_id)
    assert (failed.state, failed.problem) == ("failed", "as the test told it")
    assert provider.calls == ["create"]
    assert stage.alerts() == ["A meeting could not be made"]


def test_after_six_attempts_a_human_has_to_look(
    house: House, stage: Stage, provider: FaultyProvider, conference_id: UUID
) -> None:
    provider.fail("create", errors.Ambiguous, times=None)
    settle(house, ENSURE)
    assert provider.count("create") == 6
    assert stage.fresh(conference_id).state == "failed"
    assert stage.alerts() == ["A meeting could not be made"]


def test_the_helpdesk_tries_again_what_was_given_up(
    house: House, stage: Stage, provider: FaultyProvider, conference_id: UUID
) -> None:
    provider.fail("create", errors.Ambiguous, times=None)
    settle(house, ENSURE)
    provider.mend()
    view = conferencing.retry(conference_id, by=HELPDESK)
    assert (view.conference.state, view.conference.attempts) == ("wanted", 0)
    settle(house, ENSURE)
    assert stage.fresh(conference_id).meeting_id == the_only(provider).ref.id


def test_what_stands_is_not_tried_again(house: House, provider: FaultyProvider, conference_id: UUID) -> None:
    settle(house, ENSURE)
    with pytest.raises(RuleBroken, match="nothing to try again"):
        conferencing.retry(conference_id, by=HELPDESK)


def test_the_sweep_wakes_what_was_lost_on_its_way(house: House, provider: FaultyProvider, conference_id: UUID) -> None:
    house.queue.tasks.clear()
    conferencing.sweep()
    settle(house, ENSURE)
    assert len(provider.meetings) == 1
    conferencing.sweep()
    assert house.queue.of_kind(ENSURE) == [], "what stands as wanted is left alone"


def test_the_sweep_lets_the_past_be_held(
    house: House, stage: Stage, provider: FaultyProvider, conference_id: UUID
) -> None:
    settle(house, ENSURE)
    house.clock.at = stage.fresh(conference_id).ends_at
    conferencing.sweep()
    assert stage.fresh(conference_id).state == "held"
    conferencing.ensure(conference_id)
    assert provider.calls == ["create"]


def test_nothing_is_done_for_a_conference_that_is_over(
    house: House, stage: Stage, provider: FaultyProvider, conference_id: UUID
) -> None:
    house.clock.at = stage.fresh(conference_id).ends_at
    settle(house, ENSURE)
    assert provider.calls == []


# ---- changed in between ----------------------------------------------------------------------------------------------


def move(stage: Stage, conference_id: UUID, by: timedelta) -> None:
    conference = stage.fresh(conference_id)
    rounds.move(conference.session_id, conference.starts_at + by, by=HELPDESK)


def test_a_session_moved_while_its_meeting_is_made_has_one_meeting_in_the_new_window(
    house: House, stage: Stage, provider: FaultyProvider, conference_id: UUID
) -> None:
    provider.during("create", lambda: move(stage, conference_id, timedelta(hours=3)))
    settle(house, ENSURE)
    after = stage.fresh(conference_id)
    assert (the_only(provider).starts_at, the_only(provider).ends_at) == (after.starts_at, after.ends_at)
    assert (after.state, after.differs) == ("ready", False)


def test_a_session_moved_while_its_meeting_is_in_doubt_is_looked_for_where_it_was(
    house: House, stage: Stage, provider: FaultyProvider, conference_id: UUID
) -> None:
    provider.fail("create", errors.Ambiguous, applied=True)
    conferencing.ensure(conference_id)
    move(stage, conference_id, timedelta(days=40))
    settle(house, ENSURE)
    assert provider.count("create") == 1
    assert the_only(provider).starts_at == stage.fresh(conference_id).starts_at


def test_a_session_cancelled_while_its_meeting_is_made_leaves_none(
    house: House, stage: Stage, provider: FaultyProvider, conference_id: UUID
) -> None:
    session_id = stage.fresh(conference_id).session_id
    provider.during("create", lambda: rounds.cancel(session_id, "ill", by=HELPDESK))
    settle(house, ENSURE)
    assert provider.meetings == {}
    assert stage.fresh(conference_id).state == "cancelled"


def test_a_session_cancelled_while_its_meeting_is_in_doubt_leaves_none(
    house: House, stage: Stage, provider: FaultyProvider, conference_id: UUID
) -> None:
    provider.fail("create", errors.Ambiguous, applied=True)
    provider.list_lag = 1
    conferencing.ensure(conference_id)
    rounds.cancel(stage.fresh(conference_id).session_id, "ill", by=HELPDESK)
    settle(house, ENSURE)
    assert provider.meetings == {}
    assert stage.fresh(conference_id).state == "cancelled"


def test_a_session_cancelled_before_anything_was_made_asks_the_provider_nothing(
    house: House, stage: Stage, provider: FaultyProvider, conference_id: UUID
) -> None:
    rounds.cancel(stage.fresh(conference_id).session_id, "ill", by=HELPDESK)
    settle(house, ENSURE)
    assert provider.calls == []
    assert stage.fresh(conference_id).state == "cancelled"


def test_a_change_during_an_outage_is_made_up_for(
    house: House, stage: Stage, provider: FaultyProvider, conference_id: UUID
) -> None:
    settle(house, ENSURE)
    provider.fail("update", errors.Transient, times=3)
    move(stage, conference_id, timedelta(hours=1))
    conferencing.ensure(conference_id)
    assert stage.fresh(conference_id).link_for_people is not None, "people keep their link meanwhile"
    settle(house, ENSURE)
    assert the_only(provider).starts_at == stage.fresh(conference_id).starts_at
    assert provider.count("create") == 1


def test_a_meeting_that_somebody_deleted_is_made_anew_and_people_get_the_new_link(
    house: House, stage: Stage, provider: FaultyProvider, conference_id: UUID
) -> None:
    settle(house, ENSURE, "issue-invitations")
    gone = stage.fresh(conference_id).join_url
    provider.meetings.clear()
    move(stage, conference_id, timedelta(hours=1))
    house.queue.tasks = [task for task in house.queue.tasks if task.kind == ENSURE]
    settle(house, ENSURE, "issue-invitations")
    after = stage.fresh(conference_id)
    assert the_only(provider).join_url == after.join_url != gone
    updates = house.messages("invitation-update")
    assert {message.facts["join_url"] for message in updates} == {after.join_url}
    assert {tuple(message.facts["what_changed"]) for message in updates} == {("time", "link")}
    assert len(updates) == 3


def test_a_new_meeting_that_cannot_be_seen_yet_is_not_taken_for_deleted(
    house: House, stage: Stage, provider: FaultyProvider, conference_id: UUID
) -> None:
    provider.during("create", lambda: move(stage, conference_id, timedelta(hours=3)))
    provider.fail("update", errors.NotFound)
    provider.list_lag = 2
    settle(house, ENSURE)
    assert provider.count("create") == 1
    assert the_only(provider).starts_at == stage.fresh(conference_id).starts_at


def test_what_the_provider_keeps_otherwise_than_asked_is_not_asked_for_without_end(
    house: House, stage: Stage, provider: FaultyProvider, conference_id: UUID
) -> None:
    provider.settings = {"title": "AS THE PROVIDER LIKES IT"}
    settle(house, ENSURE)
    move(stage, conference_id, timedelta(hours=1))
    settle(house, ENSURE)
    assert provider.calls == ["create", "update"]
    assert stage.fresh(conference_id).state == "ready"


def test_a_title_too_long_for_the_provider_is_shortened_there_alone(house: House, stage: Stage) -> None:
    provider = FaultyProvider(title_length=40)
    provider_named.fill(house.app, lambda _: provider)
    long = stage.group("long", stage.clinician("anna"), name="Rare tumours of the central nervous system in the young")
    stage.allocated(stage.clinician("ines"), long)
    settle(house, ENSURE)
    conference = stage.conference(long)
    assert the_only(provider).title == "Rare tumours of the central nervous sys…"
    assert (conference.state, conference.differs) == ("ready", False)
    assert conference.title.endswith("24 November 2026")


# ---- not as promised -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("setting", "problem"),
    [
        ({"public": True}, "public"),
        ({"lobby": False}, "no-lobby"),
        ({"lobby": None}, "no-lobby"),
        ({"has_password": False}, "no-password"),
        ({"recording": True}, "recording"),
    ],
)
def test_no_mail_carries_the_link_of_a_meeting_that_is_not_set_up_as_promised(
    house: House, stage: Stage, provider: FaultyProvider, conference_id: UUID, setting: dict[str, Any], problem: str
) -> None:
    provider.settings = setting
    settle(house, ENSURE, "issue-invitations")
    conference = stage.fresh(conference_id)
    assert (conference.state, conference.problem) == ("degraded", problem)
    assert stage.invitations() == []
    assert stage.alerts() == ["A meeting is not set up as promised"]


def test_once_the_settings_are_mended_a_retry_invites(
    house: House, stage: Stage, provider: FaultyProvider, conference_id: UUID
) -> None:
    provider.settings = {"public": True}
    settle(house, ENSURE, "issue-invitations")
    provider.settings = {"public": False}
    conferencing.retry(conference_id, by=HELPDESK)
    settle(house, ENSURE, "issue-invitations")
    assert stage.fresh(conference_id).state == "ready"
    assert len(stage.invitations()) == 3
    assert provider.count("create") == 1


def test_a_degraded_meeting_of_a_session_cancelled_meanwhile_goes(
    house: House, stage: Stage, provider: FaultyProvider, conference_id: UUID
) -> None:
    provider.settings = {"public": True}
    session_id = stage.fresh(conference_id).session_id
    provider.during("create", lambda: rounds.cancel(session_id, "ill", by=HELPDESK))
    settle(house, ENSURE, moving_the_clock=False)
    assert provider.meetings == {}


# ---- host accounts ---------------------------------------------------------------------------------------------------


@pytest.fixture
def licensed(house: House, stage: Stage) -> FaultyProvider:
    """A provider that books host accounts, of which there are two, and two groups that meet at different hours."""
    made = FaultyProvider(needs_host=True)
    provider_named.fill(house.app, lambda _: made)
    for email in ("first@hosts.example", "second@hosts.example"):
        hosting.add_host({"provider": "mock", "email": email, "capacity": 1, "kinds": []})
    return made


def bookings() -> Counter[UUID]:
    db.session.rollback()
    return Counter(db.session.scalars(select(HostBooking.conference_id)))


def moved_to_another_host(stage: Stage, *, before: Callable[[UUID], None]) -> UUID:
    """A conference whose session was moved to an hour at which its own account hosts another group."""
    ines, anna = stage.clinician("ines"), stage.clinician("anna")
    early, late = stage.group("early", anna), stage.group("late", anna, at=time(15))
    stage.allocated(ines, early)
    stage.allocated(ines, late)
    mine, other = stage.conference(early), stage.conference(late)
    assert mine.host == other.host, "the one account serves both, one after the other"
    host = mine.host
    before(mine.id)
    rounds.move(stage.session(early).id, stage.session(late).starts_at, by=HELPDESK)
    assert stage.fresh(mine.id).host != host
    return mine.id


def test_a_session_that_moves_to_another_host_account_gets_its_meeting_there(
    house: House, stage: Stage, licensed: FaultyProvider
) -> None:
    conference_id = moved_to_another_host(stage, before=lambda _: settle(house, ENSURE) and None)
    settle(house, ENSURE)
    conference = stage.fresh(conference_id)
    (meeting,) = [m for m in licensed.meetings.values() if m.key == conference.key]
    assert (meeting.ref.host, meeting.starts_at) == (conference.host, conference.starts_at)
    assert (conference.join_url, conference.state) == (meeting.join_url, "ready")
    assert len(licensed.meetings) == 2


def test_a_meeting_in_doubt_is_looked_for_under_the_account_that_it_was_asked_of(
    house: House, stage: Stage, licensed: FaultyProvider
) -> None:
    licensed.fail("create", errors.Ambiguous, applied=True)
    conference_id = moved_to_another_host(stage, before=conferencing.ensure)
    settle(house, ENSURE)
    conference = stage.fresh(conference_id)
    (meeting,) = [m for m in licensed.meetings.values() if m.key == conference.key]
    assert (meeting.ref.host, meeting.starts_at) == (conference.host, conference.starts_at)


def test_a_webinar_given_up_before_its_meeting_was_made_gives_its_account_back(
    house: House, stage: Stage, licensed: FaultyProvider
) -> None:
    conference_id = stage.approved()
    assert bookings() == {conference_id: 1}
    conferencing.cancel(conference_id, "no speaker", by=HELPDESK)
    settle(house, ENSURE)
    assert bookings() == {}
    assert licensed.calls == []


def test_a_webinar_given_up_loses_its_meeting_and_its_account(
    house: House, stage: Stage, licensed: FaultyProvider
) -> None:
    conference_id = stage.approved()
    settle(house, ENSURE)
    key = stage.fresh(conference_id).key
    conferencing.cancel(conference_id, "no speaker", by=HELPDESK)
    settle(house, ENSURE)
    assert licensed.meetings == {}
    assert bookings() == {}
    assert stage.fresh(conference_id).key != key, "a later meeting is not taken for this one"


def test_the_meeting_of_a_session_is_cancelled_with_its_session_only(
    house: House, provider: FaultyProvider, conference_id: UUID
) -> None:
    with pytest.raises(RuleBroken, match="cancel the session"):
        conferencing.cancel(conference_id, "ill", by=HELPDESK)


def test_a_conference_without_a_host_waits_until_an_account_is_added(house: House, stage: Stage) -> None:
    made = FaultyProvider(needs_host=True)
    provider_named.fill(house.app, lambda _: made)
    only = {"provider": "mock", "email": "only@hosts.example", "capacity": 1, "kinds": ["webinar"]}
    hosting.add_host(only)
    first = stage.approved()
    with pytest.raises(Exception, match="Every host account is busy"):
        stage.approved(topic="Another one")
    ines, anna = stage.clinician("ines"), stage.clinician("anna")
    other = {"provider": "mock", "email": "other@hosts.example", "capacity": 1, "kinds": ["session"]}
    hosting.add_host(other)
    brain, ewing = stage.group("brain", anna), stage.group("ewing", anna)
    stage.allocated(ines, brain)
    stage.allocated(ines, ewing)
    settle(house, ENSURE)
    waiting = stage.conference(ewing)
    assert (waiting.state, waiting.problem) == ("wanted", "no-host-free")
    assert stage.fresh(first).state == "ready"
    hosting.add_host({**other, "email": "third@hosts.example"})
    settle(house, ENSURE)
    assert stage.conference(ewing).state == "ready"
    assert the_hosts(made) == {"only@hosts.example": 1, "other@hosts.example": 1, "third@hosts.example": 1}


def the_hosts(provider: FaultyProvider) -> Counter[str | None]:
    return Counter(meeting.ref.host for meeting in provider.meetings.values())


# ---- transactions ----------------------------------------------------------------------------------------------------


def test_nothing_is_called_over_the_network_while_a_transaction_is_open(
    house: House, stage: Stage, provider: FaultyProvider, conference_id: UUID
) -> None:
    provider.fail("create", errors.Ambiguous, applied=True)
    settle(house, ENSURE)
    move(stage, conference_id, timedelta(hours=1))
    settle(house, ENSURE)
    rounds.cancel(stage.fresh(conference_id).session_id, "ill", by=HELPDESK)
    settle(house, ENSURE)
    assert set(provider.calls) == {"create", "find", "update", "cancel"}
    assert not provider.sees_transaction_open


def test_a_step_inside_a_transaction_is_refused(house: House, provider: FaultyProvider, conference_id: UUID) -> None:
    step = conferencing._begin(conference_id)
    with transaction(), pytest.raises(RuntimeError, match="while a transaction is open"):
        provider_steps.act(step)
    assert provider.calls == []


def test_a_conference_shows_how_many_are_invited_and_what_they_said(
    house: House, provider: FaultyProvider, conference_id: UUID
) -> None:
    settle(house, ENSURE, "issue-invitations")
    view = conferencing.conference(conference_id, by=HELPDESK)
    assert view.audience_size == 3
    assert view.answers == {"sent": 3, "accepted": 0, "declined": 0, "tentative": 0, "none": 3}


def test_a_released_slot_keeps_the_meeting_of_its_session(
    house: House, stage: Stage, provider: FaultyProvider, group: ExpertGroup
) -> None:
    settle(house, ENSURE)
    other = stage.allocated(stage.clinician("olga"), group, slot=1)
    panels.release(other, by=HELPDESK)
    settle(house, ENSURE)
    assert provider.calls == ["create"]
    assert stage.conference(group).state == "ready"


def test_each_conference_is_marked_by_a_key_of_its_own(stage: Stage, group: ExpertGroup) -> None:
    stage.allocated(stage.clinician("olga"), group, session=1)
    keys = {stage.conference(group, number).key for number in (0, 1)}
    assert len(keys) == 2
    assert all(len(key) <= 64 and key.startswith("co-") for key in keys)
