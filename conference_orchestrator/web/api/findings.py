"""/provider-findings: what a look at the providers found that is not as it should be."""

from __future__ import annotations

from enum import StrEnum
from uuid import UUID

from marshmallow import Schema, fields

from conference_orchestrator.flows import finding
from conference_orchestrator.scheduling.provider_findings import Action, Kind, ProviderFinding
from conference_orchestrator.web.fields import Choice, Instant
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

findings_api = Resource("provider-findings", "Meetings at providers that are not as they should be.")


class FindingSchema(Schema):
    """A finding. `meeting` is the provider's id; `conference` is null for an orphan, which belongs to none."""

    id = fields.UUID()
    kind = fields.String(metadata={"enum": [str(kind) for kind in Kind]})
    state = fields.String(metadata={"enum": ["open", "resolving", "resolved"]})
    provider = fields.String()
    conference = fields.UUID(attribute="conference_id", allow_none=True)
    meeting = fields.String(attribute="meeting_id")
    host = fields.String(allow_none=True)
    detail = fields.String()
    starts_at = Instant(allow_none=True)
    found_at = Instant(attribute="created_at")
    resolved_at = Instant(allow_none=True)
    resolved_by = fields.String(allow_none=True)
    action = fields.String(allow_none=True, metadata={"enum": [str(action) for action in Action]})


class Which(StrEnum):
    """Which findings are listed."""

    OPEN = "open"
    RESOLVED = "resolved"
    ALL = "all"


class FindingQuery(Paged):
    """Which findings; those that are not resolved unless told."""

    state = Choice(Which, load_default=Which.OPEN)
    kind = Choice(Kind)


class Resolution(Form):
    """What to do: delete an orphan, recreate a missing meeting, restore a changed one, or ignore it."""

    action = Choice(Action, required=True)


@findings_api.get("/provider-findings")
@allow("finding.read")
@findings_api.query(FindingQuery)
@findings_api.response(200, listing(FindingSchema))
def listed(query: Json) -> Json:
    """List the findings, the oldest first."""
    is_open = {Which.OPEN: True, Which.RESOLVED: False}.get(query.pop("state"))
    return items(finding.listed(paging(query), is_open=is_open, kind=query.get("kind")), lambda one: one)


@findings_api.get("/provider-findings/<uuid:finding_id>")
@allow("finding.read")
@findings_api.response(200, FindingSchema)
def one(finding_id: UUID) -> ProviderFinding:
    """Read one finding."""
    found = finding.get(finding_id)
    return versioned(found, found)


@findings_api.post("/provider-findings/<uuid:finding_id>/resolution")
@allow("finding.resolve")
@findings_api.arguments(Resolution)
@findings_api.response(200, FindingSchema)
def resolve(entered: Json, finding_id: UUID) -> ProviderFinding:
    """See to a finding; what is to be done at the provider is done after the answer."""
    found = finding.resolve(finding_id, entered["action"], by=principal(), expected=expected())
    return versioned(found, found)
