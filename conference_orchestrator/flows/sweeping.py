"""The look at what providers really have: gone, changed, surplus. What no person needs to decide mends itself.

A meeting that two looks in a row do not find is missing; one that somebody changed there has drifted; one with a key of
ours that no conference wants is an orphan. Each becomes a finding that the helpdesk sees to. Meetings without a key of
ours are never touched, and a provider that does not answer has lost nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import structlog

from conference_orchestrator.flows import circuits, delivering
from conference_orchestrator.flows.hosting import ensure_later, issue_later, provider_named
from conference_orchestrator.kernel import ports
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.outbox import Task
from conference_orchestrator.kernel.principal import SYSTEM
from conference_orchestrator.kernel.times import rfc3339
from conference_orchestrator.kernel.transaction import Transaction, transaction
from conference_orchestrator.providers.base import ConferenceProvider, Meeting, MeetingRef, to_the_minute
from conference_orchestrator.providers.errors import NotFound, ProviderError
from conference_orchestrator.scheduling import conferences, host_pool, provider_findings
from conference_orchestrator.scheduling.conferences import Conference, State
from conference_orchestrator.scheduling.provider_findings import Kind
from conference_orchestrator.settings import SettingsError

log = structlog.get_logger()

NEAR = timedelta(days=14)
FAR = timedelta(days=548)  # as far as a conference may lie ahead
GONE_AFTER = 2
"""Looks in a row that did not find a meeting: a list may lag behind once."""
LOOK_AGAIN = timedelta(seconds=30)


@dataclass(frozen=True)
class Seen:
    """What a look at one provider showed: its meetings of ours by id, and which host accounts were looked at."""

    provider: str
    meetings: dict[str, Meeting]
    hosts: frozenset[str | None]


def look_near() -> None:
    """The timer's look at the next 14 days."""
    _look_until(NEAR)


def look_far() -> None:
    """The same, once a day, at everything that lies ahead."""
    _look_until(FAR)


def check_meeting(provider: str, meeting_id: str) -> None:
    """An event spoke of this meeting: look at the conference that has it, if any."""
    for conference in conferences.with_meeting(provider, meeting_id, now=ports.clock().now()):
        _check(provider_named()(provider), conference)


def check_later(provider: str, meeting_id: str, *, due_at: datetime | None = None) -> Task:
    """The wake-up for `check_meeting`."""
    payload = {"provider": provider, "meeting": meeting_id}
    return Task(kind="check-meeting", payload=payload, lock=f"meeting:{provider}:{meeting_id}", due_at=due_at)


def _look_until(horizon: timedelta) -> None:
    now = ports.clock().now()
    for name in conferences.providers_ahead(now=now):
        try:
            provider = provider_named()(name)
        except SettingsError as error:
            log.warning("provider not looked at", provider=name, error=str(error))
            continue
        able = provider.capabilities()
        if not (able.keeps_meetings and able.find_by_key and able.is_durable):
            continue
        try:
            seen = _seen(provider, name, now=now, until=now + horizon)
        except ProviderError as error:
            # An outage is no drift: nothing is known, so nothing is noted but the outage.
            log.warning("provider not looked at", provider=name, error=str(error))
            with transaction() as tx:
                circuits.noted(tx, name, error)
            continue
        _compare(provider, seen, until=now + horizon)


def _seen(provider: ConferenceProvider, name: str, *, now: datetime, until: datetime) -> Seen:
    with transaction() as tx:
        if (closed := circuits.closed_until(tx, name)) is not None:
            log.info("provider not looked at", provider=name, closed_until=rfc3339(closed))
            return Seen(name, {}, frozenset())
        hosts = set(db.session.scalars(host_pool.emails_at(name))) | conferences.hosts_ahead(name, now=now)
    found = {one.ref.id: one for host in sorted(hosts, key=str) for one in provider.ours(host, now, until)}
    with transaction() as tx:
        circuits.noted(tx, name, None)
    return Seen(name, found, frozenset(hosts))


