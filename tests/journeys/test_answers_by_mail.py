"""Invitations go out by SMTP, answers and bounces come into an IMAP mailbox, and HTTP tells what became of them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import pytest

from conference_orchestrator.providers.sandbox import RunningSandbox
from tests.flows.answers import letters
from tests.journeys import reading
from tests.journeys.mailbox import Mail, Mailbox
from tests.journeys.service import Api, Service, eventually
from tests.journeys.stage import REQUESTER, Stage
from tests.notify.post.imap_server import SECRET, USER, ImapServer

PROGRAM = [sys.executable, str(Path(reading.__file__))]


@pytest.fixture
def imap() -> Iterator[ImapServer]:
    server = ImapServer()
    yield server
    server.close()


@pytest.fixture
def stage(
    database_url: str,
    mailbox: Mailbox,
    sandbox: RunningSandbox,
    imap: ImapServer,
    new_service: Callable[[str, str], Service],
) -> Stage:
    """A service that reads the mailbox, as an operator sets it up."""
    service = new_service(database_url, "mock")
    account = f"{quote(USER, safe='')}:{quote(SECRET, safe='')}"
    service.env["CO_IMAP_URL"] = f"imap://{account}@127.0.0.1:{imap.port}/INBOX?tls=none"
    service.start(program=PROGRAM)
    return Stage(service, mailbox, sandbox, "mock", service.token("helpdesk"), Api(service.url, None))


def comes_in(imap: ImapServer, mail: bytes) -> None:
    imap.mails[max(imap.mails, default=0) + 1] = mail


def answer(mail: Mail, said: str) -> bytes:
    """What the calendar program of who got the invitation sends back."""
    event = mail.event
    assert event.organizer.value == "mailto:helpdesk@conference.example"
    attendee = event.attendee.value.removeprefix("mailto:")
    assert attendee == mail.to
    return letters.reply(mail.uid, said, attendee, stamp=datetime.now(UTC), sequence=mail.sequence)


def test_answers_by_mail_show_on_the_conference_and_count_for_the_quorum(stage: Stage, imap: ImapServer) -> None:
    request = stage.allocated(stage.accepted_case("CPMS-2026/0011", REQUESTER))
    session = stage.helpdesk.get(f"/sessions/{request['session']}")
    experts = sorted(stage.members("brain-tumour"))
    invited = stage.await_invitations("invitation", {REQUESTER, *experts})
    counted = lambda: stage.helpdesk.get(f"/conferences/{session['conference']}")["invitations"]  # noqa: E731
    assert (counted()["accepted"], counted()["declined"]) == (0, 0)

    comes_in(imap, b"\x00 nothing that anybody can read")
    comes_in(imap, answer(invited[experts[0]], "ACCEPTED"))
    comes_in(imap, answer(invited[REQUESTER], "DECLINED"))
    eventually(lambda: (counted()["accepted"], counted()["declined"]) == (1, 1), "two answers")
    eventually(lambda: imap.seen == {1, 2, 3}, "all marked as seen")
    assert stage.helpdesk.get(f"/sessions/{session['id']}")["quorum"]["accepted"] == 1
    mails = stage.helpdesk.get("/inbound-mails")["items"]
    assert sorted(mail["state"] for mail in mails) == ["counted", "counted", "open"]


def test_an_address_that_does_not_exist_shows_and_the_helpdesk_is_told(stage: Stage, imap: ImapServer) -> None:
    stage.allocated(stage.accepted_case("CPMS-2026/0012", REQUESTER))
    (invitation,) = stage.await_invitations("invitation", {REQUESTER}).values()
    comes_in(imap, letters.bounce(REQUESTER, str(invitation.message["Message-ID"])))
    clinician = lambda: stage.helpdesk.get(f"/clinicians/{stage.clinician(REQUESTER)}")  # noqa: E731
    eventually(lambda: clinician()["bounced_at"], "the address to be known as one that does not exist")
    [suppression] = stage.helpdesk.get("/suppressions", params={"address": REQUESTER})["items"]
    delivery = stage.helpdesk.get(f"/deliveries/{suppression['delivery']}")
    assert (delivery["kind"], delivery["state"], delivery["address"]) == ("invitation", "failed", REQUESTER)
    # The helpdesk may be told of the session's quorum too, when Tuesday is near.
    told = lambda: stage.mailbox.of("desk-alert", to="helpdesk@conference.example")  # noqa: E731
    stage.mailbox.await_(lambda: any(REQUESTER in mail.text for mail in told()), "an alert that names the address")
