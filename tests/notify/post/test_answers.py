"""What each calendar program's answer is read as, with its oddities."""

import email
from datetime import UTC, date

import icalendar
import pytest
from icalendar.timezone import tzp

from conference_orchestrator.notify.replies import read
from tests.notify.post.letters import INES, JONAS, LUCA, NAMES, PIET, SERIES, answer, at, heard, sample

OCCURRENCE = {"uid": SERIES, "sequence": 1, "stamp": at(11, 18, 8, 0, 4)}
UNKNOWN = "The answer is about one date of a series, in a time zone that nobody knows: {}."
LATER = "The answer is about this and all later dates, which cannot be counted."

EXPECTED = {
    "outlook-accepted": [answer("ACCEPTED", sequence=2, stamp=at(11, 16, 9, 12, 39))],
    "outlook-tentative-with-a-comment": [
        answer(
            "TENTATIVE",
            attendee=JONAS,
            stamp=at(11, 17, 13, 2, 10),
            comment="Ich operiere möglicherweise bis zwölf, komme aber später dazu.\n\nJonas Weber",
        )
    ],
    "exchange-one-date-declined": [answer("DECLINED", **OCCURRENCE, recurrence_at=at(12, 1, 10))],
    "exchange-one-date-in-its-own-utc": [answer("DECLINED", **OCCURRENCE, recurrence_at=at(12, 1, 10))],
    "exchange-one-date-in-a-zone-by-its-shown-name": [
        answer(
            "DECLINED",
            **OCCURRENCE,
            problem=UNKNOWN.format("(UTC+01:00) Amsterdam, Berlin, Bern, Rome, Stockholm, Vienna"),
        )
    ],
    "exchange-one-date-in-a-customized-zone": [
        answer("DECLINED", **OCCURRENCE, problem=UNKNOWN.format("Customized Time Zone"))
    ],
    "exchange-one-date-in-another-customized-zone": [
        answer("DECLINED", **OCCURRENCE, problem=UNKNOWN.format("Customized Time Zone"))
    ],
    "outlook-this-and-all-later-dates": [answer("DECLINED", **OCCURRENCE, problem=LATER)],
    "gmail-accepted": [answer("ACCEPTED", attendee=LUCA, stamp=at(11, 19, 10, 15))],
    "gmail-one-date-declined": [
        answer(
            "DECLINED",
            uid=SERIES,
            attendee=LUCA,
            sequence=3,
            stamp=at(11, 20, 6, 30),
            recurrence_at=at(3, 30, 9, year=2027),
            comment="Congress that week",
        )
    ],
    "apple-accepted-by-a-directory-name": [answer("ACCEPTED", stamp=at(11, 19, 20, 11, 42))],
    "apple-a-whole-day-declined": [
        answer("DECLINED", uid=SERIES, sequence=1, stamp=at(11, 19, 20, 20), recurrence_on=date(2026, 12, 1))
    ],
    "thunderbird-declined-in-its-own-zone-name": [
        answer(
            "DECLINED",
            uid=SERIES,
            attendee=JONAS,
            sequence=1,
            stamp=at(11, 18, 11),
            recurrence_at=at(12, 1, 10),
        )
    ],
    "evolution-one-date-in-a-long-zone-name": [answer("TENTATIVE", uid=SERIES, recurrence_at=at(12, 1, 10))],
    "zimbra-accepted": [answer("ACCEPTED", attendee="agnieszka.wojcik@szpital.example", comment="Yes, I will attend.")],
    "nextcloud-accepted-from-the-servers-own-address": [answer("ACCEPTED", stamp=at(11, 18, 21, 39, 59))],
    "notes-accepted": [
        answer(
            "ACCEPTED",
            uid=SERIES,
            attendee=PIET,
            sequence=1,
            stamp=at(11, 16, 10, 7, 10),
            recurrence_at=at(12, 1, 10),
        )
    ],
    "sogo-accepted": [answer("ACCEPTED", attendee="clement.roux@chu.example", stamp=at(11, 19, 6, 40, 59))],
    "the-organizer-is-missing": [answer("ACCEPTED")],
    "the-method-stands-only-in-the-body": [answer("ACCEPTED")],
    "the-method-stands-only-in-the-header": [answer("ACCEPTED")],
    "two-methods": [answer("ACCEPTED")],
    "one-date-and-its-series": [
        answer("ACCEPTED", uid=SERIES, sequence=1),
        answer("DECLINED", uid=SERIES, sequence=1, recurrence_at=at(12, 1, 10)),
        answer("TENTATIVE", uid=SERIES, sequence=1, recurrence_at=at(12, 8, 10)),
    ],
    "two-attendees-in-one-answer": [answer("NEEDS-ACTION", attendee=JONAS), answer("DECLINED")],
    "delegated": [answer("DELEGATED"), answer("ACCEPTED", attendee="rui.melo@hospital-norte.example")],
    "an-alarm-has-attendees-too": [answer("DECLINED")],
    "latin-1-that-says-it-is-utf-8": [answer("DECLINED", comment="Não posso")],
    "utf-8-that-says-it-is-ascii": [answer("DECLINED", comment="Não posso")],
    "folded-inside-a-letter-after-a-byte-order-mark": [answer("TENTATIVE", comment="Não posso")],
    "utf-16": [answer("TENTATIVE", comment="Não posso")],
    "only-an-attachment": [answer("ACCEPTED")],
    "an-attachment-of-no-known-type": [answer("ACCEPTED")],
    "the-object-is-the-text-of-the-mail": [answer("ACCEPTED")],
    "signed": [answer("ACCEPTED")],
    "a-transfer-encoding-with-a-semicolon": [answer("ACCEPTED")],
    "a-transfer-encoding-with-a-comment": [answer("ACCEPTED")],
    "a-boundary-in-two-pieces": [answer("ACCEPTED")],
    "the-method-stands-in-the-header-with-its-charset": [answer("ACCEPTED")],
    "an-attachment-with-an-encoded-name": [answer("ACCEPTED")],
    "an-attachment-whose-name-comes-in-pieces": [answer("ACCEPTED")],
    "an-attachment-without-a-name": [answer("ACCEPTED")],
    "an-address-in-angle-brackets": [answer("ACCEPTED")],
    "one-date-in-a-zone-in-lower-case": [answer("ACCEPTED", uid=SERIES, recurrence_at=at(12, 1, 10))],
    "what-was-published-stands-before-the-answer": [answer("ACCEPTED")],
    "a-mailing-list-wrote-below-the-answer": [answer("ACCEPTED")],
    "liar-another-sender": [answer("DECLINED")],
    "liar-a-forged-sender": [answer("DECLINED")],
    "liar-two-senders": [answer("DECLINED")],
}
PROPOSALS = {
    "outlook-counter": answer(
        "TENTATIVE",
        method="COUNTER",
        attendee=JONAS,
        stamp=at(11, 17, 13, 4, 58),
        comment="Können wir eine Stunde später?",
        proposed_starts_at=at(11, 24, 11),
        proposed_ends_at=at(11, 24, 12, 30),
    ),
    "gmail-counter": answer(
        "TENTATIVE",
        method="COUNTER",
        attendee=LUCA,
        stamp=at(11, 20, 7),
        proposed_starts_at=at(11, 25, 14),
        proposed_ends_at=at(11, 25, 15, 30),
    ),
    # A time in a zone that only Notes knows is not guessed.
    "notes-counter-under-a-reply-header": answer(
        "DECLINED", method="COUNTER", attendee=PIET, stamp=at(11, 16, 10, 30), comment="A day later?"
    ),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_an_answer_is_read_whoever_wrote_it(name):
    inbound = heard(name)
    assert list(inbound.answers) == EXPECTED[name]
    assert (inbound.kind, inbound.problem) == ("reply", EXPECTED[name][0].problem)


@pytest.mark.parametrize("name", PROPOSALS)
def test_a_proposal_of_another_time_is_no_answer_to_be_counted(name):
    inbound = heard(name)
    assert (inbound.kind, list(inbound.answers)) == ("counter", [PROPOSALS[name]])


@pytest.mark.parametrize("name", NAMES)
def test_the_line_ends_of_a_mail_make_no_difference(name):
    crlf = sample(name)
    assert read(crlf.replace(b"\r\n", b"\n")) == read(crlf)


@pytest.mark.parametrize("letter", "ãé")
@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "iso-8859-15"])
def test_a_comment_is_readable_whatever_the_mail_says_of_its_letters(letter, encoding):
    mail = sample("utf-8-that-says-it-is-ascii").replace("Não".encode(), f"N{letter}o".encode(encoding))
    assert read(mail).answers[0].comment == f"N{letter}o posso"


