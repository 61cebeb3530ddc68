"""How a person holds in the calendar what the person is invited to, and everything sent once more to mend it."""

from __future__ import annotations

from uuid import UUID

from conference_orchestrator.flows import delivering, inviting, series_inviting
from conference_orchestrator.flows.directory import refresh
from conference_orchestrator.kernel import links
from conference_orchestrator.kernel.errors import NotFound
from conference_orchestrator.kernel.principal import Principal, Role
from conference_orchestrator.kernel.transaction import Transaction, transaction
from conference_orchestrator.ledger import invitations, series_calendars
from conference_orchestrator.network import clinicians, expert_groups
from conference_orchestrator.network.expert_groups import CalendarStyle, Membership
from conference_orchestrator.notify.languages import SOURCE


def choose(
    group_id: UUID, clinician_id: UUID, style: CalendarStyle, *, by: Principal, expected: int | None = None
) -> Membership:
    """Have the member hold the group's sessions that way from now on: what was held the other way is taken back.

    A member may choose for herself, the group's coordinator and the helpdesk for everybody; NotFound for the others.
    """
    with transaction() as tx:
        group = expert_groups.get(group_id, visible_to=by, lock=True)
        group.must_match(expected)
        if by.role == Role.CLINICIAN and by.clinician_id != clinician_id:
            raise NotFound("This clinician is not a member of the group.")
        member = expert_groups.membership(group.id, clinician_id)
        if member.calendar != style:
            member.calendar = style
            refresh(tx, group.id)
            tx.record(f"member.calendar.{style}", member, by=by)
    return next(one for one in expert_groups.members(group.id) if one.clinician_id == clinician_id)


def repair(clinician_id: UUID, *, by: Principal) -> int:
    """Send the person once more all that the person holds, as it is now: same UID, same SEQUENCE; how many mails.

    What was sent in the last five minutes is not sent again. NotFound outside the asker's scope: it is the own
    calendar, or anybody's for the helpdesk.
    """
    with transaction() as tx:
        person = clinicians.get(clinician_id, visible_to=by)
        if by.role == Role.CLINICIAN and by.clinician_id != person.id:
            raise NotFound("There is no such clinician.")
        tx.record("calendar.repair", person, by=by)
        return _repair(tx, person.id)


def repair_by_link(token: str) -> tuple[int, str]:
    """The same for the person whose invitation the link is to; how many mails, and the person's language."""
    invitation_id = links.subject_of("answer", token)
    with transaction() as tx:
        held = series_calendars.by_id(invitation_id) or invitations.get(invitation_id)
        person = clinicians.by_ids([held.clinician_id]).get(held.clinician_id)
        return (_repair(tx, person.id), person.language) if person else (0, SOURCE)


def _repair(tx: Transaction, clinician_id: UUID) -> int:
    drafts = [*inviting.repaired(clinician_id, now=tx.now), *series_inviting.repaired(clinician_id, now=tx.now)]
    delivering.tell(tx, *drafts)
    return len(drafts)
