"""A running service with people who ask, as a journey plays on it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from conference_orchestrator.providers.sandbox import RunningSandbox
from tests.journeys.mailbox import Mail, Mailbox
from tests.journeys.service import Api, Service, eventually

REQUESTER = "marta.novoa@santa-luzia.example"
SECOND_REQUESTER = "ruta.zukauskiene@azuolas.example"
COMPLETE = {"pathology-report": True, "mri-acquired-on": "2026-11-02", "mri-image-count": 312}


@dataclass
class Stage:
    service: Service
    mailbox: Mailbox
    sandbox: RunningSandbox
    provider: str
    helpdesk: Api
    anonymous: Api

    def meetings(self) -> list[dict[str, Any]]:
        return self.sandbox.meetings()

    def clinician(self, email: str) -> str:
        return str(self.helpdesk.get("/clinicians", params={"q": email})["items"][0]["id"])

    def coming(self, group: str) -> list[dict[str, Any]]:
        return list(self.helpdesk.get("/sessions", params={"group": group})["items"])

    def members(self, group: str) -> set[str]:
        group_id = self.group(group)["id"]
        found = self.helpdesk.get(f"/expert-groups/{group_id}/members")["items"]
        people = [self.helpdesk.get(f"/clinicians/{member['clinician']}") for member in found]
        return {person["email"] for person in people}

    def group(self, code: str) -> dict[str, Any]:
        return next(one for one in self.helpdesk.get("/expert-groups")["items"] if one["code"] == code)

    def accepted_case(self, reference: str, requester: str, **more: Any) -> dict[str, Any]:
        """A complete request that the group has accepted."""
        request = self.helpdesk.post("/consultation-requests", case(reference, self.clinician(requester), **more))
        assert (request["state"], request["missing"]) == ("submitted", [])
        return dict(self.helpdesk.post(f"/consultation-requests/{request['id']}/triage", {"decision": "accept"}))

    def allocated(self, request: dict[str, Any], **body: Any) -> dict[str, Any]:
        return dict(self.helpdesk.post(f"/consultation-requests/{request['id']}/allocation", body))

    def settled(self, conference_id: str) -> None:
        """Everything about the conference has been done and sent."""
        conference = lambda: self.helpdesk.get(f"/conferences/{conference_id}")  # noqa: E731
        eventually(lambda: conference()["state"] in {"ready", "cancelled"}, f"conference {conference()}")

    def await_invitations(self, kind: str, people: set[str]) -> dict[str, Mail]:
        """The one mail of the kind that each of these people gets (the latest)."""
        for person in people:
            self.mailbox.await_kind(kind, to=person)
        return {person: self.mailbox.of(kind, to=person)[-1] for person in people}


def case(reference: str, requester: str, **more: Any) -> dict[str, Any]:
    return {
        "group": "brain-tumour",
        "case_reference": reference,
        "question": "Is a second resection possible?",
        "urgency": "routine",
        "consent_confirmed": True,
        "checklist": COMPLETE,
        "imaging": [{"modality": "MR", "acquired_on": "2026-11-02", "image_count": 312}],
        "requester": requester,
    } | more


def instant(text: str) -> datetime:
    assert text.endswith("Z")
    return datetime.fromisoformat(text).astimezone(UTC)


@pytest.fixture(params=["mock", "webex"])
def stage(
    request: pytest.FixtureRequest,
    database_url: str,
    mailbox: Mailbox,
    sandbox: RunningSandbox,
    new_service: Callable[[str, str], Service],
) -> Stage:
    service = new_service(database_url, request.param).start()
    return Stage(service, mailbox, sandbox, request.param, service.token("helpdesk"), Api(service.url, None))


def everything(mail: Mail) -> str:
    """All text of a mail, attachments included."""
    parts = [part for part in mail.message.walk() if not part.is_multipart()]
    return "\n".join(part.get_payload(decode=True).decode() for part in parts)  # type: ignore[union-attr]


def csrf_in(page: str) -> str:
    found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)
    assert found, page
    return found[1]