@pytest.fixture
def icalendar_knows_no_zones():
    """icalendar remembers a zone that a mail brought until it is told to begin anew."""
    tzp.use_default()
    yield
    tzp.use_default()


def seen_by_icalendar(name):
    """The instant of the occurrence in this sample, read with icalendar."""
    (part,) = [one for one in email.message_from_bytes(sample(name)).walk() if not one.is_multipart()]
    (event,) = icalendar.Calendar.from_ical(part.get_payload(decode=True)).walk("VEVENT")
    return event.decoded("recurrence-id").astimezone(UTC)


CUSTOMIZED = ("exchange-one-date-in-a-customized-zone", "exchange-one-date-in-another-customized-zone")


def test_with_icalendar_the_first_mail_would_move_the_second(icalendar_knows_no_zones):
    # Both mean 10.00 UTC: one of them writes 11.00 at +01:00, the other 15.30 at +05:30.
    assert [seen_by_icalendar(name) for name in CUSTOMIZED] == [at(12, 1, 10), at(12, 1, 14, 30)]


def test_a_mail_leaves_no_zone_behind(icalendar_knows_no_zones):
    assert heard(CUSTOMIZED[0]).answers
    assert seen_by_icalendar(CUSTOMIZED[1]) == at(12, 1, 10)


