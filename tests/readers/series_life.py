"""A round whose members hold it in three ways, lived through once: what each calendar shows after each step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

from sqlalchemy import select

from conference_orchestrator.flows import arranging, calendars, delivering, directory, rounds
from conference_orchestrator.kernel.database import db
from conference_orchestrator.network.expert_groups import CalendarStyle
from conference_orchestrator.scheduling.conferences import Conference
from conference_orchestrator.scheduling.series import Series
from conference_orchestrator.scheduling.sessions import Session, State
from tests.house import HELPDESK
from tests.readers.client import Client
from tests.readers.life_cycle import LifeCycle, beginning, house_at
from tests.readers.reading import Instants, calendar_of

# Sessions are made so far ahead of the beginning; a series without an end goes on.
UNTIL = datetime(2027, 4, 7, tzinfo=UTC)
STYLES = {
    "anna": CalendarStyle.SESSIONS,
    "emil": CalendarStyle.SERIES,
    "carla": CalendarStyle.WHOLE_SERIES,
}
OCTOBER_20, OCTOBER_27, NOVEMBER_10, MARCH_23, MARCH_30 = 1, 2, 4, 23, 24


@dataclass(frozen=True)
class Look:
    """What somebody's calendar holds after a step, and the sessions, before UNTIL, that it has to show."""

    step: str
    name: str
    calendar: bytes
    meant: Instants


@dataclass
class Calendars:
    """The life, the calendar programs of its members, every look at them, and each object sent, with its person."""

    life: LifeCycle
    clients: dict[str, Client] = field(default_factory=lambda: {name: Client() for name in STYLES})
    looks: list[Look] = field(default_factory=list)
    sent: list[tuple[str, bytes]] = field(default_factory=list)
    taken: set[UUID] = field(default_factory=set)

    @property
    def series_id(self) -> UUID:
        return db.session.scalars(select(Series.id).where(Series.group_id == self.life.group.id)).one()

    def look(self, step: str, *gone: str) -> None:
        """Hand out the mails of the step, and look at each calendar; who is `gone` has to see nothing."""
        self.life.end(step)
        for message in sorted(self.life.house.messages(), key=lambda message: (message.chain or "", message.number)):
            name = message.name.split()[0].lower()
            if message.id not in self.taken and name in self.clients:
                self.taken.add(message.id)
                self.sent.append((name, calendar_of(delivering.mail(message))))
                self.clients[name].take(self.sent[-1][1])
        for name, client in self.clients.items():
            meant = () if name in gone else tuple(sorted(_sessions(self.life, STYLES[name])))
            self.looks.append(Look(step, name, client.shown(), meant))


def _sessions(life: LifeCycle, style: CalendarStyle) -> Iterator[tuple[datetime, datetime]]:
    """As the database has them: by themselves only those with a meeting."""
    db.session.rollback()
    planned = select(Session.starts_at, Session.ends_at).where(
        Session.group_id == life.group.id, Session.state == State.PLANNED, Session.starts_at < UNTIL
    )
    if style == CalendarStyle.SESSIONS:
        planned = planned.join(Conference, Conference.session_id == Session.id).where(Conference.join_url.is_not(None))
    yield from ((start, end) for start, end in db.session.execute(planned))


def lived_in_series(address: str) -> Calendars:
    """Live through it on the empty database at the address."""
    with house_at(address) as house:
        life = beginning(house)
        directory.add_member(life.group.id, life.people["carla"].id, role="expert", by=HELPDESK)
        for name, style in STYLES.items():
            calendars.choose(life.group.id, life.people[name].id, style, by=HELPDESK)
        found = Calendars(life)
        found.look("invited")
        _dates(found)
        _rules(found)
    return found


def _dates(found: Calendars) -> None:
    life = found.life
    for number in (OCTOBER_20, OCTOBER_27, MARCH_23, MARCH_30):
        life.case("ines", number)
    found.look("links")
    rounds.move(life.session(OCTOBER_20), datetime(2026, 10, 26, 10, 0, tzinfo=UTC), by=HELPDESK)
    found.look("moved")
    rounds.cancel(life.session(NOVEMBER_10), "The group meets at a congress.", by=HELPDESK)
    found.look("cancelled")
    rounds.cancel(life.session(MARCH_30), "The group meets at a congress.", by=HELPDESK)
    found.look("cancelled with a case")
    pause = {"on": date(2026, 12, 22), "kind": "pause", "until_on": date(2027, 1, 5)}
    arranging.add_exception(found.series_id, pause, by=HELPDESK)
    found.look("paused")
    arranging.remove_exception(found.series_id, date(2026, 12, 22), by=HELPDESK)
    found.look("taken up again")


def _rules(found: Calendars) -> None:
    life = found.life
    arranging.change_series(found.series_id, {"from_on": date(2027, 2, 2), "start_time": time(15)}, by=HELPDESK)
    found.look("another hour from February on")
    life.house.clock.move_on(timedelta(hours=1))  # what was sent a moment ago is not sent again
    calendars.repair(life.people["emil"].id, by=HELPDESK)
    found.look("repaired")
    calendars.choose(life.group.id, life.people["carla"].id, CalendarStyle.SERIES, by=HELPDESK)
    found.look("changed date by date from now on")
    directory.remove_member(life.group.id, life.people["emil"].id, by=HELPDESK)
    found.look("removed", "emil")
