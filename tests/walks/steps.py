"""The steps of people, of time and of fate. Each picks what it acts upon by a number, from what there is by then."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from conference_orchestrator.flows import (
    absences,
    answering,
    arranging,
    directory,
    offering,
    panels,
    replanning,
    rostering,
    rounds,
)
from conference_orchestrator.kernel import links
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.transaction import transaction
from conference_orchestrator.ledger.invitations import Answer
from tests.house import HELPDESK
from tests.walks import beginning
from tests.walks.world import Beginning, World

GROUPS = ("brain", "ewing")
A_DAY = timedelta(days=1)
# What becomes of a request whose group let it compete for slots, as long as nobody takes it out again.
COMPETING = {"accepted", "allocated", "waiting", "offered", "discussed"}
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


class Steps:
    """`asked` says of each request what states it may be in: what was acknowledged is never lost."""

    def __init__(self, world: World, start: Beginning) -> None:
        self.world, self.known = world, start.known
        self.cases = 100
        self.asked: dict[UUID, set[str]] = {}
        for request_id, state in world.rows("SELECT id, state FROM consultation_request"):
            self.asked[UUID(request_id)] = {state} if state == "submitted" else COMPETING
        self.replans: list[UUID] = []

    def submit(self, group: str, urgency: str, *, complete: bool, window: int | None, by: int) -> UUID | None:
        """Ask for a case; `window` weeks from now it may be discussed at the earliest, and a week later at the latest."""
        self.cases += 1
        more: dict[str, Any] = {"urgency": urgency, "checklist": {"report": True} if complete else {}}
        if window is not None:
            earliest = self.world.now.date() + window * timedelta(weeks=1)
            more |= {"earliest_on": earliest, "latest_on": earliest + timedelta(weeks=1)}
        entered = beginning.request(self.known, group, self.cases, **more)
        entered["requester"] = self.known[beginning.REQUESTERS[by % len(beginning.REQUESTERS)]]
        seen = self.world.attempt("submit", lambda: panels.submit(entered, by=HELPDESK))
        if seen is None:
            return None
        made: UUID = seen.request.id
        direct = group == "ewing" and complete
        self.asked[made] = COMPETING if direct else {"submitted" if complete else "draft"}
        return made

    def complete(self, number: int) -> None:
        self._of_request(
            "complete",
            self._request(number, "draft", "returned"),
            lambda one: panels.change(one, {"checklist": {"report": True}}, by=HELPDESK),
            becomes={"submitted"} | COMPETING,
        )

    def accept(self, request_id: UUID) -> None:
        self._of_request("accept", request_id, lambda one: panels.triage(one, "accept", by=HELPDESK), becomes=COMPETING)

    def triage(self, number: int, decision: str) -> None:
        becomes = {"accept": COMPETING, "return": {"returned"}, "decline": {"declined"}}[decision]
        self._of_request(
            decision,
            self._request(number, "submitted"),
            lambda one: panels.triage(one, decision, "Because.", by=HELPDESK),
            becomes=becomes,
        )

    def book(self, request_id: UUID | None, *, slot: int | None = None) -> None:
        slots = self.world.all_ids("SELECT id FROM slot WHERE NOT withdrawn ORDER BY starts_at, id")
        slot_id = slots[slot % len(slots)] if slot is not None else None
        self._of_request(
            "book" if slot is None else "book a named slot",
            request_id,
            lambda one: panels.allocate(one, slot_id=slot_id, by=HELPDESK),
            becomes=COMPETING - {"accepted"},
        )

    def book_any(self, number: int, *, slot: int | None = None) -> None:
        self.book(self._request(number, "accepted", "waiting"), slot=slot)

    def release(self, number: int) -> None:
        self._of_request(
            "release",
            self._request(number, "allocated", "offered", "waiting"),
            lambda one: panels.release(one, by=HELPDESK),
            becomes=COMPETING,
        )

    def withdraw(self, number: int) -> None:
        self._of_request(
            "withdraw",
            self._request(number, "allocated", "offered", "waiting", "accepted"),
            lambda one: panels.withdraw(one, by=HELPDESK),
            becomes={"withdrawn"},
        )

    def not_reached(self, number: int) -> None:
        self._of_request(
            "not reached",
            self._request(number, "discussed", "allocated"),
            lambda one: panels.not_reached(one, by=HELPDESK),
            becomes=COMPETING - {"accepted"},
        )

    def outcome(self, number: int) -> None:
        self._of_request(
            "outcome",
            self._request(number, "discussed", "allocated"),
            lambda one: panels.advised(one, self.world.now.date(), by=HELPDESK),
            becomes={"closed"},
        )

    def answer_offer(self, number: int, *, accept: bool, by_link: bool) -> None:
        offers = "SELECT id FROM allocation WHERE offer IS NOT NULL ORDER BY offer != 'open', created_at, id"
        ids = self.world.all_ids(offers)
        if not ids:
            return
        # The open ones stand first.
        offer_id = ids[number % max(1, min(len(ids), 3))]
        answer = offering.accept if accept else offering.refuse

        def act() -> None:
            found, who = offering.by_link(links.token("offer", offer_id)) if by_link else (offer_id, HELPDESK)
            answer(found, by=who)

        self.world.attempt("accept an offer" if accept else "refuse an offer", act)

    def promote(self, group: str) -> None:
        self.world.attempt("promote", lambda: offering.offer_slots(self.known[group]))

    def propose(self, group: str) -> None:
        made = self.world.attempt("propose a replan", lambda: replanning.propose(group, by=HELPDESK))
        if made is not None:
            self.replans.append(made.id)

    def apply(self, number: int) -> None:
        if self.replans:
            chosen = self.replans[number % len(self.replans)]
            self.world.attempt("apply a replan", lambda: replanning.apply(chosen, by=HELPDESK))

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
            act = lambda: arranging.remove_exception(round_id, which, by=HELPDESK)  # noqa: E731
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
            act = lambda: answering.answer(links.token("answer", chosen), Answer(said))  # noqa: E731
            self.world.attempt("answer an invitation", act)

    def be_away(self, name: str, *, weeks_ahead: int) -> None:
        first = self.world.now.date() + timedelta(weeks=weeks_ahead)
        act = lambda: absences.add(first, first + 6 * A_DAY, clinician=self.known[name], by=HELPDESK)  # noqa: E731
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

    def erase(self, name: str) -> None:
        """What the erasure of a person does to what is looked at here: nobody of that name takes part any more.

        What waited to be sent to the person is not sent, and the invitations are looked at again.
        """
        person = self.known[name]

        def act() -> None:
            with transaction() as tx:
                db.session.execute(_update("clinician", person, "id", state="erased"))
                db.session.execute(
                    _update("message", person, "clinician_id", state="suppressed").where(
                        _table("message").c.state.in_(["queued", "deferred", "sending", "ambiguous"])
                    )
                )
                for group in GROUPS:
                    directory.refresh(tx, self.known[group])

        address = f"{name}@hospital.example"
        if address not in self.world.erased and self.world.attempt("erase", act):
            self.world.erased[address] = self.world.now

    def lost(self) -> list[str]:
        """The requests that are not where they were left."""
        states = {UUID(one): state for one, state in self.world.rows("SELECT id, state FROM consultation_request")}
        return [
            f"request {one} is {states.get(one)} and should be one of {sorted(allowed)}"
            for one, allowed in self.asked.items()
            if states.get(one) not in allowed
        ]

    def _of_request(self, name: str, request_id: UUID | None, act: Callable[[UUID], Any], *, becomes: set[str]) -> None:
        if request_id is not None and self.world.attempt(name, lambda: act(request_id)) is not None:
            self.asked[request_id] = becomes

    def _request(self, number: int, *states: str) -> UUID | None:
        """One of the requests in these states; now and then, or if there is none, any: the step is refused."""
        marks = ", ".join("?" * len(states))
        statement = f"SELECT id FROM consultation_request WHERE state IN ({marks}) ORDER BY created_at, id"
        fitting = self.world.all_ids(statement, *states) if number % 10 else []
        found = fitting or self.world.all_ids("SELECT id FROM consultation_request ORDER BY created_at, id")
        return found[number % len(found)]

    def _session(self, number: int) -> tuple[UUID, datetime]:
        """One of the sessions that are nearest, mostly one that is still to come."""
        found = self.world.rows(
            "SELECT id, starts_at FROM session ORDER BY state != 'planned', starts_at, id LIMIT ?", 6
        )
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


def _table(name: str) -> Any:
    return db.Model.metadata.tables[name]


def _update(name: str, person: UUID, column: str, **values: str) -> Any:
    table = _table(name)
    return table.update().where(table.c[column] == person).values(**values)
