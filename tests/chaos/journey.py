"""A short life of two meetings at a Webex that renews tokens and sends events, and all that it leaves behind."""

from __future__ import annotations

import email
import email.policy
import json
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from flask import Flask
from sqlalchemy import select

from conference_orchestrator.app import create_app, engine_of
from conference_orchestrator.flows import access, conferencing, host_keys, rounds, sweeping
from conference_orchestrator.jobs.embedded import TaskRow
from conference_orchestrator.kernel.database import Model, db
from conference_orchestrator.providers.sandbox import RunningSandbox
from conference_orchestrator.settings import Settings
from tests.house import HELPDESK, StandingClock
from tests.scene import Scene

CLIENT = "client-of-the-house"
CLIENT_SECRET, WEBHOOK_SECRET = "client-secret-of-the-house", "webhook-secret-of-the-house"
MOVED_TO, LATER = datetime(2026, 11, 26, 9, 0, tzinfo=UTC), datetime(2026, 11, 27, 9, 0, tzinfo=UTC)


class Journey:
    """A house at a Webex that renews tokens and sends events, with a case and a webinar."""

    def __init__(self, folder: Path, database: str, sandbox: RunningSandbox, clock: StandingClock) -> None:
        self.folder, self.sandbox, self.clock = folder, sandbox, clock
        settings = Settings(
            database_url=database,
            secret_key="only-for-tests",
            provider="webex",
            webex_url=sandbox.url,
            webex_client_id=CLIENT,
            webex_client_secret=CLIENT_SECRET,
            webex_refresh_token=sandbox.tokens.issue(CLIENT),
            webex_webhook_secret=WEBHOOK_SECRET,
            mail_from="Helpdesk <helpdesk@network.example>",
        )
        self.app: Flask = create_app(settings, clock=clock, var=folder)
        self.answers: list[str] = []
        self.rows: defaultdict[str, set[str]] = defaultdict(set)
        self.handed_out: list[dict[str, Any]] = []

    def run(self) -> None:
        """Make, lose, move, cancel, refuse and miss meetings, and ask for what callers of the API may see of them."""
        with self.app.app_context():
            scene = Scene(None)  # type: ignore[arg-type]  - it is about what is wanted alone
            group = scene.group("brain", scene.clinician("anna"))
            scene.allocated(scene.clinician("ines"), group)
            webinar = scene.approved()
            self.sandbox.faults.add(method="POST", path="/v1/meetings", fault="apply-then-drop")
            self.work()
            self.handed_out = self.sandbox.meetings()
            self.sandbox.faults.add(method="PATCH", status=500, body=self.echo())
            session = scene.conference(group).session_id
            rounds.move(session, MOVED_TO, by=HELPDESK)
            self.work()
            self.sandbox.tokens.expire()
            host_keys.host_key(webinar, by=HELPDESK)
            self.ask(f"/conferences/{webinar}", role="auditor")
            rounds.cancel(session, "ill", by=HELPDESK)
            self.work()
            self.sandbox.faults.add(method="POST", path="/v1/meetings", status=403, times=None, body=self.echo())
            scene.approved(at=LATER)
            self.work()
            for meeting in self.sandbox.meetings():
                self.sandbox._sandbox.store.delete(meeting["id"], None)
            conferencing.sweep()
            sweeping.look_near()
            self.work()
            self.ask(f"/conferences/{webinar}/retry", role="helpdesk", method="POST")
            self.ask("/conferences", "/deliveries", "/provider-findings", role="helpdesk")

    def echo(self) -> str:
        """An error that repeats the request and the secret that events are signed with."""
        (*_, token) = self.sandbox.tokens._access
        said = [{"description": f"Authorization: Bearer {token}"}, {"description": WEBHOOK_SECRET}]
        return json.dumps({"message": "Something is wrong.", "errors": said})

    def work(self) -> None:
        """Do what is due within an hour."""
        until = self.clock.at + timedelta(hours=1)
        engine = engine_of(self.app)
        while self._note_rows() and (engine.run_due() or self._await_next(until)):
            pass

    def _note_rows(self) -> bool:
        """Keep what the tables hold now; whether there is a task among it."""
        for table in Model.metadata.sorted_tables:
            self.rows[table.name] |= {str(tuple(row)) for row in db.session.execute(select(table))}
        waiting = db.session.scalar(select(TaskRow.id).limit(1)) is not None
        db.session.rollback()
        return waiting

    def _await_next(self, until: datetime) -> bool:
        due_at = db.session.scalar(select(TaskRow.due_at).where(TaskRow.state == "open").order_by(TaskRow.due_at))
        db.session.rollback()
        if due_at is None or due_at > until:
            return False
        self.clock.at = max(self.clock.at, due_at)
        return True

    def ask(self, *paths: str, role: str, method: str = "GET") -> None:
        """Keep what the API answers."""
        _, token = access.create(role=role)
        for path in paths:
            headers = {"Authorization": f"Bearer {token}"}
            answer = self.app.test_client().open(f"/api/v1{path}", method=method, headers=headers, json={})
            self.answers.append(f"{path} {answer.status_code} {answer.text}")

    def everything(self) -> dict[str, str]:
        """All that was ever kept or sent, by where it was."""
        with self.app.app_context():
            self._note_rows()
        mails = [file.read_bytes() for file in (self.folder / "mail" / "new").iterdir()]
        return {
            **{table: "\n".join(rows) for table, rows in self.rows.items()},
            "mails": "\n".join(text for mail in mails for text in texts_of(mail)),
            "answers": "\n".join(self.answers),
        }


def texts_of(mail: bytes) -> list[str]:
    """A mail as it was sent, and each of its texts and calendar objects as it is read, unfolded."""
    message = email.message_from_bytes(mail, policy=email.policy.default)
    parts = [part for part in message.walk() if part.get_content_maintype() == "text"]
    read = [str(part.get_content()).replace("\r\n ", "").replace("\n ", "") for part in parts]
    return [mail.decode(errors="replace"), str(message["Subject"]), *read]
