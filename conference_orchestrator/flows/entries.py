"""What may be entered about networks, hospitals, people, groups and notices.

The API, the command line's files and the configuration all pass here, so a name with a line break is refused
wherever it comes from. Form only: whether a code exists is asked by the flows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from conference_orchestrator.flows import fields
from conference_orchestrator.flows.fields import (
    Field,
    Form,
    Reader,
    Wrong,
    choice,
    code,
    count,
    country,
    day,
    email,
    flag,
    inner,
    instant,
    item,
    item_code,
    language,
    line,
    link,
    many,
    optional,
    optional_list,
    read,
    reference,
    text,
    wall_time,
    zone,
)
from conference_orchestrator.kernel.errors import Invalid
from conference_orchestrator.network.clinicians import Share
from conference_orchestrator.network.expert_groups import Intake, ItemKind, MemberRole
from conference_orchestrator.network.networks import ListStyle
from conference_orchestrator.network.notices import Kind
from conference_orchestrator.scheduling.checklists import CONSENT
from conference_orchestrator.scheduling.conferences import Kind as ConferenceKind
from conference_orchestrator.scheduling.planning import HolidayAction

MOST_OPTIONS = 50
MOST_HOURS, MOST_OFFER_HOURS = 24 * 365, 24 * 30
MOST_REMINDERS, MOST_REMINDER_HOURS = 4, 168


def checklist(value: Any) -> list[dict[str, Any]]:
    """The items of a group's check list; each code stands once, and the consent that every request needs not at all."""
    items: list[dict[str, Any]] = many(inner(CHECKLIST_ITEM))(value)
    codes = [entry["code"] for entry in items]
    for position, entry in enumerate(items):
        if entry["code"] == CONSENT:
            raise Invalid({f"{position}.code": "The consent is asked of every request; leave it out."})
        if entry["code"] in codes[:position]:
            raise Invalid({f"{position}.code": f"{entry['code']!r} stands in the check list twice."})
        if said := _problem_of_options(entry):
            raise Invalid({f"{position}.options": said})
    return items


def _problem_of_options(entry: Mapping[str, Any]) -> str | None:
    options = entry["options"]
    if entry["kind"] != ItemKind.CHOICE:
        return "Only an item of the kind choice has options; leave them out." if options else None
    if not options:
        return f"A choice needs 1 to {MOST_OPTIONS} options."
    return "Each option stands once." if len(set(options)) < len(options) else None


def labels(value: Any) -> dict[str, str]:
    """A label in further languages, by their two letters."""
    if not isinstance(value, Mapping):
        raise Wrong('Must be labels by language, such as {"de": "Histologie"}.')
    forms = {name: Field(line(300)) for name in value if isinstance(name, str) and re.fullmatch("[a-z]{2}", name)}
    if unknown := value.keys() - forms.keys():
        raise Invalid(dict.fromkeys(map(str, unknown), "Must be a language of two letters such as de (ISO 639-1)."))
    return fields.read(value, forms)


def rules(value: Any) -> dict[str, int | float]:
    """The rules that a group set; one that is left out, or null, is off."""
    return {name: limit for name, limit in inner(RULES)(value).items() if limit is not None}


def reminder_hours(value: Any) -> list[int]:
    """How many hours before the start people are reminded, each once, the longest first."""
    hours: list[int] = many(count(1, MOST_REMINDER_HOURS), most=MOST_REMINDERS)(value)
    if len(set(hours)) < len(hours):
        raise Wrong("Each number of hours stands once.")
    return sorted(hours, reverse=True)


def number_that(fits: Callable[[float], bool], description: str) -> Reader:
    """A number that fits."""

    def read_number(value: Any) -> int | float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not fits(value):
            raise Wrong(f"Must be {description}.")
        return value

    return read_number


def defaults_of_conferences(value: Any) -> dict[str, Any]:
    """What a network's web conferences have unless a request says otherwise; what is open is left out."""
    return {name: said for name, said in inner(WEB_CONFERENCE)(value).items() if said is not None}


