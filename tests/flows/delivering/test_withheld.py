"""What is not sent, or not yet: addresses that get no mail, people who want no reminders, domains that ask for time."""

from __future__ import annotations

from datetime import timedelta
from email import message_from_bytes, policy
from uuid import UUID, uuid4

import pytest

from conference_orchestrator.flows import delivering
from conference_orchestrator.kernel import links
from conference_orchestrator.kernel.transaction import transaction
from conference_orchestrator.ledger import suppressions
from conference_orchestrator.ledger.messages import Draft, Message, Recipient
from conference_orchestrator.ledger.suppressions import Reason, Scope
from conference_orchestrator.notify.sending import Deferred, TooFast
from tests.house import House
from tests.notify.examples import EXAMPLES
from tests.post import DELIVER, Post, alert, ids, tell, told
from tests.scene import settle

CLINICIAN = UUID(int=7)


def suppress(address: str, scope: Scope, reason: Reason) -> None:
    with transaction() as tx:
        suppressions.add(address, scope, reason, at=tx.now)


def example(kind: str, *, clinician_id: UUID | None = CLINICIAN) -> Draft:
    """The example of that kind, told to Ines."""
    facts, _ = EXAMPLES[kind]
    to = Recipient(
        address="Ines@hospital.example",
        name="ines",
        language="en",
        time_zone="Europe/Lisbon",
        clinician_id=clinician_id,
    )
    return delivering.draft(facts, to=to, cause="because", link_subject=uuid4())


@pytest.mark.parametrize(
    ("reason", "said"),
    [(Reason.BOUNCED, "mail to this address bounced"), (Reason.HELPDESK, "the helpdesk ended mail to this address")],
)
def test_an_address_that_gets_no_mail_gets_none_and_the_log_says_why(
    house: House, post: Post, reason: Reason, said: str
) -> None:
    suppress("a@hospital.example", Scope.ALL, reason)
    tell(alert("a"), alert("b"))
    delivering.deliver(ids())
    assert post.names() == ["b"]
    assert told("a").state == "suppressed"
    assert told("a").last_answer == f"not sent: {said}; mend the address or lift the suppression"


def test_it_counts_how_the_address_stands_when_the_mail_goes(house: House, post: Post) -> None:
    tell(alert("a"))
    suppress("a@hospital.example", Scope.ALL, Reason.BOUNCED)
    delivering.deliver(ids())
    assert post.sent == []


@pytest.mark.parametrize(("kind", "goes"), [("reminder", False), ("invitation", True), ("invitation-cancel", True)])
def test_who_wants_no_reminders_gets_everything_else(house: House, post: Post, kind: str, goes: bool) -> None:
    suppress("ines@hospital.example", Scope.REMINDERS, Reason.UNSUBSCRIBED)
    tell(example(kind))
    delivering.deliver(ids())
    assert (told("ines", kind=kind).state == "sent") is goes
    assert bool(post.sent) is goes
    if not goes:
        assert told("ines", kind=kind).last_answer == "not sent: no reminders are wanted at this address"


def sent(kind: str) -> Message:
    (message,) = [told("ines", kind=kind)]
    return message


def test_a_reminder_can_be_ended_with_one_click(house: House, post: Post) -> None:
    tell(example("reminder"))
    mail = message_from_bytes(delivering.mail(sent("reminder")), policy=policy.default)
    (address,) = mail.get_all("List-Unsubscribe")
    word = address.removeprefix(f"<{links.url('/u/')}").removesuffix(">")
    assert links.subject_of("unsubscribe", word) == CLINICIAN
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


@pytest.mark.parametrize(
    "draft", [example("invitation"), example("slot-offer"), example("reminder", clinician_id=None)]
)
def test_other_mails_have_no_list_to_leave(house: House, post: Post, draft: Draft) -> None:
    tell(draft)
    mail = message_from_bytes(delivering.mail(sent(draft.kind)), policy=policy.default)
    assert mail["List-Unsubscribe"] is None
    assert mail["List-Unsubscribe-Post"] is None


def test_after_too_fast_nothing_more_goes_to_that_domain_for_a_while(house: House, post: Post) -> None:
    post.troubles["a"] = [TooFast("421 4.7.0 too many")]
    tell(alert("a"), alert("b"), alert("c"))
    delivering.deliver(ids())
    assert post.sent == []
    assert (told("b").state, told("b").attempts, told("b").due_at) == (
        "deferred",
        0,
        house.clock.at + timedelta(minutes=1),
    )
    assert told("b").last_answer == "waits: mails to hospital.example go too fast"
    settle(house, DELIVER)
    assert sorted(post.names()) == ["a", "b", "c"]


def test_another_failure_slows_nobody_down(house: House, post: Post) -> None:
    """The negative control."""
    post.troubles["a"] = [Deferred("450 greylisted")]
    tell(alert("a"), alert("b"), alert("c"))
    delivering.deliver(ids())
    assert post.names() == ["b", "c"]
