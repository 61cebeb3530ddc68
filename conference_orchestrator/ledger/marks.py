"""How sendings ended, written down one by one while the mails go out."""

from __future__ import annotations

from functools import cache
from types import TracebackType
from typing import Self

from sqlalchemy import Connection, Integer, String, Update, bindparam, func, null, update

from conference_orchestrator.kernel.repeated import repeated
from conference_orchestrator.ledger.messages import ENDED, Message, Outcome, State, is_one_of


class Marks:
    """What one worker writes down over one connection, which serves nothing else within the block.

    Of the marks at most one is not confirmed: the next one waits for it. `ended` counts the messages that came to their
    end here, and is whole after the block; one that has gone to another worker meanwhile does not count.
    """

    def __init__(self, connection: Connection, *, worker: str) -> None:
        self._statement, self._worker = repeated(_mark(), connection), worker
        self.ended = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._statement.settle()

    def write(self, done: Outcome) -> None:
        """Write down how the sending of this message ended, unless it has gone to another worker."""
        values = {
            "of": done.message_id,
            "by": self._worker,
            "new_state": done.state.value,
            "answer": done.answer[:500],
            "next_at": done.due_at,
            "taken_at": done.sent_at,
            "lost": int(done.is_lost),
        }
        self._statement.run(values, then=self._count if done.state in ENDED else _ignore)

    def _count(self, changed: int) -> None:
        self.ended += changed


def _ignore(_changed: int) -> None:
    """What comes back later has not ended."""


@cache
def _mark() -> Update:
    return (
        update(Message)
        .where(Message.id == bindparam("of"), Message.worker == bindparam("by"), is_one_of(Message, State.SENDING))
        .values(
            state=bindparam("new_state", type_=String),
            lease_until=null(),
            lost_answers=Message.lost_answers + bindparam("lost", type_=Integer),
            last_answer=bindparam("answer", type_=String),
            due_at=func.coalesce(bindparam("next_at", type_=Message.due_at.type), Message.due_at),
            sent_at=func.coalesce(bindparam("taken_at", type_=Message.due_at.type), Message.sent_at),
        )
    )
