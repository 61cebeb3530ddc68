"""Nothing that tells about a person is forgotten by erasure and export: every column of text is decided about."""

from __future__ import annotations

from uuid import UUID

import pytest
from sqlalchemy import JSON, Column, String

from conference_orchestrator import migrations
from conference_orchestrator.flows.personal_data import HOLDINGS, LINKS, Traces, without

# Columns of text that tell about nobody: states, codes, ids, keys and hashes; what belongs to a group, a meeting or a
# provider; and under the id of a person what the person did. Decide, before you add one: does it tell who somebody is,
# how to reach them, what they wrote? Then it is `personal(...)`, and stands in flows/personal_data.py.
IMPERSONAL = {
    "allocation": "reasons offer",
    "api_token": "sha256 role",
    # What is given as a reason names things by their references; the audit is only added to.
    "audit": "actor action subject reason previous_hash hash",
    "calendar_object": "uid join_url group_name topic case_reference",
    "checklist_item": "code label kind options labels",
    "conference": "kind title time_zone reason provider host key state problem attempted_host worker meeting_id number "
    "join_url registration_url secrets present_title present_host",
    "consultation_request": "case_reference urgency imaging attendees state decided_by reasons",
    "create_attempt": "provider host",
    "earlier_rule": "rule time_zone holiday_countries holiday_action",
    "erased_address": "digest",
    # The group's mailbox; one that is a person's own is taken away with the person.
    "expert_group": "code name contact_email time_zone intake quorum_disciplines rules reminder_hours",
    # The address of a licence.
    "host_account": "provider email kinds",
    "hospital": "code name city country time_zone",
    # Answers are sealed and opened by an erasure, which lets those go that are about the person.
    "idempotency_key": "owner path key body_sha256 answer headers",
    "inbound_mail": "mailbox kind state",
    "invitation": "uid role method first_message answer",
    "membership": "role discipline calendar",
    "message": "cause kind chain references state worker",
    "network": "code name helpdesk_address helpdesk_hours funding_line participant_list web_conference",
    "notice": "scope kind language notice_version title body link sha256",
    "notice_acceptance": "means",
    "notice_file": "media_type name sha256",
    "occurrence_answer": "uid answer",
    "provider_finding": "provider kind meeting_id host detail resolved_by action",
    "provider_state": "provider tokens locked_by problem",
    "rate_count": "subject",
    # The clinicians' ids, for a day.
    "recent_reading": "actor records",
    "registration": "state decided_by",
    "reminder": "uid",
    "replan": "moves unplaced",
    "seen_event": "provider event_id",
    "series": "rule time_zone holiday_countries holiday_action",
    "series_calendar": "uid content",
    "series_exception": "kind",
    "series_invitation": "uid method first_message answer",
    "session": "time_zone state reason holidays",
    "substitute": "discipline",
    # Payloads name rows by their ids.
    "task": "kind payload lock state worker last_error",
    "tick": "name",
    "used_challenge": "digest",
    "webinar_registration": "state",
    "webinar_request": "kind topic language preferred audience speakers materials_url state reason decided_by",
}
HELD = {holding.model.__tablename__: holding for holding in HOLDINGS}
LINKED = {model.__tablename__ for model in LINKS}


def columns() -> list[Column[object]]:
    return [column for table in migrations.metadata().sorted_tables for column in table.columns]


def is_seen_to(column: Column[object]) -> bool:
    """Whether an erasure empties the column, or deletes its rows."""
    holding = HELD.get(column.table.name)
    return holding is not None and (holding.emptied is None or column.name in holding.emptied)


def undecided(found: list[Column[object]]) -> list[str]:
    """The columns of text that are neither personal, nor emptied, nor named as impersonal."""
    return [
        str(column)
        for column in found
        if isinstance(column.type, String | JSON)
        and not (column.info.get("personal") or is_seen_to(column))
        and column.name not in IMPERSONAL.get(column.table.name, "").split()
    ]


def test_every_personal_column_is_emptied_by_an_erasure() -> None:
    personal = [column for column in columns() if column.info.get("personal")]
    assert len(personal) > 30
    assert [str(column) for column in personal if not is_seen_to(column)] == []


def test_every_column_of_text_is_decided_about() -> None:
    assert undecided(columns()) == []


def test_a_new_column_of_text_that_nobody_decided_about_is_found() -> None:
    table = next(column.table for column in columns() if column.table.name == "membership")
    new = Column("remark", String)
    new.table = table
    assert undecided([*columns(), new]) == ["membership.remark"]


def test_what_is_named_as_impersonal_exists_and_is_not_personal() -> None:
    known = {str(column): column for column in columns()}
    named = [f"{table}.{name}" for table, names in IMPERSONAL.items() for name in names.split()]
    assert [one for one in named if one not in known or known[one].info.get("personal")] == []


def test_every_table_that_refers_to_a_clinician_is_in_the_export() -> None:
    refers = {
        column.table.name
        for column in columns()
        if column.name == "clinician_id" or any(key.column.table.name == "clinician" for key in column.foreign_keys)
    }
    assert len(refers) > 15
    assert refers - HELD.keys() - LINKED == set()


@pytest.fixture
def ana() -> Traces:
    return Traces(
        id=UUID(int=1),
        addresses=frozenset({"ana@clinic.example"}),
        names=frozenset({"Ana Lopes"}),
        phones=frozenset({"+351 21 555 0100"}),
    )


def line(name: str, email: str | None = None, phone: str | None = None) -> dict[str, str | None]:
    return {"country": "PT", "hospital": "Porto", "name": name, "email": email, "phone": phone}


@pytest.mark.parametrize(
    ("told", "left"),
    [
        ("Ana Lopes, write to ana@clinic.example.", "(erased), write to (erased)."),
        ("ANA LOPES <Ana@Clinic.example>", "(erased) <(erased)>"),
        ("Joana Lopes, Ana Lopesinho", "Joana Lopes, Ana Lopesinho"),
        ("joana@clinic.example and ana@clinic.example.org", "joana@clinic.example and ana@clinic.example.org"),
    ],
)
def test_names_and_addresses_are_taken_out_of_a_text_and_no_part_of_others(ana: Traces, told: str, left: str) -> None:
    assert without({"detail": told, "number": 1}, ana) == {"detail": left, "number": 1}


@pytest.mark.parametrize(
    "own",
    [
        line("Ana Lopes"),
        line("Ana Lopes", "ana@clinic.example"),
        line("Ana L. Lopes", "Ana@clinic.example"),
        line("A. Lopes", phone="+351 21 555 0100"),
    ],
    ids=["name", "both", "address", "phone"],
)
def test_the_line_of_the_participant_list_goes(ana: Traces, own: dict[str, str | None]) -> None:
    other = line("Rui Costa", "rui@clinic.example")
    assert without({"participants": [own, other]}, ana) == {"participants": [other]}


def test_somebody_of_the_same_name_with_another_address_stays_on_the_list(ana: Traces) -> None:
    other = line("Ana Lopes", "ana.lopes@elsewhere.example")
    assert without({"participants": [other]}, ana) == {"participants": [other]}
