"""/sessions/{id}/roster: who is expected at one session; substitutes; holding a session that is at risk."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from marshmallow import Schema, fields

from conference_orchestrator.flows import access, rostering
from conference_orchestrator.flows.expecting import Risk
from conference_orchestrator.flows.rostering import Line, Roster
from conference_orchestrator.kernel.paging import HIGHEST_LIMIT, Page, Paging, part
from conference_orchestrator.kernel.principal import Role
from conference_orchestrator.network.expert_groups import MemberRole
from conference_orchestrator.web.api.sessions import QuorumForecastSchema
from conference_orchestrator.web.fields import FreeText, Instant, Item, Reference
from conference_orchestrator.web.idempotency import once
from conference_orchestrator.web.kit import Form, Json, Paged, Resource, expected, items, paging, versioned
from conference_orchestrator.web.policy import allow, principal

rosters_api = Resource("rosters", "Who is expected at a session.")

# What people answered, and that they are away, is the business of those who watch over the quorum.
WATCHERS = {Role.COORDINATOR, Role.HELPDESK}


class ClashSchema(Schema):
    """Another session at the same time at which the person is expected."""

    group = fields.String(attribute="group_name")
    starts_at = Instant()


class RosterEntrySchema(Schema):
    """Who is expected; answer, absent and clash are null for who does not look after the group."""

    clinician = fields.UUID()
    name = fields.String()
    role = fields.String(metadata={"enum": [str(role) for role in MemberRole]})
    discipline = fields.String(allow_none=True)
    answer = fields.String(allow_none=True, metadata={"enum": ["accepted", "declined", "tentative", None]})
    absent = fields.Boolean(allow_none=True)
    clash = fields.Nested(ClashSchema, allow_none=True)


class RosterSchema(Schema):
    """Everybody who is expected at a session, leads first and substitutes last, and whether that is enough."""

    items = fields.List(fields.Nested(RosterEntrySchema))
    next = fields.String(allow_none=True, metadata={"description": "The address of the next page."})
    quorum = fields.Nested(QuorumForecastSchema)
    risk = fields.String(allow_none=True, metadata={"enum": [*(str(risk) for risk in Risk), None]})


class SubstituteEntry(Form):
    """Who steps in; without a discipline the one that the person has in the group."""

    clinician = Reference(required=True)
    discipline = Item(allow_none=True)


class Keeping(Form):
    """Why the session is held although its quorum is in doubt."""

    reason = FreeText(2000, allow_none=True)


@rosters_api.get("/sessions/<uuid:session_id>/roster")
@allow("roster.read")
@rosters_api.query(Paged)
@rosters_api.response(200, RosterSchema)
def one(query: Json, session_id: UUID) -> Json:
    """Read who is expected at the session."""
    return _shown(rostering.roster(session_id, by=principal()), paging(query))


@rosters_api.post("/sessions/<uuid:session_id>/roster")
@allow("roster.change")
@once
@rosters_api.arguments(SubstituteEntry)
@rosters_api.response(201, RosterEntrySchema)
def add(entered: Json, session_id: UUID) -> Json:
    """Put a substitute on the roster, who is then invited. A clash is told, not refused."""
    discipline = entered.get("discipline")
    line = rostering.add_substitute(
        session_id, entered["clinician"], discipline=discipline, by=principal(), expected=expected()
    )
    return _lines([line])[0]


@rosters_api.delete("/sessions/<uuid:session_id>/roster/<uuid:clinician_id>")
@allow("roster.change")
@rosters_api.empty("The substitute is not expected any more.")
def remove(session_id: UUID, clinician_id: UUID) -> None:
    """Take a substitute back, who is then told."""
    rostering.take_back(session_id, clinician_id, by=principal(), expected=expected())


@rosters_api.post("/sessions/<uuid:session_id>/keeping")
@allow("session.change")
@rosters_api.arguments(Keeping)
@rosters_api.response(200, RosterSchema)
def keep(entered: Json, session_id: UUID) -> Json:
    """Hold a session that is at risk as it is."""
    kept = rostering.keep(session_id, entered.get("reason"), by=principal(), expected=expected())
    return _shown(kept, Paging(HIGHEST_LIMIT))


def _shown(roster: Roster, asked: Paging) -> Json:
    page = part(roster.lines, asked, key=lambda line: str(line.clinician.id))
    shown = items(Page(_lines(page.items), page.next)) | {"quorum": roster.quorum, "risk": roster.risk}
    return versioned(shown, roster.session)


def _lines(lines: Sequence[Line]) -> list[Json]:
    known = access.knowledge_of(principal())
    watches = principal().role in WATCHERS
    return [
        {
            "clinician": line.clinician.id,
            "name": known(line.clinician).name,
            "role": line.entry.role,
            "discipline": line.entry.discipline,
            "answer": line.entry.answer if watches else None,
            "absent": line.entry.is_absent if watches else None,
            "clash": line.clash if watches else None,
        }
        for line in lines
    ]