def _compare(provider: ConferenceProvider, seen: Seen, *, until: datetime) -> None:
    now = ports.clock().now()
    standing = conferences.standing(seen.provider, now=now, until=until)
    for conference in standing:
        if conference.present_host not in seen.hosts:
            continue
        meeting = seen.meetings.get(conference.meeting_id or "")
        if meeting is None:
            _check(provider, conference)
        else:
            _noted(conference.id, meeting)
    _strays(provider, seen)


def _check(provider: ConferenceProvider, conference: Conference) -> None:
    """Ask for the one meeting: a list may lag behind, and a meeting moved far away is not in it."""
    ref = MeetingRef(conference.provider, conference.meeting_id or "", conference.present_host)
    try:
        meeting: Meeting | None = provider.get(ref)
    except NotFound:
        meeting = None
    except ProviderError as error:
        log.warning("meeting not looked at", conference=str(conference.id), error=str(error))
        return
    _noted(conference.id, meeting, ref=ref)


def _noted(conference_id: UUID, meeting: Meeting | None, *, ref: MeetingRef | None = None) -> None:
    """Commit what was seen of a conference's meeting, unless the conference has another one by now."""
    with transaction() as tx:
        conference = conferences.get(conference_id, visible_to=SYSTEM, lock=True)
        seen_id = meeting.ref.id if meeting else (ref.id if ref else None)
        if conference.meeting_id != seen_id or not _is_settled(conference, now=tx.now):
            return
        if meeting is None:
            _missed(tx, conference)
        else:
            _there(tx, conference, meeting)


def _missed(tx: Transaction, conference: Conference) -> None:
    conference.missed += 1
    if conference.missed < GONE_AFTER:
        tx.after(check_later(conference.provider, conference.meeting_id or "", due_at=tx.now + LOOK_AGAIN))
        return
    if conference.state == State.MISSING:
        return
    conference.state = State.MISSING
    conference.problem = "the meeting is gone at the provider"
    said = f"{conference.title}: its meeting is gone at {conference.provider}. Have it made again, or cancel it."
    if provider_findings.note(conference, Kind.MISSING, said, at=tx.now):
        _alert(tx, "A meeting is gone at the provider", said, f"missing:{conference.id}:{conference.meeting_id}")


def _there(tx: Transaction, conference: Conference, meeting: Meeting) -> None:
    conference.missed = 0
    if conference.state == State.MISSING:
        conference.state, conference.problem = State.READY, None
        provider_findings.settle(conference, Kind.MISSING, at=tx.now, by="the meeting is there again")
    _look_at_settings(tx, conference, meeting)
    changed = _changed(conference, meeting)
    if not changed:
        provider_findings.settle(conference, Kind.DRIFT, at=tx.now, by="the meeting is as wanted again")
        return
    said = f"{conference.title}: {'; '.join(changed)}."
    if provider_findings.note(conference, Kind.DRIFT, said, at=tx.now):
        cause = f"drift:{conference.id}:{rfc3339(meeting.starts_at)}"
        _alert(tx, "A meeting was changed at the provider", said, cause)


def _look_at_settings(tx: Transaction, conference: Conference, meeting: Meeting) -> None:
    """A link is mailed only while password, lobby and the rest are as promised."""
    shortcomings = ", ".join(meeting.shortcomings())
    if shortcomings and conference.state == State.READY:
        conference.state, conference.problem = State.DEGRADED, shortcomings
        said = f"{conference.title}: {shortcomings}. See conference {conference.id}."
        _alert(tx, "A meeting is not set up as promised", said, f"settings:{conference.id}:{shortcomings}")
    elif not shortcomings and conference.state == State.DEGRADED:
        conference.state, conference.problem = State.READY, None
        tx.after(issue_later(conference.id))


