"""Panels: a consultation request from its arrival to its slot, and out of it again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from conference_orchestrator.flows import delivering, hosting, rounds
from conference_orchestrator.flows.hosting import issue_later
from conference_orchestrator.kernel import ports, times
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.errors import Invalid, RuleBroken, SlotTaken
from conference_orchestrator.kernel.paging import Page, Paging
from conference_orchestrator.kernel.principal import SYSTEM, Principal, Role
from conference_orchestrator.kernel.transaction import Transaction, transaction
from conference_orchestrator.network import clinicians, expert_groups
from conference_orchestrator.network.clinicians import Clinician
from conference_orchestrator.network.expert_groups import ExpertGroup
from conference_orchestrator.notify import kinds
from conference_orchestrator.scheduling import allocation, checklists, conferences, requests, sessions
from conference_orchestrator.scheduling.allocation import Choice, FreeSlot
from conference_orchestrator.scheduling.requests import ConsultationRequest, State

CONSENT_LABEL = "The signed consent of the patient or the legal guardian"
NAMED = ("The slot that was asked for.",)


@dataclass(frozen=True)
class RequestView:
    """A request as people see it: what it lacks, and its place on the waiting list if it waits."""

    request: ConsultationRequest
    missing: list[str]
    position: int | None


def submit(entered: Mapping[str, Any], *, by: Principal) -> RequestView:
    """Ask a group to discuss a case. Complete it is `submitted`, else a `draft` that says what is missing."""
    with transaction() as tx:
        group = expert_groups.find(entered["group"], visible_to=by)
        requester = _requester(entered.get("requester"), by=by)
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
        missing = request.missing_items()
        facts = kinds.RequestReceived(
            case_reference=request.case_reference, group_name=group.name, missing=_labels(group, missing)
        )
        to = delivering.to_clinician(requester)
        delivering.tell(tx, delivering.draft(facts, to=to, cause=f"request:{request.id}:received"))
    return view(request.id, by=by)


def change(request_id: UUID, changes: Mapping[str, Any], *, by: Principal, expected: int | None = None) -> RequestView:
    """Complete or correct a request that the group has not accepted; a returned one is submitted again."""
    with transaction() as tx:
        request = _locked(request_id, by=by, expected=expected)
        request.change(_checked(changes, request, tx, by=by), at=tx.now)
    return view(request_id, by=by)


def triage(
    request_id: UUID, decision: str, reason: str | None = None, *, by: Principal, expected: int | None = None
) -> RequestView:
    """The group accepts the request, returns it for completion, or declines it; the last two with a reason."""
    with transaction() as tx:
        request = _locked(request_id, by=by, expected=expected)
        if decision == "accept":
            request.accept(by=by, at=tx.now)
        elif reason is None:
            raise Invalid({"reason": "The requester needs a reason."})
        elif decision == "return":
            request.send_back(reason, by=by, at=tx.now)
            labels = _labels(request.group, request.missing_items())
            name = request.group.name
            _tell(
                tx,
                request,
                kinds.RequestReturned(
                    case_reference=request.case_reference, group_name=name, reason=reason, missing=labels
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
    while True:
        request = requests.get(request_id, visible_to=by)
        request.must_be_allocatable()
        free = _free_slots(request)
        choice = Choice(slot_id, NAMED) if slot_id else allocation.choose(request.wish, free, now=ports.clock().now())
        if choice is None:
            return _wait(request, because=allocation.why_waiting(free), by=by, expected=expected)
        try:
            _take(request_id, choice, by=by, expected=expected)
        except SlotTaken:
            if slot_id is not None:
                raise
        else:
            return view(request_id, by=by)


def release(request_id: UUID, *, by: Principal, expected: int | None = None) -> RequestView:
    """Take the slot, or the place on the waiting list, back: the request is accepted as before."""
    with transaction() as tx:
        request = _locked(request_id, by=by, expected=expected)
        request.released()
        _let_go(tx, request)
    return view(request_id, by=by)


def withdraw(request_id: UUID, *, by: Principal, expected: int | None = None) -> RequestView:
    """The requester does not want it any more; a slot that it held is free."""
    with transaction() as tx:
        request = _locked(request_id, by=by, expected=expected)
        request.withdraw(by=by, at=tx.now)
        _let_go(tx, request)
    return view(request_id, by=by)


def advised(request_id: UUID, advised_on: date, *, by: Principal, expected: int | None = None) -> RequestView:
    """Record the date of the advice; the request is closed."""
    with transaction() as tx:
        request = _locked(request_id, by=by, expected=expected)
        if advised_on > times.wall(tx.now, request.group.time_zone).date():
            raise Invalid({"advised_on": "This date is still to come."})
        if request.allocation is not None and request.allocation.slot.starts_at > tx.now:
            raise RuleBroken("The case has a slot that is still to come; release it if the advice was given before.")
        request.advised(advised_on)
    return view(request_id, by=by)


def view(request_id: UUID, *, by: Principal) -> RequestView:
    """One request within the asker's scope."""
    return _views([requests.get(request_id, visible_to=by)])[0]


