"""The front page and the notices: the networks, their documents, and the coming rounds for who may see them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from flask import render_template

from conference_orchestrator.kernel import ports
from conference_orchestrator.kernel.paging import HIGHEST_LIMIT, Paging
from conference_orchestrator.kernel.principal import Principal
from conference_orchestrator.network import expert_groups, networks, notices
from conference_orchestrator.network.networks import Network
from conference_orchestrator.network.notices import Notice
from conference_orchestrator.notify.composing import Span, span
from conference_orchestrator.scheduling import sessions
from conference_orchestrator.scheduling.sessions import State
from conference_orchestrator.web.pages.blueprint import pages
from conference_orchestrator.web.pages.words import NOTICE_KINDS
from conference_orchestrator.web.policy import allow, principal

# A monthly round has its next session within it.
AHEAD = timedelta(days=36)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A network with the notices of its own that are in force."""

    network: Network
    notices: Sequence[Notice]


@dataclass(frozen=True, kw_only=True)
class Round:
    """The next session of a group, by the clock of its zone."""

    group: str
    when: Span
    free: int
    slots: int


@pages.get("/")
@allow("page.read")
def home() -> str:
    """What this service is, its networks, and how to register."""
    by, now = principal(), ports.clock().now()
    in_force = [notice for notice in notices.valid(at=now) if notice.group_id is None]
    listed = networks.listed(Paging(HIGHEST_LIMIT), visible_to=by).items
    return render_template(
        "home.html",
        networks=[Entry(network=each, notices=_of(each.id, in_force)) for each in listed],
        general=_of(None, in_force),
        kinds=NOTICE_KINDS,
        rounds=coming_rounds(now=now, by=by),
    )


@pages.get("/notices/<uuid:notice_id>")
@allow("notice.read")
def notice(notice_id: UUID) -> str:
    """One notice in its language."""
    found = notices.get(notice_id)
    network = networks.get(found.network_id) if found.network_id else None
    return render_template("notice.html", notice=found, network=network, kind=NOTICE_KINDS[notices.Kind(found.kind)])


def coming_rounds(*, now: datetime, by: Principal) -> list[Round]:
    """The next session of each group within the asker's scope. The policy shows rounds to nobody without a role."""
    names = {group.id: group.name for group in expert_groups.listed(Paging(HIGHEST_LIMIT), visible_to=by).items}
    if not names:
        return []
    found = sessions.listed(
        Paging(HIGHEST_LIMIT),
        group_ids=expert_groups.ids(visible_to=by),
        now=now,
        from_at=now,
        until_at=now + AHEAD,
    )
    coming: dict[UUID, Round] = {}
    for session in found.items:
        if session.state == State.PLANNED and session.group_id not in coming:
            coming[session.group_id] = Round(
                group=names[session.group_id],
                when=span(session.starts_at, session.ends_at, session.time_zone),
                free=sum(slot.allocation is None for slot in session.slots),
                slots=len(session.slots),
            )
    return list(coming.values())


def _of(network_id: UUID | None, in_force: Sequence[Notice]) -> list[Notice]:
    return [each for each in in_force if each.network_id == network_id]
