"""/feeds: secret addresses of the own calendar, for programs that show it beside others."""

from __future__ import annotations

from uuid import UUID

from marshmallow import Schema, fields

from conference_orchestrator.flows import feeding
from conference_orchestrator.web.fields import Instant, OneLine, Reference
from conference_orchestrator.web.idempotency import once
from conference_orchestrator.web.kit import Form, Json, Paged, Resource, items, listing, paging
from conference_orchestrator.web.policy import allow, principal

feeds_api = Resource("feeds", "Addresses of the own calendar.")


class FeedQuery(Paged):
    """Whose feeds."""

    clinician = Reference()


class FeedEntry(Form):
    """An address to be made; without a clinician who asks is meant. The name tells the own addresses apart."""

    name = OneLine(100, allow_none=True)
    clinician = Reference(allow_none=True)


class FeedSchema(Schema):
    """An address, without the address itself."""

    id = fields.UUID()
    clinician = fields.UUID(attribute="clinician_id")
    name = fields.String(allow_none=True)
    created_at = Instant()


class NewFeedSchema(FeedSchema):
    """An address just made: `url` is shown this once."""

    url = fields.String(metadata={"description": "For a calendar program. Whoever has it reads the calendar."})


@feeds_api.get("/feeds")
@allow("feed.read")
@feeds_api.query(FeedQuery)
@feeds_api.response(200, listing(FeedSchema))
def listed(query: Json) -> Json:
    """List the addresses that answer, oldest first: a clinician the own."""
    return items(feeding.listed(paging(query), by=principal(), **query))


@feeds_api.post("/feeds")
@allow("feed.change")
@once
@feeds_api.arguments(FeedEntry)
@feeds_api.response(201, NewFeedSchema)
def make(entered: Json) -> Json:
    """Make an address of a calendar; it is in this answer only."""
    feed, url = feeding.open_feed(entered.get("name"), clinician=entered.get("clinician"), by=principal())
    columns = ("id", "clinician_id", "name", "created_at")
    return {**{name: getattr(feed, name) for name in columns}, "url": url}


@feeds_api.delete("/feeds/<uuid:feed_id>")
@allow("feed.change")
@feeds_api.empty("The address answers no more.")
def revoke(feed_id: UUID) -> None:
    """Revoke an address at once."""
    feeding.revoke(feed_id, by=principal())
