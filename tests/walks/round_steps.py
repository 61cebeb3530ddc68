"""The steps by which rounds, sessions and the people of a group change."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from conference_orchestrator.flows import absences, answering, arranging, directory, rostering, rounds
from conference_orchestrator.kernel import links
from conference_orchestrator.ledger.invitations import Answer
from tests.house import HELPDESK
from tests.walks.world import World

A_DAY = timedelta(days=1)
SERIES_CHANGES: tuple[dict[str, Any], ...] = (
    {"slots": 1},
    {"slots": 3},
    {"slot_minutes": 30},
    {"break_minutes": 10},
    {"rule": "FREQ=WEEKLY;BYDAY=WE"},
    {"rule": "FREQ=MONTHLY;BYDAY=2TU"},
    {"ends_on": date(2027, 1, 15)},
    {"host_margin_minutes": 30},
)


class RoundSteps:
    """Each picks what it acts upon by a number, from what there is by then."""

    world: World
    known: dict[str, UUID]

    def except_date(self, group: str, number: int, kind: str) -> None:
        if kind == "back":
            self.remove_exception(number)
        else:
            self.add_exception(group, number, kind)

    def move(self, number: int, by: timedelta) -> None:
        session_id, starts_at = self._session(number)
        self.world.attempt("move", lambda: rounds.move(session_id, starts_at + by, by=HELPDESK))

    def cancel(self, number: int) -> None:
        session_id, _ = self._session(number)
        self.world.attempt("cancel", lambda: rounds.cancel(session_id, "The room is closed.", by=HELPDESK))

    def add_exception(self, group: str, number: int, kind: str) -> None:
        on, starts_at = self._date(group, number)
        more: dict[str, Any] = {
            "skip": {},
            "pause": {"until_on": on + 8 * A_DAY},
            "move": {"starts_at": starts_at + A_DAY},
            "extra": {},
        }[kind]
        entered = {"on": on + 2 * A_DAY if kind == "extra" else on, "kind": kind, **more}
        round_id = self.known[f"{group}-round"]
        self.world.attempt(f"exception: {kind}", lambda: arranging.add_exception(round_id, entered, by=HELPDESK))

    def remove_exception(self, number: int) -> None:
        found = self.world.rows("SELECT series_id, id FROM series_exception ORDER BY created_at, id")
        if found:
            round_id, which = map(UUID, found[number % len(found)])
            act = partial(arranging.remove_exception, round_id, which, by=HELPDESK)
            self.world.attempt("take an exception back", act)

    def change_round(self, group: str, number: int, *, days_ahead: int) -> None:
        changes = SERIES_CHANGES[number % len(SERIES_CHANGES)]
        changes = changes | {"from_on": self.world.now.date() + days_ahead * A_DAY}
        round_id = self.known[f"{group}-round"]
        self.world.attempt("change a round", lambda: arranging.change_series(round_id, changes, by=HELPDESK))

    def answer(self, number: int, said: str) -> None:
        found = self.world.all_ids("SELECT id FROM invitation WHERE method = 'REQUEST' ORDER BY sent_at, id")
        if found:
            chosen = found[number % len(found)]
            self.world.attempt(
                "answer an invitation", lambda: answering.answer(links.token("answer", chosen), Answer(said))
            )

    def be_away(self, name: str, *, weeks_ahead: int) -> None:
        first = self.world.now.date() + timedelta(weeks=weeks_ahead)
        act = partial(absences.add, first, first + 6 * A_DAY, clinician=self.known[name], by=HELPDESK)
        self.world.attempt("be away", act)

    def substitute(self, number: int, name: str) -> None:
        """Put the person on the roster of a session, or take the person off again."""
        session_id, _ = self._session(number)
        there = "SELECT id FROM substitute WHERE session_id = ? AND clinician_id = ?"
        person = self.known[name]
        if self.world.rows(there, session_id.hex, person.hex):
            self.world.attempt("take back", lambda: rostering.take_back(session_id, person, by=HELPDESK))
        else:
            self.world.attempt("substitute", lambda: rostering.add_substitute(session_id, person, by=HELPDESK))

    def keep(self, number: int) -> None:
        at_risk = self.world.all_ids("SELECT id FROM session WHERE at_risk_since IS NOT NULL ORDER BY starts_at, id")
        if at_risk:
            chosen = at_risk[number % len(at_risk)]
            self.world.attempt("keep", lambda: rostering.keep(chosen, by=HELPDESK))

    def come_or_go(self, group: str, name: str) -> None:
        """The person becomes a member of the group, or is one no more."""
        there = "SELECT id FROM membership WHERE group_id = ? AND clinician_id = ? AND until_on IS NULL"
        group_id, person = self.known[group], self.known[name]
        if self.world.rows(there, group_id.hex, person.hex):
            self.world.attempt("go", lambda: directory.remove_member(group_id, person, by=HELPDESK))
        else:
            self.world.attempt("come", lambda: directory.add_member(group_id, person, role="expert", by=HELPDESK))

    def _session(self, number: int) -> tuple[UUID, datetime]:
        """One of the sessions that are nearest, mostly one that is still to come."""
        found = self.world.rows("SELECT id, starts_at FROM session ORDER BY state != 'planned', starts_at, id LIMIT 6")
        session_id, starts_at = found[number % len(found)]
        return UUID(session_id), datetime.fromisoformat(f"{starts_at}+00:00")

    def _date(self, group: str, number: int) -> tuple[date, datetime]:
        """A date of the group's round, and the start of its session."""
        found = self.world.rows(
            "SELECT occurrence_on, starts_at FROM session WHERE series_id = ? ORDER BY occurrence_on LIMIT 6",
            self.known[f"{group}-round"].hex,
        )
        on, starts_at = found[number % len(found)]
        return date.fromisoformat(on), datetime.fromisoformat(f"{starts_at}+00:00")
