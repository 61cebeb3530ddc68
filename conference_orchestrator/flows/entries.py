"""What may be entered about networks, hospitals, people, groups and notices.

The API, the command line's files and the configuration all pass here, so a name with a line break is refused
wherever it comes from. Form only: whether a code exists is asked by the flows.
"""

from __future__ import annotations

from typing import Any

from conference_orchestrator.flows.fields import (
    Field,
    Form,
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
    number,
    optional,
    optional_list,
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


def checklist(value: Any) -> list[dict[str, Any]]:
    """The items of a group's check list; each code stands once, and the consent that every request needs not at all."""
    items: list[dict[str, Any]] = many(inner(CHECKLIST_ITEM))(value)
    codes = [entry["code"] for entry in items]
    for position, entry in enumerate(codes):
        if entry == CONSENT:
            raise Invalid({f"{position}.code": "The consent is asked of every request; leave it out."})
        if entry in codes[:position]:
            raise Invalid({f"{position}.code": f"{entry!r} stands in the check list twice."})
    return items


def rules(value: Any) -> dict[str, int | float]:
    """The rules that a group set. None is enforced yet, so none is taken: a rule must not seem to hold."""
    wanted = {name: limit for name, limit in inner(RULES)(value).items() if limit is not None}
    if wanted:
        raise Invalid(dict.fromkeys(wanted, "This rule is not enforced yet; leave it out."))
    return wanted


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
}
QUORUM: Form = {"minimum": Field(count(0, 100), required=False, default=lambda: 0), "disciplines": optional_list(item)}
RULE_NAMES = (
    "lead_hours",
    "cut_off_hours",
    "open_requests_per_requester",
    "hospital_share",
    "reserve_slots",
    "offer_hours",
)
RULES: Form = {name: optional(number) for name in RULE_NAMES}
GROUP: Form = {
    "network": Field(reference),
    "code": Field(code),
    "name": Field(line()),
    "contact_email": optional(email),
    "time_zone": Field(zone),
    "intake": Field(choice(Intake)),
    "quorum": Field(inner(QUORUM), required=False, default=lambda: {"minimum": 0, "disciplines": []}),
    "checklist": Field(checklist, required=False, default=list),
    "rules": Field(rules, required=False, default=dict),
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
SERIES: Form = {
    "rule": Field(line()),
    "starts_on": Field(day),
    "start_time": Field(wall_time),
    "time_zone": Field(zone),
    "slots": Field(count(1, 50)),
    "slot_minutes": Field(count(1, 1439)),
    "ends_on": optional(day),
}
HOST_ACCOUNT: Form = {
    "provider": Field(line(100)),
    "email": Field(email),
    "capacity": Field(count(1, 50), required=False, default=lambda: 1),
    "kinds": optional_list(choice(ConferenceKind)),
}
