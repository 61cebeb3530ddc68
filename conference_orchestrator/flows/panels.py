"""Panels: a consultation request from its arrival to its slot, and out of it again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy.orm.exc import StaleDataError

from conference_orchestrator.flows import delivering, hosting, waiting
from conference_orchestrator.flows.hosting import issue_later
from conference_orchestrator.flows.standing import RequestView, labels, view
from conference_orchestrator.flows.waiting import offer_freed
from conference_orchestrator.kernel import identifiers, ports, times
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.errors import Invalid, RuleBroken, SlotTaken
from conference_orchestrator.kernel.outbox import Task
from conference_orchestrator.kernel.principal import SYSTEM, Principal, Role
from conference_orchestrator.kernel.transaction import Transaction, transaction
from conference_orchestrator.network import clinicians, expert_groups
from conference_orchestrator.network.clinicians import Clinician
from conference_orchestrator.network.expert_groups import ExpertGroup, Intake
from conference_orchestrator.notify import kinds
from conference_orchestrator.scheduling import (
    allocation,
    allocations,
    checklists,
    conferences,
    requests,
    sessions,
    waiting_list,
    wording,
)
from conference_orchestrator.scheduling.allocation import Choice, Rules
from conference_orchestrator.scheduling.requests import ConsultationRequest, State
from conference_orchestrator.scheduling.series import FARTHEST
from conference_orchestrator.scheduling.waiting_list import Situation

# Each time somebody else took the slot that was chosen.
MOST_TRIES = 100
NAMED = ("The slot that was asked for.",)


def submit(entered: Mapping[str, Any], *, by: Principal) -> RequestView:
    """Ask a group to discuss a case. Complete it is `submitted`, else a `draft` that says what is missing.

    A group with direct intake takes a complete request at once into the next free slot, or onto the waiting list.
    """
    with transaction() as tx:
        group = expert_groups.find(entered["group"], visible_to=by)
        requester = _requester(entered.get("requester"), group, by=by)
        if entered["urgency"] != allocation.EMERGENCY:
            _must_have_room(group, requester, by=by)
        expert_groups.hold(group.id)
        clinicians.hold(requester, field="requester")
        request = ConsultationRequest(
            group_id=group.id,
            group=group,
            requester_id=requester.id,
            requester=requester,
            hospital_id=requester.hospital_id,
            attendees=[],
            earliest_on=None,
            latest_on=None,
            checklist={},
            imaging=[],
            consent_confirmed=False,
            state=State.DRAFT,
            created_at=tx.now,
        )
        values = {name: value for name, value in entered.items() if name not in {"group", "requester"}}
        request.enter(_checked(values, request, tx, by=by), at=tx.now)
        db.session.add(request)
        db.session.flush()
        missing = labels(group, request.missing_items(), language=requester.language)
        facts = kinds.RequestReceived(case_reference=request.case_reference, group_name=group.name, missing=missing)
        to = delivering.to_clinician(requester)
        delivering.tell(tx, delivering.draft(facts, to=to, cause=f"request:{request.id}:received"))
        tx.record("request.submit", request, by=by, reason=entered.get("identifiers_reason"))
        _enter_directly(tx, request)
    return _taken_in(request, by=by)


def change(request_id: UUID, changes: Mapping[str, Any], *, by: Principal, expected: int | None = None) -> RequestView:
    """Complete or correct a request that the group has not accepted; a returned one is submitted again.

    Of the check list only the answers that are named change; None takes one back.
    """
    with transaction() as tx:
        request = _locked(request_id, by=by, expected=expected)
        request.change(_checked(changes, request, tx, by=by), at=tx.now)
        tx.record("request.change", request, by=by, reason=changes.get("identifiers_reason"))
        _enter_directly(tx, request)
    return _taken_in(request, by=by)


def triage(
    request_id: UUID, decision: str, reason: str | None = None, *, by: Principal, expected: int | None = None
) -> RequestView:
    """The group accepts the request, returns it for completion, or declines it; the last two with a reason."""
    with transaction() as tx:
        request = _locked(request_id, by=by, expected=expected)
        tx.record(f"request.{decision}", request, by=by, reason=reason)
        if decision == "accept":
            request.accept(by=by, at=tx.now)
        elif reason is None:
            raise Invalid({"reason": "The requester needs a reason."})
        elif decision == "return":
            request.send_back(reason, by=by, at=tx.now)
            missing = labels(request.group, request.missing_items(), language=request.requester.language)
            name = request.group.name
            _tell(
                tx,
                request,
                kinds.RequestReturned(
                    case_reference=request.case_reference, group_name=name, reason=reason, missing=missing
                ),
            )
        else:
            request.decline(reason, by=by, at=tx.now)
            name = request.group.name
            _tell(
                tx,
                request,
                kinds.RequestDeclined(case_reference=request.case_reference, group_name=name, reason=reason),
            )
    return view(request_id, by=by)


def allocate(
    request_id: UUID, *, slot_id: UUID | None = None, by: Principal, expected: int | None = None
) -> RequestView:
    """Give an accepted request the slot asked for, or the one that the policy chooses; without a free one it waits.

    The choice is made before the transaction and the insert of the allocation decides: whoever was slower chooses
    again. SlotTaken when the slot asked for is held, Invalid when it cannot be had at all.
    """
    if slot_id is not None:
        rules = waiting_list.rules_unless_held(request_id, slot_id, visible_to=by)
        _take(request_id, Choice(slot_id, NAMED), rules, by=by, expected=expected)
        return view(request_id, by=by)
    for _ in range(MOST_TRIES):
        now = ports.clock().now()
        asking = requests.get(request_id, visible_to=by)
        found = waiting_list.situation(asking, now=now)
        choice = allocation.choose(found.wish, found.free, rules=found.rules, now=now, ahead=found.ahead)
        # Of a slot that the policy chose, and of a request that was read before, what changed meanwhile is no fault of
        # the asker.
        with suppress(SlotTaken, Invalid, StaleDataError):
            if choice is None:
                return _wait(asking, found, by=by, expected=expected)
            _take(request_id, choice, found.rules, by=by, expected=expected)
            return view(request_id, by=by)
    raise SlotTaken("Others were faster for every slot that was chosen; try again.")


def allocate_accepted(request_id: UUID) -> None:
    """The work after a direct intake: a request that was accepted by itself gets its slot, or its place in line."""
    if requests.get(request_id, visible_to=SYSTEM).state != State.ACCEPTED:
        return
    try:
        allocate(request_id, by=SYSTEM)
    except RuleBroken:
        # Who submitted it and the task may come at the same time: the slower one finds it done.
        if requests.get(request_id, visible_to=SYSTEM).state == State.ACCEPTED:
            raise


def release(request_id: UUID, *, by: Principal, expected: int | None = None) -> RequestView:
    """Take the slot, the offer of one, or the place on the waiting list, back: the request is accepted as before."""
    with transaction() as tx:
        request = _locked(request_id, by=by, expected=expected)
        request.released()
        tx.record("request.release", request, by=by)
        let_go(tx, request)
    return view(request_id, by=by)


def withdraw(request_id: UUID, *, by: Principal, expected: int | None = None) -> RequestView:
    """The requester does not want it any more; a slot that it held is free."""
    with transaction() as tx:
        request = _locked(request_id, by=by, expected=expected)
        request.withdraw(by=by, at=tx.now)
        tx.record("request.withdraw", request, by=by)
        let_go(tx, request)
    return view(request_id, by=by)


def advised(request_id: UUID, advised_on: date, *, by: Principal, expected: int | None = None) -> RequestView:
    """Record the date of the advice; the request is closed."""
    with transaction() as tx:
        request = _locked(request_id, by=by, expected=expected)
        if advised_on > times.wall(tx.now, request.group.time_zone).date():
            raise Invalid({"advised_on": "This date is still to come."})
        if request.allocation is not None and request.allocation.slot.starts_at > tx.now:
            raise RuleBroken("The case has a slot that is still to come; release it if the advice was given before.")
        if request.allocation is not None:
            turn_on = times.wall(request.allocation.slot.starts_at, request.group.time_zone).date()
            if advised_on < turn_on:
                raise Invalid({"advised_on": f"The case had its turn on {wording.full(turn_on)}."})
        request.advised(advised_on)
        tx.record("request.advised", request, by=by)
    return view(request_id, by=by)


def not_reached(request_id: UUID, *, by: Principal, expected: int | None = None) -> RequestView:
    """The session was held and did not come to the case: it goes to the top of the waiting list, and is told so."""
    with transaction() as tx:
        group_id = requests.get(request_id, visible_to=by).group_id
        group = expert_groups.get(group_id, visible_to=SYSTEM, lock=True)
        request = _locked(request_id, by=by, expected=expected)
        slot = request.allocation.slot if request.allocation is not None else None
        if slot is None or slot.starts_at > tx.now:
            raise RuleBroken("The case has no slot that has begun.", state=request.state)
        because = f"The session did not reach its slot of {wording.moment(slot.starts_at, group.time_zone)}."
        allocations.release(request.id, at=tx.now)
        request.not_reached(since=waiting_list.next_waiting_since(group.id, now=tx.now), because=because)
        tx.record("request.not-reached", request, by=by)
        db.session.flush()
        cause = f"request:{request.id}:not-reached:{request.version}"
        waiting.tell_waiting(tx, [request], group, positions=waiting_list.positions(group.id), cause=cause)
        offer_freed(tx, group)
    return view(request_id, by=by)


def _must_have_room(group: ExpertGroup, requester: Clinician, *, by: Principal) -> None:
    """RuleBroken when the requester has as many open requests as the group allows; the helpdesk is not capped."""
    most = Rules.of(group.rules).open_requests
    if most is None or by.role == Role.HELPDESK:
        return
    # Two that come at the same time are counted one after the other.
    expert_groups.get(group.id, visible_to=SYSTEM, lock=True)
    if requests.open_of(requester.id, group.id) >= most:
        raise RuleBroken(
            f"{group.name} takes at most {most} open request{'' if most == 1 else 's'} of one person at a time. "
            "Wait until one is closed, or withdraw one.",
            most=most,
        )


def _enter_directly(tx: Transaction, request: ConsultationRequest) -> None:
    """A group with direct intake accepts what is complete; the task sees to its slot should this process die."""
    if request.group.intake == Intake.DIRECT and request.state == State.SUBMITTED:
        request.accept(by=SYSTEM, at=tx.now)
        tx.record("request.accept", request, by=SYSTEM)
        tx.after(Task(kind="allocate-request", payload={"request": str(request.id)}))


def _taken_in(request: ConsultationRequest, *, by: Principal) -> RequestView:
    if request.state == State.ACCEPTED:
        allocate_accepted(request.id)
    return view(request.id, by=by)


def _requester(named: str | UUID | None, group: ExpertGroup, *, by: Principal) -> Clinician:
    if by.role == Role.CLINICIAN:
        if named is not None and clinicians.find(named, field="requester", visible_to=by).id != by.clinician_id:
            raise Invalid({"requester": "You ask in your own name."})
        return clinicians.find(by.clinician_id or "", field="requester", visible_to=by)
    if named is None:
        raise Invalid({"requester": "Name the clinician who asks."})
    found = _of_network(named, group, field="requester", by=by)
    if by.role == Role.REFERENCE_CENTRE and found.hospital_id != by.hospital_id:
        raise Invalid({"requester": "This clinician does not belong to your hospital."})
    return found


def _of_network(named: str | UUID, group: ExpertGroup, *, field: str, by: Principal) -> Clinician:
    """The clinician, active in the group's network; who is active in others only is not told from nobody."""
    found = clinicians.find(named, field=field, visible_to=by)
    if group.network_id not in {place.network_id for place in found.networks}:
        raise Invalid({field: f"There is no clinician {str(named)!r}."})
    return found


