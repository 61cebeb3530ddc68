"""A group's series as one calendar object, for the members who chose to hold it so.

Such a member gets the master once, and with each change the dates that changed, or the whole anew. Its UID holds from
the date on which the rule holds: a rule that changes ends the old object with its last date and begins a new one.
Sessions that the rule does not give (extra ones) come as objects of their own, as everybody else's do.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from email.utils import parseaddr
from itertools import pairwise
from typing import cast
from uuid import UUID

from conference_orchestrator.flows import delivering, entering
from conference_orchestrator.flows.delivering import draft, message_id, to_clinician
from conference_orchestrator.flows.inviting import session_uid
from conference_orchestrator.kernel import ports, times
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.outbox import Rank
from conference_orchestrator.kernel.principal import SYSTEM
from conference_orchestrator.kernel.times import rfc3339
from conference_orchestrator.kernel.transaction import Transaction, transaction
from conference_orchestrator.ledger import invitations, series_calendars
from conference_orchestrator.ledger.invitations import Method
from conference_orchestrator.ledger.messages import Draft
from conference_orchestrator.ledger.series_calendars import Step
from conference_orchestrator.ledger.series_content import DateChange, SeriesContent, Single
from conference_orchestrator.network import clinicians, expert_groups
from conference_orchestrator.network.clinicians import Clinician
from conference_orchestrator.network.expert_groups import ExpertGroup
from conference_orchestrator.notify import kinds
from conference_orchestrator.scheduling import exceptions, series, sessions
from conference_orchestrator.scheduling.planning import Plan
from conference_orchestrator.scheduling.series import Series
from conference_orchestrator.scheduling.sessions import Session, State


def series_uid(of: Series) -> str:
    """The UID of the series as its rule stands."""
    return f"series-{of.id}-{of.first_on:%Y%m%d}"


def issue(series_id: UUID) -> None:
    """Send everybody who holds the series, or is to hold it, what is different from what the person holds."""
    with transaction() as tx:
        group = expert_groups.get(series.get(series_id).group_id, visible_to=SYSTEM, lock=True)
        delivering.tell(tx, *_due(series.get(series_id, lock=True), group, now=tx.now))


def foreseen(tx: Transaction, series_id: UUID, group: ExpertGroup) -> list[UUID]:
    """Do the same inside a transaction that will be undone, because it follows from what it did; whom each mail is to.

    The caller holds the lock of the group.
    """
    db.session.flush()
    people = [one.to.clinician_id for one in _due(series.get(series_id), group, now=tx.now)]
    return [person for person in people if person is not None]


def _due(issuing: Series, group: ExpertGroup, *, now: datetime) -> list[Draft]:
    """Have the ledger say what everybody is to hold; the mails that say so."""
    chosen = expert_groups.series_holders(expert_groups.members_of([group.id]).get(group.id, ()))
    known = clinicians.by_ids(chosen)
    wanted = {person: is_whole for person, is_whole in chosen.items() if person in known}
    drafts: list[Draft] = []
    for uid, content in _objects(issuing, group, is_wanted=bool(wanted), now=now):
        steps, shown = series_calendars.issue(uid, content, wanted, series_id=issuing.id, at=now)
        if shown is not None:
            _take_answers_over(uid, [step for step in steps if step.is_new], shown, at=now)
            drafts += _drafts(uid, steps, shown, now=now)
    return drafts


def write_down(of: Series, group: ExpertGroup, *, now: datetime) -> None:
    """Keep what the series says before its rule changes: its dates until then may be told only after that.

    The caller holds the locks of group and series.
    """
    if not expert_groups.has_series_holders(group.id):
        return
    uid = series_uid(of)
    state = series_calendars.state_of(uid)
    content = _ruled(of, group, SeriesContent.from_json(state.content) if state else None, now=now)
    if content is not None:
        series_calendars.keep(uid, content, series_id=of.id, at=now)


def repaired(clinician_id: UUID, *, now: datetime) -> list[Draft]:
    """The mails that send the person the series again that the person holds, as they are."""
    found: list[Draft] = []
    for uid in series_calendars.held_by(clinician_id):
        step, state = series_calendars.repeat(uid, clinician_id, at=now), series_calendars.state_of(uid)
        if step is not None and state is not None:
            found += _drafts(uid, [step], SeriesContent.from_json(state.content), now=now)
    return found


def _objects(
    of: Series, group: ExpertGroup, *, is_wanted: bool, now: datetime
) -> Iterator[tuple[str, SeriesContent | None]]:
    """Each object of the series and what it says now: those of earlier rules, then the present one.

    The UIDs end with the date from which their rule holds, so each ends the day before the next one begins.
    """
    current = series_uid(of)
    kept = {state.uid: state for state in series_calendars.open_of_series(of.id)}
    for uid, following in pairwise([*sorted(kept.keys() - {current}), current]):
        ruled = SeriesContent.from_json(kept[uid].content)
        ends_on = _first_on(following) - timedelta(days=1)
        if of.closed_at is not None:
            ends_on = min(ends_on, times.wall(of.closed_at, of.time_zone).date())
        last = _last_start(ruled, ends_on)
        yield uid, _as_held(replace(ruled, until=last), of, None, now=now) if last else None
        if last is None or last <= now:
            kept[uid].ended_at = now
    if kept or is_wanted:
        mine = SeriesContent.from_json(kept[current].content) if current in kept else None
        yield current, _ruled(of, group, mine, now=now)


def _first_on(uid: str) -> date:
    return datetime.strptime(uid.rpartition("-")[2], "%Y%m%d").date()  # noqa: DTZ007  - a date


def _ruled(of: Series, group: ExpertGroup, kept: SeriesContent | None, *, now: datetime) -> SeriesContent | None:
    """What the present rule makes of the object; None when it says nothing that a calendar can hold."""
    if times.clock_rule(of.time_zone) is None:
        return None
    plan = _plan(of, now=now)
    first = _first_start(of, kept, plan)
    if first is None:
        return None
    ruled = SeriesContent(
        rule=of.rule,
        time_zone=of.time_zone,
        starts_at=first,
        ends_at=first + of.length,
        until=None,
        group_name=group.name,
        left_out=kept.left_out if kept else frozenset(),
        changed=kept.changed if kept else {},
    )
    if of.closed_at is not None:
        last = _last_start(ruled, times.wall(of.closed_at, of.time_zone).date())
    else:
        last = _last_start(ruled, of.ends_on) if of.ends_on else None
    if last is None and (of.closed_at or of.ends_on):
        return None
    return _as_held(replace(ruled, until=last), of, plan, now=now)


def _plan(of: Series, *, now: datetime) -> Plan:
    """From today on the rule with its exceptions, as far as sessions are made, and the dates of exceptions."""
    today, horizon = of.horizon(now=now)
    ahead = {on for one in exceptions.of_series(of.id) for on in of.dates(max(one.occurrence_on, today), one.last_on)}
    return of.plan(exceptions.in_plan(of.id), from_on=today, until_on=horizon, also=ahead)


def _first_start(of: Series, kept: SeriesContent | None, plan: Plan) -> datetime | None:
    """The first start of the object. It stays: one that begins on another date is another object for readers."""
    if kept is not None and kept.rule == of.rule and kept.time_zone == of.time_zone:
        on = times.wall(kept.starts_at, kept.time_zone).date()
        if of.has_date(on):
            return of.start_on(on)
    return next((of.start_on(on) for on in sorted(plan.sessions) if of.has_date(on)), None)


def _last_start(ruled: SeriesContent, until_on: date) -> datetime | None:
    """The last start that the rule gives until that date, included; None when it gives none."""
    dates = list(ruled.dates(from_on=date.min, until_on=until_on))
    return ruled.start_on(dates[-1]) if dates else None


def _as_held(ruled: SeriesContent, of: Series, plan: Plan | None, *, now: datetime) -> SeriesContent:
    """With the dates that are left out and the sessions that differ; what was before today stays as it was told.

    Without a plan there are only the sessions that are made.
    """
    today, length = times.wall(now, ruled.time_zone).date(), ruled.ends_at - ruled.starts_at
    rows = {row.occurrence_on: row for row in sessions.from_date(of.id, today)}
    known = {*rows, *(plan.sessions if plan else ()), *(plan.left_out if plan else ())}
    if plan is None:
        known |= set(ruled.dates(from_on=today))  # it has an end, and all its sessions are made
    left_out = {at for at in ruled.left_out if times.wall(at, ruled.time_zone).date() < today}
    changed = {at: one for at, one in ruled.changed.items() if times.wall(at, ruled.time_zone).date() < today}
    for on in sorted(day for day in known if day >= today and ruled.covers(day)):
        at, row = ruled.start_on(on), rows.get(on)
        planned = plan.sessions.get(on) if plan else None
        if (row is None and (planned is None or at <= now)) or (row is not None and row.state == State.CANCELLED):
            left_out.add(at)
        elif row is not None:
            changed[at] = _single(row, ruled.changed.get(at))
        elif planned is not None:
            changed[at] = Single(planned.starts_at, planned.starts_at + of.length)
    differing = {at: one for at, one in changed.items() if one.join_url or one[:2] != (at, at + length)}
    return replace(ruled, left_out=frozenset(left_out), changed=differing)


def _single(row: Session, before: Single | None) -> Single:
    """The session as it is. A link that does not work at the moment stays where it was told already."""
    conference = row.conference
    if conference is None or not conference.is_wanted:
        return Single(row.starts_at, row.ends_at, None, row.id)
    told = before.join_url if before is not None and before.session_id == row.id else None
    is_personal = entering.has_personal_links(conference.provider)
    return Single(row.starts_at, row.ends_at, conference.link_for_people or told, row.id, is_personal)


def _take_answers_over(uid: str, steps: Sequence[Step], content: SeriesContent, *, at: datetime) -> None:
    """What who gets the series answered to its sessions before counts on for their dates, if at the same time."""
    starts = {session_uid(one.session_id): on for on, one in content.changed.items() if one.session_id}
    for step in steps:
        for held in invitations.of_person(step.invitation.clinician_id, starts):
            told, on = invitations.state_of(held.uid), starts[held.uid]
            if held.answer and content.on(on)[:2] == (told.starts_at, told.ends_at):
                day = times.wall(on, content.time_zone).date()
                series_calendars.keep_answer(uid, held.clinician_id, day, held.answer, at=at)


def _drafts(uid: str, steps: Sequence[Step], content: SeriesContent, *, now: datetime) -> list[Draft]:
    known = clinicians.by_ids({step.invitation.clinician_id for step in steps})
    told = [step for step in steps if step.invitation.clinician_id in known]
    rows = _rows(uid, {step.on for step in told if step.on}, content)
    return [
        _draft(uid, step, known[step.invitation.clinician_id], content, row=rows.get(step.on), now=now) for step in told
    ]


def _rows(uid: str, starts: Collection[datetime], content: SeriesContent) -> dict[datetime | None, Session]:
    """The sessions that the rule gives at these starts, as far as they are made."""
    state = series_calendars.state_of(uid) if starts else None
    if state is None:
        return {}
    days = {times.wall(on, content.time_zone).date(): on for on in starts}
    mine = sessions.complete().where(Session.series_id == state.series_id, Session.occurrence_on.in_(days))
    return {days[row.occurrence_on]: row for row in db.session.scalars(mine)}


def _draft(
    uid: str, step: Step, person: Clinician, content: SeriesContent, *, row: Session | None, now: datetime
) -> Draft:
    held = step.invitation
    of_date = rfc3339(step.on) if step.on else "all"
    answers = series_calendars.answered(uid, person.id)
    told = _told(step, content, answers, now=now)
    shown = told[step.on] if step.on else _next(content, now=now)
    own = _own_invitations(person.id, told.values())
    of_session = own.get(shown.session_id) if step.on else None
    sessions_told = _session_facts(step, content, told, own=own, answers=answers)
    facts = replace(
        _facts(uid, step, content, shown, sessions_told, now=now),
        has_personal_link=of_session is not None and shown.is_personal,
        reason=row.reason if row is not None and row.state == State.CANCELLED else None,
    )
    message = draft(
        facts,
        to=to_clinician(person),
        cause=f"{uid}:{step.sequence}:{step.method}:{of_date}:{step.number}",
        conference_id=row.conference.id if row is not None and row.conference is not None else None,
        link_subject=of_session or held.id,
        chain=f"{uid}:{person.id}",
        number=step.number,
        references=held.first_message,
        rank=Rank.URGENT,
    )
    if held.first_message is None:
        held.first_message = message_id(message.id)
    return message


def _told(step: Step, content: SeriesContent, answers: Collection[date], *, now: datetime) -> dict[datetime, Single]:
    """The sessions that the message tells of by themselves, by the starts that the rule gives.

    Beside those that differ these are the ones that the person has answered by themselves.
    """
    if step.on is not None:
        return {step.on: step.before if step.method == Method.CANCEL and step.before else content.on(step.on)}
    answered = {content.start_on(day) for day in answers if content.covers(day)} - content.left_out
    starts = content.changed.keys() | {on for on in answered if on > now}
    return {on: content.on(on) for on in sorted(starts)} if step.method == Method.REQUEST else {}


def _own_invitations(person_id: UUID, told: Collection[Single]) -> dict[UUID | None, UUID]:
    """The person's invitation to each session that the message tells of."""
    ids = {session_uid(one.session_id): one.session_id for one in told if one.session_id}
    return {ids[row.uid]: row.id for row in invitations.of_person(person_id, ids)}


