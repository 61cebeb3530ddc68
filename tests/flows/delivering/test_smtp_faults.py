"""Mail over a server that fails (R12): each message ends in the state that is true, and the others go out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from conference_orchestrator.flows import delivering
from conference_orchestrator.flows.delivering import PATIENCE, WAITS, open_mail
from conference_orchestrator.kernel.transaction import transaction
from conference_orchestrator.ledger import suppressions
from conference_orchestrator.ledger.messages import AMBIGUOUS_BUDGET
from conference_orchestrator.ledger.suppressions import Reason, Scope
from conference_orchestrator.notify.pace import Pace
from conference_orchestrator.notify.sending import Deferred, Lost, Refused, nobody
from conference_orchestrator.notify.smtp import SmtpSender
from tests.house import House
from tests.post import DELIVER, alert, ids, tell, told
from tests.scene import settle
from tests.smtp_faults import DROP, DROP_AFTER_TAKING, Fault, Held, SmtpFaults

POISONED = "n03"
OTHERS = [name for name in (f"n{number:02}" for number in range(7)) if name != POISONED]
AN_HOUR = timedelta(hours=1)


def address(name: str) -> str:
    return f"{name}@hospital.example"


@pytest.fixture
def server(house: House) -> Iterator[SmtpFaults]:
    """The server to which the house sends."""
    with SmtpFaults() as running:
        open_mail.fill(house.app, lambda: SmtpSender(running.url, timeout=20))
        yield running


def states(*names: str) -> dict[str, str]:
    return {name: told(name).state for name in names}


def copies(server: SmtpFaults, *names: str) -> dict[str, int]:
    return {name: server.copies(address(name)) for name in names}


def days_go_by(house: House) -> None:
    """Whatever is still to be done is done, and the safety net looks for what was lost."""
    settle(house, DELIVER)
    for _ in range(3):
        house.clock.move_on(timedelta(days=1))
        delivering.deliver_overdue()
        settle(house, DELIVER)


FAULTS: list[tuple[str, Fault, str]] = [
    ("rcpt", "550 5.1.1 no such person", "failed"),
    ("data", "554 5.7.1 no", "failed"),
    ("dot", "554 5.7.1 looks like spam", "failed"),
    ("rcpt", "450 4.7.1 greylisted", "deferred"),
    ("rcpt", "552 5.2.2 mailbox full", "deferred"),
    ("rcpt", DROP, "deferred"),
    ("data", "451 4.3.0 later", "deferred"),
    ("data", "421 4.3.2 closing", "deferred"),
    ("data", DROP, "deferred"),
    ("dot", "451 4.3.0 disk full", "deferred"),
    ("dot", "421 4.3.2 closing", "deferred"),
    ("body", DROP, "ambiguous"),
    ("dot", DROP, "ambiguous"),
    ("dot", DROP_AFTER_TAKING, "ambiguous"),
    ("dot", "nonsense", "ambiguous"),
]


@pytest.mark.parametrize(("step", "fault", "state"), FAULTS)
def test_a_fault_leaves_the_message_in_the_state_that_is_true_and_the_others_go_out(
    house: House, server: SmtpFaults, step: str, fault: Fault, state: str
) -> None:
    server.to(address(POISONED), *[fault] * 99, step=step)
    tell(*map(alert, [POISONED, *OTHERS]))
    delivering.deliver(ids())
    assert states(POISONED, *OTHERS) == {POISONED: state} | dict.fromkeys(OTHERS, "sent")
    assert copies(server, *OTHERS) == dict.fromkeys(OTHERS, 1)
    if isinstance(fault, str) and state != "ambiguous":
        assert told(POISONED).last_answer == fault


def test_where_mails_come_too_fast_all_of_that_domain_wait_and_then_all_go(house: House, server: SmtpFaults) -> None:
    server.to(address(POISONED), "421 4.7.0 too many", step="rcpt")
    tell(*map(alert, [POISONED, *OTHERS]))
    delivering.deliver(ids())
    before, after = OTHERS[:3], OTHERS[3:]
    assert states(*OTHERS) == dict.fromkeys(before, "sent") | dict.fromkeys(after, "deferred")
    days_go_by(house)
    assert copies(server, POISONED, *OTHERS) == dict.fromkeys([POISONED, *OTHERS], 1)


@pytest.mark.parametrize(("step", "fault"), [(step, fault) for step, fault, state in FAULTS if state == "failed"])
def test_a_mail_that_was_refused_for_good_is_never_tried_again(
    house: House, server: SmtpFaults, step: str, fault: Fault
) -> None:
    server.to(address(POISONED), fault, step=step)
    tell(*map(alert, [POISONED, *OTHERS]))
    days_go_by(house)
    assert (server.attempts[address(POISONED)], told(POISONED).state) == (1, "failed")


@pytest.mark.parametrize(("step", "fault"), [(step, fault) for step, fault, state in FAULTS if state == "deferred"])
def test_a_passing_fault_costs_time_and_nothing_else(house: House, server: SmtpFaults, step: str, fault: Fault) -> None:
    server.to(address(POISONED), fault, fault, step=step)
    tell(*map(alert, [POISONED, *OTHERS]))
    days_go_by(house)
    assert states(POISONED, *OTHERS) == dict.fromkeys([POISONED, *OTHERS], "sent")
    assert copies(server, POISONED, *OTHERS) == dict.fromkeys([POISONED, *OTHERS], 1)
    assert server.attempts[address(POISONED)] == 3


@pytest.mark.parametrize(
    ("step", "fault"),
    [
        ("connect", DROP),
        ("connect", "421 4.3.2 too busy"),
        ("connect", "554 5.3.2 go away"),
        ("ehlo", DROP),
        ("mail", DROP),
        ("mail", "421 4.3.2 closing"),
        ("mail", "451 4.3.0 later"),
    ],
)
def test_a_fault_before_there_is_a_recipient_costs_the_first_ones_time_and_nobody_a_mail(
    house: House, server: SmtpFaults, step: str, fault: Fault
) -> None:
    server.at(step, fault, fault)
    tell(*map(alert, OTHERS))
    delivering.deliver(ids())
    assert sorted(states(*OTHERS).values()) == ["deferred"] * 2 + ["sent"] * (len(OTHERS) - 2)
    days_go_by(house)
    assert states(*OTHERS) == dict.fromkeys(OTHERS, "sent")
    assert copies(server, *OTHERS) == dict.fromkeys(OTHERS, 1)


def fall_silent_after_taking(server: SmtpFaults) -> None:
    server.to(address(POISONED), *[DROP_AFTER_TAKING] * 99, step="dot")


def test_a_mail_whose_answer_is_lost_each_time_goes_twice_more_and_then_to_a_human(
    house: House, server: SmtpFaults
) -> None:
    fall_silent_after_taking(server)
    tell(*map(alert, [POISONED, *OTHERS]))
    days_go_by(house)
    assert copies(server, POISONED, *OTHERS) == {POISONED: 1 + AMBIGUOUS_BUDGET} | dict.fromkeys(OTHERS, 1)
    assert told(POISONED).state == "ambiguous"
    sent_to_it = [mail for mail in server.taken if mail.to == address(POISONED)]
    assert {mail.message_id for mail in sent_to_it} == {delivering.message_id(told(POISONED).id)}
    assert len({mail.data for mail in sent_to_it}) == 1


class Naive(SmtpSender):
    """Takes everything that goes wrong for a passing failure."""

    def send(
        self, from_address: str, to_address: str, data: bytes, *, next_to: Callable[[], str | None] = nobody
    ) -> str:
        try:
            return super().send(from_address, to_address, data, next_to=next_to)
        except (Lost, Refused) as error:
            raise Deferred(str(error)) from error


def test_a_sender_that_does_not_take_no_for_an_answer_asks_again_and_again(house: House, server: SmtpFaults) -> None:
    """The negative control of what is refused for good."""
    open_mail.fill(house.app, lambda: Naive(server.url, timeout=20))
    server.to(address(POISONED), *["550 5.1.1 no such person"] * 99)
    tell(alert(POISONED))
    days_go_by(house)
    assert server.attempts[address(POISONED)] > 10


def test_a_sender_that_knows_no_doubt_sends_copy_after_copy(house: House, server: SmtpFaults) -> None:
    """The negative control of what may have arrived."""
    open_mail.fill(house.app, lambda: Naive(server.url, timeout=20))
    fall_silent_after_taking(server)
    tell(alert(POISONED))
    days_go_by(house)
    assert server.copies(address(POISONED)) > 3 * (1 + AMBIGUOUS_BUDGET)


def greylisting(house: House, *, lasts: timedelta) -> Callable[[str, str], Fault | None]:
    """A server that lets nobody in for so long."""
    until = house.clock.at + lasts
    return lambda step, _: "450 4.7.1 greylisted" if step == "rcpt" and house.clock.at < until else None


def test_greylisting_of_almost_a_day_is_waited_for(house: House, server: SmtpFaults) -> None:
    server.decide = greylisting(house, lasts=PATIENCE - AN_HOUR)
    tell(*map(alert, OTHERS))
    days_go_by(house)
    assert states(*OTHERS) == dict.fromkeys(OTHERS, "sent")
    assert copies(server, *OTHERS) == dict.fromkeys(OTHERS, 1)
    assert max(server.attempts.values()) <= len(WAITS) + PATIENCE / WAITS[-1]


def test_greylisting_of_more_than_a_day_is_given_up(house: House, server: SmtpFaults) -> None:
    """The negative control of the one before: patience ends, and the answer tells why."""
    server.decide = greylisting(house, lasts=PATIENCE + 2 * AN_HOUR)
    tell(alert("n00"))
    days_go_by(house)
    assert (told("n00").state, told("n00").last_answer) == ("failed", "450 4.7.1 greylisted")
    assert server.taken == []


def test_a_server_that_closes_after_every_fifth_mail_costs_greetings_and_no_second_attempt(
    house: House, server: SmtpFaults
) -> None:
    names = [f"m{number:02}" for number in range(20)]
    tell(*map(alert, names))
    began: list[int] = []

    def closes(step: str, _: str) -> Fault | None:
        if step == "mail" and len(server.taken) % 5 == 0 and len(server.taken) not in (0, *began):
            began.append(len(server.taken))
            return "421 4.7.0 that is enough for one connection"
        return None

    server.decide = closes
    delivering.deliver(ids())
    assert states(*names) == dict.fromkeys(names, "sent")
    assert {told(name).attempts for name in names} == {1}
    assert (server.connections, copies(server, *names)) == (4, dict.fromkeys(names, 1))


@pytest.mark.parametrize(("step", "state"), [("rcpt", "deferred"), ("data", "deferred"), ("dot", "ambiguous")])
def test_a_server_that_takes_too_long_over_one_mail_holds_up_no_other(
    house: House, server: SmtpFaults, step: str, state: str
) -> None:
    """The delay is half a minute against a time-out of the same length, both at a sixtieth."""
    open_mail.fill(house.app, lambda: SmtpSender(server.url, timeout=0.5))
    held = Held()
    server.to(address(POISONED), held, step=step)
    tell(*map(alert, [POISONED, *OTHERS]))
    delivering.deliver(ids())
    assert states(POISONED, *OTHERS) == {POISONED: state} | dict.fromkeys(OTHERS, "sent")
    held.go()
    settle(house, DELIVER)
    assert told(POISONED).state == "sent"


def test_a_mailing_through_all_faults_at_once_loses_nothing(house: House, server: SmtpFaults) -> None:
    fates = {f"m{number:02}": row for number, row in enumerate([*FAULTS, *FAULTS])}
    for name, (step, fault, _) in fates.items():
        server.to(address(name), fault, step=step)
    tell(*map(alert, [*fates, *OTHERS]))
    days_go_by(house)
    refused = {name for name, (_, _, state) in fates.items() if state == "failed"}
    twice = {name for name, (_, fault, _) in fates.items() if fault is DROP_AFTER_TAKING}
    everybody = [*fates, *OTHERS]
    assert states(*everybody) == {name: "failed" if name in refused else "sent" for name in everybody}
    assert copies(server, *everybody) == {
        name: 0 if name in refused else 2 if name in twice else 1 for name in everybody
    }
    assert len({mail.message_id for mail in server.taken}) == len(everybody) - len(refused)
    assert server.violations == []


def batch_with_some_that_do_not_go(house: House, server: SmtpFaults) -> None:
    """Six to whom mail may go, and between them some who want none and one whose domain was too fast just now."""
    with transaction():
        for name in ("n01", "n04"):
            suppressions.add(address(name), Scope.ALL, Reason.HELPDESK, at=house.clock.at)
    delivering.PACES.setdefault(open_mail(), Pace()).too_fast("clinic.example", house.clock.now())
    busy = replace(alert("n06"), to=replace(alert("n06").to, address="n06@clinic.example"))
    tell(*[busy if name == "n06" else alert(name) for name in (f"n{number:02}" for number in range(9))])
    delivering.deliver(ids())
    assert [mail.to for mail in server.taken] == [address(f"n{number:02}") for number in (0, 2, 3, 5, 7, 8)]


def test_a_mail_that_does_not_go_is_not_begun_and_costs_no_connection(house: House, server: SmtpFaults) -> None:
    batch_with_some_that_do_not_go(house, server)
    assert server.connections == 1
    assert "QUIT" in {command.upper() for command in server.commands}


def test_one_that_were_begun_all_the_same_would(
    house: House, server: SmtpFaults, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control: whoever is next is named, and still nobody gets a mail that is not for them."""

    def next_to(line: delivering._Line) -> str | None:
        return line._first[0][0].address if line._has_another() else None

    monkeypatch.setattr(delivering._Line, "next_to", next_to)
    batch_with_some_that_do_not_go(house, server)
    assert server.connections == 4
