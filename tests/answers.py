"""What people say to their invitations, and the substitutes of a group, for tests of the quorum."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import update

from conference_orchestrator.flows import directory, joining
from conference_orchestrator.flows.inviting import session_uid
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.transaction import transaction
from conference_orchestrator.ledger.invitations import Invitation
from conference_orchestrator.network.clinicians import Clinician
from conference_orchestrator.scheduling.sessions import Session
from tests.house import HELPDESK
from tests.scheduling.stage import Stage


def answer(stage: Stage, session_id: UUID, **answers: str | None) -> None:
    """Each of the people says so about the session; everybody named was invited to it."""
    for name, said in answers.items():
        mine = (Invitation.uid == session_uid(session_id), Invitation.clinician_id == stage.people[name].id)
        with transaction():
            answered = db.session.execute(update(Invitation).where(*mine).values(answer=said))
            assert answered.rowcount == 1, f"{name} was not invited"


def tuesday(stage: Stage) -> Session:
    """The group's next session; another group may meet at the same hour."""
    return next(session for session in stage.sessions() if session.group_id == stage.group.id)


def clinician(name: str, **changes: str) -> Clinician:
    """One more clinician of the network."""
    entered = {
        "network": "paedcan",
        "given_name": name.capitalize(),
        "family_name": "Ávila",
        "email": f"{name}@porto.example",
        "hospital": "porto",
        "profession": "physician",
        "language": "en",
    }
    return joining.enter(entered | changes, by=HELPDESK)


def substitute(stage: Stage, name: str, discipline: str | None = None) -> Clinician:
    """One more clinician, who is a substitute of the group."""
    person = clinician(name)
    directory.add_member(stage.group.id, person.id, role="substitute", discipline=discipline, by=HELPDESK)
    return person


def ask_substitutes(stage: Stage, **quorum: object) -> None:
    """The group wants its substitutes to be asked."""
    directory.change_group(stage.group.id, {"quorum": {"invite_substitutes": True, **quorum}}, by=HELPDESK)