def _next(content: SeriesContent, *, now: datetime) -> Single:
    """The session that a mail about the whole series names: the first one that is not over, else the first of all."""
    today = times.wall(now, content.time_zone).date()
    starts = map(content.start_on, content.dates(from_on=today, until_on=today + series.HORIZON))
    coming = (content.on(at) for at in starts if at not in content.left_out)
    return next((one for one in coming if one.ends_at > now), content.on(content.starts_at))


def _facts(
    uid: str,
    step: Step,
    content: SeriesContent,
    shown: Single,
    told: Sequence[kinds.SessionOfSeries],
    *,
    now: datetime,
) -> kinds.EventFacts:
    kind: type[kinds.EventFacts] = kinds.Invitation if step.is_new else kinds.InvitationUpdate
    if step.method == Method.CANCEL:
        kind = kinds.InvitationCancel
    name, address = parseaddr(ports.settings().reply_to)
    link = next((one.join_url for one in told if one.starts_at == shown.starts_at), None)
    return kind(
        uid=uid,
        sequence=step.sequence,
        dtstamp=now,
        starts_at=shown.starts_at,
        ends_at=shown.ends_at,
        time_zone=content.time_zone,
        role="expert",
        group_name=content.group_name,
        join_url=link if step.method == Method.REQUEST else None,
        organizer_name=name or "Helpdesk",
        organizer_address=address,
        what_changed=step.changed,
        previous_starts_at=step.before.starts_at if step.before and "time" in step.changed else None,
        attendee_status=told[0].attendee_status if step.on else _status(step.invitation.answer),
        series=kinds.SeriesFacts(
            rule=content.rule,
            time_zone=content.time_zone,
            starts_at=content.starts_at,
            ends_at=content.ends_at,
            until=content.until,
            left_out=_left_out(step, content),
            changed=tuple(told),
            is_whole=step.on is None,
            news=tuple(map(_news, step.dates)),
        ),
    )


