"""/expert-groups/{id}/series and /series: a group's standing appointments."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Response, jsonify
from marshmallow import Schema, fields

from conference_orchestrator.flows import arranging
from conference_orchestrator.flows.arranging import SeriesView
from conference_orchestrator.flows.rounds import Touched
from conference_orchestrator.scheduling.planning import HolidayAction
from conference_orchestrator.scheduling.series import Series
from conference_orchestrator.web.api.sessions import Look, TouchedSchema
from conference_orchestrator.web.fields import Choice, Count, Country, Day, Instant, OneLine, WallTime, Zone
from conference_orchestrator.web.idempotency import once
from conference_orchestrator.web.kit import Form, Json, Paged, Resource, expected, items, listing, paging, versioned
from conference_orchestrator.web.policy import allow, principal

series_api = Resource("series", "A group's standing appointment: rule, wall time, zone, slots per session.")


class HolidaysEntry(Form):
    """The public holidays that count for the round, and what becomes of a date that is one."""

    countries = fields.List(Country(), required=True)
    action = Choice(HolidayAction, required=True)


class SeriesChange(Form):
    """What changes, from the date `from_on` on; today unless it is given."""

    from_on = Day()
    rule = OneLine()
    start_time = WallTime()
    time_zone = Zone()
    slots = Count(1, 50)
    slot_minutes = Count(1, 24 * 60)
    break_minutes = Count(0, 60)
    host_margin_minutes = Count(0, 60)
    ends_on = Day(allow_none=True)
    holidays = fields.Nested(HolidaysEntry, allow_none=True)


class SeriesEntry(Form):
    """A round to be held: `rule` is an RRULE with FREQ=WEEKLY or FREQ=MONTHLY."""

    rule = OneLine(required=True)
    starts_on = Day(required=True)
    start_time = WallTime(required=True)
    time_zone = Zone(required=True)
    slots = Count(1, 50, required=True)
    slot_minutes = Count(1, 24 * 60, required=True)
    break_minutes = Count(0, 60)
    host_margin_minutes = Count(0, 60)
    ends_on = Day(allow_none=True)
    holidays = fields.Nested(HolidaysEntry, allow_none=True)


class HolidaysSchema(Schema):
    """The public holidays that count for the round, and what becomes of a date that is one."""

    countries = fields.List(fields.String())
    action = fields.String(metadata={"enum": [str(action) for action in HolidayAction]})


class SeriesSchema(Schema):
    """A round as it is from `from_on` on, where that is not null; earlier sessions are as they were made."""

    id = fields.UUID()
    group = fields.UUID(attribute="group_id")
    rule = fields.String()
    starts_on = fields.Date()
    ends_on = fields.Date(allow_none=True)
    from_on = fields.Date(allow_none=True)
    start_time = WallTime()
    time_zone = fields.String()
    slots = fields.Integer()
    slot_minutes = fields.Integer()
    break_minutes = fields.Integer()
    host_margin_minutes = fields.Integer()
    holidays = fields.Nested(HolidaysSchema, allow_none=True)
    closed_at = Instant(allow_none=True)


class ArrangedSchema(SeriesSchema):
    """A round as it was arranged. `warnings` tell which of its experts are expected elsewhere at the time."""

    warnings = fields.List(fields.String())

    def get_attribute(self, obj: SeriesView, attr: str, default: Any) -> Any:
        """All but the warnings are the series' own."""
        return super().get_attribute(obj if attr == "warnings" else obj.series, attr, default)


@series_api.get("/expert-groups/<uuid:group_id>/series")
@allow("series.read")
@series_api.query(Paged)
@series_api.response(200, listing(SeriesSchema))
def of_group(query: Json, group_id: UUID) -> Json:
    """List the group's open series."""
    return items(arranging.series_of(group_id, by=principal(), paging=paging(query)))


@series_api.post("/expert-groups/<uuid:group_id>/series")
@allow("series.change")
@once
@series_api.arguments(SeriesEntry)
@series_api.response(201, ArrangedSchema)
def define(entered: Json, group_id: UUID) -> SeriesView:
    """Give the group a round; the sessions of the coming 26 weeks exist when this answers."""
    defined = arranging.define_series(group_id, entered, by=principal())
    return versioned(defined, defined.series)


@series_api.get("/series/<uuid:series_id>")
@allow("series.read")
@series_api.response(200, SeriesSchema)
def one(series_id: UUID) -> Series:
    """Read one series."""
    return versioned(arranging.one_series(series_id, by=principal()))


@series_api.patch("/series/<uuid:series_id>")
@allow("series.change")
@series_api.arguments(SeriesChange)
@series_api.query(Look)
@series_api.response(200, ArrangedSchema, description="With preview=true: whom it would touch.")
def change(changes: Json, query: Json, series_id: UUID) -> SeriesView | Response:
    """Change the round from a date on; sessions keep their cases wherever the new plan has a place for them."""
    look, seen = query.get("preview", False), expected(required=True)
    changed = arranging.change_series(series_id, changes, by=principal(), expected=seen, preview=look)
    return shown(changed) if isinstance(changed, Touched) else versioned(changed, changed.series)


@series_api.delete("/series/<uuid:series_id>")
@allow("series.change")
@series_api.query(Look)
@series_api.empty("The round has ended, its coming sessions are cancelled. With preview=true: whom it would touch.")
def close(query: Json, series_id: UUID) -> Response | None:
    """End the round: its coming sessions are cancelled, their requests go first on the waiting list."""
    look = query.get("preview", False)
    touched = arranging.close_series(series_id, by=principal(), expected=expected(), preview=look)
    return shown(touched) if look else None


def shown(touched: Touched) -> Response:
    """The answer to a preview."""
    return jsonify(TouchedSchema().dump(touched))
