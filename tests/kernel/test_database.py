"""What the base of all tables promises: aware instants, versions that count, personal columns that say so."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from uuid import uuid4

import pytest
from sqlalchemy import bindparam, select, text, update
from sqlalchemy.exc import IntegrityError, StatementError
from sqlalchemy.orm.exc import StaleDataError

from conference_orchestrator import migrations
from conference_orchestrator.kernel.bookkeeping import RateCount, UsedChallenge
from conference_orchestrator.kernel.database import db, insert_new, personal, rows_of
from conference_orchestrator.kernel.errors import Stale
from conference_orchestrator.kernel.transaction import transaction
from conference_orchestrator.network.clinicians import ClinicianNetwork
from conference_orchestrator.network.networks import Network
from tests.house import House

AT = datetime(2026, 11, 24, 10, 20, 30, 123456, tzinfo=UTC)
KINDS = {"identity", "contact", "profession", "preference", "content"}


@pytest.fixture
def house_database(both_schemas: str) -> str:
    return both_schemas


@pytest.fixture(autouse=True)
def on_both_databases(house: House) -> House:
    return house


def stored(at: datetime) -> datetime:
    with transaction():
        db.session.add(UsedChallenge(digest="d", expires_at=at))
    db.session.expunge_all()
    return db.session.scalars(select(UsedChallenge.expires_at)).one()


def test_an_instant_comes_back_in_utc_to_the_microsecond() -> None:
    kept = stored(AT.astimezone(timezone(timedelta(hours=9))))
    assert (kept, kept.tzinfo) == (AT, UTC)


def test_a_naive_time_is_not_stored() -> None:
    with pytest.raises(StatementError, match="an instant is aware"):
        stored(AT.replace(tzinfo=None))
    assert db.session.scalars(select(UsedChallenge)).all() == []


def test_a_naive_time_is_not_compared_with() -> None:
    with pytest.raises(StatementError, match="an instant is aware"):
        db.session.scalars(select(UsedChallenge).where(UsedChallenge.expires_at > AT.replace(tzinfo=None)))


def test_an_instant_of_another_offset_is_found_as_the_same() -> None:
    stored(AT)
    elsewhere = AT.astimezone(timezone(timedelta(hours=-8)))
    assert db.session.scalars(select(UsedChallenge).where(UsedChallenge.expires_at == elsewhere)).one()


def test_no_instant_is_kept_where_one_may_be_missing(covid: Network) -> None:
    assert covid.created_at.tzinfo == UTC
    assert db.session.scalar(select(db.func.max(UsedChallenge.expires_at))) is None


def test_a_version_rises_with_each_change(covid: Network) -> None:
    before = covid.version
    with transaction():
        db.session.merge(covid).name = "Another name"
    assert db.session.scalars(select(Network.version)).one() == before + 1


def test_what_was_read_before_somebodys_change_is_stale(covid: Network) -> None:
    covid.must_match(None)
    covid.must_match(covid.version)
    with pytest.raises(Stale, match="read it again"):
        covid.must_match(covid.version + 1)


def test_two_changes_of_one_version_never_both_count(covid: Network) -> None:
    def change_what_somebody_else_changes_meanwhile() -> None:
        with transaction():
            mine = db.session.scalars(select(Network)).one()
            db.session.execute(
                update(Network).values(version=Network.version + 1).execution_options(synchronize_session=False)
            )
            mine.name = "Mine"

    with pytest.raises(StaleDataError):
        change_what_somebody_else_changes_meanwhile()
    db.session.expunge_all()
    assert db.session.scalars(select(Network.name)).one() == "COVID19 Clinicians Network"


def test_a_state_outside_the_list_is_refused_by_the_database(covid: Network) -> None:
    with pytest.raises(IntegrityError), transaction():
        db.session.execute(text("UPDATE network SET participant_list = 'postcard'"))


def test_a_row_that_points_nowhere_is_refused_by_the_database() -> None:
    stray = ClinicianNetwork(clinician_id=uuid4(), network_id=uuid4(), activated_at=AT)
    with pytest.raises(IntegrityError), transaction():
        db.session.add(stray)


def test_rows_that_are_there_already_are_left_out_and_the_new_ones_told(house: House) -> None:
    def insert(*subjects: str) -> list[str]:
        with transaction():
            rows = [{"subject": subject, "window_at": AT, "count": 1} for subject in subjects]
            return list(db.session.scalars(insert_new(RateCount).values(rows).returning(RateCount.subject)))

    assert insert("a", "b") == ["a", "b"]
    assert insert("b", "c") == ["c"]


def test_an_answer_in_columns_knows_what_was_changed_just_before_it() -> None:
    asked = select(UsedChallenge.digest, UsedChallenge.expires_at).where(UsedChallenge.digest == bindparam("digest"))
    with transaction():
        db.session.add(UsedChallenge(digest="d", expires_at=AT))
        assert rows_of(asked, {"digest": "d"}).all() == [("d", AT)]
        assert rows_of(asked, {"digest": "other"}).all() == []


def test_a_personal_column_says_of_which_kind_it_is() -> None:
    assert personal("contact") == {"personal": "contact"}
    kinds = {
        column.info["personal"]
        for table in migrations.metadata().tables.values()
        for column in table.columns
        if "personal" in column.info
    }
    assert kinds == KINDS