def _numbers_to_explain(values: Mapping[str, Any]) -> dict[str, str]:
    """What may be a patient's number and has no label, by the dotted name of the field."""
    texts = {"question": values.get("question")}
    texts |= {f"checklist.{code}": value for code, value in values.get("checklist", {}).items()}
    asked = {name: identifiers.alone(text) for name, text in texts.items() if isinstance(text, str)}
    return {
        name: f"{said}: leave it out, or say in identifiers_reason what it is." for name, said in asked.items() if said
    }


def _checked(
    values: Mapping[str, Any], request: ConsultationRequest, tx: Transaction, *, by: Principal
) -> dict[str, Any]:
    """The values in the form in which they are stored; Invalid, naming the fields, when they do not fit together."""
    checked = dict(values)
    explained = checked.pop("identifiers_reason", None)
    today = times.wall(tx.now, request.group.time_zone).date()
    found = checklists.problems(request.group.checklist, checked.get("checklist", {}))
    found |= checklists.imaging_problems(checked.get("imaging", ()), today=today)
    found |= _window_problems(checked, request, today=today)
    found |= {} if explained else _numbers_to_explain(checked)
    if found:
        raise Invalid(found)
    if "checklist" in checked:
        checked["checklist"] = checklists.merged(request.checklist, checked["checklist"])
    if "attendees" in checked:
        named = checked["attendees"]
        people = {_of_network(one, request.group, field="attendees", by=by).id for one in named}
        checked["attendees"] = sorted(str(person) for person in people - {request.requester_id})
    return checked


