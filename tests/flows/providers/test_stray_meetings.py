"""The look at what providers really have: meetings with a key of ours that are not the one a conference has."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from conference_orchestrator.flows import conferencing, finding, hosting, rounds, sweeping
from conference_orchestrator.flows.hosting import provider_named
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.errors import RuleBroken
from conference_orchestrator.providers import errors
from conference_orchestrator.providers.base import Meeting, MeetingRef
from tests.faulty_provider import FaultyProvider, the_only
from tests.flows.providers.conftest import ENSURE, found, late_list, made, pass_time, the_finding, wanted
from tests.house import HELPDESK, House
from tests.scene import Scene, settle

NOBODYS, TWICE = "Meetings that nobody wants", "A meeting existed twice"
UNKNOWN_KEY = "co-00000000000000000000000000000000"


@pytest.fixture
def standing(house: House, provider: FaultyProvider, conference_id: UUID) -> UUID:
    """A conference whose meeting stands, everyone invited."""
    made(house)
    provider.calls.clear()
    return conference_id


def stray(provider: FaultyProvider, key: str | None, *, meeting_id: str = "stray-1", **changes: Any) -> Meeting:
    """Another meeting at the provider, like the one that stands there."""
    like = next(iter(provider.meetings.values()))
    host = changes.pop("host", like.ref.host)
    other = replace(like, key=key, ref=MeetingRef(provider.name, meeting_id, host), **changes)
    provider.meetings[meeting_id] = other
    return other


def cancel(house: House, scene: Scene, conference_id: UUID) -> None:
    """Cancel the conference's session, and have its meeting deleted."""
    rounds.cancel(scene.fresh(conference_id).session_id, "ill", by=HELPDESK)
    settle(house, ENSURE, moving_the_clock=False)


