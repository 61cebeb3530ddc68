"""Findings at providers over HTTP, a conference moved to another provider, and its host key."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from conference_orchestrator.flows import conferencing, sweeping
from conference_orchestrator.flows.hosting import provider_named
from conference_orchestrator.kernel.database import db
from conference_orchestrator.providers.base import MeetingRef
from conference_orchestrator.settings import SettingsError
from tests.faulty_provider import FaultyProvider, the_only

STALE = {"If-Match": '"999-0123456789abcdef"'}
STARTS_AT = "2026-11-24T10:00:00Z"


@pytest.fixture
def providers(service) -> dict[str, FaultyProvider]:
    """Two providers, of which the first made the meeting of the one conference."""
    made = {"mock": FaultyProvider(), "webex": FaultyProvider("webex")}

    def named(name: str) -> FaultyProvider:
        if name not in made:
            raise SettingsError(f"There is no provider {name}.")
        return made[name]

    provider_named.fill(service.app, named)
    inside(service, lambda: conferencing.ensure(UUID(service.ids["conference"])))
    return made


@pytest.fixture
def orphans(service, providers) -> dict[str, FaultyProvider]:
    """Beside it stand three meetings that nobody wants, and the look has found them."""
    first = providers["mock"]
    like = the_only(first)
    for number in range(3):
        ref = MeetingRef("mock", f"stray-{number}", None)
        first.meetings[ref.id] = replace(like, key=f"co-{number:032}", ref=ref)
    inside(service, sweeping.look_near)
    found = {one["meeting"]: one["id"] for one in service.get("/provider-findings").json["items"]}
    service.ids["finding"] = found["stray-0"]
    return providers


def inside(service, act: Callable[[], Any]) -> None:
    with service.app.app_context():
        act()
        db.session.remove()


@pytest.mark.usefixtures("orphans")
class TestListing:
    def test_a_finding_says_what_is_wrong(self, service):
        listed = service.get("/provider-findings").json["items"]
        (shown,) = [one for one in listed if one["meeting"] == "stray-0"]
        assert shown == {
            "id": service.ids["finding"],
            "kind": "orphan",
            "state": "open",
            "provider": "mock",
            "conference": None,
            "meeting": "stray-0",
            "host": None,
            "detail": f"Brain Tumour panel, 24 November 2026, {STARTS_AT}: no conference of ours wants this meeting.",
            "starts_at": STARTS_AT,
            "found_at": "2026-11-23T09:00:00Z",
            "resolved_at": None,
            "resolved_by": None,
            "action": None,
        }

    def test_it_goes_page_by_page(self, service):
        first = service.get("/provider-findings?limit=2").json
        rest = service.get(first["next"]).json
        assert [len(page["items"]) for page in (first, rest)] == [2, 1]
        assert {one["meeting"] for page in (first, rest) for one in page["items"]} == {"stray-0", "stray-1", "stray-2"}
        assert rest["next"] is None

    def test_those_seen_to_are_listed_when_asked_for(self, service):
        service.post("/provider-findings/{finding}/resolution", {"action": "ignore"})
        assert how_many(service, "") == how_many(service, "?state=open") == 2
        assert how_many(service, "?state=resolved") == 1
        assert how_many(service, "?state=all") == 3

    def test_it_is_narrowed_by_kind(self, service):
        assert (how_many(service, "?kind=orphan"), how_many(service, "?kind=drift")) == (3, 0)

    @pytest.mark.parametrize("query", ["state=closed", "kind=strange", "limit=0", "other=1"])
    def test_what_it_does_not_know_is_refused(self, service, query):
        answer = service.get(f"/provider-findings?{query}")
        assert (answer.status_code, list(answer.json["errors"])) == (422, [query.partition("=")[0]])


def how_many(service, query: str) -> int:
    return len(service.get(f"/provider-findings{query}").json["items"])


@pytest.mark.usefixtures("orphans")
class TestResolving:
    def test_it_is_done_after_the_answer(self, service, orphans):
        answer = service.post("/provider-findings/{finding}/resolution", {"action": "delete"})
        assert (answer.status_code, answer.json["state"], answer.json["action"]) == (200, "resolving", "delete")
        assert answer.json["resolved_by"].startswith("helpdesk")
        assert "stray-0" in orphans["mock"].meetings, "no provider is asked while the asker waits"

    def test_a_second_decision_is_refused(self, service):
        service.post("/provider-findings/{finding}/resolution", {"action": "ignore"})
        again = service.post("/provider-findings/{finding}/resolution", {"action": "delete"})
        assert (again.status_code, again.json["type"]) == (409, "/problems/rule-broken")

    def test_what_does_not_fit_names_the_field_and_what_would(self, service):
        answer = service.post("/provider-findings/{finding}/resolution", {"action": "recreate"})
        assert answer.status_code == 422
        assert answer.json["errors"] == {"action": ["For an orphan choose delete or ignore."]}

    @pytest.mark.parametrize("body", [{}, {"action": "burn"}, {"action": None}, {"action": ["delete"]}])
    def test_what_is_no_action_names_the_field(self, service, body):
        answer = service.post("/provider-findings/{finding}/resolution", body)
        assert (answer.status_code, list(answer.json["errors"])) == (422, ["action"])

    def test_one_that_changed_since_it_was_seen_is_left(self, service):
        path, body = "/provider-findings/{finding}/resolution", {"action": "ignore"}
        assert service.post(path, body, headers=STALE).status_code == 412
        assert how_many(service, "") == 3
        assert service.post(path, body, headers={"If-Match": "*"}).status_code == 200

    def test_there_is_none_of_an_unknown_id(self, service):
        answer = service.post(f"/provider-findings/{UUID(int=0)}/resolution", {"action": "ignore"})
        assert answer.status_code == 404

    @pytest.mark.parametrize("role", ["clinician", "coordinator", "reference-centre", "auditor"])
    def test_other_roles_may_not(self, service, role):
        path = "/provider-findings/{finding}/resolution"
        assert service.post(path, {"action": "ignore"}, by=role).status_code == 403
        assert service.get("/provider-findings", by=role).status_code == 403


@pytest.mark.usefixtures("providers")
class TestAnotherProvider:
    def test_the_conference_is_held_there_from_now_on(self, service, providers):
        answer = service.post("/conferences/{conference}/provider", {"provider": "webex"})
        assert (answer.status_code, answer.json["provider"], answer.json["state"]) == (200, "webex", "wanted")
        assert answer.json["join_url"] is None
        assert providers["webex"].calls == []

    @pytest.mark.parametrize("name", ["nowhere", "../mock", "MOCK"])
    def test_one_that_is_not_set_up_names_the_field(self, service, name):
        answer = service.post("/conferences/{conference}/provider", {"provider": name})
        assert (answer.status_code, list(answer.json["errors"])) == (422, ["provider"])

    def test_the_one_that_it_is_at_is_refused(self, service):
        answer = service.post("/conferences/{conference}/provider", {"provider": "mock"})
        assert (answer.status_code, answer.json["type"]) == (409, "/problems/rule-broken")
        assert "/retry" in answer.json["detail"]

    def test_without_a_free_host_account_it_says_so_and_stays(self, service, providers):
        providers["webex"] = FaultyProvider("webex", needs_host=True)
        service.made("/host-accounts", {"provider": "webex", "email": "w@network.example", "kinds": ["webinar"]})
        answer = service.post("/conferences/{conference}/provider", {"provider": "webex"})
        assert (answer.status_code, answer.json["type"]) == (409, "/problems/no-host-free")
        shown = service.get("/conferences/{conference}").json
        assert (shown["provider"], shown["state"]) == ("mock", "ready")

    def test_what_changed_since_it_was_read_is_left(self, service):
        body = {"provider": "webex"}
        assert service.post("/conferences/{conference}/provider", body, headers=STALE).status_code == 412
        seen = {"If-Match": service.get("/conferences/{conference}").headers["ETag"]}
        assert service.post("/conferences/{conference}/provider", body, headers=seen).status_code == 200


@pytest.mark.usefixtures("providers")
class TestHostKey:
    PATH = "/conferences/{conference}/host-key"

    def test_the_helpdesk_reads_it(self, service):
        assert service.get(self.PATH).json == {"host": None, "host_key": "123456"}

    def test_the_coordinator_only_in_the_window(self, service):
        assert service.get(self.PATH, by="coordinator").status_code == 409
        service.clock.at = service.clock.at.replace(day=24, hour=9)
        assert service.get(self.PATH, by="coordinator").json["host_key"] == "123456"

    def test_another_groups_coordinator_finds_no_such_conference(self, service):
        service.tokens["elsewhere"] = service.token("coordinator", group="ewing")
        service.clock.at = service.clock.at.replace(day=24, hour=9)
        assert service.get(self.PATH, by="elsewhere").status_code == 404

    @pytest.mark.parametrize("role", ["clinician", "reference-centre", "auditor"])
    def test_other_roles_may_not(self, service, role):
        service.clock.at = service.clock.at.replace(day=24, hour=9)
        assert service.get(self.PATH, by=role).status_code == 403

    def test_after_a_cancellation_there_is_none(self, service):
        service.post("/sessions/{session}/cancellation", {"reason": "ill"})
        assert service.get(self.PATH).status_code == 404

    @pytest.mark.parametrize("role", ["coordinator", "helpdesk", "auditor"])
    def test_no_other_answer_holds_it(self, service, role):
        paths = ("/conferences", "/conferences/{conference}", "/conferences/{conference}/participants", "/sessions")
        shown = [service.get(path, by=role).get_data(as_text=True) for path in paths]
        assert all("Brain" in text for text in (shown[0], shown[1])), "the grep sees the conference"
        assert [text for text in shown if "123456" in text or "mock-password" in text] == []
