"""Which flow does which kind of task: the whole of it on one screen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from conference_orchestrator.flows import (
    arranging,
    attending,
    bookkeeping,
    clearing,
    conferencing,
    delivering,
    digesting,
    finding,
    inviting,
    joining,
    offering,
    panels,
    provider_events,
    reading_post,
    reminding,
    rounds,
    series_inviting,
    sweeping,
    watching,
)

WORK: dict[str, Callable[[dict[str, Any]], None]] = {
    # what changes bring about
    "deliver": lambda payload: delivering.deliver([UUID(one) for one in payload["messages"]]),
    "ensure-conference": lambda payload: conferencing.ensure(UUID(payload["conference"])),
    "check-meeting": lambda payload: sweeping.check_meeting(payload["provider"], payload["meeting"]),
    "clear-away": clearing.clear_away,
    "delete-orphan": lambda payload: finding.delete_orphan(UUID(payload["finding"])),
    "issue-invitations": lambda payload: inviting.issue(UUID(payload["conference"])),
    "invite-panellists": lambda payload: attending.invite_panellists(
        UUID(payload["conference"]), attempt=payload["attempt"]
    ),
    "take-attendance": lambda payload: attending.take(UUID(payload["conference"])),
    "issue-series": lambda payload: series_inviting.issue(UUID(payload["series"])),
    "refresh-group": lambda payload: inviting.refresh_group(UUID(payload["group"])),
    "allocate-request": lambda payload: panels.allocate_accepted(UUID(payload["request"])),
    "offer-slots": lambda payload: offering.offer_slots(UUID(payload["group"])),
    "send-instructions": lambda payload: joining.send_instructions(
        UUID(payload["clinician"]), UUID(payload["network"]), cause=payload["cause"]
    ),
    "report-dead-task": lambda payload: digesting.report_dead_task(UUID(payload["task"]), at=payload["at"]),
    # what the timer brings about
    "extend-rounds": lambda _: arranging.extend(),
    "close-past-sessions": lambda _: rounds.close_past(),
    "watch-quorum": lambda _: watching.watch_quorum(),
    "send-reminders": lambda _: reminding.remind(),
    "sweep-conferences": lambda _: conferencing.sweep(),
    "look-at-providers": lambda _: sweeping.look_near(),
    "look-far-ahead": lambda _: sweeping.look_far(),
    "listen-to-providers": lambda _: provider_events.listen(),
    "gather-attendance": lambda _: attending.gather(),
    "read-post": lambda _: reading_post.read_post(),
    "deliver-overdue": lambda _: delivering.deliver_overdue(),
    "expire-offers": lambda _: offering.expire_offers(),
    "escalate-registrations": lambda _: joining.escalate(),
    "send-digest": lambda _: digesting.send(),
    "prune-bookkeeping": lambda _: bookkeeping.prune(),
}
