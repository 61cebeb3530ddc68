"""The host key of a meeting: kept sealed, told to who hosts it, around its time, and to nobody else."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import timedelta
from uuid import UUID

from conference_orchestrator.kernel import ports
from conference_orchestrator.kernel.errors import NotFound, RuleBroken
from conference_orchestrator.kernel.principal import Principal, Role
from conference_orchestrator.kernel.sealing import seal, unseal
from conference_orchestrator.kernel.transaction import transaction
from conference_orchestrator.providers.base import Secrets
from conference_orchestrator.scheduling import conferences

PURPOSE = "meeting-secrets"
BEFORE = timedelta(hours=1)


@dataclass(frozen=True, repr=False)
class HostKey:
    """What makes somebody host of the meeting at the provider."""

    host: str | None
    host_key: str

    def __repr__(self) -> str:
        return "HostKey(********)"


def sealed(secrets: Secrets) -> str | None:
    """A meeting's secrets as the conference keeps them; None when there are none."""
    given = {name: value for name, value in asdict(secrets).items() if value}
    return seal(PURPOSE, json.dumps(given)) if given else None


def host_key(conference_id: UUID, *, by: Principal) -> HostKey:
    """The host key, for the helpdesk at any time, for the group's coordinator from an hour before until the end.

    NotFound when the provider gave none, RuleBroken when it is not the time.
    """
    found = conferences.get(conference_id, visible_to=by)
    now = ports.clock().now()
    if by.role != Role.HELPDESK and not found.starts_at - BEFORE <= now < found.ends_at:
        raise RuleBroken("The host key is told from an hour before the start until the end.")
    opened = unseal(PURPOSE, found.secrets) if found.secrets else None
    key = json.loads(opened).get("host_key") if opened else None
    if not key or not found.is_wanted:
        raise NotFound("There is no host key for this conference.")
    with transaction() as tx:
        tx.record("conference.host-key", found, by=by)
    return HostKey(found.present_host, key)
