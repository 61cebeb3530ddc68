"""The timer. APScheduler is only a clock: a tick enqueues due work under a unique key, however many timers run."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta

import structlog
from apscheduler.schedulers.background import BackgroundScheduler
from sqlalchemy import delete
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Mapped, mapped_column

from conference_orchestrator.flows import digesting
from conference_orchestrator.kernel.database import Model, db, insert_new
from conference_orchestrator.kernel.outbox import Task
from conference_orchestrator.kernel.transaction import transaction

log = structlog.get_logger()

EVERY = {
    "deliver-overdue": timedelta(minutes=1),
    "read-post": timedelta(minutes=1),
    "expire-offers": timedelta(minutes=1),
    "close-past-sessions": timedelta(minutes=5),
    "send-reminders": timedelta(minutes=5),
    "escalate-registrations": timedelta(minutes=10),
    "watch-quorum": timedelta(minutes=10),
    "gather-attendance": timedelta(minutes=10),
    "sweep-conferences": timedelta(minutes=15),
    "look-at-providers": timedelta(minutes=15),
    "look-far-ahead": timedelta(days=1),
    "listen-to-providers": timedelta(days=1),
    "extend-rounds": timedelta(hours=1),
    "prune-bookkeeping": timedelta(hours=1),
    "send-digest": timedelta(hours=1),
}
# Due at an hour on the wall: the function says since when, `EVERY` how often it is looked whether that came.
DUE_SINCE: dict[str, Callable[[datetime], datetime]] = {"send-digest": digesting.morning}
KEPT = timedelta(days=2)


class Tick(Model):
    """That the work of a name was due at an instant: the second timer that says so changes nothing."""

    __tablename__ = "tick"

    name: Mapped[str] = mapped_column(primary_key=True)
    due_at: Mapped[datetime] = mapped_column(primary_key=True)


def tick(name: str) -> bool:
    """Enqueue the work for the present period; False when that was done already."""
    with transaction() as tx:
        due_at = DUE_SINCE[name](tx.now) if name in DUE_SINCE else begin_of_period(tx.now, EVERY[name])
        row = {"name": name, "due_at": due_at}
        new = db.session.execute(insert_new(Tick).values(row).returning(Tick.name)).one_or_none()
        if new is None:
            return False
        db.session.execute(delete(Tick).where(Tick.name == name, Tick.due_at < tx.now - KEPT))
        tx.after(Task(kind=name, lock=name))
    return True


def begin_of_period(now: datetime, period: timedelta) -> datetime:
    """The latest instant not after `now` that is a whole number of periods after the epoch."""
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return epoch + (now - epoch) // period * period


class Timer:
    """Ticks for every name in the timetable, from now on."""

    def __init__(self, context: Callable[[], AbstractContextManager[object]]) -> None:
        self.context = context
        self.scheduler = BackgroundScheduler(timezone=UTC)
        for name, period in EVERY.items():
            self.scheduler.add_job(
                self._tick,
                "interval",
                args=[name],
                seconds=period.total_seconds(),
                # At the beginning of each period: near its end a late tick would fall into the next one.
                start_date=begin_of_period(datetime.now(UTC), period),
                coalesce=True,
                misfire_grace_time=None,
                next_run_time=datetime.now(UTC),
            )

    def start(self) -> None:
        """Begin to tick in the background."""
        self.scheduler.start()

    def stop(self) -> None:
        """Tick no more."""
        self.scheduler.shutdown()

    def _tick(self, name: str) -> None:
        with self.context():
            try:
                tick(name)
            except SQLAlchemyError:
                log.exception("the timer cannot write", name=name)
