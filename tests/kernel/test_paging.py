"""Lists by cursor: every row once, in order, whatever comes in between; a cursor that is none is refused."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.errors import Invalid
from conference_orchestrator.kernel.paging import Page, Paging, page
from conference_orchestrator.kernel.transaction import transaction
from conference_orchestrator.network.networks import Network
from tests.house import House

BASE = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


@pytest.fixture
def house_database(both_schemas: str) -> str:
    return both_schemas


@pytest.fixture(autouse=True)
def networks(house: House) -> None:
    """Twenty networks, always four made at the same instant, the instants a microsecond apart."""
    with transaction():
        db.session.add_all(made(number) for number in range(20))


def made(number: int) -> Network:
    return Network(code=f"n{number:02}", name="A network", created_at=BASE + timedelta(microseconds=number // 4))


def by_age(paging: Paging) -> Page[Network]:
    return page(select(Network), paging, by=[Network.created_at, Network.id])


def by_code(paging: Paging) -> Page[Network]:
    return page(select(Network), paging, by=[Network.code])


# The same in every process: test runs in several compare what they have collected.
SOME_ID = "3f2a8a52-4a1f-4f5b-9d43-0f6f0a3f3c11"


def cursor(*values: Any) -> str:
    return written(json.dumps(values))


def written(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


@pytest.mark.parametrize("limit", [1, 3, 4, 7, 19, 20, 21, 500])
def test_all_pages_together_hold_every_row_once_and_in_order(limit: int) -> None:
    found: list[tuple[datetime, UUID]] = []
    at: str | None = None
    for _ in range(20):
        one = by_age(Paging(limit=limit, cursor=at))
        assert len(one.items) <= limit
        found += [(network.created_at, network.id) for network in one.items]
        at = one.next
        if at is None:
            break
    everything = db.session.execute(select(Network.created_at, Network.id)).all()
    assert at is None
    assert len(found) == 20
    assert set(found) == set(everything)
    assert [moment for moment, _ in found] == sorted(moment for moment, _ in found)


def test_the_last_page_says_that_it_is_the_last() -> None:
    assert by_code(Paging(limit=20)).next is None
    assert by_code(Paging(limit=19)).next is not None


def test_a_list_without_rows_has_one_empty_page() -> None:
    nothing = page(select(Network).where(Network.code == "none"), Paging(), by=[Network.code])
    assert (list(nothing.items), nothing.next) == ([], None)


def test_a_row_that_comes_in_between_neither_hides_nor_repeats_another() -> None:
    first = by_code(Paging(limit=10))
    with transaction():
        db.session.add(Network(code="n05-and-a-half", name="A latecomer before the cursor"))
        db.session.add(Network(code="n15-and-a-half", name="A latecomer after the cursor"))
    rest = by_code(Paging(limit=500, cursor=first.next))
    codes = [network.code for network in rest.items]
    assert codes == sorted([f"n{number}" for number in range(10, 20)] + ["n15-and-a-half"])


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "é",
        "%%%",
        "bm90IGpzb24",
        cursor(),
        cursor("2026-11-23T09:00:00+00:00"),
        cursor("2026-11-23T09:00:00+00:00", SOME_ID, "too many"),
        cursor("2026-11-23T09:00:00", SOME_ID),
        cursor("yesterday", SOME_ID),
        cursor("2026-11-23T09:00:00+00:00", "no-id"),
        cursor(5, 6),
        cursor(None, None),
        cursor({}, []),
        written("5"),
        written("null"),
        written("[" * 5000),
        "A" * 5000,
    ],
)
def test_what_is_no_cursor_is_refused_by_name(wrong: str) -> None:
    with pytest.raises(Invalid) as refused:
        by_age(Paging(cursor=wrong))
    assert refused.value.errors == {"cursor": ["This is not a cursor that a list gave out."]}


@pytest.mark.parametrize("value", ["\0", "\ud800", 5, None, ["n01"]])
def test_a_text_that_no_database_can_hold_is_no_cursor(value: Any) -> None:
    with pytest.raises(Invalid):
        by_code(Paging(cursor=cursor(value)))


def test_a_cursor_of_another_list_is_refused() -> None:
    with pytest.raises(Invalid):
        by_age(Paging(cursor=by_code(Paging(limit=1)).next))
