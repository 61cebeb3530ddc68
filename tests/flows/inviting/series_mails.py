"""What tests of series look at: who holds one, what the mails about it hold, and what is answered by the links."""

from __future__ import annotations

import email
import email.policy
import re
from datetime import datetime
from uuid import UUID

from sqlalchemy import select

from conference_orchestrator.flows import answering, calendars, delivering, expecting
from conference_orchestrator.flows.inviting import session_uid
from conference_orchestrator.kernel import links
from conference_orchestrator.kernel.database import db
from conference_orchestrator.ledger.invitations import Answer, Invitation
from conference_orchestrator.ledger.messages import Message
from conference_orchestrator.network.expert_groups import CalendarStyle, ExpertGroup
from conference_orchestrator.scheduling.series import Series
from tests.house import HELPDESK
from tests.mails import Mails
from tests.scene import Scene


def choose(group: ExpertGroup, clinician_id: UUID, style: CalendarStyle) -> None:
    calendars.choose(group.id, clinician_id, style, by=HELPDESK)


def series_of(group: ExpertGroup) -> Series:
    return db.session.scalars(select(Series).where(Series.group_id == group.id)).one()


def to_anna(mails: Mails) -> list[Message]:
    """What went out to her since the last look."""
    return [message for message in mails.new() if message.name.startswith("Anna")]


def instant(told: str | None) -> datetime | None:
    return datetime.fromisoformat(told) if told else None


def dates(told: list[str]) -> list[datetime]:
    return [datetime.fromisoformat(one) for one in told]


def news(message: Message) -> list[tuple[datetime | None, datetime | None]]:
    """When each date that the mail names was held, and when it is."""
    told = message.facts["series"]["news"]
    at = [
        [one[name] and datetime.fromisoformat(one[name]) for name in ("previous_starts_at", "starts_at")]
        for one in told
    ]
    return [(before, after) for before, after in at]


def text(message: Message) -> str:
    return part(message, "text/plain")


def part(message: Message, media_type: str) -> str:
    mail = email.message_from_bytes(delivering.mail(message), policy=email.policy.default)
    (found,) = [one for one in mail.walk() if one.get_content_type() == media_type]
    content: str = found.get_content()
    return content


def ics(message: Message) -> list[str]:
    return part(message, "text/calendar").splitlines()


def events(message: Message) -> dict[str, str]:
    """Each VEVENT of the object, unfolded, by the wall time in its RECURRENCE-ID; that of the master is empty."""
    whole = "\n".join(ics(message)).replace("\n ", "")
    found = re.findall(r"BEGIN:VEVENT\n(.*?)END:VEVENT", whole, re.DOTALL)
    return {one[1] if (one := re.search(r"RECURRENCE-ID.*:(\w+)", event)) else "": event for event in found}


def answers_in(message: Message) -> dict[str, str]:
    """What stands in each VEVENT as the reader's answer."""
    return {on: re.findall(r"PARTSTAT=([\w-]+)", event)[0] for on, event in events(message).items()}


def answer_by_link(subject: UUID, said: Answer) -> None:
    answering.answer(links.token("answer", subject), said)


def link_of(scene: Scene, group: ExpertGroup, clinician_id: UUID, *, session: int = 0) -> UUID:
    """What the link in the mail about that session acts on."""
    uid = session_uid(scene.session(group, session).id)
    found = select(Invitation.id).where(Invitation.uid == uid, Invitation.clinician_id == clinician_id)
    return db.session.scalars(found).one()


def answers(scene: Scene, group: ExpertGroup, person: UUID) -> list[str | None]:
    """What stands for the person at the first sessions."""
    db.session.rollback()
    found = [scene.session(group, number) for number in range(4)]
    expected = expecting.expected_at(found)
    return [next(e.answer for e in expected[of.id] if e.clinician_id == person) for of in found]
