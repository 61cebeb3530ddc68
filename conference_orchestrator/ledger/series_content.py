"""What a series says as one calendar object, and what of a change people have to be told. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, NamedTuple, Self
from uuid import UUID

from conference_orchestrator.kernel import times
from conference_orchestrator.kernel.times import rfc3339
from conference_orchestrator.scheduling import recurrence

# More changes than these are told by the whole series in one mail.
MOST_SINGLE = 5


class Single(NamedTuple):
    """A session that is not as the rule says, or whose link is known; each may get a link of the own instead."""

    starts_at: datetime
    ends_at: datetime
    join_url: str | None = None
    session_id: UUID | None = None
    is_personal: bool = False


@dataclass(frozen=True, kw_only=True)
class SeriesContent:
    """What the object says: a rule from its first session on, the starts left out, and the sessions that differ.

    The keys of `changed` and the members of `left_out` are starts that the rule gives. `until`: the start of the last.
    `timed` keeps the SEQUENCE with which each date, or None for all of them, got its present time: an answer to an
    earlier one was to another time.
    """

    rule: str
    time_zone: str
    starts_at: datetime
    ends_at: datetime
    until: datetime | None
    group_name: str
    left_out: frozenset[datetime] = frozenset()
    changed: Mapping[datetime, Single] = field(default_factory=dict)
    timed: Mapping[datetime | None, int] = field(default_factory=dict)

    @property
    def ruling(self) -> tuple[str, str, datetime, datetime]:
        """What makes every session of it."""
        return self.rule, self.time_zone, self.starts_at, self.ends_at

    def dates(self, *, from_on: date, until_on: date = date.max) -> Iterator[date]:
        """The dates that the rule gives from one date to another on the wall of its zone, both included, in order."""
        start = times.wall(self.starts_at, self.time_zone).date()
        last = times.wall(self.until, self.time_zone).date() if self.until else date.max
        rule = recurrence.parse(self.rule)
        return recurrence.dates(rule, starts_on=start, from_on=max(start, from_on), until_on=min(last, until_on))

    def covers(self, on: date) -> bool:
        """Whether the rule gives that date."""
        return any(True for _ in self.dates(from_on=on, until_on=on))

    def is_over(self, now: datetime) -> bool:
        """Whether its last session has begun."""
        return self.until is not None and self.until <= now

    def start_on(self, on: date) -> datetime:
        """The start that the rule gives on a date."""
        at = times.wall(self.starts_at, self.time_zone).time()
        return times.instant(datetime.combine(on, at), self.time_zone)

    def on(self, on: datetime) -> Single:
        """The session that the rule gives at that start, as it is."""
        return self.changed.get(on) or Single(on, on + (self.ends_at - self.starts_at))

    def is_moved(self, on: datetime) -> bool:
        """Whether that session is held at another time than the rule gives."""
        return self.on(on)[:2] != (on, on + (self.ends_at - self.starts_at))

    def is_answered_with_all(self, on: datetime, sequence: int | None) -> bool:
        """Whether an answer to the whole, given with that SEQUENCE, was to that session too.

        It is not to one that is moved, nor to one that was moved and has come back since.
        """
        return not self.is_moved(on) and (sequence is None or self.timed.get(on, 0) <= sequence)

    def to_json(self) -> dict[str, Any]:
        """As the database keeps it."""
        return {
            "rule": self.rule,
            "time_zone": self.time_zone,
            "starts_at": rfc3339(self.starts_at),
            "ends_at": rfc3339(self.ends_at),
            "until": rfc3339(self.until) if self.until else None,
            "group_name": self.group_name,
            "left_out": [rfc3339(on) for on in sorted(self.left_out)],
            "changed": {
                rfc3339(on): [
                    rfc3339(one.starts_at),
                    rfc3339(one.ends_at),
                    one.join_url,
                    str(one.session_id) if one.session_id else None,
                    one.is_personal,
                ]
                for on, one in sorted(self.changed.items())
            },
            "timed": {rfc3339(on) if on else "all": sequence for on, sequence in self.timed.items()},
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Self:
        """What `to_json` wrote."""
        at = datetime.fromisoformat
        return cls(
            rule=kept["rule"],
            time_zone=kept["time_zone"],
            starts_at=at(kept["starts_at"]),
            ends_at=at(kept["ends_at"]),
            until=at(kept["until"]) if kept["until"] else None,
            group_name=kept["group_name"],
            left_out=frozenset(at(on) for on in kept["left_out"]),
            changed={
                at(on): Single(at(starts_at), at(ends_at), url, UUID(session_id) if session_id else None, is_personal)
                for on, (starts_at, ends_at, url, session_id, is_personal) in kept["changed"].items()
            },
            timed={None if on == "all" else at(on): sequence for on, sequence in kept["timed"].items()},
        )


@dataclass(frozen=True)
class Change:
    """What became of an object: which dates fell out, are different or came back; whether the whole is to be told."""

    is_whole: bool = False
    gone: tuple[datetime, ...] = ()
    different: tuple[datetime, ...] = ()
    back: tuple[datetime, ...] = ()

    def __bool__(self) -> bool:
        return self.is_whole or bool(self.gone or self.different)


class DateChange(NamedTuple):
    """The session of a date as it was told and as it is; None where there is none."""

    before: Single | None
    after: Single | None


def change(before: SeriesContent, after: SeriesContent, *, now: datetime) -> Change:
    """What people have to be told; nothing about dates that have passed.

    A date that comes back can only be told with the whole series: no single object takes an EXDATE away.
    """
    ahead = {on for on in before.left_out ^ after.left_out if on > now}
    gone, back = sorted(ahead & after.left_out), sorted(ahead & before.left_out)
    different = sorted(
        on
        for on in before.changed.keys() | after.changed.keys()
        if before.on(on)[:3] != after.on(on)[:3] and on not in after.left_out and after.on(on).ends_at > now
    )
    is_whole = before.ruling != after.ruling or before.until != after.until or bool(back)
    is_whole = is_whole or len(gone) + len(different) > MOST_SINGLE
    return Change(is_whole, tuple(gone), tuple(different), tuple(back))


def seen_in_whole(
    before: SeriesContent, after: SeriesContent, what: Change
) -> tuple[tuple[str, ...], list[DateChange]]:
    """What a mail about the whole says has changed, in its words, and which dates; none of a rule that is another."""
    if before.ruling != after.ruling:
        return ("dates",), []
    last = min((end for end in (before.until, after.until) if end), default=None)
    dates = sorted(on for on in {*what.gone, *what.different, *what.back} if last is None or on <= last)
    told = [DateChange(*(None if on in one.left_out else one.on(on) for one in (before, after))) for on in dates]
    end = ("end",) if before.until != after.until else ()
    return (*(("dates",) if told or not end else ()), *end), told


def seen(before: SeriesContent, after: SeriesContent, on: datetime) -> tuple[str, ...]:
    """What of that date has changed, in the words of the mails."""
    old, new = before.on(on), after.on(on)
    time = ("time",) if (old.starts_at, old.ends_at) != (new.starts_at, new.ends_at) else ()
    return (*time, *(("link",) if old.join_url != new.join_url else ()))
