"""The service without its protection, for the negative controls."""

from __future__ import annotations

from typing import Any

import pytest

from conference_orchestrator.flows import conferencing
from conference_orchestrator.scheduling.conferences import Conference


def create_without_looking(patch: pytest.MonkeyPatch) -> None:
    """After a create whose outcome is unknown, create again at once."""
    decide = conferencing._next

    def never_look(*given: Any, **more: Any) -> str | None:
        (conference,) = [one for one in given if isinstance(one, Conference)]
        conference.attempted_at = None
        return decide(*given, **more)

    patch.setattr(conferencing, "_next", never_look)
