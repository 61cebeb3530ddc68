"""Exactly one meeting per conference, over providers that know no idempotency key.

`ensure` compares what is wanted with what is present and makes them equal: creating, changing, cancelling, retrying and
reconciling are this one function. It commits what it is about to do, calls the provider with nothing open, and commits
what came of it. A create whose outcome is unknown (no answer, a crash) is followed by looks for our key, again after
settling delays because lists lag; only when the last look finds nothing it is created again.
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from conference_orchestrator.flows import circuits, clearing, delivering, host_keys, hosting
from conference_orchestrator.flows.hosting import ensure_later, issue_later, provider_named
from conference_orchestrator.flows.provider_steps import SETTLING, Outcome, Step, act
from conference_orchestrator.kernel import ports
from conference_orchestrator.kernel.errors import RuleBroken
from conference_orchestrator.kernel.outbox import Task
from conference_orchestrator.kernel.paging import Page, Paging
from conference_orchestrator.kernel.principal import SYSTEM, Principal
from conference_orchestrator.kernel.transaction import Transaction, transaction
from conference_orchestrator.ledger import invitations
from conference_orchestrator.providers.base import MeetingRef, MeetingSpec
from conference_orchestrator.providers.errors import (
    Ambiguous,
    AuthError,
    HostUnavailable,
    NotFound,
    ProviderError,
    RateLimited,
    Transient,
    Unreachable,
)
from conference_orchestrator.scheduling import conferences, webinar_requests
from conference_orchestrator.scheduling.conferences import Conference, Kind, State

LEASE = timedelta(minutes=2)
ATTEMPTS = 6
WAITS = [timedelta(seconds=s) for s in (2, 5, 15, 30, 60)]
JOIN_BEFORE_MINUTES = 15
PROVIDER_CLOSED = "the provider does not answer; it is asked again by itself"
QUOTA_USED = "the host account may create no further meeting today"


def ensure(conference_id: UUID) -> None:
    """Make the meeting at the provider what the conference wants; come back later for what cannot be done now."""
    step = _begin(conference_id)
    if step is not None:
        _finish(step, act(step))


def sweep() -> None:
    """The timer's safety net: wake every conference whose meeting is not as wanted.

    While a provider is left alone its conferences wait: a wake-up more for each with every round would be a storm.
    """
    with transaction() as tx:
        for conference_id in conferences.unsettled(now=tx.now, but_not_at=circuits.closed_now(tx)):
            tx.after(ensure_later(conference_id))
        for conference in conferences.over(now=tx.now):
            conference.state = State.HELD


@dataclass(frozen=True)
class ConferenceView:
    """A conference as lists show it: how many are invited, and what they answered."""

    conference: Conference
    answers: dict[str, int]

    @property
    def audience_size(self) -> int:
        """How many people hold an invitation."""
        return self.answers["sent"]


def conference(conference_id: UUID, *, by: Principal) -> ConferenceView:
    """One conference within the asker's scope."""
    found = conferences.get(conference_id, visible_to=by)
    return ConferenceView(found, invitations.answers([found.id])[found.id])


def listed(
    paging: Paging,
    *,
    by: Principal,
    from_at: datetime | None = None,
    until_at: datetime | None = None,
    state: str | None = None,
) -> Page[ConferenceView]:
    """Conferences within the asker's scope by start; without a range those that have not ended."""
    now = ports.clock().now()
    found = conferences.listed(paging, visible_to=by, now=now, from_at=from_at, until_at=until_at, state=state)
    answers = invitations.answers([c.id for c in found.items])
    return Page([ConferenceView(c, answers[c.id]) for c in found.items], found.next)


