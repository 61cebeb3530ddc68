import dataclasses
import re
from datetime import UTC, datetime
from email import message_from_bytes
from email.header import decode_header, make_header
from email.policy import compat32, default
from html.parser import HTMLParser
from uuid import UUID

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from conference_orchestrator.kernel.errors import Invalid
from conference_orchestrator.kernel.text import nfc, one_line_problem
from conference_orchestrator.notify.composing import Composed, compose
from conference_orchestrator.notify.mime import build, encoded, message_id
from conference_orchestrator.notify.reader import Reader

ROW = UUID("01890a5d-ac96-774b-bcce-b302099a8057")
READER = Reader(name="Dr. Inês Ávila", address="ines@hospital.example", language="pt", time_zone="Europe/Lisbon")
ENVELOPE = {
    "sender": "Helpdesk <helpdesk@network.example>",
    "reply_to": "Helpdesk <helpdesk@network.example>",
    "message_id": message_id(ROW, "network.example"),
    "date": datetime(2026, 11, 2, 8, 30, tzinfo=UTC),
}
PLAIN = Composed(kind="desk-alert", subject="Helpdesk: an alert", text="text\n", html="<p>html</p>\n")
WRITING = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), min_size=1, max_size=120)


def built(composed=PLAIN, reader=READER, **given):
    return build(encoded(composed), reader=reader, **(ENVELOPE | given))


def read(data):
    return message_from_bytes(data, policy=default)


def one_spaced(text):
    return " ".join(nfc(text).split())


def parts(mail):
    return [part.get_content_type() for part in mail.walk()]


def test_an_invitation_follows_the_recipe(invitation):
    facts, reader = invitation
    mail = read(built(compose(facts, reader), reader))
    assert parts(mail) == [
        "multipart/mixed",
        "multipart/alternative",
        "text/plain",
        "text/html",
        "text/calendar",
        "application/ics",
    ]
    beside, attached = (part for part in mail.walk() if part.get_content_type() in {"text/calendar", "application/ics"})
    assert beside["Content-Disposition"] is None
    assert beside["Content-Transfer-Encoding"] == attached["Content-Transfer-Encoding"] == "base64"
    assert attached.get_content_disposition() == "attachment"
    assert attached.get_filename() == ("cancel.ics" if facts.kind == "invitation-cancel" else "invite.ics")


def test_the_method_of_the_part_is_the_method_of_the_object(invitation):
    facts, reader = invitation
    data = built(compose(facts, reader), reader)
    (part,) = (part for part in read(data).walk() if part.get_content_type() == "text/calendar")
    (method,) = re.findall(rb"^METHOD:(\w+)\r$", part.get_payload(decode=True), re.MULTILINE)
    assert part["Content-Type"].params["method"] == method.decode() == facts.method
    line = f'\r\nContent-Type: text/calendar; charset="utf-8"; method="{facts.method}"; component="VEVENT"\r\n'
    assert line.encode() in data


def test_both_calendar_parts_hold_the_same_bytes(invitation):
    facts, reader = invitation
    composed = compose(facts, reader)
    beside, attached = (
        part.get_payload(decode=True)
        for part in read(built(composed, reader)).walk()
        if part.get_content_type() in {"text/calendar", "application/ics"}
    )
    assert beside == attached == composed.calendar.data


def test_a_mail_without_a_calendar_is_a_plain_alternative(example):
    composed = compose(*example)
    if composed.calendar is None:
        assert parts(read(built(composed))) == ["multipart/alternative", "text/plain", "text/html"]


def test_text_and_html_arrive_as_they_were_composed(example):
    composed = compose(*example)
    mail = read(built(composed))
    assert mail.get_body(["plain"]).get_content().replace("\r\n", "\n") == composed.text
    html = mail.get_body(["html"]).get_content().replace("\r\n", "\n")
    assert html == composed.html.encode("ascii", "xmlcharrefreplace").decode()
    assert reading(html) == reading(composed.html)


