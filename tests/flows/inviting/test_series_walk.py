"""Random walks over everything that can happen to a round: what a calendar program shows is what the round is.

The program is a model that shares no code with ours: it keeps what the mails said, in the order of their sending, and
expands the rule by dateutil.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from dateutil.rrule import rrulestr
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from sqlalchemy import select

from conference_orchestrator.flows import arranging, calendars, panels, rounds
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.errors import Conflict, Invalid
from conference_orchestrator.ledger import series_content
from conference_orchestrator.ledger.messages import Message
from conference_orchestrator.network.expert_groups import CalendarStyle
from conference_orchestrator.scheduling.conferences import Conference
from conference_orchestrator.scheduling.series import HORIZON, Series
from conference_orchestrator.scheduling.sessions import Session, State
from tests.faulty_provider import FaultyProvider
from tests.house import HELPDESK, House
from tests.mails import WORK
from tests.scene import Scene, settle

BERLIN = ZoneInfo("Europe/Berlin")
WALKS = itertools.count()
Shown = tuple[datetime, datetime, str | None]


def at(told: str) -> datetime:
    return datetime.fromisoformat(told)


@dataclass
class Entry:
    """A recurring entry as a calendar program keeps it."""

    told: dict[str, Any]
    gone: set[datetime] = field(default_factory=set)
    single: dict[datetime, Shown] = field(default_factory=dict)

    def shows(self, until: datetime) -> set[Shown]:
        start = at(self.told["starts_at"]).astimezone(BERLIN).replace(tzinfo=None)
        length = at(self.told["ends_at"]) - at(self.told["starts_at"])
        last = at(self.told["until"]) if self.told["until"] else until
        walls = rrulestr(self.told["rule"], dtstart=start).between(
            start, last.astimezone(BERLIN).replace(tzinfo=None), inc=True
        )
        starts = {wall.replace(tzinfo=BERLIN).astimezone(UTC) for wall in walls} - self.gone
        assert set(self.single) <= starts, "each single date is one of the rule"
        return {self.single.get(on, (on, on + length, None)) for on in starts}


@dataclass
class Program:
    """What one person's calendar holds, by UID."""

    series: dict[str, Entry] = field(default_factory=dict)
    own: dict[str, Shown] = field(default_factory=dict)

    def take(self, message: Message) -> None:
        facts, uid, is_cancel = message.facts, message.facts["uid"], message.kind == "invitation-cancel"
        told = facts["series"]
        if told is None:
            self.own.pop(uid, None)
            if not is_cancel:
                self.own[uid] = (at(facts["starts_at"]), at(facts["ends_at"]), facts["join_url"])
        elif told["is_whole"]:
            self.series.pop(uid, None)
            if not is_cancel:
                self.series[uid] = Entry(told, {at(on) for on in told["left_out"]}, singles(told))
        else:
            entry = self.series[uid]
            for on in told["left_out"] if is_cancel else ():
                entry.gone.add(at(on))
                entry.single.pop(at(on), None)
            entry.single |= {} if is_cancel else singles(told)
            assert not entry.gone & set(entry.single), "a date that fell out comes back with the whole only"

    def shows(self, *, now: datetime, until: datetime) -> set[Shown]:
        found = {shown for entry in self.series.values() for shown in entry.shows(until)} | set(self.own.values())
        return {shown for shown in found if now < shown[0] <= until}


def singles(told: dict[str, Any]) -> dict[datetime, Shown]:
    return {at(one["on"]): (at(one["starts_at"]), at(one["ends_at"]), one["join_url"]) for one in told["changed"]}


