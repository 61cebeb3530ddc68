import dataclasses
import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

import pytest

from conference_orchestrator.kernel.errors import Invalid
from conference_orchestrator.notify import kinds
from conference_orchestrator.notify.composing import compose, span
from conference_orchestrator.notify.reader import Reader

PAYLOAD = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'&{{ 7*7 }}"
ADDRESSES = {"confirm_url", "list_url", "request_url", "join_url", "answer_url", "materials_url", "url"}
# Not shown as text: they decide what is said, or are machine values of the calendar object.
UNSAID = {"role", "attendee_status", "uid", "organizer_address", "time_zone"}


class Page(HTMLParser):
    """The elements, links and text of a mail's HTML."""

    def __init__(self, source):
        super().__init__()
        self.tags, self.links, self.attributes, self.open = [], [], [], []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]
        self.links += [value for name, value in attrs if name == "href"]
        if tag not in {"meta", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def utc(*parts):
    return datetime(*parts, tzinfo=UTC)


@pytest.mark.parametrize(
    ("starts_at", "zone", "said"),
    [
        (
            utc(2026, 11, 24, 10, 0),
            "Europe/Berlin",
            "Tuesday 24 November 2026, 11:00-11:20 (Berlin, UTC+1) = 10:00-10:20 UTC",
        ),
        (
            utc(2026, 10, 20, 9, 0),
            "Europe/Berlin",
            "Tuesday 20 October 2026, 11:00-11:20 (Berlin, UTC+2) = 09:00-09:20 UTC",
        ),
        (
            utc(2026, 11, 24, 10, 50),
            "Pacific/Auckland",
            "Tuesday 24 November 2026, 23:50-Wednesday 25 November 2026, 00:10 (Auckland, UTC+13) = 10:50-11:10 UTC",
        ),
        (
            utc(2026, 11, 24, 22, 0),
            "Pacific/Auckland",
            "Wednesday 25 November 2026, 11:00-11:20 (Auckland, UTC+13) = Tuesday 24 November 2026, 22:00-22:20 UTC",
        ),
        (utc(2026, 11, 24, 10, 0), "UTC", "Tuesday 24 November 2026, 10:00-10:20 UTC"),
    ],
)
def test_a_time_is_told_on_the_readers_wall_and_in_utc(starts_at, zone, said):
    assert str(span(starts_at, starts_at + timedelta(minutes=20), zone)) == said


def test_text_and_html_tell_the_same_time(invitation):
    facts, reader = invitation
    mail = compose(facts, reader)
    when = span(facts.starts_at, facts.ends_at, reader.time_zone)
    assert str(when) in mail.text
    assert when.wall in mail.html
    assert when.place in mail.html
    assert facts.kind == "invitation-cancel" or when.utc in mail.html


def test_a_reader_by_another_clock_also_sees_the_meetings_own(event_facts):
    reader = Reader(name="Kiri", address="kiri@h.example", language="en", time_zone="Pacific/Auckland")
    mail = compose(kinds.Invitation(**event_facts()), reader)
    assert "own clock: Tuesday 24 November 2026, 11:00-11:40 (Berlin, UTC+1)" in mail.text
    assert "11:00-11:40 (Berlin, UTC+1)" in mail.html


def test_a_reader_by_the_same_clock_sees_one_time_only(event_facts):
    reader = Reader(name="Luc", address="luc@h.example", language="fr", time_zone="Europe/Paris")
    assert "own clock" not in compose(kinds.Invitation(**event_facts()), reader).text


def test_every_link_of_the_html_stands_in_the_text_too(example):
    facts, reader = example
    mail = compose(facts, reader)
    links = [link.removeprefix("mailto:") for link in Page(mail.html).links]
    given = {getattr(facts, name, None) for name in ADDRESSES} - {None}
    assert given <= set(links) or facts.kind == "invitation-cancel"
    assert [link for link in links if link not in mail.text] == []


def test_the_html_is_one_page_in_the_language_of_its_words(example):
    mail = compose(*example)
    page = Page(mail.html)
    assert page.open == []
    assert page.tags.count("h1") == page.tags.count("main") == page.tags.count("title") == 1
    assert '<html lang="en">' in mail.html


def test_the_html_fetches_and_runs_nothing(example):
    page = Page(compose(*example).html)
    assert {"script", "img", "link", "iframe", "form", "object"}.isdisjoint(page.tags)
    assert not any(name.startswith("on") or name == "src" for name in page.attributes)


def poisoned(value):
    """The same facts with a payload in every text that people typed."""
    if isinstance(value, str):
        return PAYLOAD
    if isinstance(value, tuple):
        return tuple(poisoned(item) for item in value)
    if dataclasses.is_dataclass(value):
        texts = {f.name: getattr(value, f.name) for f in dataclasses.fields(value) if f.name not in ADDRESSES | UNSAID}
        return dataclasses.replace(value, **{name: poisoned(text) for name, text in texts.items()})
    return value


def test_a_payload_in_every_text_stays_text(example):
    facts, reader = example
    plain, mail = compose(facts, reader), compose(poisoned(facts), dataclasses.replace(reader, name=PAYLOAD))
    assert set(Page(mail.html).tags) == set(Page(plain.html).tags)
    assert set(Page(mail.html).attributes) <= set(Page(plain.html).attributes)
    assert "&lt;script&gt;" in mail.html
    assert "49" not in mail.html.replace("{{ 7*7 }}", "")


@pytest.mark.parametrize(
    "address", ["javascript:alert(1)", "https://x.example/a b", 'https://x.example/"onx=', "//x.example", ""]
)
def test_an_address_that_is_no_plain_web_link_is_not_sent(address):
    alert = kinds.DeskAlert(title="Alert", detail="Something", url=address)
    reader = Reader(name="Desk", address="desk@network.example", language="en", time_zone="UTC")
    with pytest.raises(Invalid):
        compose(alert, reader)


def test_no_subject_tells_what_a_person_typed(example):
    facts, reader = example
    typed = {"reason", "detail", "missing"} | ({"topic"} if facts.kind == "webinar-refused" else set())
    marked = {
        f.name: ("XYZZY",) if f.name == "missing" else "XYZZY"
        for f in dataclasses.fields(facts)
        if f.name in typed and getattr(facts, f.name)
    }
    mail = compose(dataclasses.replace(facts, **marked), reader)
    assert "XYZZY" not in mail.subject
    assert ("XYZZY" in mail.text) == bool(marked)
    assert b"XYZZY" not in (mail.calendar.data if mail.calendar else b"")


def test_the_list_shows_each_person_with_what_that_person_shares():
    facts = kinds.RegistrationActivated(
        network_name="N",
        instructions=kinds.Instructions(title="T", body="B"),
        participants=(
            kinds.ParticipantLine(
                country="Spain", hospital="H", name="Shares All", email="all@h.example", phone="+34 1"
            ),
            kinds.ParticipantLine(country="Spain", hospital="H", name="Shares Nothing"),
        ),
        sender_address="desk@network.example",
    )
    mail = compose(facts, Reader(name="R", address="r@h.example", language="en", time_zone="UTC"))
    for part in (mail.text, mail.html):
        assert re.search(r"Shares All(?s:.)*all@h\.example(?s:.)*\+34 1(?s:.)*Shares Nothing", part)
        assert not re.search(r"Shares Nothing(?s:.)*(phone|e-mail )(?s:.)*own work", part)
        assert "None" not in part


def test_control_characters_never_reach_the_text_or_the_html():
    facts = kinds.RegistrationRefused(network_name="N", reason="a\x07b\x00c\u2028d\ud800e")
    mail = compose(facts, Reader(name="R", address="r@h.example", language="en", time_zone="UTC"))
    assert "  abc\n  de" in mail.text
    assert "abc\nde" in mail.html


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("ACCEPTED", "You have accepted."),
        ("DECLINED", "You have declined."),
        ("TENTATIVE", "You have accepted tentatively."),
    ],
)
def test_who_answered_already_is_not_asked_again(event_facts, anna, answer, said):
    mail = compose(kinds.InvitationUpdate(**event_facts(attendee_status=answer, what_changed=("link",))), anna)
    for part in (mail.text, mail.html):
        assert said in part
        assert "whether you can come" not in part


