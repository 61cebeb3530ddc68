"""The facts of an e-mail as JSON values, in which they wait for their turn, and back."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any

from conference_orchestrator.kernel.errors import NotFound
from conference_orchestrator.kernel.times import rfc3339
from conference_orchestrator.notify.kinds import KINDS, Facts


def facts_to_json(facts: Facts) -> dict[str, Any]:
    """The facts as JSON values; instants become RFC 3339 in UTC. Raises TypeError for a naive time."""
    return {field.name: _to_json(getattr(facts, field.name)) for field in dataclasses.fields(facts)}


def facts_from_json(kind: str, data: Mapping[str, Any]) -> Facts:
    """The facts that `facts_to_json` wrote. NotFound for an unknown kind, TypeError for an unknown or missing fact."""
    if kind not in KINDS:
        raise NotFound(f"There is no e-mail of the kind {kind!r}.")
    facts: Facts = _from_json(KINDS[kind], data)
    return facts


def _to_json(value: Any) -> Any:
    if isinstance(value, datetime):
        return rfc3339(value)
    if isinstance(value, tuple):
        return [_to_json(item) for item in value]
    if dataclasses.is_dataclass(value):
        return {field.name: _to_json(getattr(value, field.name)) for field in dataclasses.fields(value)}
    return value


# Python reads them out of the source anew each time.
@cache
def _hints(wanted: type) -> dict[str, Any]:
    return typing.get_type_hints(wanted)


def _from_json(wanted: Any, value: Any) -> Any:
    """`value` as the annotated type `wanted`: a dataclass, tuple[X, ...], X | None, datetime or a plain JSON value."""
    if typing.get_origin(wanted) in {types.UnionType, typing.Union}:
        (wanted,) = (choice for choice in typing.get_args(wanted) if choice is not types.NoneType)
        return None if value is None else _from_json(wanted, value)
    if typing.get_origin(wanted) is tuple:
        return tuple(_from_json(typing.get_args(wanted)[0], item) for item in value)
    if wanted is datetime:
        return datetime.fromisoformat(value)
    if dataclasses.is_dataclass(wanted):
        hints = _hints(typing.cast("type", wanted))
        return typing.cast("Any", wanted)(**{name: _from_json(hints.get(name), item) for name, item in value.items()})
    return value
