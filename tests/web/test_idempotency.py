"""A POST with an Idempotency-Key that is sent twice has one effect and one answer."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from sqlalchemy import func, select, update

from conference_orchestrator.flows import bookkeeping, directory
from conference_orchestrator.kernel.bookkeeping import IdempotencyKey
from conference_orchestrator.kernel.database import db
from conference_orchestrator.network.hospitals import Hospital
from conference_orchestrator.web import idempotency
from tests.web.conftest import HOSPITAL, close, fill, request_for, served

KEY = {"Idempotency-Key": "one-key"}
NEW = HOSPITAL | {"code": "new"}


def keys(service):
    with service.app.app_context():
        return db.session.scalar(select(func.count()).select_from(IdempotencyKey))


def set_key(service, **values):
    with service.app.app_context():
        db.session.execute(update(IdempotencyKey).values(**values))
        db.session.commit()


def test_the_same_request_gets_the_same_answer_and_has_one_effect(service):
    first, second = (service.post("/hospitals", NEW, headers=KEY) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.get_data() == second.get_data()
    assert first.headers["ETag"] == second.headers["ETag"]
    assert first.mimetype == second.mimetype


def test_without_the_key_the_second_request_is_a_second_one(service):
    answers = [service.post("/consultation-requests", request_for(service)) for _ in range(2)]
    assert len({answer.json["id"] for answer in answers}) == 2


def test_another_body_under_the_key_is_refused(service):
    service.post("/hospitals", NEW, headers=KEY)
    answer = service.post("/hospitals", NEW | {"code": "other-one"}, headers=KEY)
    assert (answer.status_code, list(answer.json["errors"])) == (422, ["Idempotency-Key"])


def test_the_key_of_one_asker_is_not_that_of_another(service):
    one = service.made("/consultation-requests", request_for(service), headers=KEY)
    other = service.made("/consultation-requests", request_for(service), headers=KEY, by="reference-centre")
    assert one["id"] != other["id"]


def test_a_refused_request_leaves_the_key_free(service):
    assert service.post("/hospitals", NEW | {"networks": ["nobody"]}, headers=KEY).status_code == 422
    assert keys(service) == 0
    assert service.post("/hospitals", NEW, headers=KEY).status_code == 201


@pytest.mark.parametrize("key", ["", "x" * 201, "with space"])
def test_a_key_has_1_to_200_visible_characters(shared, key):
    assert shared.post("/hospitals", NEW, headers={"Idempotency-Key": key}).status_code == 422


def at_once(service, number):
    together = Barrier(number)

    def send(_):
        together.wait(timeout=30)
        return service.post("/consultation-requests", request_for(service), headers=KEY)

    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(send, range(number)))


@pytest.fixture(params=["sqlite", "postgres"])
def either(request, tmp_path):
    """The world on each database."""
    if request.param == "sqlite":
        yield request.getfixturevalue("service")
        return
    built = served(request.getfixturevalue("postgres_url"), tmp_path)
    fill(built)
    yield built
    close(built)


def test_twins_have_one_effect_and_get_one_answer(either):
    answers = at_once(either, 20)
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.get_data() for answer in answers}) == 1


def test_twins_have_many_effects_once_the_protection_is_taken_away(service, monkeypatch):
    # The control: were the key not claimed, the test above would see it.
    monkeypatch.setattr(idempotency, "HEADER", "X-Nobody-Sends-This")
    answers = at_once(service, 5)
    assert len({answer.get_data() for answer in answers}) == 5


def test_an_effect_whose_answer_was_lost_is_never_repeated(service):
    service.post("/hospitals", NEW, headers=KEY)
    past = service.clock.now() - timedelta(minutes=1)
    set_key(service, status=None, answer=None, headers=None, lease_until=past)
    answer = service.post("/hospitals", NEW, headers=KEY)
    assert (answer.status_code, answer.json["type"]) == (409, "/problems/conflict")
    assert "lost" in answer.json["detail"]


def test_work_that_never_committed_is_taken_over_after_its_lease(service):
    service.post("/hospitals", NEW | {"code": "first"}, headers=KEY)
    past = service.clock.now() - timedelta(minutes=1)
    set_key(service, status=None, answer=None, headers=None, committed_at=None, lease_until=past)
    # The one who had the key died before it stored anything: the same request may be carried out now.
    with service.app.app_context():
        db.session.execute(update(Hospital).where(Hospital.code == "first").values(code="gone"))
        db.session.commit()
    assert service.post("/hospitals", NEW | {"code": "first"}, headers=KEY).status_code == 201


def test_who_lost_the_key_meanwhile_stores_nothing(service, monkeypatch):
    real = directory.add_hospital

    def slow(entered, *, by):
        set_key(service, lease_until=service.clock.now() + timedelta(hours=1))  # somebody took it over
        return real(entered, by=by)

    monkeypatch.setattr(directory, "add_hospital", slow)
    assert service.post("/hospitals", NEW, headers=KEY).status_code == 409
    codes = [hospital["code"] for hospital in service.get("/hospitals").json["items"]]
    assert "new" not in codes


def test_those_who_wait_too_long_are_told_to_come_back(service, monkeypatch):
    service.post("/hospitals", NEW, headers=KEY)
    set_key(service, status=None, answer=None, lease_until=service.clock.now() + timedelta(hours=1))
    monkeypatch.setattr(idempotency, "PATIENCE_SECONDS", 0.1)
    answer = service.post("/hospitals", NEW, headers=KEY)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "1")


def test_the_word_of_a_token_is_not_kept_in_the_clear(service):
    made = service.post("/tokens", {"role": "auditor"}, headers=KEY)
    again = service.post("/tokens", {"role": "auditor"}, headers=KEY)
    assert again.json["token"] == made.json["token"]
    with service.app.app_context():
        kept = db.session.scalars(select(IdempotencyKey.answer)).one()
    assert made.json["token"] not in kept


def test_keys_are_forgotten_after_a_day(service):
    service.post("/hospitals", NEW, headers=KEY)
    for passed, left in [(timedelta(hours=23), 1), (timedelta(hours=2), 0)]:
        service.clock.move_on(passed)
        with service.app.app_context():
            bookkeeping.prune()
        assert keys(service) == left
