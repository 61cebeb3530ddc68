"""A mail of a mailing that was prepared is the mail that would have been composed for that reader, byte by byte."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from conference_orchestrator.notify import mailing
from conference_orchestrator.notify.composing import compose
from conference_orchestrator.notify.mailing import KEPT, WORTH_PREPARING, Mailing, Mailings, Uncertain
from conference_orchestrator.notify.mime import build, encoded
from tests.notify.examples import EXAMPLES

LINKS = {
    "registration-received": ("confirm_url",),
    "invitation": ("answer_url", "join_url"),
    "invitation-update": ("answer_url",),
    "slot-offer": ("answer_url",),
    "reminder": ("answer_url", "join_url"),
}
ORDINARY = [
    "Prof. Anna Weber",
    "Dr. Inês Ávila",
    "Madonna",
    "Łucja Großmann-Réné",
    'Zoé "Zizi" Martin, MD',
    "O'Neil & Söhne <x>",
    "Ελένη Παπαδοπούλου",
    "Иван Иванов",
    "李小龙",
    "A; B: C",
    "Univ.-Prof. Dr. Dr. h. c. mult. " + "Maximilian-Alexander " * 9 + "von und zu Hohenstein",
]
WORD = st.from_regex(r"[a-z0-9]{1,12}(\.[a-z0-9]{1,12}){0,3}", fullmatch=True)
NAMES = st.sampled_from(ORDINARY) | st.text(
    st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), min_size=1, max_size=90
)
ADDRESSES = st.builds("{}@{}.example".format, WORD, WORD)
TOKENS = st.from_regex(r"[A-Za-z0-9_-]{1,60}", fullmatch=True)


def prepared(facts, reader):
    links = LINKS.get(facts.kind, ())
    return Mailing(facts, links=links, language=reader.language, time_zone=reader.time_zone)


def mail(parts, reader):
    mailbox = "Helpdesk <helpdesk@network.example>"
    at = datetime(2026, 11, 2, tzinfo=UTC)
    return build(parts, reader=reader, sender=mailbox, reply_to=mailbox, message_id="<1@network.example>", date=at)


PREPARED = {name: prepared(*pair) for name, pair in EXAMPLES.items()}


@settings(max_examples=150, deadline=None)
@given(which=st.sampled_from(sorted(EXAMPLES)), name=NAMES, address=ADDRESSES, token=TOKENS)
@example(which="invitation", name="\u0301a", address="a@b.example", token="x")
@example(which="invitation", name="a\\b", address="a@b.example", token="x")
@example(which="invitation", name="x" * 37, address="a@b.example", token="x" * 40)
def test_whoever_reads_it_the_mail_is_the_composed_one(which, name, address, token):
    facts, reader = EXAMPLES[which]
    reader = dataclasses.replace(reader, name=name, address=address)
    own = dict.fromkeys(LINKS.get(facts.kind, ()), f"https://conference.example/i/{token}")
    try:
        short = PREPARED[which].encoded_for(reader, own)
    except Uncertain:
        return
    composed = encoded(compose(dataclasses.replace(facts, **own), reader))
    assert short == composed
    assert mail(short, reader) == mail(composed, reader)


@pytest.mark.parametrize("name", ORDINARY)
def test_an_ordinary_name_takes_the_short_way(name):
    for which, (facts, reader) in EXAMPLES.items():
        own = dict.fromkeys(LINKS.get(facts.kind, ()), "https://conference.example/i/Jp3kq9")
        given = dataclasses.replace(reader, name=name)
        assert PREPARED[which].encoded_for(given, own) == encoded(compose(dataclasses.replace(facts, **own), given))


@pytest.mark.parametrize(
    ("name", "address", "link"),
    [
        (" Anna", "a@b.example", "https://c.example/i/x"),
        ("", "a@b.example", "https://c.example/i/x"),
        ("\u0301Anna", "a@b.example", "https://c.example/i/x"),
        ("Ine\u0302s", "a@b.example", "https://c.example/i/x"),
        ("Anna\r\nBcc: x", "a@b.example", "https://c.example/i/x"),
        ("An\u202ena", "a@b.example", "https://c.example/i/x"),
        ("a\\b", "a@b.example", "https://c.example/i/x"),
        ("a^b", "a@b.example", "https://c.example/i/x"),
        ("=?utf-8?q?a?=", "a@b.example", "https://c.example/i/x"),
        ("Anna", "inês@b.example", "https://c.example/i/x"),
        ("Anna", "a@b.example", "https://c.example/i/x,y"),
        ("Anna", "a@b.example", "javascript:alert(1)"),
    ],
)
def test_what_is_out_of_the_ordinary_is_composed_by_itself(name, address, link):
    _, reader = EXAMPLES["invitation"]
    given = dataclasses.replace(reader, name=name, address=address)
    with pytest.raises(Uncertain):
        PREPARED["invitation"].encoded_for(given, {"answer_url": link, "join_url": link})


@pytest.mark.parametrize(
    "tell",
    [
        lambda reader: reader.name.upper(),
        lambda reader: reader.name[:3],
        lambda reader: "long" if len(reader.name) > 40 else "short",
        lambda reader: "apart" if reader.name.startswith("Ł") else "alike",
        lambda reader: f"{reader.name}{reader.address}",
        lambda reader: f"e\u0301{reader.name}",
    ],
    ids=["changed", "cut", "by its length", "by its letters", "touching", "where letters join"],
)
def test_a_mail_that_depends_on_its_reader_in_another_way_has_no_short_one(monkeypatch, tell):
    def composed_otherwise(facts, reader):
        composed = compose(facts, reader)
        return dataclasses.replace(composed, text=f"{composed.text}{tell(reader)}.")

    monkeypatch.setattr(mailing, "compose", composed_otherwise)
    with pytest.raises(Uncertain):
        prepared(*EXAMPLES["invitation"])


class Preparing:
    """Counts how often it is asked to prepare."""

    def __init__(self, *, certain=True):
        self.times, self.certain = 0, certain

    def __call__(self):
        self.times += 1
        if not self.certain:
            raise Uncertain("for a test")
        return PREPARED["invitation"]


def test_a_mailing_is_prepared_once_and_only_when_it_is_worth_it():
    mailings, preparing = Mailings(), Preparing()
    got = [mailings.get("key", preparing) for _ in range(6)]
    assert got == [None] * (WORTH_PREPARING - 1) + [PREPARED["invitation"]] * 4
    assert preparing.times == 1


def test_one_without_a_short_way_is_not_tried_again():
    mailings, preparing = Mailings(), Preparing(certain=False)
    assert [mailings.get("key", preparing) for _ in range(6)] == [None] * 6
    assert preparing.times == 1


def test_the_ones_used_longest_ago_are_forgotten():
    mailings, preparing = Mailings(), Preparing()
    for _ in range(WORTH_PREPARING):
        mailings.get("kept", preparing)
        mailings.get("forgotten", preparing)
    for number in range(KEPT - 1):
        mailings.get(number, preparing)
        mailings.get("kept", preparing)
    assert mailings.get("kept", preparing) is PREPARED["invitation"]
    assert mailings.get("forgotten", preparing) is None
    assert preparing.times == 2