def _window_problems(values: Mapping[str, Any], request: ConsultationRequest, *, today: date) -> dict[str, str]:
    """What is wrong with the dates between which the case may be discussed, by the name of the field."""
    entered = {name: values[name] for name in ("earliest_on", "latest_on") if values.get(name) is not None}
    found = {name: "This date is more than 18 months away." for name, on in entered.items() if on > today + FARTHEST}
    earliest, latest = (values.get(name, getattr(request, name)) for name in ("earliest_on", "latest_on"))
    if earliest and latest and latest < earliest:
        found["latest_on"] = "This lies before earliest_on."
    elif "latest_on" in entered and entered["latest_on"] < today:
        found["latest_on"] = "This date has passed."
    return found


def _take(request_id: UUID, choice: Choice, rules: Rules, *, by: Principal, expected: int | None) -> None:
    with transaction() as tx:
        slot, session = sessions.hold_still(choice.slot_id, alone=rules.limit_a_session)
        session.must_be_planned(at=tx.now, field="slot")
        request = _locked(request_id, by=by, expected=expected)
        if session.group_id != request.group_id:
            raise Invalid({"slot": "This slot belongs to another group."})
        request.must_be_allocatable()
        (wish,) = waiting_list.with_absences([request.wish], now=tx.now)
        wanted = waiting_list.as_free(slot.id, rules=rules)
        if obstacle := allocation.first_obstacle(wish, wanted, rules=rules, now=tx.now):
            raise Invalid({"slot": obstacle})
        allocations.take(slot.id, request.id, because=choice.reasons, at=tx.now)
        request.allocated()
        tx.record("request.allocate", request, by=by, reason=" ".join(choice.reasons))
        hosting.want_for_session(tx, session, request.group)


