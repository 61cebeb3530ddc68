"""One step at the provider: the part of `conferencing` that talks over the network, with no transaction open."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import structlog

from conference_orchestrator.flows.hosting import provider_named
from conference_orchestrator.kernel.transaction import is_open
from conference_orchestrator.providers.base import (
    ConferenceProvider,
    Meeting,
    MeetingChanges,
    MeetingRef,
    MeetingSpec,
)
from conference_orchestrator.providers.errors import NotFound, ProviderError

log = structlog.get_logger()

SETTLING = [timedelta(seconds=s) for s in (5, 30, 120)]
"""After a create without an answer it is looked for at once, and again after each of these: lists lag behind."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """What is to be done at the provider now, as plain values: `do` is create, look, update or cancel.

    The window and the host of a look are those of the attempt: the conference may have been moved since.
    """

    do: str
    conference_id: UUID
    worker: str
    provider: str
    spec: MeetingSpec
    ref: MeetingRef | None
    attempted_at: datetime | None
    look_from: datetime
    look_until: datetime
    look_host: str | None


@dataclass(frozen=True)
class Outcome:
    """What came of it: the meeting that stands (None: none does), how many of ours were found, or the error."""

    meeting: Meeting | None = None
    found: int = 0
    error: ProviderError | None = None


def act(step: Step) -> Outcome:
    """Do the step. A ProviderError is an outcome; RuntimeError while a transaction is open."""
    if is_open():
        raise RuntimeError("nothing is called over the network while a transaction is open")
    provider = provider_named()(step.provider)
    # Where a meeting is no more than an address made from the key, there is nothing to look for or to change.
    again = step.do in {"look", "update"} and not provider.capabilities().keeps_meetings
    try:
        match step.do:
            case _ if step.do == "create" or again:
                return Outcome(provider.create(step.spec))
            case "update" if step.ref is not None:
                return Outcome(provider.update(step.ref, _changes(step.spec)))
            case "cancel" if step.ref is not None:
                provider.cancel(step.ref)
                return Outcome()
        return _look(provider, step)
    except ProviderError as error:
        log.warning("provider call failed", conference=str(step.conference_id), step=step.do, error=str(error))
        return Outcome(error=error)


def _changes(spec: MeetingSpec) -> MeetingChanges:
    return MeetingChanges(title=spec.title, starts_at=spec.starts_at, ends_at=spec.ends_at, time_zone=spec.time_zone)


def _look(provider: ConferenceProvider, step: Step) -> Outcome:
    """The meeting that carries our key. Of several the one that we know stays, else the one with the smallest id."""
    listed = provider.find(step.spec.key, step.look_host, step.look_from, step.look_until)
    found = {meeting.ref.id: meeting for meeting in listed}
    if step.ref is not None and step.ref.id not in found:
        with suppress(NotFound):  # a list may lag behind, and the meeting may have been moved out of the window
            found[step.ref.id] = provider.get(step.ref)
    if not found:
        return Outcome()
    kept = step.ref.id if step.ref is not None and step.ref.id in found else min(found)
    for surplus in found.keys() - {kept}:
        provider.cancel(found[surplus].ref)
    return Outcome(found[kept], len(found))