class TestOrphans:
    @pytest.mark.usefixtures("standing")
    def test_one_is_found_once(self, house: House, scene: Scene, provider: FaultyProvider) -> None:
        stray(provider, UNKNOWN_KEY)
        for look in (sweeping.look_near, sweeping.look_far, sweeping.look_near):
            look()
            house.clock.move_on(timedelta(minutes=15))
        assert found() == [("orphan", "open")]
        assert scene.alerts() == [NOBODYS]
        assert provider.touched == []

    @pytest.mark.usefixtures("standing")
    def test_it_is_deleted_on_a_persons_word(self, house: House, provider: FaultyProvider) -> None:
        stray(provider, UNKNOWN_KEY)
        sweeping.look_near()
        assert finding.resolve(the_finding().id, "delete", by=HELPDESK).state == "resolving"
        settle(house, "delete-orphan")
        assert provider.touched == [("cancel", "stray-1")]
        assert (the_finding().state, the_finding().resolved_by) == ("resolved", str(HELPDESK))

    @pytest.mark.usefixtures("standing")
    def test_a_refused_deletion_leaves_it_open_with_the_reason(self, house: House, provider: FaultyProvider) -> None:
        stray(provider, UNKNOWN_KEY)
        provider.fail("cancel", errors.Forbidden)
        sweeping.look_near()
        finding.resolve(the_finding().id, "delete", by=HELPDESK)
        settle(house, "delete-orphan")
        assert the_finding().state == "open"
        assert the_finding().detail.endswith("Not deleted: as the test told it.")

    def test_one_that_a_conference_has_by_now_is_not_deleted(
        self, house: House, scene: Scene, provider: FaultyProvider, standing: UUID
    ) -> None:
        stray(provider, UNKNOWN_KEY)
        sweeping.look_near()
        finding.resolve(the_finding().id, "delete", by=HELPDESK)
        scene.fresh(standing).meeting_id = "stray-1"
        db.session.commit()
        settle(house, "delete-orphan")
        assert provider.touched == []
        assert the_finding().state == "open"

    @pytest.mark.usefixtures("standing")
    def test_ignored_it_stays_so(self, provider: FaultyProvider) -> None:
        stray(provider, UNKNOWN_KEY)
        for _ in range(3):
            sweeping.look_near()
            if the_finding().state == "open":
                finding.resolve(the_finding().id, "ignore", by=HELPDESK)
        assert found() == [("orphan", "resolved")]
        assert "stray-1" in provider.meetings

    @pytest.mark.usefixtures("standing")
    def test_gone_by_itself_it_is_no_matter(self, provider: FaultyProvider) -> None:
        stray(provider, UNKNOWN_KEY)
        sweeping.look_near()
        del provider.meetings["stray-1"]
        sweeping.look_near()
        assert the_finding().resolved_by == "it is gone"

    @pytest.mark.usefixtures("standing")
    def test_one_far_ahead_stays_open_through_the_near_looks(self, scene: Scene, provider: FaultyProvider) -> None:
        at = the_only(provider).starts_at + timedelta(days=100)
        stray(provider, UNKNOWN_KEY, starts_at=at, ends_at=at + timedelta(hours=1))
        for look in (sweeping.look_near, sweeping.look_far, sweeping.look_near, sweeping.look_far):
            look()
        assert found() == [("orphan", "open")]
        assert scene.alerts() == [NOBODYS]

    @pytest.mark.usefixtures("standing")
    def test_what_makes_no_sense_for_one_is_refused(self, provider: FaultyProvider) -> None:
        stray(provider, UNKNOWN_KEY)
        sweeping.look_near()
        with pytest.raises(Exception, match="For an orphan choose delete or ignore"):
            finding.resolve(the_finding().id, "recreate", by=HELPDESK)

    def test_a_meeting_that_we_deleted_while_the_provider_answered_is_none(
        self, house: House, scene: Scene, provider: FaultyProvider, standing: UUID
    ) -> None:
        late_list(provider, then=lambda: cancel(house, scene, standing))
        sweeping.look_near()
        assert provider.meetings == {}
        assert (found(), scene.alerts()) == ([], [])

    def test_without_asking_for_it_that_would_be_one(
        self, house: House, scene: Scene, provider: FaultyProvider, standing: UUID, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The negative control."""
        monkeypatch.setattr(sweeping, "_stands", lambda *_: True)
        late_list(provider, then=lambda: cancel(house, scene, standing))
        sweeping.look_near()
        assert found() == [("orphan", "open")]

    def test_it_is_found_although_no_conference_has_a_meeting_yet(
        self, scene: Scene, provider: FaultyProvider, conference_id: UUID
    ) -> None:
        spec = conferencing._spec(scene.fresh(conference_id))
        provider.create(replace(spec, key=UNKNOWN_KEY))
        sweeping.look_near()
        assert found() == [("orphan", "open")]


class TestMeetingsOfOthers:
    """R08: what does not carry a key of ours is nobody's business here."""

    KEYS = (None, "", "zz-00000000000000000000000000000000", "coco", "CO-1", "of another client")

    def test_they_are_never_touched_nor_told_of(
        self, house: House, scene: Scene, provider: FaultyProvider, standing: UUID
    ) -> None:
        foreign = [stray(provider, key, meeting_id=f"foreign-{n}") for n, key in enumerate(self.KEYS)]
        for look in (sweeping.look_near, sweeping.look_far):
            look()
            pass_time(house, timedelta(minutes=15))
        rounds.cancel(scene.fresh(standing).session_id, "ill", by=HELPDESK)
        pass_time(house, timedelta(minutes=15))
        assert (found(), scene.alerts()) == ([], [])
        assert provider.touched == [("cancel", "meeting-001")]
        assert list(provider.meetings.values()) == foreign


class TestSurplus:
    def test_a_second_meeting_of_a_conference_is_cancelled_and_told(
        self, scene: Scene, provider: FaultyProvider, standing: UUID
    ) -> None:
        stray(provider, scene.fresh(standing).key)
        sweeping.look_near()
        assert the_only(provider).ref.id == scene.fresh(standing).meeting_id == "meeting-001"
        assert scene.alerts() == [TWICE]
        assert found() == []

    def test_a_cancellation_that_fails_is_done_by_the_next_look(
        self, scene: Scene, provider: FaultyProvider, standing: UUID
    ) -> None:
        stray(provider, scene.fresh(standing).key)
        provider.fail("cancel", errors.Transient)
        sweeping.look_near()
        assert len(provider.meetings) == 2
        sweeping.look_near()
        assert the_only(provider).ref.id == "meeting-001"

    def test_while_somebody_is_at_work_on_the_conference_nothing_is_cancelled(
        self, scene: Scene, provider: FaultyProvider, standing: UUID
    ) -> None:
        stray(provider, scene.fresh(standing).key)
        scene.fresh(standing).present_title = None
        db.session.commit()
        assert conferencing._begin(standing) is not None
        sweeping.look_near()
        assert len(provider.meetings) == 2


class TestGivenUp:
    @pytest.fixture
    def given_up(self, house: House, scene: Scene, provider: FaultyProvider, conference_id: UUID) -> UUID:
        """A conference that was given up after six attempts, one of which made a meeting after all."""
        provider.fail("create", errors.Ambiguous, times=6)
        settle(house, ENSURE)
        provider.create(conferencing._spec(scene.fresh(conference_id)))
        assert scene.fresh(conference_id).state == "failed"
        return conference_id

    def test_a_meeting_that_was_made_after_all_is_taken_over(
        self, house: House, scene: Scene, provider: FaultyProvider, given_up: UUID
    ) -> None:
        sweeping.look_near()
        settle(house, ENSURE, "issue-invitations")
        conference = scene.fresh(given_up)
        assert (conference.state, conference.meeting_id) == ("ready", the_only(provider).ref.id)
        assert len(scene.invitations()) == 3

    def test_that_of_a_conference_cancelled_since_is_taken_away(
        self, house: House, scene: Scene, provider: FaultyProvider, given_up: UUID
    ) -> None:
        rounds.cancel(scene.fresh(given_up).session_id, "ill", by=HELPDESK)
        settle(house, ENSURE)
        assert len(provider.meetings) == 1
        sweeping.look_near()
        settle(house, ENSURE, "issue-invitations")
        assert provider.meetings == {}
        assert (scene.fresh(given_up).state, scene.invitations(), found()) == ("cancelled", [], [])


class TestHostAccounts:
    @pytest.fixture
    def provider(self, house: House) -> FaultyProvider:
        made = FaultyProvider(needs_host=True)
        provider_named.fill(house.app, lambda _: made)
        for email in ("first@hosts.example", "second@hosts.example"):
            hosting.add_host({"provider": "mock", "email": email, "capacity": 1, "kinds": []})
        return made

    def test_one_that_is_refused_does_not_hide_what_the_others_hold(
        self, house: House, scene: Scene, provider: FaultyProvider
    ) -> None:
        anna = scene.clinician("anna")
        both = [wanted(scene.group(code, anna), 1)[0] for code in ("brain", "ewing")]
        made(house)
        of = {scene.fresh(one).host: one for one in both}
        stray(provider, UNKNOWN_KEY, host="second@hosts.example")
        provider.meetings.pop(scene.fresh(of["first@hosts.example"]).meeting_id or "")
        provider.fail("ours", errors.NotFound)  # first@hosts.example, withdrawn at the provider
        sweeping.look_near()
        assert found() == [("orphan", "open")]
        assert [scene.fresh(one).missed for one in both] == [0, 0], "what was not looked at is not judged"

    def test_an_orphan_of_one_that_cannot_be_looked_at_stays_open(
        self, house: House, scene: Scene, provider: FaultyProvider
    ) -> None:
        wanted(scene.group("brain", scene.clinician("anna")), 1)
        made(house)
        stray(provider, UNKNOWN_KEY, host="first@hosts.example")
        sweeping.look_near()
        provider.fail("ours", errors.NotFound)
        sweeping.look_near()
        assert found() == [("orphan", "open")]


def test_a_finding_of_a_meeting_that_was_exchanged_cannot_be_acted_upon(
    house: House, scene: Scene, provider: FaultyProvider, standing: UUID
) -> None:
    provider.meetings.clear()
    sweeping.look_near()
    pass_time(house, sweeping.LOOK_AGAIN)
    conferencing.retry(standing, by=HELPDESK)
    settle(house, ENSURE)
    with pytest.raises(RuleBroken, match="another meeting by now"):
        finding.resolve(the_finding().id, "recreate", by=HELPDESK)
    assert len(provider.meetings) == 1
