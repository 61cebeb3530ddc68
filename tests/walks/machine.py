"""Random walks: every step that people, time and fate can take, in any order, over one small world."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from conference_orchestrator.notify.sending import Deferred, Lost, Refused
from conference_orchestrator.providers.errors import Ambiguous, ProviderError, RateLimited, Transient, Unreachable
from tests.walks import checks, ending
from tests.walks.beginning import PEOPLE
from tests.walks.faults import DEATHS
from tests.walks.steps import GROUPS, Steps
from tests.walks.world import MOST_TASKS, Beginning, World

NUMBER = st.integers(0, 2**16)
GROUP = st.sampled_from(GROUPS)
PERSON = st.sampled_from(sorted(PEOPLE))
# What people and time do, each as often as it stands here. It is one rule: of many, hypothesis lets a walk use few.
ACTS = (
    *("submit",) * 4,
    *("decide",) * 2,
    *("book",) * 3,
    *("release",) * 3,
    *("withdraw",) * 2,
    *("accept an offer",) * 3,
    *("refuse an offer",) * 2,
    "promote",
    *("replan",) * 2,
    *("move",) * 2,
    *("cancel",) * 2,
    *("except a date",) * 3,
    *("change a round",) * 2,
    *("answer an invitation",) * 2,
    "be away",
    "substitute",
    "come or go",
    *("look back",) * 2,
    "erase",
    *("time passes",) * 4,
)
PASSES = (timedelta(minutes=5), timedelta(hours=1), timedelta(hours=13), timedelta(days=1), timedelta(days=3))
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

    @initialize(seed=NUMBER)
    def begin(self, seed: int) -> None:
        self.start.restore(self.world)
        self.steps = Steps(self.world, self.start)
        self.order = random.Random(seed)

    @rule(what=st.sampled_from(ACTS), group=GROUP, name=PERSON, number=NUMBER)
    def somebody_acts(self, what: str, group: str, name: str, number: int) -> None:
        acts(self.steps, group=group, name=name, number=number)[what]()

    @rule(failure=st.sampled_from(FAILURES), times=st.integers(1, 3), lag=st.integers(0, 2))
    def the_provider_fails(self, failure: tuple[str, type[ProviderError], bool], times: int, lag: int) -> None:
        operation, kind, applied = failure
        more: dict[str, Any] = {"retry_after": 90.0} if kind is RateLimited else {}
        self.world.provider.list_lag = lag
        self.world.provider.fail(operation, kind, applied=applied, times=times, **more)

    @rule(name=PERSON, trouble=st.sampled_from(TROUBLES), times=st.integers(1, 3))
    def a_mail_fails(self, name: str, trouble: type[Exception], times: int) -> None:
        self.world.mailbox.troubles.setdefault(name, []).extend([trouble("as the test told it")] * times)

    @rule(death=st.sampled_from(DEATHS), what=st.sampled_from(ACTS), group=GROUP, name=PERSON, number=NUMBER)
    def somebody_acts_and_the_worker_dies(self, death: str, what: str, group: str, name: str, number: int) -> None:
        self.somebody_acts(what, group, name, number)
        self.world.fate.death = death
        self.world.run_due(self.order, most=5)
        self.world.fate.death = None

    @rule(what=st.sampled_from(ACTS), group=GROUP, name=PERSON, number=NUMBER)
    def somebody_acts_and_two_work_at_once(self, what: str, group: str, name: str, number: int) -> None:
        self.somebody_acts(what, group, name, number)
        if number % 4 == 0:
            self.world.run_two_at_once(self.order)

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


def acts(steps: Steps, *, group: str, name: str, number: int) -> dict[str, Callable[[], None]]:
    """Each step of people and of time, its details drawn by the number."""
    chance = random.Random(number)
    return {
        "submit": lambda: steps.submit_and_go_on(group, number, chance),
        "decide": lambda: steps.decide(number, chance.choice(["accept", "accept", "return", "decline", "complete"])),
        "book": lambda: steps.book_any(number, slot=chance.choice([None, None, chance.randrange(20)])),
        "release": lambda: steps.release(number),
        "withdraw": lambda: steps.withdraw(number),
        "accept an offer": lambda: steps.answer_offer(number, accept=True, by_link=chance.random() < 0.5),
        "refuse an offer": lambda: steps.answer_offer(number, accept=False, by_link=chance.random() < 0.5),
        "promote": lambda: steps.promote(group),
        "replan": lambda: steps.replan(group, number, chance.choice(["propose", "both", "both", "both", "apply"])),
        "move": lambda: steps.move(number, timedelta(hours=chance.choice([-23, -1, 1, 3, 24, 72, 24 * 8]))),
        "cancel": lambda: steps.cancel(number),
        "except a date": lambda: steps.except_date(
            group, number, chance.choice(["skip", "pause", "move", "extra", "back", "back"])
        ),
        "change a round": lambda: steps.change_round(group, number, days_ahead=chance.choice([0, 2, 9])),
        "answer an invitation": lambda: steps.answer(number, chance.choice(["accepted", "declined", "tentative"])),
        "be away": lambda: steps.be_away(name, weeks_ahead=chance.randrange(2)),
        "substitute": lambda: steps.substitute(number, name),
        "come or go": lambda: steps.come_or_go(group, name),
        "look back": lambda: steps.look_back(number, chance.choice(["not reached", "outcome", "keep"])),
        "erase": lambda: steps.erase(name),
        "time passes": lambda: steps.world.pass_time(chance.choice(PASSES)),
    }


def walks(world: World, start: Beginning) -> type[Walk]:
    """The walks of that world."""
    return type("InThisWorld", (Walk,), {"world": world, "start": start})
