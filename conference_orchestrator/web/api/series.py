"""/expert-groups/{id}/series and /series: a group's standing appointments."""

from __future__ import annotations

from uuid import UUID

from marshmallow import Schema, fields

from conference_orchestrator.flows import arranging
from conference_orchestrator.scheduling.series import Series
from conference_orchestrator.web.fields import Count, Day, Instant, OneLine, WallTime, Zone
from conference_orchestrator.web.idempotency import once
from conference_orchestrator.web.kit import Form, Json, Resource, expected, listing, versioned, whole
from conference_orchestrator.web.policy import allow, principal

series_api = Resource("series", "A group's standing appointment: rule, wall time, zone, slots per session.")


class SeriesEntry(Form):
    """A round to be held: `rule` is an RRULE with FREQ=WEEKLY or FREQ=MONTHLY."""

    rule = OneLine(required=True)
    starts_on = Day(required=True)
    start_time = WallTime(required=True)
    time_zone = Zone(required=True)
    slots = Count(1, 50, required=True)
    slot_minutes = Count(1, 24 * 60, required=True)
    ends_on = Day(allow_none=True)


class SeriesSchema(Schema):
    """A round."""

    id = fields.UUID()
    group = fields.UUID(attribute="group_id")
    rule = fields.String()
    starts_on = fields.Date()
    ends_on = fields.Date(allow_none=True)
    start_time = WallTime()
    time_zone = fields.String()
    slots = fields.Integer()
    slot_minutes = fields.Integer()
    closed_at = Instant(allow_none=True)


@series_api.get("/expert-groups/<uuid:group_id>/series")
@allow("series.read")
@series_api.response(200, listing(SeriesSchema))
def of_group(group_id: UUID) -> Json:
    """List the group's open series."""
    return whole(arranging.series_of(group_id, by=principal()))


@series_api.post("/expert-groups/<uuid:group_id>/series")
@allow("series.change")
@once
@series_api.arguments(SeriesEntry)
@series_api.response(201, SeriesSchema)
def define(entered: Json, group_id: UUID) -> Series:
    """Give the group a round; the sessions of the coming 26 weeks exist when this answers."""
    return versioned(arranging.define_series(group_id, entered, by=principal()))


@series_api.get("/series/<uuid:series_id>")
@allow("series.read")
@series_api.response(200, SeriesSchema)
def one(series_id: UUID) -> Series:
    """Read one series."""
    return versioned(arranging.one_series(series_id, by=principal()))


@series_api.delete("/series/<uuid:series_id>")
@allow("series.change")
@series_api.empty("The round has ended, its coming sessions are cancelled.")
def close(series_id: UUID) -> None:
    """End the round: its coming sessions are cancelled, their requests go first on the waiting list."""
    arranging.close_series(series_id, by=principal(), expected=expected())
