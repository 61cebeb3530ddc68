"""/expert-groups: standing groups of experts, their check lists and members."""

from __future__ import annotations

from uuid import UUID

from marshmallow import Schema, fields
from marshmallow.validate import Length

from conference_orchestrator.flows import access, calendars, directory
from conference_orchestrator.flows.access import Known
from conference_orchestrator.flows.entries import (
    MOST_HOURS,
    MOST_OFFER_HOURS,
    MOST_OPTIONS,
    MOST_REMINDER_HOURS,
    MOST_REMINDERS,
)
from conference_orchestrator.network import expert_groups
from conference_orchestrator.network.expert_groups import (
    CalendarStyle,
    ExpertGroup,
    Intake,
    ItemKind,
    MemberRole,
    Membership,
)
from conference_orchestrator.web.fields import (
    Choice,
    Code,
    Count,
    Email,
    Flag,
    Item,
    ItemCode,
    Language,
    Number,
    OneLine,
    Reference,
    Zone,
)
from conference_orchestrator.web.idempotency import once
from conference_orchestrator.web.kit import (
    Form,
    Json,
    Paged,
    Resource,
    expected,
    items,
    listing,
    paging,
    versioned,
)
from conference_orchestrator.web.policy import allow, principal

groups_api = Resource("expert-groups", "Standing groups of experts who meet in rounds.")


class QuorumEntry(Form):
    """How many experts, and which disciplines, must confirm; whether substitutes are asked when that is in doubt."""

    minimum = Count(0, 100)
    disciplines = fields.List(Item())
    invite_substitutes = Flag()


class ChecklistEntry(Form):
    """One thing that a request to the group must say; `options` are what a choice is made from."""

    code = ItemCode(required=True)
    label = OneLine(300, required=True)
    kind = Choice(ItemKind, required=True)
    required = Flag()
    options = fields.List(OneLine(), validate=Length(max=MOST_OPTIONS))
    labels = fields.Dict(keys=Language(), values=OneLine(300), metadata={"description": "In further languages."})


class RulesEntry(Form):
    """The group's own rules; what is missing or null is off."""

    lead_hours = Number(allow_none=True, metadata={"minimum": 0, "maximum": MOST_HOURS})
    cut_off_hours = Number(allow_none=True, metadata={"minimum": 0, "maximum": MOST_HOURS})
    open_requests_per_requester = Count(1, allow_none=True)
    hospital_share = Number(allow_none=True, metadata={"minimum": 0, "exclusiveMinimum": True, "maximum": 1})
    reserve_slots = Count(0, 49, allow_none=True)
    offer_hours = Number(
        allow_none=True, metadata={"minimum": 0, "exclusiveMinimum": True, "maximum": MOST_OFFER_HOURS}
    )


class GroupEntry(Form):
    """A group to be entered."""

    network = Reference(required=True)
    code = Code(required=True)
    name = OneLine(required=True)
    contact_email = Email(allow_none=True)
    time_zone = Zone(required=True)
    intake = Choice(Intake, required=True)
    quorum = fields.Nested(QuorumEntry)
    checklist = fields.List(fields.Nested(ChecklistEntry))
    rules = fields.Nested(RulesEntry)
    reminder_hours = fields.List(
        Count(1, MOST_REMINDER_HOURS),
        validate=Length(max=MOST_REMINDERS),
        metadata={
            "description": "So many hours before the start people are reminded; empty: never.",
            "uniqueItems": True,
        },
    )


class QuorumSchema(Schema):
    """How many experts, and which disciplines, must confirm; whether substitutes are asked when that is in doubt."""

    minimum = fields.Integer(attribute="quorum_minimum")
    disciplines = fields.List(fields.String(), attribute="quorum_disciplines")
    invite_substitutes = fields.Boolean(attribute="quorum_substitutes")


class ChecklistItemSchema(Schema):
    """One thing that a request to the group must say."""

    code = fields.String()
    label = fields.String()
    kind = fields.String()
    required = fields.Boolean()
    options = fields.List(fields.String())
    labels = fields.Dict(keys=fields.String(), values=fields.String())


class GroupSchema(Schema):
    """An expert group."""

    id = fields.UUID()
    network = fields.UUID(attribute="network_id")
    code = fields.String()
    name = fields.String()
    contact_email = fields.String(allow_none=True)
    time_zone = fields.String()
    intake = fields.String()
    quorum = fields.Function(lambda group: QuorumSchema().dump(group), metadata={"type": "object"})
    checklist = fields.List(fields.Nested(ChecklistItemSchema))
    rules = fields.Dict()
    reminder_hours = fields.List(fields.Integer())


