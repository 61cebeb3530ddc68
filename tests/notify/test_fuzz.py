"""Whatever text stands in whatever fact: the mail is refused, naming the field, or holds what was meant and no more."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from conference_orchestrator.kernel.errors import Invalid
from conference_orchestrator.notify import calendar, composing, kinds, mime
from conference_orchestrator.notify.composing import compose
from conference_orchestrator.notify.feed import feed_bytes
from conference_orchestrator.notify.kinds import EventFacts, Facts
from conference_orchestrator.notify.reader import Reader
from tests.notify.hostile import ALWAYS, HOSTILE, LINKED, facts_from, ordinary, places, smuggled, with_text
from tests.readers.lint import calendar_faults
from tests.readers.objects import read

ANNA = Reader(name="Prof. Anna Weber", address="anna@klinik.example", language="de", time_zone="Europe/Berlin")
SENDER, ANSWERS_TO = "Helpdesk <helpdesk@network.example>", "Answers <calendar@network.example>"

fuzz = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)


@pytest.fixture(params=sorted(kinds.KINDS))
def kind(request: pytest.FixtureRequest) -> type[Facts]:
    """Every kind of mail; a new one comes in by itself."""
    return kinds.KINDS[request.param]


def mailed(facts: Facts, reader: Reader = ANNA, *, sender: str = SENDER) -> bytes:
    return mime.build(
        mime.encoded(compose(facts, reader)),
        sender=sender,
        reply_to=ANSWERS_TO,
        reader=reader,
        message_id="<01890a5dac96774bbcceb302099a8057@network.example>",
        date=datetime(2026, 11, 2, 8, 30, tzinfo=UTC),
    )


def filled(
    kind: type[Facts], *, is_topic: bool = False, in_series: bool = False, role: str = "expert"
) -> dict[str, Any]:
    """Every fact of the kind; of an event named by its group or by its topic, and in a series or alone."""
    facts = ordinary(kind)
    if not issubclass(kind, EventFacts):
        return facts
    facts |= {"group_name" if is_topic else "topic": None, "role": role}
    return facts | {"series": facts["series"] | {"is_whole": True} if in_series else None}


@st.composite
def variants(draw: st.DrawFn, kind: type[Facts]) -> dict[str, Any]:
    role = draw(st.sampled_from(["expert", "requester", "speaker", "audience"]))
    facts = filled(kind, is_topic=draw(st.booleans()), in_series=draw(st.booleans()), role=role)
    return with_text(facts, ("series", "is_whole"), draw(st.booleans())) if facts.get("series") else facts


def test_what_is_ordinary_is_taken_and_holds_no_more_than_was_meant(kind: type[Facts]) -> None:
    for in_series in (False, True):
        facts = facts_from(kind, filled(kind, in_series=in_series))
        assert smuggled(mailed(facts), facts, ANNA) == []


@fuzz
@given(data=st.data())
def test_no_text_in_any_fact_is_more_than_a_text(kind: type[Facts], data: st.DataObject) -> None:
    facts = data.draw(variants(kind))
    for place in data.draw(st.lists(st.sampled_from(places(facts)), min_size=1, max_size=3, unique=True)):
        text = data.draw(HOSTILE, label=str(place))
        begun = "https://conference.example/" if str(place[-1]).endswith("url") and data.draw(st.booleans()) else ""
        facts = with_text(facts, place, begun + text)
    _is_refused_or_right(facts_from(kind, facts), ANNA)


@settings(fuzz, max_examples=300)
@given(
    data=st.data(),
    kind=st.sampled_from([kinds.Invitation, kinds.InvitationCancel, kinds.DeskAlert]),
    name=HOSTILE | st.just(ANNA.name),
    local=HOSTILE | st.just("anna"),
    domain=HOSTILE | st.just("klinik.example"),
)
def test_no_name_and_no_address_is_more_than_that(
    data: st.DataObject, kind: type[Facts], name: str, local: str, domain: str
) -> None:
    assume(all([*local.split("."), *domain.split(".")]))  # two dots in a row are refused where an address is entered
    reader = dataclasses.replace(ANNA, name=name, address=f"{local}@{domain}")
    _is_refused_or_right(facts_from(kind, data.draw(variants(kind))), reader)


@settings(fuzz, max_examples=150)
@given(texts=st.fixed_dictionaries({}, optional=dict.fromkeys(["uid", "topic", "case_reference", "join_url"], HOSTILE)))
def test_no_text_gets_more_into_a_feed_or_hides_another_event(texts: dict[str, str]) -> None:
    ordinary_facts = filled(kinds.Invitation, is_topic=True) | {"materials_url": None}
    events = [
        facts_from(kinds.Invitation, ordinary_facts | texts),
        facts_from(kinds.Invitation, ordinary_facts | {"uid": "other@network.example"}),
    ]
    data = feed_bytes(event for event in events if isinstance(event, EventFacts))
    shown = read(data)
    assert calendar_faults(data) == []
    assert [component.name for component in shown.everything()] == ["VCALENDAR", "VEVENT", "VEVENT"]
    assert {one.name for event in shown.inside for one in event.properties} <= ALWAYS - {"ATTENDEE"} | LINKED | {
        "DESCRIPTION"
    }


def _is_refused_or_right(facts: Facts, reader: Reader) -> None:
    try:
        data = mailed(facts, reader)
    except Invalid as refused:
        found = (
            [] if all(refused.errors) and all(refused.errors.values()) else ["a refusal that does not name the field"]
        )
    else:
        found = smuggled(data, facts, reader)
    assert found == []


def _as_it_is(*given: Any) -> Any:
    return given[-1]


def _without_escapes(facts: EventFacts, reader: Reader) -> bytes:
    return calendar.event_bytes(facts, reader).replace(b"\\n", b"\r\n")


def _never(**_: Any) -> bool:
    return False


HEADERS = {f"{mime.__name__}._value": _as_it_is}
ESCAPES = {f"{calendar.__name__}._one_line": _as_it_is, f"{composing.__name__}.event_bytes": _without_escapes}
LINES = {f"{composing.__name__}.prose": _as_it_is}
LINKS = {f"{module.__name__}.web_address": _as_it_is for module in (composing, calendar)}
HTML = {f"{composing.__name__}.select_autoescape": _never}
ALARM = "x\nBEGIN:VALARM\nEND:VALARM\nCOMMENT:"
GUEST = "x\nATTENDEE:mailto:evil@evil.example\nCOMMENT:"


@pytest.mark.parametrize(
    ("guards", "kind", "place", "text", "seen"),
    [
        (HEADERS, "desk-alert", "title", "x\r\nBcc: evil@evil.example", "Bcc"),
        (HEADERS | ESCAPES, "invitation", "group_name", ALARM, "VALARM present"),
        (HEADERS | ESCAPES, "invitation", "group_name", GUEST, "evil.example invited too"),
        (LINES, "request-declined", "reason", "a\x1bb", "the control character '\\x1b'"),
        (LINKS, "slot-offer", "answer_url", "javascript:alert(1)", "a link to javascript:"),
        (HTML, "webinar-refused", "topic", "<script>", "<script>"),
    ],
    ids=["headers", "an alarm", "a guest", "control characters", "links", "html"],
)
def test_without_a_guard_more_than_a_text_gets_in_and_is_seen(
    monkeypatch: pytest.MonkeyPatch, guards: dict[str, Any], kind: str, place: str, text: str, seen: str
) -> None:
    # Templates are kept once they are read; here they are read anew.
    monkeypatch.setattr(composing, "_templates", composing._templates.__wrapped__)
    facts = facts_from(kinds.KINDS[kind], with_text(filled(kinds.KINDS[kind]), (place,), text))
    _is_refused_or_right(facts, ANNA)
    for guard, instead in guards.items():
        monkeypatch.setattr(guard, instead)
    assert seen in "; ".join(smuggled(mailed(facts), facts, ANNA))
