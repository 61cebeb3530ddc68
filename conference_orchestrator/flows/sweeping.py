"""The look at what providers really have: gone, changed, surplus. What no person needs to decide mends itself.

A meeting that two looks in a row do not find is missing; one that somebody changed there has drifted; one with a key of
ours that no conference wants is an orphan. Each becomes a finding that the helpdesk sees to. Meetings without a key of
ours are never touched, and a provider that does not answer has lost nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

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
from conference_orchestrator.providers.errors import (
    Conflict,
    Forbidden,
    HostUnavailable,
    Invalid,
    NotFound,
    ProviderError,
)
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
REFUSED = (Conflict, Forbidden, HostUnavailable, Invalid, NotFound)
"""What a provider says about one host account, such as one that is withdrawn there; it is no outage."""


@dataclass(frozen=True)
class Seen:
    """What a look at one provider showed: its meetings of ours by id, which host accounts were looked at, how far."""

    provider: str
    meetings: dict[str, Meeting]
    hosts: frozenset[str | None]
    until: datetime


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
    with transaction() as tx:
        now = tx.now
        provider_findings.settle_overtaken(at=now)
        names = {ports.settings().provider, *conferences.providers_ahead(now=now)}
    for name in sorted(names):
        try:
            provider = provider_named()(name)
        except SettingsError as error:
            log.warning("provider not looked at", provider=name, error=str(error))
            continue
        able = provider.capabilities()
        if not (able.keeps_meetings and able.find_by_key and able.is_durable):
            continue
        # Read before the provider is asked: what changes while it answers is not judged by an answer of before.
        standing = conferences.standing(name, now=now, until=now + horizon)
        try:
            seen = _seen(provider, name, now=now, until=now + horizon)
        except ProviderError as error:
            # An outage is no drift: nothing is known, so nothing is noted but the outage.
            log.warning("provider not looked at", provider=name, error=str(error))
            with transaction() as tx:
                circuits.noted(tx, name, error)
            continue
        _compare(provider, seen, standing)
        _strays(provider, seen)


def _seen(provider: ConferenceProvider, name: str, *, now: datetime, until: datetime) -> Seen:
    with transaction() as tx:
        if (closed := circuits.closed_until(tx, name)) is not None:
            log.info("provider not looked at", provider=name, closed_until=rfc3339(closed))
            return Seen(name, {}, frozenset(), until)
        hosts = set(db.session.scalars(host_pool.emails_at(name))) | conferences.hosts_ahead(name, now=now)
        if not host_pool.is_pooled(name):
            hosts.add(None)
    found: dict[str, Meeting] = {}
    looked_at = set()
    for host in sorted(hosts, key=str):
        try:
            found |= {one.ref.id: one for one in provider.ours(host, now, until)}
        except REFUSED as error:
            # One account must not hide what the others hold.
            log.warning("host account not looked at", provider=name, error=str(error))
        else:
            looked_at.add(host)
    with transaction() as tx:
        circuits.noted(tx, name, None)
    return Seen(name, found, frozenset(looked_at), until)


def _compare(provider: ConferenceProvider, seen: Seen, standing: Sequence[Conference]) -> None:
    concerned = provider_findings.concerned(seen.provider)
    # No transaction stays open while the provider is asked.
    db.session.close()
    for conference in standing:
        if conference.present_host not in seen.hosts:
            continue
        meeting = seen.meetings.get(conference.meeting_id or "")
        if meeting is None:
            _check(provider, conference)
        elif conference.id in concerned or not _is_as_known(conference, meeting):
            _noted(conference, meeting)


def _is_as_known(conference: Conference, meeting: Meeting) -> bool:
    """Whether there is nothing to note about it."""
    is_sound = conference.state == State.READY and not conference.missed
    return is_sound and not meeting.shortcomings() and not _changed(conference, meeting)


def _check(provider: ConferenceProvider, conference: Conference) -> None:
    """Ask for the one meeting: a list may lag behind, and a meeting moved far away is not in it."""
    with transaction() as tx:
        is_closed = circuits.closed_until(tx, conference.provider) is not None
    if is_closed:
        return
    meeting, error = None, None
    ref = MeetingRef(conference.provider, conference.meeting_id or "", conference.present_host)
    try:
        with suppress(NotFound):
            meeting = provider.get(ref)
    except ProviderError as failure:
        error = failure
        log.warning("meeting not looked at", conference=str(conference.id), error=str(error))
    with transaction() as tx:
        circuits.noted(tx, conference.provider, error)
    if error is None:
        _noted(conference, meeting)


def _noted(before: Conference, meeting: Meeting | None) -> None:
    """Commit what was seen of a conference's meeting, unless the conference changed since it was read `before`."""
    with transaction() as tx:
        conference = conferences.get(before.id, visible_to=SYSTEM, lock=True)
        if conference.version != before.version or not _is_settled(conference, now=tx.now):
            return
        if meeting is None:
            _missed(tx, conference)
        else:
            _there(tx, conference, meeting)


