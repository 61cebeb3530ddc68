"""Who speaks and who came: speakers are made panellists at the provider, who was there is taken over from it.

Names and addresses of speakers leave the house, and nothing of the audience. Nothing is called over the network while
a transaction is open.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar
from uuid import UUID

import structlog
from sqlalchemy import select, union_all

from conference_orchestrator.flows import access, circuits, delivering
from conference_orchestrator.flows.hosting import provider_named
from conference_orchestrator.kernel import ports
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.errors import Invalid
from conference_orchestrator.kernel.outbox import Task
from conference_orchestrator.kernel.principal import SYSTEM, Principal, Role
from conference_orchestrator.kernel.transaction import Transaction, transaction
from conference_orchestrator.ledger.invitations import Invitation, Method
from conference_orchestrator.network import clinicians, erased_addresses
from conference_orchestrator.network.clinicians import Clinician, ClinicianAddress
from conference_orchestrator.providers import base
from conference_orchestrator.providers.base import MeetingRef, Person, Visit
from conference_orchestrator.providers.errors import ProviderError
from conference_orchestrator.scheduling import attendances, conferences, webinar_requests
from conference_orchestrator.scheduling.attendances import Attendance, Presence
from conference_orchestrator.scheduling.conferences import Conference, Kind
from conference_orchestrator.settings import SettingsError

log = structlog.get_logger()

# After each passing failure speakers are tried again after so long; then a person has to look.
WAITS = [timedelta(seconds=s) for s in (5, 30, 120, 600, 1800)]
# A provider may need hours until its list is complete; after this time it is asked no more.
GATHERED_WITHIN = timedelta(hours=48)
# People come early and stay on: so long around the conference a visit counts as one of it.
BEFORE, AFTER = timedelta(hours=1), timedelta(hours=6)
# What happened within this time a provider may not list yet: a list that reaches so near can never be complete.
SETTLING = timedelta(minutes=15)

T = TypeVar("T")


@dataclass(frozen=True)
class Present:
    """One person who was there, under the name and the address that the asker may see."""

    presence: Presence
    name: str
    email: str | None


@dataclass(frozen=True)
class AttendanceView:
    """Who came; `state` is not-over, gathering, complete, or unavailable: the provider tells nothing (more)."""

    state: str
    items: list[Present]


def invite_panellists_later(conference_id: UUID, *, attempt: int = 1, due_at: datetime | None = None) -> Task:
    """The wake-up for `invite_panellists`."""
    return Task(
        kind="invite-panellists",
        payload={"conference": str(conference_id), "attempt": attempt},
        lock=f"panellists:{conference_id}",
        due_at=due_at,
    )


def invite_panellists(conference_id: UUID, *, attempt: int) -> None:
    """Make the speakers of a webinar known to the provider as panellists; done twice it changes nothing.

    A passing failure is tried again after a while, five times; then, and after any other, the helpdesk is told.
    """
    with transaction() as tx:
        conference = conferences.get(conference_id, visible_to=SYSTEM)
        people = _speakers(conference, now=tx.now)
        if not people:
            return
        if until := circuits.closed_until(tx, conference.provider):
            tx.after(invite_panellists_later(conference_id, attempt=attempt, due_at=until))
            return
    provider = provider_named()(conference.provider)
    _, error = _called(lambda: provider.invite(_ref(conference), people, role="panellist"), conference)
    with transaction() as tx:
        circuits.noted(tx, conference.provider, error)
        if error is not None:
            _panellists_failed(tx, conference, error, attempt=attempt)


def gather() -> None:
    """The timer's question: ask for the attendance of each conference that is over and whose list is not complete."""
    with transaction() as tx:
        for conference in attendances.awaited(since=tx.now - GATHERED_WITHIN, until=tx.now):
            if _tells_attendance(conference.provider):
                tx.after(
                    Task(
                        kind="take-attendance",
                        payload={"conference": str(conference.id)},
                        lock=f"attendance:{conference.id}",
                    )
                )


def take(conference_id: UUID) -> None:
    """Ask the provider who was there, and put its list in the place of the one so far.

    Until it is complete the timer comes again; a failure leaves what is known as it is.
    """
    with transaction() as tx:
        conference = conferences.get(conference_id, visible_to=SYSTEM)
        if conference.meeting_id is None or conference.attended_at is not None:
            return
        if circuits.closed_until(tx, conference.provider):
            return
        latest = max(conference.ends_at, min(conference.ends_at + AFTER, tx.now - SETTLING))
    provider = provider_named()(conference.provider)
    window = (conference.starts_at - BEFORE, latest)
    told, error = _called(lambda: provider.attendance(_ref(conference), *window), conference)
    with transaction() as tx:
        circuits.noted(tx, conference.provider, error)
        if told is not None:
            _take_over(tx, conference.id, told)


def attendance(conference_id: UUID, *, by: Principal) -> AttendanceView:
    """Who came to the conference, as far as the asker may know. NotFound outside the asker's scope."""
    conference = conferences.get(conference_id, visible_to=by)
    came = attendances.presences(attendances.of(conference.id), until=conference.ends_at)
    people = clinicians.by_ids({one.clinician_id for one in came if one.clinician_id is not None})
    known = access.knowledge_of(by)
    items = [
        _named(one, by) if one.clinician_id is None else _present(one, known(people[one.clinician_id]))
        for one in came
        # Who was erased is not shown.
        if one.clinician_id is None or one.clinician_id in people
    ]
    return AttendanceView(_state(conference, now=ports.clock().now()), items)


