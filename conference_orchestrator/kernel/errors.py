"""What can be wrong, in words that a reader can act on.

    OrchestratorError
    ├── Invalid          the input is wrong; `errors` names the fields                  422
    ├── NotFound         no such thing within the asker's scope                         404
    ├── NotPermitted     the asker's role may never do this                             403
    ├── Stale            the thing changed since the asker read it                      412
    ├── Busy             too many at once; ask again after `retry_after` seconds        429
    └── Conflict         the present state does not allow it                            409
        ├── SlotTaken    the slot is held by another request
        ├── NoHostFree   no host account is free in that window; `next_free` names times
        └── RuleBroken   a rule of the trade forbids it in this state

The status in the right column is given once, in `web/problems.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Protocol

if TYPE_CHECKING:
    from conference_orchestrator.kernel.principal import Principal


class OrchestratorError(Exception):
    """Anything the service refuses. `detail` says what is wrong and what to do; `slug` is the stable problem name."""

    slug: ClassVar[str] = "error"
    title: ClassVar[str] = "The request could not be carried out"

    def __init__(self, detail: str, /, **extra: object) -> None:
        super().__init__(detail)
        self.detail = detail
        self.extra = extra


class Invalid(OrchestratorError):
    """Wrong input. `errors` maps the dotted name of a field to what is wrong with it."""

    slug = "invalid"
    title = "The input is not valid"

    def __init__(self, errors: Mapping[str, str | Sequence[str]], /, detail: str | None = None) -> None:
        self.errors = {field: [said] if isinstance(said, str) else list(said) for field, said in errors.items()}
        super().__init__(detail or "; ".join(f"{field}: {' '.join(said)}" for field, said in self.errors.items()))


class NotFound(OrchestratorError):
    """There is no such thing, or it lies outside the asker's scope: the answer does not tell which."""

    slug = "not-found"
    title = "There is no such thing"


class NotPermitted(OrchestratorError):
    """The asker's role may never do this."""

    slug = "not-permitted"
    title = "Your role may not do this"


class Stale(OrchestratorError):
    """The thing was changed by someone else since the asker read it."""

    slug = "stale"
    title = "It was changed meanwhile"


class Busy(OrchestratorError):
    """Too many at once. `retry_after` is in seconds."""

    slug = "too-many"
    title = "Too many requests"

    def __init__(self, detail: str, /, *, retry_after: int) -> None:
        self.retry_after = retry_after
        super().__init__(detail)


class Conflict(OrchestratorError):
    """The present state of the thing does not allow it."""

    slug = "conflict"
    title = "The present state does not allow it"


class SlotTaken(Conflict):
    """The slot is held by another request."""

    slug = "slot-taken"
    title = "The slot is taken"


class Shown(Protocol):
    """Something of which each asker is told only what lies within the own scope."""

    def shown_to(self, by: Principal | None) -> Mapping[str, object]:
        """What the asker, or somebody who is not known, may be told of it."""
        ...


class NoHostFree(Conflict):
    """Every host account is busy in the window; `next_free` lists starts at which one is free, `held_by` who has them.

    Who holds them depends on who asks; the answer is made where that is known.
    """

    slug = "no-host-free"
    title = "No host account is free"

    def __init__(self, detail: str, /, *, held_by: Sequence[Shown] = (), **extra: object) -> None:
        self.held_by = held_by
        super().__init__(detail, **extra)


class RuleBroken(Conflict):
    """A rule of the trade forbids the step in this state."""

    slug = "rule-broken"
    title = "This step is not possible now"
