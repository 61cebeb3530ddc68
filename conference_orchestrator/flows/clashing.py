"""Who is expected at two groups at a time, in words: told with a change of the schedule, never refused."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from uuid import UUID

from conference_orchestrator.network import clinicians
from conference_orchestrator.scheduling import clashes, wording
from conference_orchestrator.scheduling.clashes import Clash
from conference_orchestrator.scheduling.series import Series
from conference_orchestrator.scheduling.sessions import Session


def of_series(of: Series, *, after: datetime) -> list[str]:
    """One sentence for each person and other group, over the sessions of the series that begin after the instant."""
    return _in_words(clashes.of_series(of.id, after=after), of.time_zone)


def of_sessions(found: Collection[Session]) -> list[str]:
    """The same over these sessions of one series."""
    clashing = clashes.of_sessions([session.id for session in found])
    return _in_words(clashing, next(iter(found)).time_zone) if clashing else []


def _in_words(found: Mapping[UUID, Mapping[UUID, Clash]], time_zone: str) -> list[str]:
    dates: dict[tuple[UUID, str], list[datetime]] = {}
    for by_clinician in found.values():
        for clinician_id, clash in by_clinician.items():
            dates.setdefault((clinician_id, clash.group_name), []).append(clash.starts_at)
    people = clinicians.by_ids({clinician_id for clinician_id, _ in dates}) if dates else {}
    return [
        f"{people[clinician_id].name} is expected at {group_name} at the same time: "
        f"{wording.moment(at[0], time_zone)}{_and_more(len(at) - 1)}."
        for (clinician_id, group_name), at in dates.items()
        if clinician_id in people
    ]


def _and_more(count: int) -> str:
    return f" (and {count} more date{'' if count == 1 else 's'})" if count else ""