def _state(conference: Conference, *, now: datetime) -> str:
    if conference.is_wanted and conference.ends_at > now:
        return "not-over"
    if conference.attended_at is not None:
        return "complete"
    is_asked = conference.is_wanted and conference.meeting_id is not None and now < conference.ends_at + GATHERED_WITHIN
    return "gathering" if is_asked and _tells_attendance(conference.provider) else "unavailable"


def _present(presence: Presence, known: access.Known) -> Present:
    return Present(presence, known.name, known.email)


def _named(presence: Presence, by: Principal) -> Present:
    """Somebody who is none of the invited: the name that was typed; the address is for the helpdesk alone."""
    if by.role == Role.AUDITOR:
        return Present(presence, f"{presence.name[:1]}***", None)
    return Present(presence, presence.name, presence.email if by.role == Role.HELPDESK else None)


def _tells_attendance(provider: str) -> bool:
    capabilities = _capabilities(provider)
    return capabilities is not None and capabilities.attendance


def _capabilities(provider: str) -> base.Capabilities | None:
    """What the provider can do; None for one that is set up no more."""
    try:
        return provider_named()(provider).capabilities()
    except SettingsError:
        return None


def _speakers(conference: Conference, *, now: datetime) -> list[Person]:
    """Whom the provider is to know; nobody before the meeting stands, after its end, or where it keeps no such list."""
    is_webinar = conference.kind == Kind.WEBINAR and conference.webinar_request_id is not None
    if not is_webinar or conference.link_for_people is None or conference.ends_at <= now:
        return []
    capabilities = _capabilities(conference.provider)
    if capabilities is None or not capabilities.invitees:
        return []
    assert conference.webinar_request_id is not None
    speakers = webinar_requests.get(conference.webinar_request_id, visible_to=SYSTEM).speakers
    people = clinicians.by_ids(UUID(one) for one in speakers)
    return [Person(people[UUID(one)].name, people[UUID(one)].email) for one in speakers if UUID(one) in people]


def _panellists_failed(tx: Transaction, conference: Conference, error: ProviderError, *, attempt: int) -> None:
    if error.repeatable and attempt <= len(WAITS):
        wait = max(WAITS[attempt - 1], timedelta(seconds=error.retry_after or 0))
        tx.after(invite_panellists_later(conference.id, attempt=attempt + 1, due_at=tx.now + wait))
        return
    delivering.tell_helpdesk(
        tx,
        "Speakers are not known to the provider",
        f"{conference.title}: {error.message}. Enter its speakers as panellists there. See conference {conference.id}.",
        path="/",
        cause=f"panellists:{conference.id}:{conference.meeting_id}",
    )


def _called(call: Callable[[], T], conference: Conference) -> tuple[T | None, ProviderError | None]:
    try:
        return call(), None
    except ProviderError as error:
        log.warning("provider call failed", conference=str(conference.id), error=str(error))
        return None, error


def _ref(conference: Conference) -> MeetingRef:
    assert conference.meeting_id is not None
    return MeetingRef(conference.provider, conference.meeting_id, conference.present_host)


def _take_over(tx: Transaction, conference_id: UUID, told: base.Attendance) -> None:
    conference = conferences.get(conference_id, visible_to=SYSTEM, lock=True)
    if conference.attended_at is not None:
        return
    invited = _invited(conference.id)
    # The list may be taken anew after an erasure: it brings nobody back.
    erased = erased_addresses.among({email for visit in told.visits if (email := _canonical(visit.email))})
    attendances.replace(conference.id, [_stay(conference.id, visit, invited, erased) for visit in told.visits])
    if told.is_complete:
        conference.attended_at = tx.now


def _stay(conference_id: UUID, visit: Visit, invited: dict[str, UUID], erased: set[str]) -> Attendance:
    email = _canonical(visit.email)
    is_erased = email in erased
    left_at = visit.left_at
    return Attendance(
        conference_id=conference_id,
        clinician_id=invited.get(email) if email else None,
        name="" if is_erased else visit.name,
        email=None if is_erased else email,
        is_host=visit.is_host,
        joined_at=visit.joined_at,
        # The clocks of a provider's machines differ: nobody leaves before coming.
        left_at=max(left_at, visit.joined_at) if left_at else None,
    )


def _canonical(email: str | None) -> str | None:
    try:
        return clinicians.canonical(email) if email else None
    except Invalid:
        return None


def _invited(conference_id: UUID) -> dict[str, UUID]:
    """Who holds an invitation to the conference, by each address that is known of the person."""
    holding = select(Invitation.clinician_id).where(
        Invitation.conference_id == conference_id, Invitation.method == Method.REQUEST
    )
    first = select(Clinician.email, Clinician.id).where(Clinician.id.in_(holding))
    further = select(ClinicianAddress.email, ClinicianAddress.clinician_id).where(
        ClinicianAddress.clinician_id.in_(holding)
    )
    return {row.email: row.id for row in db.session.execute(union_all(first, further))}
