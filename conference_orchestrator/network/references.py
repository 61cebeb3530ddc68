"""A thing may be named by its code or by its id, wherever a field or a filter names it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy.sql import ColumnElement


def as_id(reference: str | UUID) -> UUID | None:
    """The id, when the reference is one."""
    if isinstance(reference, UUID):
        return reference
    try:
        return UUID(reference)
    except ValueError:
        return None


def by_id_or_code(model: Any, reference: str | UUID) -> ColumnElement[bool]:
    """A condition on a model that has `id` and `code`."""
    identifier = as_id(reference)
    condition: ColumnElement[bool] = model.id == identifier if identifier else model.code == str(reference)
    return condition
