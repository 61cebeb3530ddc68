"""The steps by which requests, offers and replans go on, and a person is erased."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

from conference_orchestrator.flows import erasing, offering, panels, replanning
from conference_orchestrator.kernel import links
from tests.house import HELPDESK
from tests.walks import beginning
from tests.walks.round_steps import RoundSteps
from tests.walks.world import Beginning, World

GROUPS = ("brain", "ewing")
# What becomes of a request whose group let it compete for slots, as long as nobody takes it out again.
COMPETING = {"accepted", "allocated", "waiting", "offered", "discussed"}
OPEN_OF = (
    "SELECT id FROM consultation_request WHERE requester_id = ?"
    " AND state NOT IN ('declined', 'discussed', 'closed', 'withdrawn') ORDER BY created_at, id"
)


class Steps(RoundSteps):
    """`asked` says of each request what states it may be in: what was acknowledged is never lost."""

    def __init__(self, world: World, start: Beginning) -> None:
        self.world, self.known = world, start.known
        self.cases = 100
        self.asked: dict[UUID, set[str]] = {}
        for request_id, state in world.rows("SELECT id, state FROM consultation_request"):
            self.asked[UUID(request_id)] = {state} if state == "submitted" else COMPETING
        self.replans: list[UUID] = []

    def submit(self, group: str, urgency: str, *, complete: bool, window: int | None, by: int) -> UUID | None:
        """Ask for a case, which may be discussed from `window` weeks from now on, for a week; None: at any time."""
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

    def submit_and_go_on(self, group: str, number: int, chance: random.Random) -> None:
        """Submit, often also accept, and often also book."""
        made = self.submit(
            group,
            chance.choice(["routine", "urgent", "emergency"]),
            complete=chance.random() < 0.8,
            window=chance.choice([None, None, 0, 1, 2]),
            by=number,
        )
        if made is not None and group == "brain" and chance.random() < 0.7:
            self.accept(made)
            if chance.random() < 0.7:
                self.book(made)

    def decide(self, number: int, decision: str) -> None:
        if decision == "complete":
            self.complete(number)
        else:
            self.triage(number, decision)

    def replan(self, group: str, number: int, what: str) -> None:
        if what != "apply":
            self.propose(group)
        if what != "propose":
            # Both: the one that was just proposed, of which nothing can have changed.
            self.apply(len(self.replans) - 1 if what == "both" else number)

    def look_back(self, number: int, what: str) -> None:
        {"not reached": self.not_reached, "outcome": self.outcome, "keep": self.keep}[what](number)

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
        """Answer an offer, mostly an open one; where none is, a slot is given back first, and offered."""
        if not self.world.rows("SELECT id FROM allocation WHERE offer = 'open'"):
            self.release(number)
            self.promote("brain")
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

    def erase(self, name: str) -> None:
        """The person asks to be forgotten: what is open is withdrawn, and nothing is sent to the address any more."""
        person, address = self.known[name], f"{name}@hospital.example"
        open_ones = self.world.all_ids(OPEN_OF, person.hex)
        if self.world.attempt("erase", lambda: erasing.erase(person, by=HELPDESK)) is not None:
            self.asked |= {request_id: {"withdrawn"} for request_id in open_ones}
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
