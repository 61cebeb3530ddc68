"""What the service itself gives as a reason is said in the reader's language; what people typed stays as it is."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest

from conference_orchestrator.flows import reconciling, rounds, standing
from conference_orchestrator.notify import kinds, languages
from conference_orchestrator.notify.composing import compose
from conference_orchestrator.notify.reader import Reader
from conference_orchestrator.notify.sentences import NUMBERS, SENTENCES, in_words
from conference_orchestrator.scheduling import planning, wording
from conference_orchestrator.scheduling.allocation import FreeSlot, Rules, Wish, why_waiting

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
TUESDAY = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
HOSPITAL = UUID(int=101)
WISH = Wish(
    request_id=UUID(int=1),
    requester_id=UUID(int=2),
    urgency="routine",
    submitted_at=NOW - timedelta(hours=1),
    hospital_id=HOSPITAL,
)
AHEAD = replace(WISH, request_id=UUID(int=3), waiting_since=NOW)
SLOT = FreeSlot(
    id=UUID(int=4),
    session_id=UUID(int=5),
    number=2,
    of=2,
    starts_at=TUESDAY,
    session_starts_at=TUESDAY,
    time_zone="Europe/Berlin",
    held={HOSPITAL: 1},
)
OTHER = replace(SLOT, id=UUID(int=6), session_id=UUID(int=7), starts_at=TUESDAY + timedelta(weeks=1))
CASES = {
    "all taken": (WISH, [], Rules()),
    "kept for others": (WISH, [SLOT], Rules()),
    "outside the dates": (replace(WISH, earliest_on=date(2027, 1, 1)), [SLOT], Rules()),
    "something missing": (replace(WISH, missing=["report", "consent"]), [SLOT], Rules()),
    "too early": (replace(WISH, earliest_on=date(2026, 11, 25), declined=[OTHER.id]), [SLOT, OTHER], Rules()),
    "too late": (replace(WISH, latest_on=date(2026, 11, 25), declined=[SLOT.id]), [SLOT, OTHER], Rules()),
    "away": (replace(WISH, away=[(date(2026, 11, 24), date(2026, 11, 24))]), [SLOT], Rules()),
    "passed": (WISH, [replace(SLOT, starts_at=NOW)], Rules()),
    "no time to prepare": (WISH, [SLOT], Rules(lead=timedelta(hours=36.5))),
    "after the deadline": (WISH, [SLOT], Rules(cut_off=timedelta(hours=48))),
    "kept for emergencies": (
        replace(WISH, submitted_at=NOW - timedelta(days=2)),
        [SLOT],
        Rules(cut_off=timedelta(hours=2), reserve=1),
    ),
    "share": (WISH, [SLOT], Rules(share=0.5)),
}
FIXED = [
    rounds.SESSION_CANCELLED,
    rounds.OFFER_FELL_OUT,
    rounds.OFFER_MOVED,
    reconciling.FEWER_SLOTS,
    reconciling.OFFER_GONE,
    standing.CONSENT_LABEL,
    planning.PAUSED,
    planning.SKIPPED,
    planning.HOLIDAY.format("Epiphany (observed)"),
    planning.CHANGED,
    f"The session did not reach its slot of {wording.moment(TUESDAY, 'Europe/Berlin')}.",
]
TRANSLATED = sorted(languages.available() - {"en"})


def waits(case: str) -> str:
    """Why the request waits, as the requester is told."""
    wish, free, rules = CASES[case]
    ahead = [AHEAD] if case == "kept for others" else []
    return " ".join(why_waiting(wish, free, rules=rules, now=NOW, ahead=ahead))


@pytest.mark.parametrize("language", TRANSLATED)
@pytest.mark.parametrize("case", CASES)
def test_why_a_request_waits_is_said_in_each_language(case: str, language: str) -> None:
    said = in_words(waits(case), language)
    assert said != waits(case)
    assert not set(SENTENCES) & {said}


@pytest.mark.parametrize("sentence", FIXED)
def test_what_befell_a_session_is_said_in_german(sentence: str) -> None:
    assert in_words(sentence, "de") != sentence


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ("outside the dates", "Kein freier Termin liegt in dem Zeitraum, den die Anfrage zulässt."),
        (
            "kept for emergencies",
            (
                "Kein freier Termin passt. Der Termin bleibt für Notfälle frei bis: "
                "Dienstag, 24. November 2026, 09:00. (Termine: 1)"
            ),
        ),
        (
            "no time to prepare",
            "Kein freier Termin passt. Die Expertengruppe braucht 36.5 h zur Vorbereitung. (Termine: 1)",
        ),
        (
            "share",
            (
                "Kein freier Termin passt. Das Krankenhaus hat seinen Anteil an den Terminen dieser Sitzung bereits: "
                "1 von 2. (Termine: 1)"
            ),
        ),
        ("something missing", "In der Anfrage fehlt: report, consent."),
    ],
)
def test_days_hours_and_counts_stand_in_the_sentence(case: str, said: str) -> None:
    assert in_words(waits(case), "de") == said


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize(
    "typed",
    ["", "Please wait.", "No free slot suits. Please wait.", "The round pauses. We are at a congress.", "(two slots"],
)
def test_what_a_person_typed_stays_as_it_is(typed: str, language: str) -> None:
    assert in_words(typed, language) == typed


def test_in_the_language_of_the_source_a_reason_stays_word_for_word() -> None:
    assert in_words(waits("share"), "en") == waits("share")


def test_numbers_are_those_of_the_schedule() -> None:
    assert NUMBERS == wording.NUMBERS


READER = Reader(name="Jonas Vogt", address="vogt@klinik.example", language="de", time_zone="Europe/Berlin")
CASE = {"case_reference": "CPMS-1", "group_name": "Brain Tumour"}


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        (kinds.RequestWaiting(**CASE, position=1, reason=rounds.SESSION_CANCELLED), "wurde abgesagt; sie kommt"),
        (kinds.RequestReceived(**CASE, missing=(standing.CONSENT_LABEL,)), "Die unterschriebene Einwilligung"),
        (kinds.RequestReturned(**CASE, reason="Bitte.", missing=(standing.CONSENT_LABEL,)), "Die unterschriebene"),
        (
            kinds.RegistrationActivated(
                network_name="ERN PaedCan",
                instructions=kinds.Instructions(
                    title="Instructions", body="You will be invited by e-mail.\n\nhttps://conference.example/notices/1"
                ),
                sender_address="helpdesk@network.example",
            ),
            "Sie werden per E-Mail eingeladen.",
        ),
    ],
    ids=lambda given: getattr(given, "kind", None),
)
def test_a_mail_is_in_one_language(facts: kinds.Facts, said: str) -> None:
    mail = compose(facts, READER)
    assert said in mail.text
    assert said in mail.html


def test_a_cancellation_says_in_the_readers_language_why(event_facts) -> None:
    mail = compose(kinds.InvitationCancel(**event_facts(reason=planning.PAUSED)), READER)
    assert "Die Sitzungen der Gruppe pausieren." in mail.text