def _news(of: DateChange) -> kinds.DateOfSeries:
    return kinds.DateOfSeries(
        previous_starts_at=of.before.starts_at if of.before else None,
        previous_ends_at=of.before.ends_at if of.before else None,
        starts_at=of.after.starts_at if of.after else None,
        ends_at=of.after.ends_at if of.after else None,
    )


def _left_out(step: Step, content: SeriesContent) -> tuple[datetime, ...]:
    if step.on is None:
        return tuple(sorted(content.left_out))
    return (step.on,) if step.method == Method.CANCEL else ()


def _session_facts(
    step: Step,
    content: SeriesContent,
    told: Mapping[datetime, Single],
    *,
    own: Mapping[UUID | None, UUID],
    answers: Mapping[date, str],
) -> list[kinds.SessionOfSeries]:
    has_link, found = step.method == Method.REQUEST, []
    for on, one in told.items():
        of_date = answers.get(times.wall(on, content.time_zone).date())
        entry = own.get(one.session_id) if has_link and one.join_url and one.is_personal else None
        found.append(
            kinds.SessionOfSeries(
                on=on,
                starts_at=one.starts_at,
                ends_at=one.ends_at,
                join_url=one.join_url if has_link and not one.is_personal else None,
                entry=str(entry) if entry else None,
                attendee_status=_status(step.invitation.answer_on(on, content, of_date=of_date)),
            )
        )
    return found


def _status(said: str | None) -> kinds.Answer:
    return cast("kinds.Answer", said.upper()) if said else "NEEDS-ACTION"