class Walk(RuleBasedStateMachine):
    """Everything that can happen to a round and to how its members hold it."""

    house: House
    new_scene: Callable[[], Scene]

    @initialize()
    def open_a_round(self) -> None:
        self.scene, number = type(self).new_scene(), next(WALKS)
        self.people = [self.scene.clinician(f"{name}{number}") for name in ("anna", "emil", "ines")]
        self.group = self.scene.group(f"s{number}", *self.people[:2])
        self.programs = {person.id: Program() for person in self.people[:2]}
        self.styles = {person.id: CalendarStyle.SESSIONS for person in self.people[:2]}
        self.read: set[UUID] = set()
        # From which date on the rule gives which weekdays.
        self.rules = [(date.min, {1})]
        self.choose(0, CalendarStyle.SERIES)

    @rule(person=st.integers(0, 1), style=st.sampled_from(CalendarStyle))
    def choose(self, person: int, style: CalendarStyle) -> None:
        chosen = self.people[person].id
        calendars.choose(self.group.id, chosen, style, by=HELPDESK)
        self.styles[chosen] = style

    @rule(week=st.integers(0, 12), days=st.integers(0, 3), hour=st.integers(8, 18))
    def add_an_exception(self, week: int, days: int, hour: int) -> None:
        on = date(2026, 11, 24) + timedelta(weeks=week)
        kind = ("skip", "move", "extra", "pause")[days]
        entered: dict[str, Any] = {"on": on if kind != "extra" else on + timedelta(days=2), "kind": kind}
        if kind == "move":
            entered["starts_at"] = datetime.combine(on + timedelta(days=1), time(hour), BERLIN).astimezone(UTC)
        if kind == "pause":
            entered["until_on"] = on + timedelta(weeks=hour - 8)
        self._try(lambda: arranging.add_exception(self._series.id, entered, by=HELPDESK))

    @rule(number=st.integers(0, 5))
    def take_an_exception_back(self, number: int) -> None:
        found = arranging.exceptions_of(self._series.id, by=HELPDESK).items
        if found:
            on = found[number % len(found)].occurrence_on
            self._try(lambda: arranging.remove_exception(self._series.id, on, by=HELPDESK))

    @rule(number=st.integers(0, 8), minutes=st.sampled_from([-45, 30, 120]))
    def move_a_session(self, number: int, minutes: int) -> None:
        for session in self._planned[number : number + 1]:
            starts_at = session.starts_at + timedelta(minutes=minutes)
            self._try(partial(rounds.move, session.id, starts_at, by=HELPDESK))

    @rule(number=st.integers(0, 8))
    def cancel_a_session(self, number: int) -> None:
        for session in self._planned[number : number + 1]:
            self._try(partial(rounds.cancel, session.id, "A congress", by=HELPDESK))

    @rule(number=st.integers(0, 8))
    def bring_a_case(self, number: int) -> None:
        request = self.scene.accepted(self.people[2], self.group)
        planned = self._planned[number : number + 1]
        for slot in [slot for session in planned for slot in session.slots if slot.allocation is None][:1]:
            self._try(partial(panels.allocate, request, slot_id=slot.id, by=HELPDESK))

    @rule(week=st.integers(0, 10), hour=st.integers(8, 16), day=st.sampled_from(["TU", "TU", "TH", "TU,TH"]))
    def change_the_rule(self, week: int, hour: int, day: str) -> None:
        on = date(2026, 11, 24) + timedelta(weeks=week)
        changes = {"from_on": on, "start_time": time(hour), "rule": f"FREQ=WEEKLY;BYDAY={day}"}
        if self._try(lambda: arranging.change_series(self._series.id, changes, by=HELPDESK)):
            self.rules.append((self._series.first_on, {"TU": {1}, "TH": {3}, "TU,TH": {1, 3}}[day]))

    @rule()
    def work(self) -> None:
        settle(type(self).house, *WORK, moving_the_clock=False)
        self._deliver()
        now = type(self).house.clock.at
        for person, program in self.programs.items():
            wanted = self._wanted(self.styles[person])
            assert program.shows(now=now, until=self._until) == {w for w in wanted if now < w[0] <= self._until}

    def teardown(self) -> None:
        if hasattr(self, "group"):
            self.work()

    def _try(self, act: Callable[[], object]) -> bool:
        """What the rules of rounds refuse changes nothing."""
        try:
            act()
        except (Conflict, Invalid):
            db.session.rollback()
            return False
        return True

    def _deliver(self) -> None:
        mine = [m for m in self.scene.invitations() if m.clinician_id in self.programs and m.id not in self.read]
        for message in sorted(mine, key=lambda message: message.number):
            self.programs[message.clinician_id].take(message)
        self.read |= {message.id for message in mine}

    @property
    def _series(self) -> Series:
        db.session.rollback()
        return db.session.scalars(select(Series).where(Series.group_id == self.group.id)).one()

    @property
    def _planned(self) -> list[Session]:
        db.session.rollback()
        statement = select(Session.id).where(Session.group_id == self.group.id, Session.state == State.PLANNED)
        return [rounds.session(found, by=HELPDESK).session for found in db.session.scalars(statement)]

    @property
    def _until(self) -> datetime:
        return type(self).house.clock.at + HORIZON - timedelta(weeks=1)

    def _wanted(self, style: CalendarStyle) -> set[Shown]:
        """Who holds sessions gets those with a link; who holds the series gets all that the rule gives, and those."""
        links = {
            conference.session_id: conference.link_for_people
            for conference in db.session.scalars(select(Conference).execution_options(populate_existing=True))
        }
        return {
            (session.starts_at, session.ends_at, links.get(session.id))
            for session in self._planned
            if links.get(session.id) or (style != CalendarStyle.SESSIONS and self._is_given(session.occurrence_on))
        }

    def _is_given(self, on: date) -> bool:
        """Whether the rule gives the date; an extra session is none of the series."""
        return on.weekday() in [days for from_on, days in self.rules if from_on <= on][-1]


def walk_in(house: House) -> type[Walk]:
    """A walk in this house, in which all walks have one scene."""
    scenes: list[Scene] = []

    def one_scene() -> Scene:
        if not scenes:
            scenes.append(Scene(house))
        return scenes[0]

    class InTheHouse(Walk):
        new_scene = staticmethod(one_scene)

    InTheHouse.house = house
    return InTheHouse


def test_a_calendar_program_shows_the_round_as_it_is_whatever_happens(house: House, provider: FaultyProvider) -> None:
    run_state_machine_as_test(
        walk_in(house),
        settings=settings(
            max_examples=4,
            stateful_step_count=14,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_a_date_that_comes_back_alone_would_be_seen(
    house: House, provider: FaultyProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Control: without the whole entry for a date that comes back, programs go on without it."""
    told = series_content.change
    monkeypatch.setattr(
        series_content, "change", lambda before, after, *, now: replace(told(before, after, now=now), is_whole=False)
    )
    walk = walk_in(house)()
    walk.open_a_round()
    walk.add_an_exception(week=2, days=0, hour=8)
    walk.work()
    walk.take_an_exception_back(number=0)
    with pytest.raises(AssertionError):
        walk.work()