def _changed(conference: Conference, meeting: Meeting) -> list[str]:
    """What differs from what stood there when we last wrote it, one clause each; providers keep no seconds."""
    changed = []
    if conference.present_start is not None and meeting.starts_at != to_the_minute(conference.present_start):
        changed.append(f"it begins at {rfc3339(meeting.starts_at)}, not at {rfc3339(conference.present_start)}")
    if conference.present_end is not None and meeting.ends_at != to_the_minute(conference.present_end):
        changed.append(f"it ends at {rfc3339(meeting.ends_at)}, not at {rfc3339(conference.present_end)}")
    if meeting.ref.host != conference.present_host:
        changed.append("it has another host")
    return changed


def _strays(provider: ConferenceProvider, seen: Seen) -> None:
    """Meetings under our keys that are not the one that their conference has."""
    surplus: list[Meeting] = []
    with transaction() as tx:
        ours = conferences.by_keys({one.key for one in seen.meetings.values() if one.key}, lock=True)
        orphans = [one for one in seen.meetings.values() if (one.key or "") not in ours]
        for meeting in seen.meetings.values():
            conference = ours.get(meeting.key or "")
            if conference is None or conference.meeting_id == meeting.ref.id or not _may_be_judged(conference, tx.now):
                continue
            if conference.meeting_id is not None:
                surplus.append(meeting)
            else:
                # An attempt that was given up had made it after all: `ensure` takes it over.
                conference.look_anew(meeting.starts_at, meeting.ends_at, host=meeting.ref.host, at=tx.now)
                tx.after(ensure_later(conference.id))
        new = [one for one in orphans if _is_new_orphan(seen.provider, one, at=tx.now)]
        if new:
            _tell(tx, "Meetings that nobody wants", seen.provider, new)
        provider_findings.settle_orphans(seen.provider, {one.ref.id for one in orphans}, hosts=seen.hosts, at=tx.now)
    # The stored one stays, the others go (see `conferencing`).
    gone = [one for one in surplus if _cancelled(provider, one)]
    if gone:
        with transaction() as tx:
            _tell(tx, "A meeting existed twice", seen.provider, gone)


def _is_new_orphan(provider: str, meeting: Meeting, *, at: datetime) -> bool:
    said = f"{meeting.title}, {rfc3339(meeting.starts_at)}: no conference of ours wants this meeting."
    ref, starts_at = meeting.ref, meeting.starts_at
    return provider_findings.note_orphan(provider, ref.id, said, host=ref.host, starts_at=starts_at, at=at)


def _cancelled(provider: ConferenceProvider, meeting: Meeting) -> bool:
    try:
        return provider.cancel(meeting.ref)
    except ProviderError as error:
        log.warning("surplus meeting not cancelled", meeting=meeting.ref.id, error=str(error))
        return False


def _tell(tx: Transaction, title: str, provider: str, meetings: Sequence[Meeting]) -> None:
    ids = sorted(one.ref.id for one in meetings)
    said = f"{len(ids)} at {provider}: {', '.join(ids[:5])}{' and more' if len(ids) > 5 else ''}."  # noqa: PLR2004
    _alert(tx, title, said, f"{title}:{provider}:{ids[0]}")


def _may_be_judged(conference: Conference, now: datetime) -> bool:
    """Whether nobody is at work on the conference, or about to look for what an attempt left."""
    at_work = conference.lease_until is not None and conference.lease_until > now
    return conference.is_wanted and not at_work and conference.attempted_at is None


def _is_settled(conference: Conference, *, now: datetime) -> bool:
    """Whether what stands at the provider is what we last wrote."""
    return conference.state in {State.READY, State.DEGRADED, State.MISSING} and _may_be_judged(conference, now)


def _alert(tx: Transaction, title: str, detail: str, cause: str) -> None:
    delivering.tell_helpdesk(tx, title, detail, path="/", cause=f"finding:{cause}")
