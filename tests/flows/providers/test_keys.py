"""Our keys, as the conference makes them and as the sweep looks for them."""

from __future__ import annotations

from conference_orchestrator.providers.base import KEY_PREFIX
from conference_orchestrator.scheduling import conferences


def test_every_key_begins_as_the_adapters_look_for_it() -> None:
    """Two layers that may not know each other write it down: were they to differ, no orphan would be seen any more."""
    assert conferences.new_key().startswith(KEY_PREFIX)