def _wait(waits: ConsultationRequest, found: Situation, *, by: Principal, expected: int | None) -> RequestView:
    """Put the request on the list, under the lock of the group, so that each place is given once, in order.

    A crowd waits for that lock: the request was read before it is taken, and its version tells when it is written
    whether it has changed since (StaleDataError).
    """
    waits.must_match(expected)
    waits.must_be_allocatable()
    with transaction() as tx:
        expert_groups.lock(waits.group_id)
        ahead = waiting_list.ahead_of(waits.wish, waits.group_id)
        position = sum(one.count for one in ahead) + 1
        why = allocation.why_waiting(found.wish, found.free, rules=found.rules, now=tx.now, ahead=found.ahead)
        if waits.state == State.WAITING:
            _explain_anew(waits, why)
        else:
            waits.wait(since=waiting_list.next_waiting_since(waits.group_id, now=tx.now), because=why)
            tx.record("request.wait", waits, by=by)
            cause = f"request:{waits.id}:waiting:{waits.version}"
            requests.write_waiting(waits)
            waiting.tell_waiting(tx, [waits], waits.group, positions={waits.id: position}, cause=cause)
            # A slot may have been freed, and offered to nobody, since we looked.
            offer_freed(tx, waits.group)
        place = allocation.place_in_line(ahead, now=tx.now, time_zone=waits.group.time_zone)
        none = allocation.NONE_SUITS if found.free else allocation.NONE_FREE
        return RequestView(waits, waits.missing_items(), position, f"{place}; {none}")


def _explain_anew(waits: ConsultationRequest, why: Sequence[str]) -> None:
    """It asked again in vain: why it waits may be another reason now. It keeps its place, and nobody is told."""
    if waits.reasons != list(why):
        waits.reasons = list(why)
        requests.write_waiting(waits)


def let_go(tx: Transaction, request: ConsultationRequest) -> None:
    """Free the slot that the request holds, or the offer of one, and have it offered on. The request is locked."""
    held = request.allocation
    if held is None:
        return
    conference = conferences.of_session(held.slot.session_id) if held.is_firm else None
    allocations.release(request.id, at=tx.now)
    if conference is not None:
        tx.after(issue_later(conference.id))
    offer_freed(tx, request.group)


def _locked(request_id: UUID, *, by: Principal, expected: int | None) -> ConsultationRequest:
    request = requests.get(request_id, visible_to=by, lock=True)
    request.must_match(expected)
    return request


def _tell(tx: Transaction, request: ConsultationRequest, facts: kinds.Facts) -> None:
    cause = f"request:{request.id}:{facts.kind}:{request.version}"
    delivering.tell(tx, delivering.draft(facts, to=delivering.to_clinician(request.requester), cause=cause))
