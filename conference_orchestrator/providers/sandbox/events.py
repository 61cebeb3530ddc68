"""Events that Webex tells by itself: webhooks, signed messages, and the thread that sends them to the loopback."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import json
import secrets
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from threading import Condition, Thread
from typing import Any
from urllib.parse import urlsplit

import requests

from conference_orchestrator.providers.sandbox.faults import Faults
from conference_orchestrator.providers.sandbox.meetings import Refused

HAPPENINGS: Mapping[str, tuple[str, ...]] = {
    "meetings": ("created", "updated", "deleted", "started", "ended"),
    "meetingParticipants": ("joined", "left"),
}
TIMEOUTS = (5, 10)
"""Seconds to connect and to wait for an answer."""


@dataclass(frozen=True, kw_only=True)
class Webhook:
    """Where a client wants to hear of one kind of event; the secret signs what is sent there."""

    id: str
    client: str
    name: str
    target_url: str
    resource: str
    event: str
    secret: str | None
    created: str
    status: str = "active"

    def shown(self) -> dict[str, Any]:
        """The webhook in an answer, and around the data of an event."""
        return {
            "id": self.id,
            "name": self.name,
            "targetUrl": self.target_url,
            "resource": self.resource,
            "event": self.event,
            **({"secret": self.secret} if self.secret else {}),
            "status": self.status,
            "created": self.created,
            "ownedBy": "creator",
        }

    def changed(self, body: Mapping[str, Any]) -> Webhook:
        """The webhook after a PUT, which must name it and its address. Refused with 400 for what Webex would refuse."""
        if body.get("status", "active") not in {"active", "inactive"}:
            raise Refused(400, "The status of a webhook is active or inactive.")
        return replace(
            self,
            name=_text(body, "name"),
            target_url=_loopback_address(body),
            secret=_secret(body) or self.secret,
            status=body.get("status", self.status),
        )


@dataclass(frozen=True)
class Message:
    """One event on its way to one webhook, or sent: then with the status of the answer, None where there was none."""

    url: str
    body: bytes
    headers: Mapping[str, str]
    status: int | None = None

    @property
    def json(self) -> dict[str, Any]:
        """The body that is or was sent."""
        read: dict[str, Any] = json.loads(self.body)
        return read


def new_webhook(body: Mapping[str, Any], *, client: str, now: datetime) -> Webhook:
    """A webhook as asked for in a POST. Refused with 400 when Webex, or the sandbox for its own safety, refuses it."""
    resource, event = _text(body, "resource"), _text(body, "event")
    if event not in HAPPENINGS.get(resource, ()):
        raise Refused(400, f"There are no events {resource} {event}.")
    return Webhook(
        id=secrets.token_hex(16),
        client=client,
        name=_text(body, "name"),
        target_url=_loopback_address(body),
        resource=resource,
        event=event,
        secret=_secret(body),
        created=now.replace(microsecond=0).isoformat().replace("+00:00", "Z"),
    )


class Events:
    """The webhooks, in memory, and the messages that are due. One thread sends, in order, and tries each once.

    Safe for threads. `sent` are the messages that were sent, as they ended.
    """

    def __init__(self, faults: Faults) -> None:
        self.sent: list[Message] = []
        self._faults = faults
        self._changed = Condition()
        self._webhooks: dict[str, Webhook] = {}
        self._due: deque[Message] = deque()
        self._held_back: list[Message] = []
        self._sending = 0
        self._closed = False
        self._thread: Thread | None = None

    def add(self, webhook: Webhook) -> None:
        """Keep a new webhook, or a changed one in its place."""
        with self._changed:
            self._webhooks[webhook.id] = webhook

    def remove(self, webhook: Webhook) -> None:
        """Forget the webhook."""
        with self._changed:
            self._webhooks.pop(webhook.id, None)

    def webhooks(self, client: str) -> list[Webhook]:
        """The webhooks of the client, the oldest first."""
        with self._changed:
            return [webhook for webhook in self._webhooks.values() if webhook.client == client]

    def get(self, webhook_id: str, client: str) -> Webhook:
        """The webhook of that client. Refused with 404 when there is none."""
        for webhook in self.webhooks(client):
            if webhook.id == webhook_id:
                return webhook
        raise Refused(404, "The requested resource could not be found.")

    def tell(self, resource: str, happened: str, data: Mapping[str, Any]) -> None:
        """Let the webhooks know that something happened, as the faults have it; returns at once."""
        with self._changed:
            for webhook in self._webhooks.values():
                if (webhook.resource, webhook.event, webhook.status) == (resource, happened, "active"):
                    self._hand_over(_message(webhook, data), resource, happened)
            if self._due and not self._thread:
                self._thread = Thread(target=self._send_what_is_due, daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def wait(self, seconds: float) -> bool:
        """Wait until all messages due were sent, at most so long; whether they were. One held back is not due."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._due and not self._sending, seconds)

    def close(self) -> None:
        """Send no more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _hand_over(self, message: Message, resource: str, happened: str) -> None:
        fault = self._faults.take_for_event(resource, happened)
        wrong = fault.event if fault else None
        if wrong == "drop":
            return
        if wrong == "hold-back":
            self._held_back.append(message)
            return
        self._due.extend([message] * (2 if wrong == "duplicate" else 1))
        self._due.extend(self._held_back)
        self._held_back.clear()

    def _send_what_is_due(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._due or self._closed)
                if self._closed:
                    return
                message = self._due.popleft()
                self._sending += 1
            sent = replace(message, status=_post(message))
            with self._changed:
                self.sent.append(sent)
                self._sending -= 1
                self._changed.notify_all()


def _message(webhook: Webhook, data: Mapping[str, Any]) -> Message:
    shown = {name: value for name, value in webhook.shown().items() if name != "secret"}
    body = json.dumps({**shown, "data": data}).encode()
    headers = {"Content-Type": "application/json"}
    if webhook.secret:
        # The algorithm is Webex's, not ours.
        headers["X-Spark-Signature"] = hmac.new(webhook.secret.encode(), body, hashlib.sha1).hexdigest()
    return Message(webhook.target_url, body, headers)


def _post(message: Message) -> int | None:
    with requests.Session() as session:
        # No proxy and no redirect: nothing may lead out of the loopback.
        session.trust_env = False
        try:
            answer = session.post(
                message.url, data=message.body, headers=message.headers, timeout=TIMEOUTS, allow_redirects=False
            )
        except requests.RequestException:
            return None
        return answer.status_code


def _text(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise Refused(400, f"{name} is required and must be a text.")
    return value


def _secret(body: Mapping[str, Any]) -> str | None:
    return _text(body, "secret") if body.get("secret") else None


def _loopback_address(body: Mapping[str, Any]) -> str:
    url = _text(body, "targetUrl")
    try:
        parts = urlsplit(url)
        here = parts.hostname == "localhost" or ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        here = False
    if not here or parts.scheme not in {"http", "https"}:
        raise Refused(400, "This sandbox sends events to the loopback interface only.", "targetUrl is elsewhere.")
    return url
