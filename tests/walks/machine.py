"""Random walks: every step that people, time and fate can take, in any order, over one small world."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from conference_orchestrator.notify.sending import Deferred, Lost, Refused
from conference_orchestrator.providers.errors import Ambiguous, ProviderError, RateLimited, Transient, Unreachable
from tests.walks import checks, ending
from tests.walks.beginning import PEOPLE
from tests.walks.steps import GROUPS, Steps
from tests.walks.world import DEATHS, MOST_TASKS, Beginning, World

ANY = st.integers(0, 99)
GROUP = st.sampled_from(GROUPS)
PERSON = st.sampled_from(sorted(PEOPLE))
# How a provider fails: at what, how, and whether it did the work.
FAILURES: tuple[tuple[str, type[ProviderError], bool], ...] = (
    ("create", Unreachable, False),
    ("create", Ambiguous, False),
    ("create", Ambiguous, True),
    ("create", RateLimited, False),
    ("find", Transient, False),
    ("update", Transient, False),
    ("update", Transient, True),
    ("update", Unreachable, False),
    ("cancel", Transient, True),
    ("cancel", Unreachable, False),
)
TROUBLES = (Deferred, Refused, Lost)


class Walk(RuleBasedStateMachine):
    """One walk. The class is given its world, which each walk finds as it was in the beginning."""

    world: ClassVar[World]
    start: ClassVar[Beginning]

    @initialize(seed=ANY)
    def begin(self, seed: int) -> None:
        self.start.restore(self.world)
        self.steps = Steps(self.world, self.start)
        self.order = random.Random(seed)

    @rule(
        group=GROUP,
        urgency=st.sampled_from(["routine", "urgent", "emergency"]),
        complete=st.booleans(),
        window=st.none() | st.integers(0, 2),
        by=ANY,
        far=st.integers(0, 2),
    )
    def submit(self, group: str, urgency: str, *, complete: bool, window: int | None, by: int, far: int) -> None:
        made = self.steps.submit(group, urgency, complete=complete or far > 0, window=window, by=by)
        if made is not None and far > 0 and group == "brain":
            self.steps.accept(made)
            if far > 1:
                self.steps.book(made)

    @rule(number=ANY, decision=st.sampled_from(["accept", "return", "decline", "complete"]))
    def decide(self, number: int, decision: str) -> None:
        if decision == "complete":
            self.steps.complete(number)
        else:
            self.steps.triage(number, decision)

    @rule(number=ANY, slot=st.none() | st.integers(0, 20))
    def book(self, number: int, slot: int | None) -> None:
        self.steps.book_any(number, slot=slot)

    @rule(number=ANY, how=st.sampled_from(["release", "release", "withdraw"]))
    def let_go(self, number: int, how: str) -> None:
        getattr(self.steps, how)(number)

    @rule(number=ANY, accept=st.booleans(), by_link=st.booleans())
    def answer_an_offer(self, number: int, *, accept: bool, by_link: bool) -> None:
        self.steps.answer_offer(number, accept=accept, by_link=by_link)

    @rule(group=GROUP, number=ANY, what=st.sampled_from(["promote", "propose", "apply", "propose and apply"]))
    def promote_or_replan(self, group: str, number: int, what: str) -> None:
        if what == "promote":
            self.steps.promote(group)
        if what.startswith("propose"):
            self.steps.propose(group)
        if what.endswith("apply"):
            self.steps.apply(number)

    @rule(number=st.integers(0, 5), hours=st.sampled_from([-23, -1, 1, 3, 24, 72, 24 * 8]))
    def move(self, number: int, hours: int) -> None:
        self.steps.move(number, timedelta(hours=hours))

    @rule(number=st.integers(0, 5))
    def cancel(self, number: int) -> None:
        self.steps.cancel(number)

    @rule(group=GROUP, number=ANY, kind=st.sampled_from(["skip", "pause", "move", "extra", "back", "back"]))
    def except_a_date(self, group: str, number: int, kind: str) -> None:
        if kind == "back":
            self.steps.remove_exception(number)
        else:
            self.steps.add_exception(group, number, kind)

    @rule(group=GROUP, number=ANY, days_ahead=st.sampled_from([0, 2, 9]))
    def change_a_round(self, group: str, number: int, days_ahead: int) -> None:
        self.steps.change_round(group, number, days_ahead=days_ahead)

    @rule(number=ANY, said=st.sampled_from(["accepted", "declined", "tentative"]))
    def answer_an_invitation(self, number: int, said: str) -> None:
        self.steps.answer(number, said)

    @rule(number=st.integers(0, 5), group=GROUP, name=PERSON, what=st.sampled_from(["away", "substitute", "member"]))
    def people_change(self, number: int, group: str, name: str, what: str) -> None:
        if what == "away":
            self.steps.be_away(name, weeks_ahead=number % 2)
        elif what == "substitute":
            self.steps.substitute(number, name)
        else:
            self.steps.come_or_go(group, name)

    @rule(name=PERSON, unlikely=st.integers(0, 2))
    def erase(self, name: str, unlikely: int) -> None:
        if unlikely == 0:
            self.steps.erase(name)

    @rule(number=ANY, what=st.sampled_from(["not_reached", "outcome", "keep"]))
    def look_back(self, number: int, what: str) -> None:
        getattr(self.steps, what)(number)

    @rule(failure=st.sampled_from(FAILURES), times=st.integers(1, 3), lag=st.integers(0, 2))
    def the_provider_fails(self, failure: tuple[str, type[ProviderError], bool], times: int, lag: int) -> None:
        operation, kind, applied = failure
        more: dict[str, Any] = {"retry_after": 90.0} if kind is RateLimited else {}
        self.world.provider.list_lag = lag
        self.world.provider.fail(operation, kind, applied=applied, times=times, **more)

    @rule(name=PERSON, trouble=st.sampled_from(TROUBLES), times=st.integers(1, 3))
    def a_mail_fails(self, name: str, trouble: type[Exception], times: int) -> None:
        self.world.mailbox.troubles.setdefault(name, []).extend([trouble("as the test told it")] * times)

    @rule(death=st.sampled_from(DEATHS))
    def die_at_work(self, death: str) -> None:
        self.world.fate.death = death
        self.world.run_due(self.order, most=3)
        self.world.fate.death = None

    @rule(really=st.integers(0, 3))
    def work_two_at_once(self, really: int) -> None:
        if really == 0:
            self.world.run_two_at_once(self.order)

    @rule(by=st.sampled_from([timedelta(minutes=5), timedelta(hours=1), timedelta(hours=13), timedelta(days=3)]))
    def time_passes(self, by: timedelta) -> None:
        self.world.pass_time(by)

    @invariant()
    def everything_agrees(self) -> None:
        wrong = [*checks.broken(self.world), *self.steps.lost()]
        assert not wrong, wrong
        # Until the next step some of what is due is done.
        self.world.run_due(self.order, most=self.order.choice([0, 0, 1, 3, MOST_TASKS]))

    def teardown(self) -> None:
        self.world.settle()
        wrong = [*self.steps.lost(), *ending.wrongs(self.world)]
        assert not wrong, "\n".join(wrong)


def walks(world: World, start: Beginning) -> type[Walk]:
    """The walks of that world."""
    return type("InThisWorld", (Walk,), {"world": world, "start": start})