class MemberEntry(Form):
    """A clinician's place in the group."""

    clinician = Reference(required=True)
    role = Choice(MemberRole, required=True)
    discipline = Item(allow_none=True)


class CalendarEntry(Form):
    """How the member holds the group's sessions in the calendar."""

    calendar = Choice(CalendarStyle, required=True)


class MemberSchema(Schema):
    """A clinician's place in the group; what the asker may not know is null."""

    clinician = fields.UUID()
    name = fields.String()
    email = fields.String(allow_none=True)
    hospital = fields.String()
    country = fields.String()
    role = fields.String()
    discipline = fields.String(allow_none=True)
    from_on = fields.Date()
    calendar = fields.String(metadata={"enum": [str(style) for style in CalendarStyle]})


@groups_api.get("/expert-groups")
@allow("group.read")
@groups_api.query(Paged)
@groups_api.response(200, listing(GroupSchema))
def listed(query: Json) -> Json:
    """List the groups, by code."""
    return items(expert_groups.listed(paging(query), visible_to=principal()))


@groups_api.post("/expert-groups")
@allow("group.enter")
@once
@groups_api.arguments(GroupEntry)
@groups_api.response(201, GroupSchema)
def enter(entered: Json) -> ExpertGroup:
    """Enter a group."""
    return versioned(directory.add_group(entered, by=principal()))


@groups_api.get("/expert-groups/<uuid:group_id>")
@allow("group.read")
@groups_api.response(200, GroupSchema)
def one(group_id: UUID) -> ExpertGroup:
    """Read one group."""
    return versioned(expert_groups.get(group_id, visible_to=principal()))


@groups_api.patch("/expert-groups/<uuid:group_id>")
@allow("group.change")
@groups_api.arguments(GroupEntry(partial=True))
@groups_api.response(200, GroupSchema)
def change(changes: Json, group_id: UUID) -> ExpertGroup:
    """Change the fields that are named; a coordinator the check list, quorum and reminders."""
    version = expected(required=True)
    return versioned(directory.change_group(group_id, changes, by=principal(), expected=version))


@groups_api.get("/expert-groups/<uuid:group_id>/members")
@allow("member.read")
@groups_api.query(Paged)
@groups_api.response(200, listing(MemberSchema))
def members(query: Json, group_id: UUID) -> Json:
    """List the present members, leads first, then in the order in which they came."""
    group = expert_groups.get(group_id, visible_to=principal())
    known = access.knowledge_of(principal())
    page = expert_groups.listed_members(paging(query), group_id=group.id)
    return items(page, lambda member: _shown(member, known(member.clinician)))


@groups_api.post("/expert-groups/<uuid:group_id>/members")
@allow("member.change")
@once
@groups_api.arguments(MemberEntry)
@groups_api.response(201, MemberSchema)
def add_member(entered: Json, group_id: UUID) -> Json:
    """Take a clinician of the network into the group."""
    member = directory.add_member(
        group_id,
        entered["clinician"],
        role=entered["role"],
        discipline=entered.get("discipline"),
        by=principal(),
        expected=expected(),
    )
    return _answer(member)


@groups_api.delete("/expert-groups/<uuid:group_id>/members/<uuid:clinician_id>")
@allow("member.change")
@groups_api.empty("The membership has ended.")
def remove_member(group_id: UUID, clinician_id: UUID) -> None:
    """End a clinician's membership today."""
    directory.remove_member(group_id, clinician_id, by=principal(), expected=expected())


@groups_api.put("/expert-groups/<uuid:group_id>/members/<uuid:clinician_id>/calendar")
@allow("member.calendar")
@groups_api.arguments(CalendarEntry)
@groups_api.response(200, MemberSchema)
def choose_calendar(chosen: Json, group_id: UUID, clinician_id: UUID) -> Json:
    """Choose how the member holds the sessions: one entry each, the series as one, or that sent whole each time."""
    style = CalendarStyle(chosen["calendar"])
    return _answer(calendars.choose(group_id, clinician_id, style, by=principal(), expected=expected()))


def _answer(member: Membership) -> Json:
    """A member, with the ETag of the group."""
    group = expert_groups.get(member.group_id, visible_to=principal())
    return versioned(_shown(member, access.knowledge_of(principal())(member.clinician)), group)


def _shown(member: Membership, known: Known) -> Json:
    return {
        "clinician": member.clinician_id,
        "name": known.name,
        "email": known.email,
        "hospital": member.clinician.hospital_name,
        "country": member.clinician.country,
        "role": member.role,
        "discipline": member.discipline,
        "from_on": member.from_on,
        "calendar": member.calendar,
    }
