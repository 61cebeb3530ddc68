"""A second MIME parser, written by others in another language, finds in every mail what was put there."""

from __future__ import annotations

from email.utils import parseaddr
from typing import Any

import pytest

from conference_orchestrator.notify.composing import compose
from conference_orchestrator.notify.kinds import EventFacts
from tests.readers import reading
from tests.readers.life_cycle import ANSWERS_TO, SENDER, Sent

HEADERS = {
    "from",
    "to",
    "reply-to",
    "subject",
    "date",
    "message-id",
    "auto-submitted",
    "x-conference-kind",
    "mime-version",
    "content-type",
}
SOMETIMES = {"references", "list-unsubscribe", "list-unsubscribe-post"}

Parsed = list[tuple[Sent, dict[str, Any]]]


@pytest.fixture(scope="module")
def parsed(mails: list[Sent]) -> Parsed:
    """Each mail, and what mailparser found in it."""
    return list(zip(mails, reading.mails([mail.data for mail in mails]), strict=True))


@pytest.fixture(scope="module")
def invitations(parsed: Parsed) -> Parsed:
    return [(sent, found) for sent, found in parsed if isinstance(sent.facts, EventFacts)]


def test_the_names_and_addresses_come_back_exactly(parsed: Parsed) -> None:
    for sent, found in parsed:
        assert [(one["name"], one["address"]) for one in found["to"]] == [(sent.reader.name, sent.reader.address)]
        assert [(one["name"], one["address"]) for one in found["from"]] == [parseaddr(SENDER)]
        assert [(one["name"], one["address"]) for one in found["replyTo"]] == [parseaddr(ANSWERS_TO)]


def test_subjects_come_back_whole(parsed: Parsed) -> None:
    for sent, found in parsed:
        # Spaces of all kinds travel as one.
        assert found["subject"].split() == compose(sent.facts, sent.reader).subject.split()


def test_a_mail_has_the_headers_that_we_meant_each_once_and_no_other(parsed: Parsed) -> None:
    for sent, found in parsed:
        assert len(found["headers"]) == len(set(found["headers"]))
        assert set(found["headers"]) - SOMETIMES == HEADERS, sent.step


def test_text_and_html_are_there_and_nothing_else_beside_the_calendar(parsed: Parsed) -> None:
    for sent, found in parsed:
        assert found["text"].strip()
        assert found["html"].strip().startswith("<!")
        types = [part["type"] for part in found["parts"]]
        assert types == (["text/calendar", "application/ics"] if isinstance(sent.facts, EventFacts) else [])


def test_the_calendar_beside_the_text_names_its_method_and_its_charset(invitations: Parsed) -> None:
    for sent, found in invitations:
        assert isinstance(sent.facts, EventFacts)
        beside = found["parts"][0]
        assert beside["parameters"] == {"charset": "utf-8", "method": sent.facts.method, "component": "VEVENT"}
        assert (beside["disposition"], beside["filename"]) == (None, None)
        assert f"METHOD:{sent.facts.method}\r\n".encode() in beside["content"]


def test_the_attached_calendar_is_the_same_bytes_under_its_name(invitations: Parsed) -> None:
    for sent, found in invitations:
        beside, attached = found["parts"]
        name = "cancel.ics" if sent.facts.kind == "invitation-cancel" else "invite.ics"
        assert (attached["disposition"], attached["filename"]) == ("attachment", name)
        assert attached["content"] == beside["content"] == sent.calendar


def test_the_message_ids_are_short_and_all_different(parsed: Parsed) -> None:
    found = [mail["messageId"] for _, mail in parsed]
    assert len(set(found)) == len(found)
    assert max(map(len, found)) <= 60


@pytest.mark.parametrize(
    ("right", "broken"),
    [
        (b'method="REQUEST"', b'method="CANCEL"'),
        (b'charset="utf-8"; method', b'charset="latin-1"; method'),
        (b"application/ics", b"application/pdf"),
        (b"To: ", b"To: evil@evil.example, "),
        (b"Auto-Submitted:", b"Bcc: evil@evil.example\r\nAuto-Submitted:"),
    ],
)
def test_the_parser_shows_where_a_mail_is_not_so(invitations: Parsed, right: bytes, broken: bytes) -> None:
    sent, found = invitations[0]
    assert right in sent.data
    (other,) = reading.mails([sent.data.replace(right, broken)])
    shown = [
        [mail["headers"], mail["to"], [part | {"content": None} for part in mail["parts"]]] for mail in (found, other)
    ]
    assert shown[0] != shown[1]
