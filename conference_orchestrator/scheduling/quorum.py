"""Whether enough experts, and the needed disciplines, will be there, and who could step in. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True)
class Expected:
    """One expert of a session: the discipline, the answer to the invitation (None while there is none), if away."""

    discipline: str | None
    answer: str | None
    is_absent: bool = False


@dataclass(frozen=True, kw_only=True)
class Quorum:
    """The forecast: how many must confirm, how many did, declined or are away, and which disciplines lack.

    Who is away counts as absent alone, whatever the answer was.
    """

    needed: int
    accepted: int
    declined: int
    absent: int
    missing_disciplines: tuple[str, ...]

    @property
    def is_met(self) -> bool:
        """Whether enough accepted and every needed discipline is among them."""
        return self.accepted >= self.needed and not self.missing_disciplines


@dataclass(frozen=True)
class Spare:
    """A substitute who could be asked: neither away, nor expected elsewhere, nor on the roster already."""

    clinician_id: UUID
    discipline: str | None


def forecast(experts: Sequence[Expected], *, minimum: int, disciplines: Sequence[str]) -> Quorum:
    """The quorum as the answers so far promise it; a discipline is there when one who has it accepted."""
    here = [expert for expert in experts if not expert.is_absent]
    coming = [expert for expert in here if expert.answer == "accepted"]
    present = {expert.discipline for expert in coming}
    return Quorum(
        needed=minimum,
        accepted=len(coming),
        declined=sum(expert.answer == "declined" for expert in here),
        absent=len(experts) - len(here),
        missing_disciplines=tuple(name for name in disciplines if name not in present),
    )


def step_in(lacking: Quorum, spare: Sequence[Spare], *, asked: Sequence[str | None]) -> list[Spare]:
    """Whom to ask: one for each missing discipline, then others until enough would be there if all who are asked came.

    `asked` holds the disciplines of the substitutes who were asked already and may still come. The first suitable one
    of `spare` is asked.
    """
    chosen: list[Spare] = []
    for discipline in lacking.missing_disciplines:
        fitting = next((one for one in spare if one.discipline == discipline and one not in chosen), None)
        if fitting is not None and discipline not in asked:
            chosen.append(fitting)
    seats = lacking.needed - lacking.accepted - len(asked) - len(chosen)
    others = [one for one in spare if one not in chosen]
    return chosen + others[: max(seats, 0)]