NETWORK: Form = {
    "code": Field(code),
    "name": Field(line()),
    "helpdesk_address": optional(email),
    "helpdesk_hours": optional(line()),
    "funding_line": optional(line(500)),
    "participant_list": Field(choice(ListStyle), required=False, default=lambda: ListStyle.ATTACHMENT.value),
    "web_conference": Field(defaults_of_conferences, required=False, default=dict),
}
WEB_CONFERENCE: Form = {
    "duration_minutes": optional(count(10, 1439)),
    "language": optional(language),
    "expected_audience": optional(count(1)),
}
HOSPITAL: Form = {
    "code": Field(code),
    "name": Field(line()),
    "city": Field(line()),
    "country": Field(country),
    "time_zone": Field(zone),
    "is_reference_centre": Field(flag, required=False, default=lambda: False),
    "networks": optional_list(reference),
}
PERSON: Form = {
    "given_name": Field(line(100)),
    "family_name": Field(line(100)),
    "email": Field(email),
    "phone": optional(line(40)),
    "hospital": optional(reference),
    "hospital_name": optional(line()),
    "country": optional(country),
    "profession": Field(line(100)),
    "specialties": optional_list(item),
    "language": Field(language),
    "time_zone": optional(zone),
    "share": optional_list(choice(Share)),
}
ACTIVE_PERSON: Form = {"network": Field(reference), **PERSON}
REGISTRATION: Form = {**ACTIVE_PERSON, "privacy_version": Field(line(100))}
CLINICIAN: Form = {**ACTIVE_PERSON, "privacy_version": optional(line(100))}
CHECKLIST_ITEM: Form = {
    "code": Field(item_code),
    "label": Field(line(300)),
    "kind": Field(choice(ItemKind)),
    "required": Field(flag, required=False, default=lambda: True),
    "options": Field(many(line(), most=MOST_OPTIONS), required=False, default=list),
    "labels": Field(labels, required=False, default=dict),
}
QUORUM: Form = {
    "minimum": Field(count(0, 100), required=False, default=lambda: 0),
    "disciplines": optional_list(item),
    "invite_substitutes": Field(flag, required=False, default=lambda: False),
}
HOURS = number_that(lambda hours: 0 <= hours <= MOST_HOURS, f"a number of hours from 0 to {MOST_HOURS}")
RULES: Form = {
    "lead_hours": optional(HOURS),
    "cut_off_hours": optional(HOURS),
    "open_requests_per_requester": optional(count(1)),
    "hospital_share": optional(
        number_that(lambda part: 0 < part <= 1, "a part of a session's slots: above 0 and at most 1, such as 0.5")
    ),
    "reserve_slots": optional(count(0, 49)),
    "offer_hours": optional(
        number_that(
            lambda hours: 0 < hours <= MOST_OFFER_HOURS, f"a number of hours above 0 and at most {MOST_OFFER_HOURS}"
        )
    ),
}
GROUP: Form = {
    "network": Field(reference),
    "code": Field(code),
    "name": Field(line()),
    "contact_email": optional(email),
    "time_zone": Field(zone),
    "intake": Field(choice(Intake)),
    "quorum": Field(inner(QUORUM), required=False, default=lambda: read({}, QUORUM)),
    "checklist": Field(checklist, required=False, default=list),
    "rules": Field(rules, required=False, default=dict),
    "reminder_hours": Field(reminder_hours, required=False, default=lambda: [24, 1]),
}
MEMBER: Form = {
    "clinician": Field(reference),
    "role": Field(choice(MemberRole)),
    "discipline": optional(item),
}
NOTICE: Form = {
    "network": optional(reference),
    "group": optional(reference),
    "kind": Field(choice(Kind)),
    "language": Field(language),
    "version": Field(line(100)),
    "valid_from": Field(instant),
    "title": Field(line()),
    "body": optional(text(100_000)),
    "link": optional(link),
}
HOLIDAYS: Form = {"countries": Field(many(country)), "action": Field(choice(HolidayAction))}
SERIES: Form = {
    "rule": Field(line()),
    "starts_on": Field(day),
    "start_time": Field(wall_time),
    "time_zone": Field(zone),
    "slots": Field(count(1, 50)),
    "slot_minutes": Field(count(1, 1439)),
    "break_minutes": Field(count(0, 60), required=False, default=lambda: 0),
    "host_margin_minutes": Field(count(0, 60), required=False, default=lambda: 0),
    "ends_on": optional(day),
    "holidays": optional(inner(HOLIDAYS)),
}
HOST_ACCOUNT: Form = {
    "provider": Field(line(100)),
    "email": Field(email),
    "capacity": Field(count(1, 50), required=False, default=lambda: 1),
    "kinds": optional_list(choice(ConferenceKind)),
}