def test_an_update_names_what_is_new(event_facts, anna):
    mail = compose(kinds.InvitationUpdate(**event_facts(what_changed=("time", "link", "materials"))), anna)
    for part in (mail.text, mail.html):
        assert "What is new: the time, the link to join and the materials." in part


def test_a_repair_says_what_it_is_and_names_nothing_new(event_facts, anna):
    mail = compose(kinds.InvitationUpdate(**event_facts(what_changed=("repair",))), anna)
    for part in (mail.text, mail.html):
        assert "This mail repairs your calendar" in part
        assert "What is new" not in part


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (kinds.Invitation, "Your calendar gets the whole series as one entry."),
        (kinds.InvitationCancel, "This cancels the whole series in your calendar"),
    ],
)
def test_who_holds_a_series_is_told_when_the_whole_of_it_is_meant(event_facts, anna, kind, said):
    given = event_facts()
    first = {name: given[name] for name in ("time_zone", "starts_at", "ends_at")}
    whole = kinds.SeriesFacts(rule="FREQ=WEEKLY;BYDAY=TU", **first)
    single = dataclasses.replace(whole, is_whole=False, left_out=(given["starts_at"],))
    assert said in compose(kind(**given, series=whole), anna).text
    assert said not in compose(kind(**given, series=single), anna).text


def test_the_first_invitation_asks_to_know_its_sender(event_facts, anna):
    asked = "Please add calendar@network.example to your contacts"
    assert asked in compose(kinds.Invitation(**event_facts()), anna).text
    assert asked not in compose(kinds.InvitationUpdate(**event_facts()), anna).text


def test_a_person_taken_off_keeps_no_link(event_facts, anna):
    mail = compose(kinds.InvitationCancel(**event_facts()), anna)
    for part in (mail.text, mail.html, mail.calendar.data.decode()):
        assert "meet.example" not in part
        assert "conference.example/i/" not in part
