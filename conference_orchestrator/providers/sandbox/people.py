"""People of a meeting: who is invited, who registered, and the personal links by which somebody comes in as himself.

The functions read and change a `Kept`; those that change one are called through `Store.change`.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from conference_orchestrator.providers.sandbox.meetings import Kept, Refused

FORM = (
    *("firstName", "lastName", "email", "jobTitle", "companyName", "address1", "address2", "city", "state"),
    *("zipCode", "countryRegion", "workPhone", "fax"),
)
"""What a registrant may tell of himself; the first three are required."""


def invite(meeting: Kept, people: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Invite these people, all or none. Refused with 409 when somebody is invited already.

    Each has an email, and may have a displayName, coHost and panelist.
    """
    known = {invitee["email"].casefold() for invitee in meeting.invitees}
    for person in people:
        if person["email"].casefold() in known:
            raise Refused(409, "The request conflicts with the present state.", "Somebody is invited already.")
        known.add(person["email"].casefold())
    added = [_invitee(meeting, person) for person in people]
    meeting.invitees = sorted([*meeting.invitees, *added], key=lambda invitee: invitee["email"])
    return added


def uninvite(meeting: Kept, invitee_id: str) -> None:
    """Take an invitation back. Refused with 404 when there is none."""
    invitee(meeting, invitee_id)
    meeting.invitees = [one for one in meeting.invitees if one["id"] != invitee_id]


def invitee(meeting: Kept, invitee_id: str) -> dict[str, Any]:
    """The invitee of that id. Refused with 404 when there is none."""
    return _the_one(meeting.invitees, invitee_id)


def registrant(meeting: Kept, registrant_id: str) -> dict[str, Any]:
    """The registrant of that id. Refused with 404 when there is none."""
    return _the_one(meeting.registrants, registrant_id)


def register(meeting: Kept, form: Mapping[str, Any], *, now: str) -> dict[str, Any]:
    """Register somebody, with a personal link if the registration is accepted by itself.

    Refused with 400 where the meeting has no registration or is full, and with 409 for an address that registered.
    """
    if meeting.registration is None or meeting.recurrence:
        raise Refused(400, "Registration is not enabled for this meeting.")
    if any(one["email"].casefold() == form["email"].casefold() for one in meeting.registrants):
        raise Refused(409, "The request conflicts with the present state.", "The e-mail is registered already.")
    if len(meeting.registrants) >= meeting.registration.get("maxRegisterNum", float("inf")):
        raise Refused(400, "The registration is full.")
    accepted = meeting.registration.get("autoAcceptRequest", True)
    added = {
        "id": secrets.token_hex(16),
        "status": "approved" if accepted else "pending",
        **{name: form[name] for name in FORM if form.get(name) is not None},
        "registrationTime": now.replace("+00:00", "Z"),
        "registrationId": str(100_000 + len(meeting.registrants)),
    }
    if accepted:
        added["link"] = give_link(meeting, name=f"{form['firstName']} {form['lastName']}", email=form["email"])
    meeting.registrants = [*meeting.registrants, added]
    return added


def give_link(meeting: Kept, *, name: str, email: str, until: datetime | None = None) -> str:
    """The secret part of a new link by which this person comes in; without `until` it stays good."""
    secret = secrets.token_urlsafe(24)
    whose = {"name": name, "email": email, "until": until.isoformat() if until else None}
    meeting.links = {**meeting.links, secret: whose}
    return secret


def holder_of(meeting: Kept, secret: str | None, now: datetime) -> dict[str, str | None] | None:
    """Whose personal link it is, with `name` and `email`; None without one. Refused with 403 when it is not good."""
    if not secret:
        return None
    whose = meeting.links.get(secret)
    if whose is None or (whose["until"] and datetime.fromisoformat(whose["until"]) <= now):
        raise Refused(403, "This personal link is unknown or has expired. Ask for a new one.")
    return whose


def _invitee(meeting: Kept, person: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": f"{meeting.id}_{secrets.randbelow(10**12)}",
        "email": person["email"],
        "displayName": person.get("displayName") or person["email"],
        "coHost": person.get("coHost", False),
        "panelist": person.get("panelist", False),
        "meetingId": meeting.id,
    }


def _the_one(people: Iterable[dict[str, Any]], wanted_id: str) -> dict[str, Any]:
    for person in people:
        if person["id"] == wanted_id:
            return person
    raise Refused(404, "The requested resource could not be found.")