class Reading(HTMLParser):
    """What a reader of HTML makes of it: tags with their attributes, and texts."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.seen = []

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, attrs))

    def handle_data(self, data):
        self.seen.append(data)


def reading(html):
    reader = Reading()
    reader.feed(html)
    reader.close()
    return reader.seen


LETTERS = "<title>Łódź</title><p title='ß'>Ελένη 李 &amp; 🫀</p>\n"


def test_letters_of_html_are_references_that_read_the_same():
    html = read(built(dataclasses.replace(PLAIN, html=LETTERS))).get_body(["html"]).get_content()
    assert html.isascii()
    assert reading(html.replace("\r\n", "\n")) == reading(LETTERS)


def test_a_style_sheet_with_letters_stays_as_it_is():
    html = "<style>p:before { content: '→' }</style><p>Łódź</p>\n"
    assert read(built(dataclasses.replace(PLAIN, html=html))).get_body(["html"]).get_content() == html.replace(
        "\n", "\r\n"
    )


LINES = st.text(st.sampled_from("a= .\t\nß李F"), max_size=300)


@settings(max_examples=300, deadline=None)
@given(text=LINES)
@example(text=".\nFrom here\n \n\tx \n")
@example(text="ß " * 300)
@example(text="x" * 1200)
@example(text="李" * 700)
def test_every_text_comes_back_in_lines_that_every_server_takes(text):
    data = built(dataclasses.replace(PLAIN, text=f"{text}\n"))
    assert read(data).get_body(["plain"]).get_content().replace("\r\n", "\n") == f"{text}\n"
    assert max(map(len, data.split(b"\r\n"))) <= 998
    (part,) = (part for part in read(data).walk() if part.get_content_type() == "text/plain")
    if part["Content-Transfer-Encoding"] != "7bit":
        assert max(map(len, part.get_payload().splitlines())) <= 76


def test_the_same_mail_is_the_same_bytes(invitation):
    facts, reader = invitation
    assert built(compose(facts, reader), reader) == built(compose(facts, reader), reader)


def test_where_one_leaves_the_list_stands_in_the_headers_only_when_asked_for():
    mail = read(built(unsubscribe_url="https://conference.example/u/Jp3kq9"))
    assert mail["List-Unsubscribe"] == "<https://conference.example/u/Jp3kq9>"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert read(built())["List-Unsubscribe"] is None


def test_the_headers_name_kind_person_and_cause():
    mail = read(built(reply_to="Answers <calendar@network.example>", references="<first@network.example>"))
    assert {name: mail[name] for name in mail if not name.startswith(("Content", "MIME"))} == {
        "From": "Helpdesk <helpdesk@network.example>",
        "To": '"Dr. Inês Ávila" <ines@hospital.example>',
        "Reply-To": "Answers <calendar@network.example>",
        "Subject": "Helpdesk: an alert",
        "Date": "Mon, 02 Nov 2026 08:30:00 +0000",
        "Message-ID": "<01890a5dac96774bbcceb302099a8057@network.example>",
        "References": "<first@network.example>",
        "Auto-Submitted": "auto-generated",
        "X-Conference-Kind": "desk-alert",
    }


def test_a_sender_who_reads_the_answers_needs_no_reply_to():
    assert read(built())["Reply-To"] is None


def test_a_mail_is_ascii_with_crlf_and_bounded_lines(example):
    data = built(compose(*example))
    assert data.isascii()
    assert b"\n" not in data.replace(b"\r\n", b"")
    assert b"\r" not in data.replace(b"\r\n", b"")
    assert max(map(len, data.split(b"\r\n"))) <= 998


@pytest.mark.parametrize(
    "poison", ["a\r\nBcc: x@y.example", "a\nb", "a\u2028b", "a\x00b", "a\u202eb", "=?utf-8?q?a=0ABcc:x?="]
)
@pytest.mark.parametrize(
    ("header", "where"),
    [
        ("Subject", lambda text: {"composed": dataclasses.replace(PLAIN, subject=text)}),
        ("To", lambda text: {"reader": dataclasses.replace(READER, name=text)}),
        ("To", lambda text: {"reader": dataclasses.replace(READER, address=f"a{text}@hospital.example")}),
        ("X-Conference-Kind", lambda text: {"composed": dataclasses.replace(PLAIN, kind=text)}),
        ("Message-ID", lambda text: {"message_id": f"<{text}@network.example>"}),
        ("References", lambda text: {"references": f"<{text}@network.example>"}),
    ],
)
def test_a_header_refuses_what_starts_another_or_deceives(header, where, poison):
    with pytest.raises(Invalid) as refused:
        built(**where(poison))
    assert list(refused.value.errors) == [header]


@pytest.mark.parametrize("header", ["sender", "reply_to"])
@pytest.mark.parametrize("mailbox", ["nobody", "<@network.example>", "", "=?utf-8?q?a?= <a@network.example>"])
def test_a_mailbox_that_is_none_is_refused(header, mailbox):
    with pytest.raises(Invalid):
        built(**{header: mailbox})


@pytest.mark.parametrize(
    "address",
    [
        "a",
        "a@",
        "@b.example",
        "a@b@c.example",
        "a@b.example, c@d.example",
        "a <b@c.example>",
        " a@b.example",
        "a@b.example ",
    ],
)
def test_a_mail_goes_to_exactly_one_address(address):
    with pytest.raises(Invalid):
        built(reader=dataclasses.replace(READER, address=address))


@settings(max_examples=300, deadline=None)
@given(subject=WRITING, name=WRITING)
@example(subject="x", name=" ".join(["Prof. Dr. Żółć"] * 9))
def test_subject_and_name_come_back_as_they_went_in(subject, name):
    if one_line_problem(subject) or one_line_problem(name):
        return
    composed = dataclasses.replace(PLAIN, subject=f"Invitation: {subject}")
    data = built(composed, dataclasses.replace(READER, name=name))
    # The newer reader of the standard library puts spaces between encoded words of a name; this one follows RFC 2047.
    mail = message_from_bytes(data, policy=compat32)
    seen, to = (str(make_header(decode_header(mail[header].replace("\r\n", "")))) for header in ("Subject", "To"))
    assert seen == one_spaced(composed.subject)
    if one_spaced(name).isascii():
        assert read(data)["To"].addresses[0].display_name == one_spaced(name)
    else:
        assert to == f"{one_spaced(name)} <{READER.address}>"
    assert all(len(word) <= 75 for word in re.findall(rb"=\?[^?]*\?[^?]*\?[^?]*\?=", data.partition(b"\r\n\r\n")[0]))


@pytest.mark.parametrize("letters", range(1, 60))
@pytest.mark.parametrize(
    "local", ["lucja", "l", "a.clinician.with.a.long.name.at.the.department.of.rare.diseases.and.more"]
)
def test_no_line_with_an_encoded_word_is_longer_than_allowed(letters, local):
    """RFC 2047, section 2: 76 characters."""
    reader = dataclasses.replace(READER, name="ł" * letters, address=f"{local}@hospital.example")
    data = built(reader=reader)
    lines = data.partition(b"\r\n\r\n")[0].split(b"\r\n")
    assert all(len(line) <= 76 for line in lines if b"=?utf-8?" in line)
    to = message_from_bytes(data, policy=compat32)["To"].replace("\r\n", "")
    assert str(make_header(decode_header(to))) == f"{reader.name} <{reader.address}>"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200, deadline=None)
@given(subject=st.text(max_size=80), name=st.text(max_size=80))
def test_no_text_can_add_a_header(subject, name):
    try:
        data = built(dataclasses.replace(PLAIN, subject=subject), dataclasses.replace(READER, name=name))
    except Invalid:
        return
    assert sorted(read(data).keys()) == sorted(read(built()).keys())


def test_an_address_with_letters_beyond_ascii_is_written_in_utf_8():
    data = built(reader=dataclasses.replace(READER, address="inês@hospital.example"))
    assert "<inês@hospital.example>".encode() in data


def test_a_message_id_belongs_to_its_row():
    assert message_id(ROW, "network.example") == message_id(ROW, "network.example")
    assert message_id(ROW, "network.example") != message_id(UUID(int=ROW.int + 1), "network.example")


@pytest.mark.parametrize(
    ("domain", "kept"),
    [
        ("localhost", "localhost"),
        ("Network.Example", "network.example"),
        ("mail.a-very-long-name-of-a-hospital.network.example", "network.example"),
        ("x" * 63, "x" * 25),
        ("münchen.example", "xn--mnchen-3ya.example"),
    ],
)
def test_a_message_id_has_at_most_sixty_characters(domain, kept):
    made = message_id(ROW, domain)
    assert made == f"<{ROW.hex}@{kept}>"
    assert len(made) <= 60
