"""The way into a meeting of a provider that lets in by personal links: made when a person comes, for that person alone.

The mail and the calendar hold a link to our page, which is good for coming in and for nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from conference_orchestrator.flows.delivering import ENTRY, ENTRY_PURPOSE
from conference_orchestrator.flows.hosting import provider_named
from conference_orchestrator.kernel import links, ports
from conference_orchestrator.kernel.errors import NotFound, RuleBroken
from conference_orchestrator.kernel.principal import SYSTEM
from conference_orchestrator.ledger import invitations
from conference_orchestrator.ledger.invitations import UNREGISTERED, Invitation, Method
from conference_orchestrator.network import clinicians
from conference_orchestrator.network.clinicians import Clinician
from conference_orchestrator.providers import base
from conference_orchestrator.providers.base import MeetingRef
from conference_orchestrator.providers.errors import ProviderError
from conference_orchestrator.scheduling import conferences
from conference_orchestrator.scheduling.conferences import Conference
from conference_orchestrator.settings import SettingsError

log = structlog.get_logger()

# Experts and speakers come first, to admit the others from the lobby.
OPENS_BEFORE: dict[base.Role, timedelta] = {"moderator": timedelta(hours=1), "attendee": timedelta(minutes=15)}
ROLES: dict[str, base.Role] = {"expert": "moderator", "speaker": "moderator"}


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What the page shows: whose entry to what, and from when until when the door is open."""

    person: Clinician
    conference: Conference
    title: str
    starts_at: datetime
    ends_at: datetime
    opens_at: datetime
    is_open: bool
    is_cancelled: bool


def has_personal_links(provider: str) -> bool:
    """Whether people need a link each at this provider; not when it is not set up any more."""
    try:
        return provider_named()(provider).capabilities().personal_links
    except SettingsError:
        return False


def link_of(held: Invitation, conference: Conference) -> str | None:
    """The link that this person may be shown: the meeting's own, or that to our page; None while there is none."""
    if conference.link_for_people is None or not has_personal_links(conference.provider):
        return conference.link_for_people
    return links.url(ENTRY + links.token(ENTRY_PURPOSE, held.id))


def entry(token: str) -> Entry:
    """What the link is for; NotFound when it was not made here."""
    return _entry(_invitation(token))


def enter(token: str) -> str:
    """The person's own link at the provider. RuleBroken when the door is not open, or the provider is not there.

    The provider is called with no transaction open.
    """
    held = _invitation(token)
    seen = _entry(held)
    conference = seen.conference
    if seen.is_cancelled or not seen.is_open or conference.meeting_id is None:
        raise RuleBroken("This meeting is not open now.")
    ref = MeetingRef(conference.provider, conference.meeting_id, conference.present_host)
    person = base.Person(seen.person.name, seen.person.email)
    try:
        return provider_named()(conference.provider).join_link(ref, person, _role(held))
    except ProviderError as error:
        log.warning("no way in", conference=str(conference.id), error=str(error))
        raise RuleBroken("The meeting cannot be reached just now; try again in a moment.") from error


def _invitation(token: str) -> Invitation:
    held = invitations.get(links.subject_of(ENTRY_PURPOSE, token))
    if held.role == UNREGISTERED:
        raise NotFound("This link is not valid.")
    return held


def _entry(held: Invitation) -> Entry:
    state = invitations.state_of(held.uid)
    conference = conferences.get(held.conference_id, visible_to=SYSTEM)
    known = clinicians.by_ids([held.clinician_id])
    if held.clinician_id not in known:
        raise NotFound("This link is not valid.")
    now, opens_at = ports.clock().now(), state.starts_at - OPENS_BEFORE[_role(held)]
    return Entry(
        person=known[held.clinician_id],
        conference=conference,
        title=state.group_name or state.topic or "",
        starts_at=state.starts_at,
        ends_at=state.ends_at,
        opens_at=opens_at,
        is_open=opens_at <= now < state.ends_at and conference.link_for_people is not None,
        is_cancelled=held.method == Method.CANCEL or not conference.is_wanted,
    )


def _role(held: Invitation) -> base.Role:
    return ROLES.get(held.role, "attendee")