def cancel(conference_id: UUID, reason: str, *, by: Principal, expected: int | None = None) -> ConferenceView:
    """Give a webinar's or web conference's meeting up; everyone invited is told.

    RuleBroken for the meeting of a session: the session is cancelled, and its meeting with it.
    """
    with transaction() as tx:
        found = conferences.get(conference_id, visible_to=by, lock=True)
        found.must_match(expected)
        if found.session_id is not None:
            raise RuleBroken("This is the meeting of a session: cancel the session.", session=str(found.session_id))
        if not found.is_wanted or found.ends_at <= tx.now:
            raise RuleBroken(f"The conference is {'over' if found.is_wanted else 'cancelled already'}.")
        found.cancel(reason)
        webinar_requests.cancelled(found.webinar_request_id)
        tx.record("conference.cancel", found, by=by, reason=reason)
        tx.after(ensure_later(found.id), issue_later(found.id))
    return conference(conference_id, by=by)


def retry(conference_id: UUID, *, by: Principal, expected: int | None = None) -> ConferenceView:
    """Try again what was given up, with a fresh budget of attempts. RuleBroken when nothing was given up."""
    with transaction() as tx:
        found = conferences.get(conference_id, visible_to=by, lock=True)
        found.must_match(expected)
        if found.state not in {State.FAILED, State.DEGRADED, State.MISSING, State.WANTED}:
            raise RuleBroken(f"The conference is {found.state}: there is nothing to try again.", state=found.state)
        found.attempts = found.waits = 0
        circuits.reopen(found.provider)
        if found.state == State.FAILED:
            found.state = State.WANTED
        elif found.state == State.MISSING:
            # The update that follows finds it there again, or has it made anew.
            found.present_title = None
        tx.record("conference.retry", found, by=by)
        tx.after(ensure_later(found.id))
    return conference(conference_id, by=by)


def _begin(conference_id: UUID) -> Step | None:
    """Decide the step and commit that it is being attempted; None when nothing is to be done (now)."""
    with transaction() as tx:
        conference = conferences.get(conference_id, visible_to=SYSTEM, lock=True)
        if conference.lease_until is not None and conference.lease_until > tx.now:
            tx.after(ensure_later(conference_id, due_at=conference.lease_until))
            return None
        do = _next(tx, conference)
        if do is None or not _may(tx, conference, do):
            return None
        worker = f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}"
        conference.worker, conference.lease_until = worker, tx.now + LEASE
        if do == "update":
            # Until the answer is known nobody can say what stands: moved back meanwhile, it is set right all the same.
            conference.present_title = None
        if do == "create":
            conference.attempts += 1
            conference.state, conference.attempted_at, conference.looks = State.PROVISIONING, tx.now, 0
            conference.attempted_start, conference.attempted_end = conference.starts_at, conference.ends_at
            conference.attempted_host = conference.host
        return _step(do, conference, worker=worker)


def _may(tx: Transaction, conference: Conference, do: str) -> bool:
    """Whether it can be done now; if not, why stands in the conference, and it comes back by itself."""
    if (until := circuits.closed_until(tx, conference.provider)) is not None:
        conference.problem = conference.problem or PROVIDER_CLOSED
        tx.after(ensure_later(conference.id, due_at=until))
        return False
    if do != "create":
        return True
    if not hosting.reserve_host(conference):
        conference.state, conference.problem = State.WANTED, hosting.NO_HOST
        return False
    if (until := circuits.quota_used_until(tx, conference.provider, conference.host)) is not None:
        conference.state, conference.problem = State.WANTED, QUOTA_USED
        tx.after(ensure_later(conference.id, due_at=until))
        return False
    return True


def _next(tx: Transaction, conference: Conference) -> str | None:
    if conference.ends_at <= tx.now or conference.state == State.HELD:
        return None
    if conference.attempted_at is not None:
        return "look"
    if not conference.is_wanted:
        if conference.meeting_id is None:
            conference.state = State.CANCELLED
            hosting.release_host(tx, conference)
        return "cancel" if conference.meeting_id is not None else None
    # What is missing is not replaced behind the backs of those who hold its link: a person says so.
    is_as_wanted = conference.state in {State.READY, State.MISSING} and not conference.differs
    if conference.state == State.FAILED or is_as_wanted:
        return None
    if conference.meeting_id is None:
        return "create"
    # A meeting cannot change its host: it is made again, and people get the new link.
    return "cancel" if conference.has_another_host else "update"