def _missed(tx: Transaction, conference: Conference) -> None:
    if conference.state == State.MISSING:
        return
    conference.missed += 1
    if conference.missed < GONE_AFTER:
        tx.after(check_later(conference.provider, conference.meeting_id or "", due_at=tx.now + LOOK_AGAIN))
        return
    conference.state = State.MISSING
    conference.problem = "the meeting is gone at the provider"
    said = f"{conference.title}: its meeting is gone at {conference.provider}. Have it made again, or cancel it."
    if provider_findings.note(conference, Kind.MISSING, said, at=tx.now):
        _alert(tx, "A meeting is gone at the provider", said, f"missing:{conference.id}")


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
        _alert(tx, "A meeting was changed at the provider", said, f"drift:{conference.id}")


def _look_at_settings(tx: Transaction, conference: Conference, meeting: Meeting) -> None:
    """A link is mailed only while password, lobby and the rest are as promised."""
    shortcomings = ", ".join(meeting.shortcomings())
    if shortcomings and conference.state == State.READY:
        conference.state, conference.problem = State.DEGRADED, shortcomings
        said = f"{conference.title}: {shortcomings}. See conference {conference.id}."
        _alert(tx, "A meeting is not set up as promised", said, f"settings:{conference.id}")
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
    surplus, orphans, known = _apart(seen)
    # A list may be older than what was deleted meanwhile.
    orphans = [one for one in orphans if one.ref.id in known or _stands(provider, one)]
    # The stored one stays, the others go (see `conferencing`).
    gone = [one for one in surplus if _cancelled(provider, one)]
    with transaction() as tx:
        new = [one for one in orphans if _is_new_orphan(seen.provider, one, at=tx.now)]
        there = {one.ref.id for one in orphans}
        provider_findings.settle_orphans(seen.provider, there, hosts=seen.hosts, until=seen.until, at=tx.now)
        if new:
            _tell(tx, "Meetings that nobody wants", seen.provider, new)
        if gone:
            _tell(tx, "A meeting existed twice", seen.provider, gone)
        for one in gone:
            tx.record("meeting.duplicate-cancelled", f"meeting:{one.ref.id}", by=SYSTEM)


def _apart(seen: Seen) -> tuple[list[Meeting], list[Meeting], set[str]]:
    """The surplus meetings of conferences, the orphans, and the ids of those orphans that are known already."""
    surplus: list[Meeting] = []
    with transaction() as tx:
        ours = conferences.by_keys({one.key for one in seen.meetings.values() if one.key}, lock=True)
        orphans = [one for one in seen.meetings.values() if (one.key or "") not in ours]
        for meeting in seen.meetings.values():
            conference = ours.get(meeting.key or "")
            if conference is None or conference.meeting_id == meeting.ref.id or _is_at_work(conference, tx.now):
                continue
            if conference.meeting_id is not None:
                surplus.append(meeting)
            else:
                # An attempt that was given up had made it after all: `ensure` takes it over, or away again.
                conference.look_anew(meeting.starts_at, meeting.ends_at, host=meeting.ref.host, at=tx.now)
                tx.after(ensure_later(conference.id))
        return surplus, orphans, provider_findings.known_orphans(seen.provider)


def _stands(provider: ConferenceProvider, meeting: Meeting) -> bool:
    """Whether the meeting is there for certain."""
    try:
        provider.get(meeting.ref)
    except NotFound:
        return False
    except ProviderError as error:
        log.warning("meeting not looked at", meeting=meeting.ref.id, error=str(error))
        return False
    return True


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


def _is_at_work(conference: Conference, now: datetime) -> bool:
    """Whether somebody is at work on the conference, or about to look for what an attempt left."""
    is_leased = conference.lease_until is not None and conference.lease_until > now
    return is_leased or conference.attempted_at is not None


def _is_settled(conference: Conference, *, now: datetime) -> bool:
    """Whether what stands at the provider is what we last wrote."""
    states = {State.READY, State.DEGRADED, State.MISSING}
    return conference.is_wanted and conference.state in states and not _is_at_work(conference, now)


def _alert(tx: Transaction, title: str, detail: str, cause: str) -> None:
    """Told by who found it first: the finding, or the conference's state, says that it is known."""
    delivering.tell_helpdesk(tx, title, detail, path="/", cause=f"finding:{cause}:{rfc3339(tx.now)}")
