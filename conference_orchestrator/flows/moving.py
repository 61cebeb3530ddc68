"""Another provider on a person's word: the same conference, the same invitations, a new link for everyone.

What stands at the old provider is taken away there as soon as it answers (see `clearing`); nobody waits for that.
"""

from __future__ import annotations

from uuid import UUID

from conference_orchestrator.flows import circuits, conferencing, hosting
from conference_orchestrator.flows.clearing import Leftover, clear_away_later
from conference_orchestrator.flows.conferencing import ConferenceView
from conference_orchestrator.flows.hosting import ensure_later, provider_named
from conference_orchestrator.kernel.errors import Invalid, RuleBroken
from conference_orchestrator.kernel.outbox import Task
from conference_orchestrator.kernel.principal import Principal
from conference_orchestrator.kernel.transaction import transaction
from conference_orchestrator.scheduling import conferences
from conference_orchestrator.scheduling.conferences import Conference, State
from conference_orchestrator.settings import SettingsError


def move_to_provider(
    conference_id: UUID, provider: str, *, by: Principal, expected: int | None = None
) -> ConferenceView:
    """Hold the conference at another provider. Everyone gets the new link as an update of the invitation they hold.

    Invalid for a provider that is not set up, RuleBroken for the one that it is at, NoHostFree when that one's host
    accounts are busy then.
    """
    _must_be_set_up(provider)
    with transaction() as tx:
        moving = conferences.get(conference_id, visible_to=by, lock=True)
        moving.must_match(expected)
        if moving.provider == provider:
            raise RuleBroken(f"The conference is held at {provider} already; to try again there is /retry.")
        if not moving.is_wanted or moving.ends_at <= tx.now or moving.state == State.HELD:
            raise RuleBroken("The conference is over or cancelled.", state=moving.state)
        if (left := _left_behind(moving)) is not None:
            tx.after(left)
        # Before the host accounts are locked, as `ensure` does it.
        circuits.reopen(provider)
        hosting.release_host(tx, moving)
        moving.start_over(provider)
        if not hosting.reserve_host(moving):
            raise hosting.no_host_free(moving)
        tx.record(f"conference.move-to.{provider}", moving, by=by)
        tx.after(ensure_later(moving.id))
    return conferencing.conference(conference_id, by=by)


def _left_behind(moving: Conference) -> Task | None:
    """What has to be cleared away at the provider that the conference leaves, if anything can be there."""
    if moving.meeting_id is None and moving.attempted_at is None:
        return None
    left = Leftover(
        provider=moving.provider,
        key=moving.key,
        meeting_id=moving.meeting_id,
        host=moving.present_host if moving.meeting_id else moving.attempted_host,
        starts_at=moving.attempted_start or moving.present_start or moving.starts_at,
        ends_at=moving.attempted_end or moving.present_end or moving.ends_at,
        in_doubt=moving.attempted_at is not None,
    )
    return clear_away_later(left)


def _must_be_set_up(provider: str) -> None:
    try:
        provider_named()(provider)
    except SettingsError as error:
        raise Invalid({"provider": str(error)}) from error
