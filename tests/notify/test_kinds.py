import dataclasses
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conference_orchestrator.kernel.errors import NotFound
from conference_orchestrator.notify import kinds
from conference_orchestrator.notify.stored_facts import facts_from_json, facts_to_json

INSTANTS = st.datetimes(timezones=st.just(UTC))
st.register_type_strategy(datetime, INSTANTS)


@st.composite
def facts_of_any_kind(draw):
    facts = draw(st.sampled_from(sorted(kinds.KINDS.values(), key=lambda found: found.kind)))
    if not issubclass(facts, kinds.EventFacts):
        return draw(st.builds(facts))
    named = draw(st.sampled_from(["group_name", "topic"]))
    names = {"group_name": st.none(), "topic": st.none()} | {named: st.text(max_size=20)}
    optional = {
        "what_changed": st.lists(st.text(max_size=5), max_size=3).map(tuple),
        "previous_starts_at": st.none() | INSTANTS,
        "attendee_status": st.sampled_from(["NEEDS-ACTION", "ACCEPTED", "DECLINED", "TENTATIVE"]),
    }
    return draw(st.builds(facts, **names, **optional))


@given(facts_of_any_kind())
def test_facts_come_back_from_json_as_they_went_in(facts):
    stored = json.loads(json.dumps(facts_to_json(facts)))
    assert facts_from_json(facts.kind, stored) == facts


def test_the_examples_come_back_from_json_as_they_went_in(example):
    facts, _ = example
    stored = json.loads(json.dumps(facts_to_json(facts)))
    assert facts_from_json(facts.kind, stored) == facts


def test_instants_are_stored_in_utc_with_z(event_facts):
    assert facts_to_json(kinds.Invitation(**event_facts()))["starts_at"] == "2026-11-24T10:00:00Z"


def test_a_naive_time_is_not_stored(event_facts):
    facts = kinds.Invitation(**event_facts(starts_at=datetime(2026, 11, 24, 10, 0)))  # noqa: DTZ001  - the mistake
    with pytest.raises(TypeError, match="aware"):
        facts_to_json(facts)


def test_an_unknown_kind_is_not_found():
    with pytest.raises(NotFound, match="newsletter"):
        facts_from_json("newsletter", {})


def test_an_unknown_fact_is_refused():
    stored = {"network_name": "N", "reason": "R", "colour": "blue"}
    with pytest.raises(TypeError, match="colour"):
        facts_from_json("registration-refused", stored)


@pytest.mark.parametrize("names", [{"group_name": None, "topic": None}, {"group_name": "G", "topic": "T"}])
def test_an_event_is_named_by_its_group_or_by_its_topic(event_facts, names):
    with pytest.raises(TypeError, match="by its group or by its topic"):
        kinds.Invitation(**(event_facts() | names))


def test_facts_cannot_be_changed(event_facts):
    with pytest.raises(dataclasses.FrozenInstanceError):
        kinds.Invitation(**event_facts()).sequence = 7
