"""How the pages say what the models know in codes."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from conference_orchestrator.kernel.text import prose
from conference_orchestrator.kernel.times import wall
from conference_orchestrator.ledger.invitations import Answer
from conference_orchestrator.network.notices import Kind as NoticeKind
from conference_orchestrator.notify import composing
from conference_orchestrator.scheduling.conferences import Kind as ConferenceKind
from conference_orchestrator.web.pages.language import speaking, spoken

NOTICE_KINDS = {
    NoticeKind.PRIVACY: "Privacy statement",
    NoticeKind.FACTSHEET: "Factsheet",
    NoticeKind.INSTRUCTIONS: "Instructions",
    NoticeKind.CONSENT_FORM: "Consent form",
    NoticeKind.CASE_SHEET: "Case sheet",
    NoticeKind.GUIDE: "Guide",
}


def conference_kind(kind: ConferenceKind) -> str:
    """What is held, in the language of the page."""
    gettext = speaking()
    return {
        ConferenceKind.SESSION: gettext("Session of an expert group"),
        ConferenceKind.WEBINAR: gettext("Webinar"),
        ConferenceKind.WEB_CONFERENCE: gettext("Web conference"),
    }[kind]


def role(of: str) -> str:
    """What the person does in the meeting, in the language of the page."""
    gettext = speaking()
    return {
        "expert": gettext("Expert of the group"),
        "requester": gettext("You present your own case; the invitation covers its time only"),
        "speaker": gettext("Speaker"),
        "audience": gettext("Participant"),
    }[of]


def answers() -> dict[str, str]:
    """Each answer as it was given, in the language of the page."""
    gettext = speaking()
    return {
        Answer.ACCEPTED: gettext("Accepted"),
        Answer.TENTATIVE: gettext("Tentative"),
        Answer.DECLINED: gettext("Declined"),
    }


def paragraphs(body: str) -> list[str]:
    """The parts of a text that empty lines separate."""
    return [part.strip("\n") for part in re.split(r"\n[ \t]*\n", prose(body)) if part.strip()]


def day(at: datetime) -> str:
    """The day of an instant in UTC: "Tuesday 24 November 2026"."""
    return composing.day(at.astimezone(UTC))


def moment(at: datetime, time_zone: str) -> str:
    """The instant on the wall of a zone, in the language of the page: "Tuesday 24 November 2026, 11:00"."""
    shown = wall(at, time_zone)
    return f"{composing.day(shown, spoken())}, {shown:%H:%M}"