def _spec(conference: Conference) -> MeetingSpec:
    able = provider_named()(conference.provider).capabilities()
    longest = able.title_length
    fits = len(conference.title) <= longest
    return MeetingSpec(
        key=conference.key,
        kind="webinar" if conference.kind == Kind.WEBINAR and "webinar" in able.kinds else "meeting",
        title=conference.title if fits else conference.title[: longest - 1].rstrip() + "…",
        agenda="",
        starts_at=conference.starts_at,
        ends_at=conference.ends_at,
        time_zone=conference.time_zone,
        host=conference.host,
        join_before_minutes=JOIN_BEFORE_MINUTES,
        lobby=True,
    )


def _step(do: str, conference: Conference, *, worker: str) -> Step:
    ref = (
        MeetingRef(conference.provider, conference.meeting_id, conference.present_host)
        if conference.meeting_id
        else None
    )
    return Step(
        do=do,
        conference_id=conference.id,
        worker=worker,
        provider=conference.provider,
        spec=_spec(conference),
        ref=ref,
        attempted_at=conference.attempted_at,
        look_from=conference.attempted_start or conference.starts_at,
        look_until=conference.attempted_end or conference.ends_at,
        look_host=conference.attempted_host,
    )


def _finish(step: Step, outcome: Outcome) -> None:
    """Commit what came of the step, and what has to happen next."""
    with transaction() as tx:
        conference = conferences.get(step.conference_id, visible_to=SYSTEM, lock=True)
        circuits.noted(tx, step.provider, outcome.error)
        if conference.worker != step.worker:
            _finish_late(tx, conference, step, outcome)
            return
        conference.worker = conference.lease_until = None
        late = conference.attempted_at if conference.attempted_at != step.attempted_at else None
        if outcome.error is not None:
            _failed(tx, conference, step, outcome.error)
        elif outcome.meeting is not None:
            _present(tx, conference, step, outcome)
        elif step.do == "cancel":
            _gone(tx, conference)
            if conference.is_wanted:
                tx.after(ensure_later(conference.id))
        else:
            _not_found(tx, conference)
        if late is not None:
            conference.attempted_at, conference.looks = late, 0
            tx.after(ensure_later(conference.id))


def _finish_late(tx: Transaction, conference: Conference, step: Step, outcome: Outcome) -> None:
    """Our lease ran out and another worker took over: it has to look for the meeting that we have made after all.

    Where the conference goes by another key by now, moved to another provider, that meeting is nobody's.
    """
    made = outcome.meeting
    doubtful = outcome.error is not None and outcome.error.maybe_applied
    if step.do != "create" or (made is None and not doubtful):
        return
    if step.spec.key != conference.key:
        tx.after(_clear_away_later(step, outcome))
    elif made is None or made.ref.id != conference.meeting_id:
        conference.attempted_at, conference.looks = tx.now, 0
        tx.after(ensure_later(conference.id))


def _clear_away_later(step: Step, outcome: Outcome) -> Task:
    left = clearing.Leftover(
        provider=step.provider,
        key=step.spec.key,
        meeting_id=outcome.meeting.ref.id if outcome.meeting else None,
        host=step.spec.host,
        starts_at=step.spec.starts_at,
        ends_at=step.spec.ends_at,
        in_doubt=outcome.meeting is None,
    )
    return clearing.clear_away_later(left)


