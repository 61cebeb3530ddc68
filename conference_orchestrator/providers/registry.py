"""The adapters by name, ours and those of other packages alike: the entry-point group is the only list.

An entry point is a factory, `provider(settings, tokens) -> ConferenceProvider`, which names missing settings by
SettingsError; `tokens` is a TokenStore, for providers whose credentials renew.
"""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import cast

from conference_orchestrator.providers.base import ConferenceProvider
from conference_orchestrator.providers.tokens import TokenStore
from conference_orchestrator.settings import Settings, SettingsError

GROUP = "conference_orchestrator.providers"


def names() -> tuple[str, ...]:
    """The names that `load` knows, sorted."""
    return tuple(sorted(_installed()))


def load(name: str, settings: Settings, tokens: TokenStore) -> ConferenceProvider:
    """The adapter of that name, ready for calls; it has made none yet.

    SettingsError when there is no such adapter, or when a setting that it needs is missing.
    """
    try:
        point = _installed()[name]
    except KeyError:
        known = ", ".join(names()) or "none; is the package installed?"
        raise SettingsError(f"CO_PROVIDER: there is no provider {name!r}. Known: {known}.") from None
    return cast("ConferenceProvider", point.load()(settings, tokens))


def _installed() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}
