"""What providers tell by themselves: checked, taken once, and then only a reason to look."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from uuid import uuid4

import structlog

from conference_orchestrator.flows import circuits
from conference_orchestrator.flows.hosting import provider_named
from conference_orchestrator.flows.sweeping import check_later
from conference_orchestrator.kernel import links, ports
from conference_orchestrator.kernel.database import db, insert_new
from conference_orchestrator.kernel.errors import Invalid, NotFound, NotPermitted
from conference_orchestrator.kernel.transaction import transaction
from conference_orchestrator.providers.errors import BadSignature, ProviderError
from conference_orchestrator.scheduling.provider_states import SeenEvent
from conference_orchestrator.settings import SettingsError

log = structlog.get_logger()

LOOK_FOR = {"created", "changed", "deleted"}
SETTLING = timedelta(seconds=5)
"""So long after an event the look waits: a provider tells of a change before its own answer to us has arrived."""


def receive(name: str, headers: Mapping[str, str], body: bytes) -> None:
    """Take an event of the provider. NotPermitted unless it is signed with our secret, NotFound when none is expected.

    The same event sent again does nothing, and what it says is not believed: it makes us look.
    """
    try:
        provider = provider_named()(name)
    except SettingsError as error:
        raise NotFound("No events are received from such a provider.") from error
    if not provider.capabilities().events:
        raise NotFound("No events are received from this provider.")
    try:
        event = provider.parse_event(headers, body)
    except BadSignature as error:
        raise NotPermitted("The event is not signed with our secret.") from error
    except ProviderError as error:
        raise Invalid({"body": error.message}) from error
    with transaction() as tx:
        row = {"id": uuid4(), "created_at": tx.now, "provider": name, "event_id": event.id}
        new = db.session.execute(insert_new(SeenEvent).values(row).returning(SeenEvent.id)).one_or_none()
        if new is not None and event.meeting_id is not None and event.kind in LOOK_FOR:
            tx.after(check_later(name, event.meeting_id, due_at=tx.now + SETTLING))


def listen() -> None:
    """The timer's work: have the default provider send its events here, as far as it can and is reached."""
    name = ports.settings().provider
    provider = provider_named()(name)
    if not provider.capabilities().events:
        return
    with transaction() as tx:
        if circuits.closed_until(tx, name) is not None:
            return
    error: ProviderError | None = None
    try:
        provider.listen(links.url(f"/hooks/{name}"))
    except ProviderError as failure:
        error = failure
        log.warning("provider sends no events", provider=name, error=str(failure))
    with transaction() as tx:
        circuits.noted(tx, name, error)
