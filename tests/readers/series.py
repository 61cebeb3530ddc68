"""Series drawn with a fixed seed: zone, rule, hour, what is left out and what is moved; and the instants meant."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from conference_orchestrator.kernel.times import wall
from conference_orchestrator.notify.kinds import Invitation, SeriesFacts, SessionOfSeries
from conference_orchestrator.scheduling import recurrence

ZONES = (
    "Europe/Berlin",
    "Europe/Lisbon",
    "Europe/London",
    "Europe/Dublin",
    "Europe/Helsinki",
    "Europe/Athens",
    "Europe/Istanbul",
    "Atlantic/Azores",
    "Atlantic/Canary",
    "Atlantic/Reykjavik",
    "America/New_York",
    "Australia/Sydney",
    "Asia/Kolkata",
    "UTC",
)
RULES = (
    "FREQ=WEEKLY;BYDAY=TU",
    "FREQ=WEEKLY;BYDAY=SU",
    "FREQ=WEEKLY;BYDAY=SA,SU",
    "FREQ=WEEKLY;BYDAY=MO,WE,FR",
    "FREQ=WEEKLY;INTERVAL=2;BYDAY=TH",
    "FREQ=WEEKLY;INTERVAL=3;BYDAY=SU,MO",
    "FREQ=MONTHLY;BYDAY=-1SU",
    "FREQ=MONTHLY;BYDAY=2TU",
    "FREQ=MONTHLY;BYDAY=1WE,3WE",
    "FREQ=MONTHLY;INTERVAL=2;BYDAY=-1FR",
    "FREQ=MONTHLY;BYDAY=5TH",
)
# Nobody looks farther than this at a series without an end.
LOOKED_AT = datetime(2027, 7, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Drawn:
    """A series and the instants, before LOOKED_AT, that everybody has to find in its calendar."""

    facts: Invitation
    series: SeriesFacts
    meant: tuple[tuple[datetime, datetime], ...]

    def __str__(self) -> str:
        shown = wall(self.series.starts_at, self.series.time_zone)
        return f"{self.series.rule} at {shown:%H:%M} in {self.series.time_zone}, without {len(self.series.left_out)}"


def drawn(number: int) -> Iterator[Drawn]:
    """So many series; each zone with each rule comes in turn, the rest is drawn."""
    luck = random.Random("series")
    pairs = [(zone, rule) for zone in ZONES for rule in RULES]
    while number:
        luck.shuffle(pairs)
        for zone, rule in pairs[:number]:
            found = _one(luck, zone, rule)
            while found is None:
                found = _one(luck, zone, rule)
            number -= 1
            yield found


def _one(luck: random.Random, zone: str, rule: str) -> Drawn | None:
    """None for what readers do not agree upon."""
    at = time(luck.choice([0, 1, 2, 3, *range(24)]), luck.choice([0, 0, 30]))
    starts_on = date(2026, 9, 1) + timedelta(days=luck.randrange(48))
    occurrences = recurrence.occurrences(
        recurrence.parse(rule),
        starts_on=starts_on,
        start_time=at,
        time_zone=zone,
        from_on=starts_on,
        until_on=date(2027, 7, 4),
    )
    starts = [one.starts_at for one in occurrences]
    has_end, length = luck.random() < 0.7, timedelta(minutes=luck.choice([20, 40, 60, 90]))
    left_out = sorted(luck.sample(starts, luck.randrange(min(4, len(starts)))))
    kept = [start for start in starts if start not in left_out]
    changed = tuple(_changed(luck, on, length) for on in sorted(luck.sample(kept, luck.randrange(min(5, len(kept))))))
    if _is_read_differently(rule, at) or any(
        _meets_a_change(start, zone) for start in (*starts, *(one.starts_at for one in changed))
    ):
        return None
    series = SeriesFacts(
        rule=rule,
        time_zone=zone,
        starts_at=starts[0],
        ends_at=starts[0] + length,
        until=starts[-1] if has_end else None,
        left_out=tuple(left_out),
        changed=changed,
    )
    elsewhere = {one.on: (one.starts_at, one.ends_at) for one in changed}
    meant = sorted(elsewhere.get(start, (start, start + length)) for start in kept)
    return Drawn(facts_of(series), series, tuple(one for one in meant if one[0] < LOOKED_AT))


def _meets_a_change(start: datetime, zone: str) -> bool:
    """Whether the clocks change around the session.

    In the skipped hour a series is refused, the repeated hour is the first pass to some readers and the second to
    others, and some take the length of a session for one on the wall.
    """
    before, after = (start + timedelta(hours=hours) for hours in (-2, 4))
    return before.astimezone(ZoneInfo(zone)).utcoffset() != after.astimezone(ZoneInfo(zone)).utcoffset()


def _is_read_differently(rule: str, at: time) -> bool:
    """libical 3.0 takes a fifth weekday for one an hour later, after a March without one, at the hour skipped then."""
    return "BYDAY=5" in rule and at.hour in {1, 2, 3}


def _changed(luck: random.Random, on: datetime, length: timedelta) -> SessionOfSeries:
    """Moved by minutes or days, made longer, or as it was but with its link."""
    by = luck.choice([timedelta(), timedelta(minutes=30), timedelta(hours=-3), timedelta(days=1), timedelta(days=-2)])
    longer = luck.choice([timedelta(), timedelta(minutes=20)])
    link = f"https://meet.example/{on:%Y%m%d}?a=1,2;b"
    return SessionOfSeries(on=on, starts_at=on + by, ends_at=on + by + length + longer, join_url=link)


def round_of_tuesdays() -> SeriesFacts:
    """At 11.00 in Berlin over both clock changes; one session is left out, one is moved by a day and two hours."""
    moved_to = datetime(2027, 3, 24, 12, 0, tzinfo=UTC)
    moved = SessionOfSeries(
        on=datetime(2027, 3, 23, 10, 0, tzinfo=UTC),
        starts_at=moved_to,
        ends_at=moved_to + timedelta(minutes=40),
        join_url="https://meet.example/8817",
    )
    return SeriesFacts(
        rule="FREQ=WEEKLY;BYDAY=TU",
        time_zone="Europe/Berlin",
        starts_at=datetime(2026, 10, 13, 9, 0, tzinfo=UTC),
        ends_at=datetime(2026, 10, 13, 9, 40, tzinfo=UTC),
        until=datetime(2027, 4, 6, 9, 0, tzinfo=UTC),
        left_out=(datetime(2026, 11, 3, 10, 0, tzinfo=UTC),),
        changed=(moved,),
    )


def facts_of(series: SeriesFacts) -> Invitation:
    """The invitation to the series as one object."""
    return Invitation(
        uid="series-1",
        sequence=3,
        dtstamp=datetime(2026, 9, 1, 8, 0, tzinfo=UTC),
        starts_at=series.starts_at,
        ends_at=series.ends_at,
        time_zone=series.time_zone,
        role="expert",
        group_name="Brain Tumour",
        organizer_name="Panel Helpdesk",
        organizer_address="calendar@network.example",
        series=series,
    )
