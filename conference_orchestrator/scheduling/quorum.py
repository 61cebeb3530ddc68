"""Whether enough experts, and the needed disciplines, will be there. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Expected:
    """One expert of a session: the discipline and the answer to the invitation (None while there is none)."""

    discipline: str | None
    answer: str | None


@dataclass(frozen=True)
class Quorum:
    """The forecast: how many must confirm, how many did, how many will not come, and which disciplines lack."""

    needed: int
    accepted: int
    declined: int
    missing_disciplines: tuple[str, ...]


def forecast(experts: Sequence[Expected], *, minimum: int, disciplines: Sequence[str]) -> Quorum:
    """The quorum as the answers so far promise it; a discipline is there when one who has it accepted."""
    coming = [expert for expert in experts if expert.answer == "accepted"]
    present = {expert.discipline for expert in coming}
    return Quorum(
        needed=minimum,
        accepted=len(coming),
        declined=sum(expert.answer == "declined" for expert in experts),
        missing_disciplines=tuple(name for name in disciplines if name not in present),
    )
