"""Mail that came in over HTTP: what the helpdesk reads and is done with."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from conference_orchestrator.flows import reading_post
from conference_orchestrator.flows.reading_post import open_mailbox
from conference_orchestrator.kernel import ports
from conference_orchestrator.kernel.database import db
from tests.flows.answers import letters
from tests.notify.post.memory import MailboxInMemory

STRANGER = "somebody@elsewhere.example"


@pytest.fixture
def read(service):
    """A question, an automatic reply and a liar's answer have come in."""
    box = MailboxInMemory()
    mails = [
        letters.mail(["May I bring a colleague?"], "Message-ID: <1@mail.example>", sender=STRANGER, subject="Hi"),
        letters.absence(STRANGER),
        letters.reply("session-1", "ACCEPTED", "expert@szpital.example", stamp=service.clock.at, sender=STRANGER),
    ]
    with service.app.app_context():
        ports.settings.fill(service.app, replace(ports.settings(), imap_url="imap://u:p@mail.example/INBOX"))
        open_mailbox.fill(service.app, lambda: box)
        for mail in mails:
            box.put(mail)
            reading_post.read_post()
            service.clock.move_on(timedelta(minutes=1))
        db.session.remove()
    return service


def listed(service, query: str = "") -> list[dict[str, object]]:
    return service.get(f"/inbound-mails{query}").json["items"]


def test_a_mail_says_what_became_of_it(read):
    shown = listed(read, "?kind=other")
    assert shown == [
        {
            "id": shown[0]["id"],
            "kind": "other",
            "state": "open",
            "address": STRANGER,
            "subject": "Hi",
            "detail": "Somebody writes; the mail lies in the mailbox.",
            "message_id": "<1@mail.example>",
            "clinician": None,
            "conference": None,
            "proposed_starts_at": None,
            "proposed_ends_at": None,
            "read_at": "2026-11-23T09:00:00Z",
            "resolved_at": None,
        }
    ]
    assert read.get(f"/inbound-mails/{shown[0]['id']}").json == shown[0]


def test_the_list_is_narrowed_by_state_and_kind_and_goes_page_by_page(read):
    assert [mail["kind"] for mail in listed(read)] == ["other", "auto-reply", "reply"]
    assert [mail["kind"] for mail in listed(read, "?state=open")] == ["other", "reply"]
    assert listed(read, "?state=open&kind=auto-reply") == []
    first = read.get("/inbound-mails?limit=2").json
    assert [mail["kind"] for mail in read.get(first["next"]).json["items"]] == ["reply"]


def test_the_helpdesk_is_done_with_an_open_mail_once(read):
    path = f"/inbound-mails/{listed(read, '?kind=reply')[0]['id']}/resolution"
    done = read.post(path, {"action": "done"})
    assert (done.status_code, done.json["state"], done.json["resolved_at"]) == (200, "done", "2026-11-23T09:03:00Z")
    again = read.post(path, {"action": "done"})
    assert (again.status_code, again.json["type"]) == (409, "/problems/rule-broken")
    assert [mail["kind"] for mail in listed(read, "?state=open")] == ["other"]


@pytest.mark.parametrize("query", ["state=closed", "kind=strange", "limit=0", "other=1"])
def test_what_the_list_does_not_know_is_refused(shared, query):
    answer = shared.get(f"/inbound-mails?{query}")
    assert (answer.status_code, list(answer.json["errors"])) == (422, [query.partition("=")[0]])


@pytest.mark.parametrize("body", [{}, {"action": "burn"}, {"action": None}])
def test_what_is_no_action_names_the_field(read, body):
    answer = read.post(f"/inbound-mails/{listed(read)[0]['id']}/resolution", body)
    assert (answer.status_code, list(answer.json["errors"])) == (422, ["action"])


def test_a_helpdesk_of_one_network_is_refused(service):
    service.tokens["narrow"] = service.token("helpdesk", network="covid")
    assert service.get("/inbound-mails", by="narrow").status_code == 403