def _present(tx: Transaction, conference: Conference, step: Step, outcome: Outcome) -> None:
    meeting = outcome.meeting
    assert meeting is not None
    spec = _spec(conference)
    conference.attempted_at, conference.looks, conference.waits, conference.problem = None, 0, 0, None
    conference.meeting_id, conference.number, conference.join_url = meeting.ref.id, meeting.number, meeting.join_url
    conference.registration_url, conference.missed = meeting.registration_url, 0
    conference.secrets = host_keys.sealed(meeting.secrets)
    # A title that was shortened for the provider stands there as wanted.
    conference.present_title = conference.title if meeting.title == spec.title else meeting.title
    conference.present_start, conference.present_end = meeting.starts_at, meeting.ends_at
    conference.present_host = meeting.ref.host
    if outcome.found > 1:
        surplus = f"{outcome.found - 1} surplus meetings were cancelled"
        tx.record("meeting.duplicate-cancelled", conference, by=SYSTEM, reason=surplus)
        _alert(tx, conference, "A meeting existed twice", surplus)
    # It was moved or cancelled while we were talking to the provider, or we found it as an earlier attempt made it.
    # What the provider keeps otherwise than asked is not asked for again and again.
    if not conference.is_wanted or (conference.differs and (step.do == "look" or spec != step.spec)):
        tx.after(ensure_later(conference.id))
    if shortcomings := meeting.shortcomings():
        conference.state, conference.problem = State.DEGRADED, ", ".join(shortcomings)
        _alert(tx, conference, "A meeting is not set up as promised", conference.problem)
        return
    conference.state = State.READY
    tx.after(issue_later(conference.id))


def _gone(tx: Transaction, conference: Conference) -> None:
    conference.meeting_is_gone()
    if not conference.is_wanted:
        hosting.release_host(tx, conference)
        # A later meeting of this conference must not be taken for this one.
        conference.key = conferences.new_key()


def _not_found(tx: Transaction, conference: Conference) -> None:
    """No meeting carries our key (yet): look again after the next settling delay, at the last look create again."""
    if conference.looks < len(SETTLING):
        tx.after(ensure_later(conference.id, due_at=tx.now + SETTLING[conference.looks]))
        conference.looks += 1
        return
    conference.attempted_at, conference.looks = None, 0
    if conference.is_wanted and conference.meeting_id is None and conference.attempts >= ATTEMPTS:
        _give_up(tx, conference, "six attempts had no result")
        return
    tx.after(ensure_later(conference.id))


def _failed(tx: Transaction, conference: Conference, step: Step, error: ProviderError) -> None:
    conference.problem = error.message
    if step.do == "create" and not error.maybe_applied:
        conference.attempted_at = None
    match error:
        case Ambiguous():
            tx.after(ensure_later(conference.id, due_at=tx.now + SETTLING[0]))
            conference.looks = 1
        case Unreachable() | RateLimited() | Transient() | AuthError():
            if step.do == "create":
                conference.state = State.WANTED
                conference.attempts -= 1  # it never counted at the provider
            _come_back(tx, conference, error)
        case NotFound() if step.do == "update":
            # Gone, or not to be seen yet where it was made a moment ago: it is made anew after the looks.
            conference.attempted_at, conference.looks = tx.now, 0
            conference.attempted_start, conference.attempted_end = conference.present_start, conference.present_end
            _gone(tx, conference)
            tx.after(ensure_later(conference.id))
        case HostUnavailable() if conference.attempts < ATTEMPTS:
            conference.state = State.WANTED
            _come_back(tx, conference, error)
        case _:
            _give_up(tx, conference, error.message)


def _come_back(tx: Transaction, conference: Conference, error: ProviderError) -> None:
    """A passing failure: wait longer each time, at most a minute unless the provider asks for more."""
    conference.waits += 1
    wait = WAITS[min(conference.waits, len(WAITS)) - 1]
    if error.retry_after is not None:
        wait = max(wait, timedelta(seconds=error.retry_after))
    tx.after(ensure_later(conference.id, due_at=tx.now + wait))


def _give_up(tx: Transaction, conference: Conference, why: str) -> None:
    conference.state, conference.problem = State.FAILED, why
    _alert(tx, conference, "A meeting could not be made", why)


def _alert(tx: Transaction, conference: Conference, title: str, detail: str) -> None:
    delivering.tell_helpdesk(
        tx,
        title,
        f"{conference.title}: {detail}. See conference {conference.id}.",
        path="/",
        cause=f"conference:{conference.id}:{title}:{ports.clock().now():%Y-%m-%d}",
    )
