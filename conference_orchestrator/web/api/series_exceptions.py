"""/series/{id}/exceptions: single dates on which a round is not what its rule says."""

from __future__ import annotations

from contextlib import suppress
from datetime import date
from typing import Any
from uuid import UUID

from flask import Response
from marshmallow import Schema, fields

from conference_orchestrator.flows import arranging
from conference_orchestrator.flows.arranging import ExceptionView
from conference_orchestrator.flows.fields import Wrong, day
from conference_orchestrator.flows.rounds import Touched
from conference_orchestrator.kernel.errors import NotFound
from conference_orchestrator.scheduling.exceptions import ExceptionKind
from conference_orchestrator.web.api.series import shown
from conference_orchestrator.web.api.sessions import Look
from conference_orchestrator.web.fields import Choice, Day, Instant
from conference_orchestrator.web.idempotency import once
from conference_orchestrator.web.kit import Form, Json, Paged, Resource, expected, items, listing, paging, versioned
from conference_orchestrator.web.policy import allow, principal

exceptions_api = Resource("exceptions", "Dates that a round skips, moves or adds, and its pauses.")


class ExceptionEntry(Form):
    """What holds for a date: a move says `starts_at`, an extra session may, a pause says `until_on` (included)."""

    on = Day(required=True)
    kind = Choice(ExceptionKind, required=True)
    starts_at = Instant(allow_none=True)
    until_on = Day(allow_none=True)


class ExceptionSchema(Schema):
    """An exception of a round."""

    id = fields.UUID()
    on = fields.Date(attribute="occurrence_on")
    kind = fields.String(metadata={"enum": [str(kind) for kind in ExceptionKind]})
    starts_at = Instant(allow_none=True)
    until_on = fields.Date(allow_none=True)


class AddedSchema(ExceptionSchema):
    """An exception as it was added. `warnings` tell which experts of the round are expected elsewhere at its times."""

    warnings = fields.List(fields.String())

    def get_attribute(self, obj: ExceptionView, attr: str, default: Any) -> Any:
        """All but the warnings are the exception's own."""
        return super().get_attribute(obj if attr == "warnings" else obj.exception, attr, default)


@exceptions_api.get("/series/<uuid:series_id>/exceptions")
@allow("exception.read")
@exceptions_api.query(Paged)
@exceptions_api.response(200, listing(ExceptionSchema))
def listed(query: Json, series_id: UUID) -> Json:
    """List the exceptions of the series by date."""
    return items(arranging.exceptions_of(series_id, by=principal(), paging=paging(query)))


@exceptions_api.post("/series/<uuid:series_id>/exceptions")
@allow("exception.change")
@once
@exceptions_api.arguments(ExceptionEntry)
@exceptions_api.query(Look)
@exceptions_api.response(201, AddedSchema, description="With preview=true (200): whom it would touch.")
def add(entered: Json, query: Json, series_id: UUID) -> ExceptionView | Response:
    """Skip, move or add a date, or let the round pause; its sessions follow at once."""
    look = query.get("preview", False)
    added = arranging.add_exception(series_id, entered, by=principal(), expected=expected(), preview=look)
    if isinstance(added, Touched):
        return shown(added)
    return versioned(added, arranging.one_series(series_id, by=principal()))


@exceptions_api.delete("/series/<uuid:series_id>/exceptions/<which>")
@allow("exception.change")
@exceptions_api.query(Look)
@exceptions_api.empty("The exception is taken back. With preview=true (200): whom it would touch.")
def remove(query: Json, series_id: UUID, which: str) -> Response | None:
    """Take back the exception with that id, or for that date; a session that it left out comes back."""
    look = query.get("preview", False)
    touched = arranging.remove_exception(series_id, _named(which), by=principal(), expected=expected(), preview=look)
    return shown(touched) if look else None


def _named(which: str) -> UUID | date:
    for read in (UUID, day):
        with suppress(ValueError, Wrong):
            return read(which)
    raise NotFound("There is no such exception of the series.")
