"""An unreachable provider or mail server: the work is accepted, the state says what waits, and it resumes by itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from conference_orchestrator.providers.sandbox import RunningSandbox
from tests.journeys.mailbox import Mailbox
from tests.journeys.service import Service, eventually, free_port
from tests.journeys.test_main_job import REQUESTER, case


@pytest.fixture
def sandbox_that_is_down() -> tuple[int, str]:
    """The port and address on which a sandbox may be started later."""
    port = free_port()
    return port, f"http://127.0.0.1:{port}/v1/"


def allocated(service: Service, reference: str) -> dict[str, Any]:
    helpdesk = service.token("helpdesk")
    requester = helpdesk.get("/clinicians", params={"q": REQUESTER})["items"][0]["id"]
    request = helpdesk.post("/consultation-requests", case(reference, requester))
    helpdesk.post(f"/consultation-requests/{request['id']}/triage", {"decision": "accept"})
    return dict(helpdesk.post(f"/consultation-requests/{request['id']}/allocation"))


def test_a_slot_is_given_while_the_provider_is_down_and_the_link_follows(
    sqlite_url: str,
    new_service: Callable[[str, str], Service],
    mailbox: Mailbox,
    sandbox_that_is_down: tuple[int, str],
) -> None:
    port, address = sandbox_that_is_down
    service = new_service(sqlite_url, "webex")
    service.env["CO_WEBEX_URL"] = address
    service.start()
    request = allocated(service, "CPMS-3001")
    assert request["state"] == "allocated"
    helpdesk = service.token("helpdesk")
    [conference] = helpdesk.get("/conferences")["items"]
    waiting = eventually(lambda: problem_of(service, conference["id"]), "the reason why there is no meeting")
    assert waiting["state"] in {"wanted", "provisioning"}
    assert waiting["join_url"] is None
    assert mailbox.of("invitation") == [], "no mail with a link that does not exist"
    with RunningSandbox(port=port) as sandbox:
        mailbox.await_kind("invitation", to=REQUESTER)
        assert len(sandbox.meetings()) == 1
        assert helpdesk.get(f"/conferences/{conference['id']}")["state"] == "ready"


def problem_of(service: Service, conference_id: str) -> dict[str, Any] | None:
    found = service.token("helpdesk").get(f"/conferences/{conference_id}")
    return dict(found) if found.get("problem") else None


def test_a_slot_is_given_while_the_mail_server_is_down_and_the_mails_follow(
    sqlite_url: str, new_service: Callable[[str, str], Service], mailbox: Mailbox
) -> None:
    service = new_service(sqlite_url, "mock").start()
    mailbox.close()
    assert allocated(service, "CPMS-3002")["state"] == "allocated"
    helpdesk = service.token("helpdesk")
    deferred = eventually(
        lambda: helpdesk.get("/deliveries", params={"state": "deferred"})["items"], "deliveries that wait"
    )
    assert all(delivery["last_answer"] for delivery in deferred), "each says why it waits"
    mailbox.open()
    mailbox.await_kind("invitation", to=REQUESTER)
    assert len(mailbox.of("invitation", to=REQUESTER)) == 1
