"""/audit: who did what to what, and why."""

from __future__ import annotations

from marshmallow import Schema, fields

from conference_orchestrator.flows import auditing
from conference_orchestrator.web.fields import Instant
from conference_orchestrator.web.kit import Json, Paged, Resource, items, listing, paging
from conference_orchestrator.web.policy import allow, principal

audit_api = Resource("audit", "Who did what to what, and why.")


class EntrySchema(Schema):
    """A row of the audit. Keep the `hash` of the last one: it tells later whether rows were cut off the end."""

    sequence = fields.Integer()
    at = Instant()
    actor = fields.String(metadata={"description": "The role and the id of the token; of a clinician the person's id."})
    action = fields.String()
    subject = fields.String(metadata={"description": "The kind of thing and its id."})
    reason = fields.String(allow_none=True)
    previous_hash = fields.String()
    hash = fields.String()


@audit_api.get("/audit")
@allow("audit.read")
@audit_api.query(Paged)
@audit_api.response(200, listing(EntrySchema))
def listed(query: Json) -> Json:
    """List what was done, in order: the auditor all, the helpdesk its own actions, a clinician what is about it."""
    return items(auditing.listed(paging(query), by=principal()))
