"""Lists by cursor: page 10,000 costs what page 1 costs, and nothing is skipped when rows come in between."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from sqlalchemy import Select, literal, tuple_
from sqlalchemy.orm import InstrumentedAttribute

from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.errors import Invalid

T = TypeVar("T")
DEFAULT_LIMIT, HIGHEST_LIMIT = 50, 500
HIGHEST_NUMBER = 2**31 - 1


@dataclass(frozen=True)
class Paging:
    """What the asker wants: how many, and from where on (`cursor` as given by the page before, or None)."""

    limit: int = DEFAULT_LIMIT
    cursor: str | None = None


FIRST = Paging()


@dataclass(frozen=True)
class Page(Generic[T]):
    """Some rows of a list; `next` is the cursor of the following page or None."""

    items: Sequence[T]
    next: str | None


def page(statement: Select[T], paging: Paging, *, by: Sequence[InstrumentedAttribute[Any]]) -> Page[T]:
    """Run the statement for one page, in the ascending order of `by`, which must end in a unique column."""
    keys = tuple_(*by)
    if paging.cursor is not None:
        read = _read(paging.cursor, [column.type.python_type for column in by])
        last = [literal(value, column.type) for value, column in zip(read, by, strict=True)]
        statement = statement.where(keys > tuple_(*last))
    rows = db.session.scalars(statement.order_by(*by).limit(paging.limit + 1)).unique().all()
    items = rows[: paging.limit]
    more = len(rows) > paging.limit
    return Page(items, _write([getattr(items[-1], column.key) for column in by]) if more else None)


def part(rows: Sequence[T], paging: Paging, *, key: Callable[[T], str]) -> Page[T]:
    """One page of rows that are put together here and have no order in the database; each has a `key` of its own."""
    keys, first = [key(row) for row in rows], 0
    if paging.cursor is not None:
        (last,) = _read(paging.cursor, [str])
        if last not in keys:
            raise Invalid({"cursor": "What the page before ended with is not in the list any more: read it anew."})
        first = keys.index(last) + 1
    items = rows[first : first + paging.limit]
    more = len(rows) > first + paging.limit
    return Page(items, _write([keys[first + paging.limit - 1]]) if more else None)


def _write(values: Sequence[Any]) -> str:
    plain = [value.isoformat() if isinstance(value, date) else str(value) for value in values]
    return base64.urlsafe_b64encode(json.dumps(plain).encode()).decode().rstrip("=")


def _read(cursor: str, kinds: Sequence[type[Any]]) -> list[Any]:
    try:
        plain = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        values = [_typed(value, kind) for value, kind in zip(plain, kinds, strict=True)]
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise Invalid({"cursor": "This is not a cursor that a list gave out."}) from error
    return values


def _typed(value: Any, kind: type[Any]) -> Any:
    """The value as a column holds it; what no database could compare with is an error here already."""
    if issubclass(kind, datetime):
        at = datetime.fromisoformat(value)
        if at.tzinfo is None:
            raise ValueError("an instant is aware")
        return at.astimezone(UTC)
    if issubclass(kind, date):
        return date.fromisoformat(value)
    if issubclass(kind, UUID):
        return UUID(value)
    if not isinstance(value, str) or "\0" in value:
        raise ValueError("this is no text")
    value.encode()
    typed = kind(value)
    if isinstance(typed, int) and not 0 <= typed <= HIGHEST_NUMBER:
        raise ValueError("no column counts so far")
    return typed
