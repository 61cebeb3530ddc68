"""Killed between a commit and its effect, the service loses nothing: it goes on where it was."""

from __future__ import annotations

import contextlib
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import pytest
import requests

from conference_orchestrator.app import engine_of
from conference_orchestrator.flows import panels
from conference_orchestrator.kernel.principal import Principal, Role
from conference_orchestrator.network import clinicians
from conference_orchestrator.providers.sandbox import RunningSandbox
from tests.journeys import crashing
from tests.journeys.mailbox import Mailbox
from tests.journeys.service import Service, database_of, eventually
from tests.journeys.test_main_job import REQUESTER, case

CRASHING = [sys.executable, str(Path(crashing.__file__))]
PEOPLE = 8  # the group's seven members and the requester


def accepted_request(service: Service) -> UUID:
    """A request that the group has accepted; what followed from that is done before the service starts."""
    by = Principal(role=Role.HELPDESK)
    with database_of(service.env["CO_DATABASE_URL"], var=service.folder) as app:
        requester = clinicians.by_email(REQUESTER)
        assert requester is not None
        submitted = panels.submit(case("CPMS-1001", str(requester.id)), by=by)
        panels.triage(submitted.request.id, "accept", by=by)
        assert engine_of(app).run_due() > 0
    return submitted.request.id


def crash_and_restart(service: Service, point: str, *, without: str = "") -> None:
    """Allocate a slot on a service that dies at the point, and start it again without the crash."""
    request = accepted_request(service)
    helpdesk = service.token("helpdesk")
    service.env |= {"CO_TEST_CRASH_AT": point, "CO_TEST_WITHOUT": without}
    service.start(program=CRASHING)
    with contextlib.suppress(requests.RequestException):  # it may die before its answer has left, or within it
        helpdesk.post(f"/consultation-requests/{request}/allocation")
    assert service.process is not None
    service.process.wait(timeout=60)
    service.env["CO_TEST_CRASH_AT"] = ""
    service.start(program=CRASHING)


@pytest.fixture
def service(database_url: str, new_service: Callable[[str, str], Service]) -> Service:
    return new_service(database_url, "webex")


@pytest.mark.parametrize("point", crashing.POINTS)
def test_after_a_kill_the_meeting_exists_once_and_each_mail_has_gone(
    service: Service, mailbox: Mailbox, sandbox: RunningSandbox, point: str
) -> None:
    crash_and_restart(service, point)
    mailbox.await_(lambda: len({mail.to for mail in mailbox.of("invitation")}) == PEOPLE, f"{PEOPLE} invitations")
    eventually(lambda: ready(service), "a conference that is ready")
    assert len(sandbox.meetings()) == 1
    repeats = Counter((mail.to, mail.uid, mail.sequence) for mail in mailbox.of("invitation"))
    assert sum(repeats.values()) - len(repeats) <= 1, "one kill repeats one mail at most"
    ids = {(mail.to, str(mail.message["Message-ID"])) for mail in mailbox.of("invitation")}
    assert len(ids) == PEOPLE, "a repeat carries the same Message-ID"


def test_without_the_outbox_a_kill_would_lose_the_meeting(
    postgres_url: str, new_service: Callable[[str, str], Service], sandbox: RunningSandbox
) -> None:
    service = new_service(postgres_url, "webex")
    request = accepted_request(service)
    service.env["CO_TEST_WITHOUT"] = "the outbox"
    service.start(program=CRASHING)
    service.token("helpdesk").post(f"/consultation-requests/{request}/allocation")
    service.kill()
    service.start(program=CRASHING)
    [conference] = service.token("helpdesk").get("/conferences")["items"]
    assert conference["state"] == "wanted"
    assert sandbox.count("POST") == 0, "the test can no longer see the loss that it guards against"


def test_without_the_look_a_kill_would_leave_two_meetings(
    postgres_url: str, new_service: Callable[[str, str], Service], sandbox: RunningSandbox
) -> None:
    service = new_service(postgres_url, "webex")
    crash_and_restart(service, "after the meeting is made", without="the look")
    eventually(lambda: ready(service), "a conference that is ready")
    assert len(sandbox.meetings()) == 2, "the test can no longer see the second meeting that it guards against"


def ready(service: Service) -> bool:
    [conference] = service.token("helpdesk").get("/conferences")["items"]
    return bool(conference["state"] == "ready")
