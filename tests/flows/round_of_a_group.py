"""What tests of exceptions hold in their hands: the stage's round, and what may happen to its dates."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

from conference_orchestrator.flows import arranging
from conference_orchestrator.flows.rounds import Touched
from conference_orchestrator.scheduling.sessions import Session
from tests.house import HELPDESK
from tests.scheduling.stage import Stage


class Round:
    """The stage's round and its exceptions."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.id: UUID = stage.sessions()[0].series_id

    def add(self, on: date, kind: str, *, preview: bool = False, **more: Any) -> Any:
        return arranging.add_exception(self.id, {"on": on, "kind": kind, **more}, by=HELPDESK, preview=preview)

    def remove(self, which: UUID | date, *, preview: bool = False) -> Touched:
        return arranging.remove_exception(self.id, which, by=HELPDESK, preview=preview)

    def on(self, on: date) -> Session:
        (found,) = [session for session in self.stage.sessions() if session.occurrence_on == on]
        return found

    def states(self, *days: date) -> list[tuple[str, str | None]]:
        return [(self.on(day).state, self.on(day).reason) for day in days]