def listed(
    paging: Paging, *, by: Principal, state: str | None = None, group: str | UUID | None = None
) -> Page[RequestView]:
    """Requests within the asker's scope, oldest first."""
    group_id = expert_groups.find(group, visible_to=by).id if group is not None else None
    found = requests.listed(paging, visible_to=by, state=state, group_id=group_id)
    return Page(_views(found.items), found.next)


def _requester(named: str | UUID | None, *, by: Principal) -> Clinician:
    if by.role == Role.CLINICIAN:
        if named is not None and clinicians.find(named, field="requester", visible_to=by).id != by.clinician_id:
            raise Invalid({"requester": "You ask in your own name."})
        return clinicians.find(by.clinician_id or "", field="requester", visible_to=by)
    if named is None:
        raise Invalid({"requester": "Name the clinician who asks."})
    found = clinicians.find(named, field="requester", visible_to=by)
    if by.role == Role.REFERENCE_CENTRE and found.hospital_id != by.hospital_id:
        raise Invalid({"requester": "This clinician does not belong to your hospital."})
    return found


def _checked(
    values: Mapping[str, Any], request: ConsultationRequest, tx: Transaction, *, by: Principal
) -> dict[str, Any]:
    """The values in the form in which they are stored; Invalid, naming the fields, when they do not fit together."""
    checked = dict(values)
    found = checklists.problems(request.group.checklist, checked.get("checklist", {}))
    earliest = checked.get("earliest_on", request.earliest_on)
    latest = checked.get("latest_on", request.latest_on)
    today = times.wall(tx.now, request.group.time_zone).date()
    if earliest and latest and latest < earliest:
        found["latest_on"] = "This lies before earliest_on."
    elif checked.get("latest_on") and checked["latest_on"] < today:
        found["latest_on"] = "This date has passed."
    if found:
        raise Invalid(found)
    if "attendees" in checked:
        people = {clinicians.find(one, field="attendees", visible_to=by).id for one in checked["attendees"]}
        checked["attendees"] = sorted(str(person) for person in people - {request.requester_id})
    return checked


def _free_slots(request: ConsultationRequest) -> list[FreeSlot]:
    zone = request.group.time_zone
    free = sessions.free_slots(request.group_id, now=ports.clock().now())
    return [FreeSlot(slot.id, slot.starts_at, zone) for slot in free]


def _take(request_id: UUID, choice: Choice, *, by: Principal, expected: int | None) -> None:
    with transaction() as tx:
        slot, session = sessions.hold_still(choice.slot_id)
        session.must_be_planned(at=tx.now, field="slot")
        request = _locked(request_id, by=by, expected=expected)
        if session.group_id != request.group_id:
            raise Invalid({"slot": "This slot belongs to another group."})
        request.must_be_allocatable()
        free_slot = FreeSlot(slot.id, slot.starts_at, session.time_zone)
        if obstacle := allocation.first_obstacle(request.wish, free_slot, now=tx.now):
            raise Invalid({"slot": obstacle})
        sessions.take(slot.id, request.id, because=choice.reasons, at=tx.now)
        request.allocated()
        hosting.want_for_session(tx, session, request.group)


def _wait(request: ConsultationRequest, *, because: str, by: Principal, expected: int | None) -> RequestView:
    """Put the request on the list. The group is locked first, so that each place is given once, in order."""
    with transaction() as tx:
        group = expert_groups.get(request.group_id, visible_to=SYSTEM, lock=True)
        waiting = _locked(request.id, by=by, expected=expected)
        waiting.must_be_allocatable()
        already = waiting.state == State.WAITING
        if not already:
            waiting.wait(since=requests.next_waiting_since(group.id, now=tx.now))
            db.session.flush()
            cause = f"request:{waiting.id}:waiting:{waiting.version}"
            rounds.tell_waiting(tx, [waiting], group, because=because, cause=cause)
        return _views([waiting])[0]


def _let_go(tx: Transaction, request: ConsultationRequest) -> None:
    session_id = sessions.release(request.id, at=tx.now)
    if session_id is None:
        return
    conference = conferences.of_session(session_id)
    if conference is not None:
        tx.after(issue_later(conference.id))


def _locked(request_id: UUID, *, by: Principal, expected: int | None) -> ConsultationRequest:
    request = requests.get(request_id, visible_to=by, lock=True)
    request.must_match(expected)
    return request


def _tell(tx: Transaction, request: ConsultationRequest, facts: kinds.Facts) -> None:
    cause = f"request:{request.id}:{facts.kind}:{request.version}"
    delivering.tell(tx, delivering.draft(facts, to=delivering.to_clinician(request.requester), cause=cause))


def _labels(group: ExpertGroup, missing: Sequence[str]) -> tuple[str, ...]:
    labels = {item.code: item.label for item in group.checklist} | {checklists.CONSENT: CONSENT_LABEL}
    return tuple(labels[code] for code in missing)


def _views(found: Sequence[ConsultationRequest]) -> list[RequestView]:
    waiting = {request.group_id for request in found if request.state == State.WAITING}
    positions = requests.waiting_positions(list(waiting)) if waiting else {}
    return [RequestView(request, request.missing_items(), positions.get(request.id)) for request in found]
