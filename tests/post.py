"""A mail server in memory that fails as it is told, and plain messages to send through it."""

from __future__ import annotations

import email
import email.policy
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Self
from uuid import UUID

from sqlalchemy import select

from conference_orchestrator.flows import delivering
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.transaction import is_open, transaction
from conference_orchestrator.ledger.messages import Draft, Message, Recipient
from conference_orchestrator.notify import kinds
from conference_orchestrator.notify.sending import Lost, nobody
from tests.house import House

DELIVER = "deliver"
A_SECOND = timedelta(seconds=1)


class Killed(BaseException):
    """The process ends here."""


class Post:
    """A mail server in memory. `troubles` are what befalls the next mails to an address, None being nothing."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []
        self.troubles: dict[str, list[BaseException | None]] = {}
        self.before: Callable[[], Any] = lambda: None
        self.saw_transaction_open = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def send(
        self, from_address: str, to_address: str, data: bytes, *, next_to: Callable[[], str | None] = nobody
    ) -> str:
        assert from_address == "helpdesk@network.example"
        self.saw_transaction_open |= is_open()
        self.before()
        next_to()
        name = to_address.partition("@")[0]
        trouble = self.troubles[name].pop(0) if self.troubles.get(name) else None
        if trouble is None or isinstance(trouble, Lost | Killed):
            self.sent.append((name, header(data, "Message-ID")))
        if trouble is not None:
            raise trouble
        return "250 taken"

    def names(self) -> list[str]:
        """Who was sent a mail, in order."""
        return [name for name, _ in self.sent]


def header(mail: bytes, name: str) -> str:
    return str(email.message_from_bytes(mail, policy=email.policy.default)[name])


def alert(name: str, **more: Any) -> Draft:
    to = Recipient(address=f"{name}@hospital.example", name=name, language="en", time_zone="Europe/Lisbon")
    facts = kinds.DeskAlert(title="Something waits", detail="Look.", url="https://conference.example/")
    return delivering.draft(facts, to=to, **{"cause": "because", **more})


def tell(*drafts: Draft) -> None:
    with transaction() as tx:
        delivering.tell(tx, *drafts)


def told(name: str, *, kind: str = "desk-alert") -> Message:
    """The message to that person, as it is in the database now."""
    db.session.rollback()
    mine = select(Message).where(Message.name == name, Message.kind == kind).execution_options(populate_existing=True)
    return db.session.scalars(mine).one()


def ids() -> list[UUID]:
    db.session.rollback()
    return list(db.session.scalars(select(Message.id).order_by(Message.address, Message.number)))


def due_in(house: House, name: str) -> timedelta:
    return told(name).due_at - house.clock.at


def chain(number: int) -> Draft:
    """The object of that number, all of one UID for one person."""
    return alert("ines", cause=f"object {number}", chain="uid:ines", number=number)


def sent_objects() -> list[str]:
    db.session.rollback()
    return list(db.session.scalars(select(Message.cause).where(Message.state == "sent").order_by(Message.number)))
