"""A provider in trouble, through HTTP and a real mail server: another provider, and a meeting deleted there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import requests

from conference_orchestrator.providers.sandbox import RunningSandbox
from tests.journeys.mailbox import Mailbox
from tests.journeys.service import Api, Service, eventually, free_port
from tests.journeys.stage import REQUESTER, Stage

NewService = Callable[[str, str], Service]
TOKEN = {"Authorization": "Bearer token-of-the-house"}
KINDS_OF_EVENTS = 7


def staged(service: Service, mailbox: Mailbox, sandbox: RunningSandbox) -> Stage:
    return Stage(service, mailbox, sandbox, "webex", service.token("helpdesk"), Api(service.url, None))


def invited(stage: Stage) -> tuple[str, set[str]]:
    """A conference with its meeting, and who holds an invitation."""
    request = stage.allocated(stage.accepted_case("CPMS-4001", REQUESTER))
    conference_id = stage.helpdesk.get(f"/sessions/{request['session']}")["conference"]
    people = stage.members("brain-tumour") | {REQUESTER}
    stage.await_invitations("invitation", people)
    return conference_id, people


def has_new_link(stage: Stage, people: set[str], link: str) -> None:
    """Each of them got one update, with the new link, of the invitation that they hold."""
    updates = stage.await_invitations("invitation-update", people)
    for person, update in updates.items():
        (first,) = stage.mailbox.of("invitation", to=person)
        assert (update.uid, update.sequence, update.window) == (first.uid, 1, first.window)
        assert link in update.text
        assert len(stage.mailbox.of("invitation-update", to=person)) == 1
    assert stage.mailbox.of("invitation-cancel") == []


def test_while_webex_is_down_the_helpdesk_moves_a_conference_and_everyone_gets_the_new_link(
    sqlite_url: str, new_service: NewService, mailbox: Mailbox
) -> None:
    port = free_port()
    service = new_service(sqlite_url, "webex")
    service.env["CO_WEBEX_URL"] = f"http://127.0.0.1:{port}/v1/"
    with RunningSandbox(port=port) as sandbox:
        stage = staged(service.start(), mailbox, sandbox)
        conference_id, people = invited(stage)
    before = stage.helpdesk.get(f"/conferences/{conference_id}")
    moved = stage.helpdesk.post(f"/conferences/{conference_id}/provider", {"provider": "mock"})
    assert (before["provider"], moved["provider"], moved["host"]) == ("webex", "mock", None)
    stage.settled(conference_id)
    link = stage.helpdesk.get(f"/conferences/{conference_id}")["join_url"]
    assert link.startswith("https://mock.example/")
    has_new_link(stage, people, link)


def test_a_meeting_deleted_at_webex_is_told_by_its_event_and_made_again_on_the_helpdesks_word(
    sqlite_url: str, new_service: NewService, mailbox: Mailbox, sandbox: RunningSandbox
) -> None:
    service = new_service(sqlite_url, "webex")
    service.env["CO_WEBEX_WEBHOOK_SECRET"] = "only-for-this-journey"
    stage = staged(service.start(), mailbox, sandbox)
    eventually(lambda: len(webhooks_of(sandbox)) == KINDS_OF_EVENTS, "webhooks at the sandbox")
    conference_id, people = invited(stage)
    (meeting,) = sandbox.meetings()
    requests.delete(
        f"{sandbox.url}meetings/{meeting['id']}", headers=TOKEN, params={"hostEmail": meeting["host"]}, timeout=10
    ).raise_for_status()

    finding = eventually(lambda: stage.helpdesk.get("/provider-findings")["items"], "the finding")[0]
    assert (finding["kind"], finding["conference"], finding["meeting"]) == ("missing", conference_id, meeting["id"])
    mailbox.await_kind("desk-alert")
    missing = service.token("coordinator", group="brain-tumour").get(f"/conferences/{conference_id}")
    assert (missing["state"], missing["join_url"]) == ("missing", None), "a dead link is given to nobody"
    assert {message.status for message in sandbox.events} == {204}

    stage.helpdesk.post(f"/provider-findings/{finding['id']}/resolution", {"action": "recreate"})
    stage.settled(conference_id)
    (again,) = sandbox.meetings()
    has_new_link(stage, people, stage.helpdesk.get(f"/conferences/{conference_id}")["join_url"])
    assert again["id"] != meeting["id"]
    assert stage.helpdesk.get("/provider-findings")["items"] == []


def webhooks_of(sandbox: RunningSandbox) -> list[dict[str, Any]]:
    """The webhooks that the service has asked for."""
    return [body for method, path, body in sandbox.bodies if method == "POST" and path.endswith("/webhooks")]
