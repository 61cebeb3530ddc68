"""Replans: proposals which waiting requests get which free slots, applied on a person's word."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from conference_orchestrator.kernel.database import Model, Versioned, db
from conference_orchestrator.kernel.errors import NotFound


class Replan(Versioned, Model):
    """A proposal for a group. `moves` lists request, slot and reasons, `unplaced` request and reason, as JSON."""

    __tablename__ = "replan"

    group_id: Mapped[UUID] = mapped_column(ForeignKey("expert_group.id"), index=True)
    moves: Mapped[list[Any]]
    unplaced: Mapped[list[Any]]
    applied_at: Mapped[datetime | None]


def get(replan_id: UUID, *, lock: bool = False) -> Replan:
    """The replan with that id, or NotFound; whose it is, the caller checks by its group."""
    found = db.session.get(Replan, replan_id, with_for_update=lock, populate_existing=True)
    if found is None:
        raise NotFound("There is no such replan.")
    return found