@pytest.mark.parametrize(
    ("written", "instant"),
    [
        (";TZID=Europe/Berlin:20261025T023000", at(10, 25, 0, 30)),
        (";TZID=Europe/Berlin:20270328T023000", at(3, 28, 1, 30, year=2027)),
        (";TZID=Eastern Standard Time:20261101T090000", at(11, 1, 14)),
        (';TZID="GMT Standard Time":20260701T110000', at(7, 1, 10)),
        (";TZID=/mozilla.org/20070129_1/America/Argentina/Buenos_Aires:20261201T070000", at(12, 1, 10)),
        (";VALUE=DATE-TIME:20261201T100000Z", at(12, 1, 10)),
    ],
)
def test_an_occurrence_is_an_instant_in_a_zone_that_everybody_knows(written, instant):
    mail = sample("two-methods").replace(b"SEQUENCE:0", f"RECURRENCE-ID{written}".encode())
    assert read(mail).answers[0].recurrence_at == instant


@pytest.mark.parametrize(
    "written",
    [
        ":20261201T110000",
        ";TZID=Mars/Olympus:20261201T110000",
        ";TZID=Berlin:20261201T110000",
        ";TZID=/Berlin:20261201T110000",
        ";TZID=Europe/Berlin:99991231T235959",
        ";TZID=Europe/Berlin:20261301T110000",
        ";TZID=Europe/Berlin:soon",
        ";VALUE=DATE:20260230",
        ";RANGE=THISANDFUTURE:20261201T100000Z",
    ],
)
def test_an_occurrence_that_cannot_be_told_is_never_the_whole_series(written):
    mail = sample("two-methods").replace(b"SEQUENCE:0", f"RECURRENCE-ID{written}".encode())
    inbound = read(mail)
    (one,) = inbound.answers
    assert (one.recurrence_at, one.recurrence_on) == (None, None)
    assert inbound.problem == one.problem is not None


@pytest.mark.parametrize(
    ("written", "sequence"), [("7", 7), ("-1", 0), ("many", 0), ("9" * 5000, 0), (" 3 ", 3), ("\u0663", 0)]
)
def test_a_sequence_that_is_no_number_counts_as_the_first(written, sequence):
    mail = sample("two-methods").replace(b"SEQUENCE:0", f"SEQUENCE:{written}".encode())
    assert read(mail).answers[0].sequence == sequence


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (";PARTSTAT=declined", "DECLINED"),
        (';PARTSTAT="ACCEPTED"', "ACCEPTED"),
        (";PARTSTAT=X-MAYBE", "NEEDS-ACTION"),
        (";PARTSTAT=COMPLETED", "NEEDS-ACTION"),
        ("", "NEEDS-ACTION"),
        (";CN=Dr: Costa;PARTSTAT=ACCEPTED", "NEEDS-ACTION"),
        (';CN="PARTSTAT=DECLINED";PARTSTAT=ACCEPTED', "ACCEPTED"),
    ],
)
def test_what_nobody_understands_is_no_answer_yet(written, said):
    mail = sample("two-methods").replace(b";PARTSTAT=ACCEPTED", written.encode())
    (one,) = read(mail).answers
    assert (one.attendee, one.said) == (INES, said)


@pytest.mark.parametrize("written", ["<{}>", "mailto:{}", "MAILTO: {}", "Mailto:mailto:{}", "{}"])
def test_an_attendee_is_known_however_the_address_is_written(written):
    mail = sample("two-methods").replace(f"mailto:{INES}".encode(), written.format(INES.upper()).encode())
    inbound = read(mail)
    assert [one.attendee for one in inbound.answers] == ([INES] if "<" not in written else [])


def test_the_word_of_the_object_goes_before_that_of_the_header():
    mail = sample("two-methods").replace(b"METHOD:PUBLISH\r\nMETHOD:REPLY", b"METHOD:REQUEST")
    assert read(mail).kind == "other"


def test_a_second_calendar_below_the_first_says_nothing():
    mail = sample("two-methods")
    more = mail[mail.index(b"BEGIN:VCALENDAR") :].replace(b"ACCEPTED", b"DECLINED")
    assert list(read(mail + more).answers) == [answer("ACCEPTED")]


def test_an_answer_beside_the_invitation_that_it_answers_is_found():
    text = sample("two-methods")
    reply = text[text.index(b"BEGIN:VCALENDAR") :]
    request = reply.replace(b"METHOD:PUBLISH\r\nMETHOD:REPLY", b"METHOD:REQUEST").replace(b"ACCEPTED", b"NEEDS-ACTION")
    parts = [b"Content-Type: text/calendar\r\n\r\n" + one for one in (request, reply)]
    head = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
    mail = head + b"".join(b"--b\r\n" + part for part in parts) + b"--b--"
    assert list(read(mail).answers) == [answer("ACCEPTED")]
