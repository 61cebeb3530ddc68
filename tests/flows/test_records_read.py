"""Nobody but the helpdesk is shown the records of more than sixty people within a minute."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from conference_orchestrator.flows import bookkeeping
from conference_orchestrator.kernel.audit import AuditEntry
from conference_orchestrator.kernel.bookkeeping import RecentReading
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.errors import Busy
from conference_orchestrator.kernel.principal import Principal, Role
from tests.house import HELPDESK, House
from tests.meeting import Meeting

ANA = UUID(int=1000)
CLINICIAN = Principal(role=Role.CLINICIAN, clinician_id=ANA, token_id=UUID(int=1))
SECOND_TOKEN = Principal(role=Role.CLINICIAN, clinician_id=ANA, token_id=UUID(int=2))
COORDINATOR = Principal(role=Role.COORDINATOR, group_id=UUID(int=5), token_id=UUID(int=3))
AUDITOR = Principal(role=Role.AUDITOR, token_id=UUID(int=4))


@pytest.fixture
def house_database(both_schemas: str) -> str:
    return both_schemas


def people(first: int, last: int) -> list[UUID]:
    return [UUID(int=number) for number in range(first, last + 1)]


def read(first: int, last: int | None = None, *, by: Principal = CLINICIAN) -> int | None:
    """None when the records may be shown, otherwise after how many seconds to ask again."""
    try:
        bookkeeping.count_records(people(first, last or first), by=by)
    except Busy as busy:
        return busy.retry_after
    return None


def told() -> list[tuple[str, str]]:
    """What the audit says of it."""
    db.session.rollback()
    return [tuple(row) for row in db.session.execute(db.select(AuditEntry.actor, AuditEntry.subject))]


@pytest.mark.usefixtures("house")
@pytest.mark.parametrize("by", [CLINICIAN, COORDINATOR, AUDITOR], ids=["clinician", "coordinator", "auditor"])
def test_sixty_are_shown_and_one_more_is_not(by: Principal) -> None:
    assert (read(1, 59, by=by), read(60, by=by), read(61, by=by)) == (None, None, 60)


@pytest.mark.usefixtures("house")
def test_the_helpdesk_is_shown_everybody() -> None:
    assert read(1, 5000, by=HELPDESK) is None
    assert db.session.scalars(db.select(RecentReading)).all() == []


@pytest.mark.usefixtures("house")
def test_the_own_record_and_those_shown_already_are_not_counted() -> None:
    assert read(1, 60) is None
    assert (read(30, 60), read(1000), read(61)) == (None, None, 60)


@pytest.mark.usefixtures("house")
def test_a_page_that_would_be_too_much_is_not_shown_in_part_nor_counted() -> None:
    assert (read(1, 50), read(51, 61), read(51, 60)) == (None, 60, None)


@pytest.mark.usefixtures("house")
def test_each_asker_is_counted_alone_and_two_tokens_of_one_person_together() -> None:
    assert (read(1, 60), read(61, by=COORDINATOR), read(61, by=SECOND_TOKEN)) == (None, None, 60)


def test_no_minute_has_more_than_sixty_wherever_it_begins(house: House) -> None:
    clock = house.clock
    clock.move_on(timedelta(seconds=50))
    assert read(1, 40) is None
    clock.move_on(timedelta(seconds=20))
    assert read(41, 60) is None
    assert (read(61), read(61, 101)) == (40, 60)  # when the first is a minute ago; when the 41st is
    clock.move_on(timedelta(seconds=39))
    assert read(61) == 1
    clock.move_on(timedelta(seconds=1))
    assert (read(61, 100), read(101)) == (None, 20)


def test_who_is_shown_again_counts_from_then_on(house: House) -> None:
    assert read(1, 60) is None
    house.clock.move_on(timedelta(seconds=59))
    assert read(1, 60) is None
    house.clock.move_on(timedelta(seconds=1))
    assert read(61) == 59


def test_the_audit_tells_of_it_once_a_minute(house: House) -> None:
    assert read(1, 60) is None
    for seconds, rows in [(0, 1), (59, 1), (1, 2)]:
        house.clock.move_on(timedelta(seconds=seconds))
        read(1, 60)
        assert read(61) is not None
        assert told() == [(f"clinician:{ANA}", "clinicians")] * rows


def test_after_a_day_nothing_is_known_of_who_was_shown(house: House) -> None:
    assert read(1, 60) is None
    house.clock.move_on(timedelta(hours=23))
    bookkeeping.prune()
    assert len(db.session.scalars(db.select(RecentReading)).one().records) == 60
    house.clock.move_on(timedelta(hours=2))
    bookkeeping.prune()
    db.session.expire_all()
    kept = db.session.scalars(db.select(RecentReading)).one()
    assert (kept.records, kept.read_at) == ({}, None)
    assert read(1, 60) is None


class TestAtOnce:
    def test_of_eighty_asked_for_at_the_same_moment_sixty_are_shown(self, house: House) -> None:
        answers = house.at_once(8, lambda number: [read(10 * number + one) for one in range(1, 11)])
        assert sum(answer is None for part in answers for answer in part) == 60
        assert len(told()) == 1


class TestOnPostgres:
    """In SQLite one transaction writes at a time."""

    @pytest.fixture
    def house_database(self, postgres_schema: str) -> str:
        return postgres_schema

    def test_without_the_row_to_oneself_two_count_past_each_other(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The negative control."""
        assert read(1, 59) is None
        unlocked = Meeting().after(lambda asker: db.session.get_one(RecentReading, asker))
        monkeypatch.setattr(bookkeeping, "_readings_of", unlocked)
        assert house.at_once(2, lambda number: read(60 + number)) == [None, None]

    def test_with_it_one_of_the_two_waits_and_is_refused(self, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
        assert read(1, 59) is None
        locked = Meeting(may_be_in_vain=True).after(bookkeeping._readings_of)
        monkeypatch.setattr(bookkeeping, "_readings_of", locked)
        answers = house.at_once(2, lambda number: read(60 + number))
        assert sorted(answers, key=str) == [60, None]
