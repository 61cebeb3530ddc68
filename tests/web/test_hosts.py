"""Host accounts over HTTP: the reserve, who holds them, what a change would do, and what is told when none is free."""

from __future__ import annotations

from uuid import UUID

import pytest

from conference_orchestrator.flows.hosting import provider_named
from tests.scheduling.stage import ProviderWithHosts
from tests.web.conftest import WEBINAR

AT = "2026-12-03T15:00:00Z"
HELD = {"title": "Lessons", "starts_at": AT, "ends_at": "2026-12-03T16:00:00Z", "host": "host@network.example"}


@pytest.fixture
def hosted(service):
    """A webinar holds the one host account; another one is asked for."""
    provider_named.fill(service.app, lambda _: ProviderWithHosts())
    service.made("/webinar-requests/{webinar}/approval", {"starts_at": AT})
    service.ids["held"] = service.get("/webinar-requests/{webinar}").json["conference"]
    service.ids["second"] = service.made("/webinar-requests", WEBINAR | {"topic": "More"})["id"]
    return service


def change(service, changes, query=""):
    etag = service.get("/host-accounts/{host}").headers["ETag"]
    return service.patch(f"/host-accounts/{{host}}{query}", changes, headers={"If-Match": etag})


def test_an_account_is_kept_back_for_urgent_calls(service):
    entered = {"provider": "mock", "email": "red@network.example", "reserve": True}
    assert service.made("/host-accounts", entered)["reserve"] is True
    assert service.get("/host-accounts/{host}").json["reserve"] is False
    assert change(service, {"reserve": True}).json["reserve"] is True
    assert service.get("/host-accounts/{host}").json["reserve"] is True


class TestNoHostFree:
    def test_the_helpdesk_is_told_who_holds_the_accounts_and_when_one_is_free(self, hosted):
        answer = hosted.post("/webinar-requests/{second}/approval", {"starts_at": AT})
        assert (answer.status_code, answer.json["type"]) == (409, "/problems/no-host-free")
        assert answer.json["held_by"] == [{"conference": hosted.ids["held"], **HELD}]
        assert answer.json["next_free"] == ["2026-12-03T16:00:00Z", "2026-12-03T16:30:00Z", "2026-12-03T17:00:00Z"]
        assert answer.json["detail"] == (
            "Every host account is busy then; next free (Europe/Warsaw): "
            "03.12.2026 17:00, 03.12.2026 17:30, 03.12.2026 18:00."
        )

    def test_a_coordinator_is_told_only_the_times_of_what_is_not_the_own_groups(self, hosted):
        answer = hosted.post("/sessions/{session}/move", {"starts_at": AT}, by="coordinator")
        assert (answer.status_code, answer.json["type"]) == (409, "/problems/no-host-free")
        assert answer.json["held_by"] == [{"starts_at": AT, "ends_at": "2026-12-03T16:00:00Z"}]
        assert "Lessons" not in answer.get_data(as_text=True)


class TestPreview:
    def test_it_tells_what_would_become_of_the_conferences_and_writes_nothing(self, hosted):
        shown = change(hosted, {"is_active": False}, "?preview=true")
        assert shown.status_code == 200
        lost = {"conference": hosted.ids["held"], **HELD, "host": None}
        assert shown.json == {"reassigned": [], "without_host": [lost]}
        assert hosted.get("/host-accounts/{host}").json["is_active"] is True
        hosted.made("/host-accounts", {"provider": "mock", "email": "two@network.example"})
        moved = {**lost, "host": "two@network.example"}
        assert change(hosted, {"is_active": False}, "?preview=1").json == {"reassigned": [moved], "without_host": []}

    def test_it_needs_no_if_match_but_heeds_it(self, hosted):
        path = "/host-accounts/{host}?preview=true"
        assert hosted.patch(path, {"capacity": 2}).status_code == 200
        stale = {"If-Match": '"999-0123456789abcdef"'}
        assert hosted.patch(path, {"capacity": 2}, headers=stale).status_code == 412

    def test_the_change_itself_needs_if_match_and_answers_with_the_account(self, hosted):
        assert hosted.patch("/host-accounts/{host}", {"capacity": 2}).status_code == 428
        assert change(hosted, {"is_active": False}).json["is_active"] is False
        assert hosted.get("/conferences/{held}").json["host"] is None


class TestBookings:
    def test_who_holds_an_account_from_now_on_is_listed_page_by_page(self, hosted):
        hosted.made("/webinar-requests/{second}/approval", {"starts_at": "2026-12-03T16:00:00Z"})
        first = hosted.get("/host-accounts/{host}/bookings?limit=1").json
        assert first["items"] == [{"conference": hosted.ids["held"], **HELD}]
        rest = hosted.get(first["next"]).json
        assert ([one["title"] for one in rest["items"]], rest["next"]) == (["More"], None)

    def test_what_is_over_is_not_listed(self, hosted):
        hosted.clock.at = hosted.clock.at.replace(month=12, day=3, hour=16)
        assert hosted.get("/host-accounts/{host}/bookings").json["items"] == []

    def test_the_helpdesk_of_another_network_sees_only_the_times(self, hosted):
        hosted.tokens["elsewhere"] = hosted.token("helpdesk", network="other")
        (shown,) = hosted.get("/host-accounts/{host}/bookings", by="elsewhere").json["items"]
        assert shown == {"starts_at": AT, "ends_at": "2026-12-03T16:00:00Z"}

    def test_there_are_none_of_an_account_that_there_is_not(self, hosted):
        assert hosted.get(f"/host-accounts/{UUID(int=0)}/bookings").status_code == 404
