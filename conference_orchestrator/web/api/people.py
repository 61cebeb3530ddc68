"""What somebody enters about a person: the same for a registration and for a clinician."""

from __future__ import annotations

from marshmallow import fields

from conference_orchestrator.network.clinicians import Share
from conference_orchestrator.web.fields import Choice, Country, Email, Item, Language, OneLine, Reference, Zone
from conference_orchestrator.web.kit import Form


class PersonEntry(Form):
    """A healthcare professional. A `hospital` that is named brings its name, country and time zone."""

    given_name = OneLine(100, required=True)
    family_name = OneLine(100, required=True)
    email = Email(required=True)
    phone = OneLine(40, allow_none=True)
    hospital = Reference(allow_none=True)
    hospital_name = OneLine(allow_none=True)
    country = Country(allow_none=True)
    profession = OneLine(100, required=True)
    specialties = fields.List(Item())
    language = Language(required=True)
    time_zone = Zone(allow_none=True)
    share = fields.List(Choice(Share))
