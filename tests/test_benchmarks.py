"""The benchmarks say what they measured, and measure only work that was done right. No test is about a time."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from datetime import time as wall_time
from unittest.mock import ANY

import pytest
from flask import Flask
from sqlalchemy import create_engine, func, select

from benchmarks import bare, p2_last_slot, p3_year_of_rounds
from benchmarks.gate import Answer, Round
from benchmarks.report import Goal, Measured, WrongOutcome, as_json, table
from conference_orchestrator.kernel.database import Model, db
from conference_orchestrator.scheduling.sessions import Session, Slot

CROWD = 8
LAST_SLOT = Measured(
    row="P2",
    work="last slot",
    unit="requests/s",
    ours=[60, 80, 100],
    limit=[100, 100, 400],
    goal=Goal(ratio_at_least=0.6),
)
ROUNDS = Measured(row="P3", work="rounds", unit="ms", ours=[9.04, 8, 8.5], limit=[4, 4, 4], goal=Goal(ours_at_most=8))


IN_LINE = Measured(row="P2", work="in line", unit="requests/s", ours=[20], limit=[100], goal=Goal())


def test_a_row_without_a_goal_reaches_none_and_misses_none():
    assert (
        table([IN_LINE]).splitlines()[-1]
        == "| P2  | in line | 20 requests/s | 100 requests/s | 0.20         | none | -       |"
    )
    assert as_json([IN_LINE], at=datetime(2026, 11, 23, 9, tzinfo=UTC))["rows"][0]["reached"] is None


def test_the_table_shows_medians_the_ratio_of_the_pairs_and_the_goal():
    assert table([LAST_SLOT, ROUNDS]).splitlines() == [
        "| row | work      | ours          | limit          | ours / limit | goal          | reached |",
        "| --- | --------- | ------------- | -------------- | ------------ | ------------- | ------- |",
        "| P2  | last slot | 80 requests/s | 100 requests/s | 0.60         | ratio >= 0.60 | yes     |",
        "| P3  | rounds    | 8.5 ms        | 4 ms           | 2.12         | ours <= 8 ms  | no      |",
    ]


def test_the_json_holds_the_figure_of_every_round():
    at = datetime(2026, 11, 23, 9, tzinfo=UTC)
    assert json.loads(json.dumps(as_json([ROUNDS], at=at))) == {
        "measured_at": "2026-11-23T09:00:00+00:00",
        "rows": [
            {
                "row": "P3",
                "work": "rounds",
                "unit": "ms",
                "ours": {"median": 8.5, "rounds": [9.04, 8, 8.5]},
                "limit": {"median": 4, "rounds": [4, 4, 4]},
                "ratio": 2.125,
                "goal": "ours <= 8 ms",
                "reached": False,
            }
        ],
    }


def test_one_of_a_crowd_gets_the_last_slot_and_the_bare_application_answers_as_many(postgres_server):
    with p2_last_slot.stage(postgres_server, groups=2, crowd=CROWD, processes=2) as on:
        asked, bare = on.ask_ours(on.crowds[0], by_name=False), on.ask_limit(on.crowds[0])
        p2_last_slot.must_be_taken_once(on.ask_ours(on.crowds[1], by_name=True))
    told = [json.loads(answer.body) for answer in asked.answers]
    assert Counter(request["state"] for request in told) == {"allocated": 1, "waiting": CROWD - 1}
    assert [request["id"] for request in told] == list(on.crowds[0].requests), "each caller got its own answer"
    assert [answer.status for answer in bare.answers] == [200] * CROWD
    assert len({answer.body for answer in bare.answers}) == CROWD, "each inserted a row of its own"


def told(*requests: tuple[str, int | None]) -> Round:
    bodies = [json.dumps({"state": state, "waiting_position": place}).encode() for state, place in requests]
    return Round(1.0, [Answer(200, body) for body in bodies])


def test_a_slot_with_one_holder_counts():
    p2_last_slot.must_have_one_holder(told(("waiting", 2), ("allocated", None), ("waiting", 1)))


@pytest.mark.parametrize(
    "wrong",
    [
        told(("allocated", None), ("allocated", None), ("waiting", 1)),
        told(("waiting", 1), ("waiting", 2)),
        told(("allocated", None), ("waiting", 1), ("waiting", 1)),
        Round(1.0, [*told(("allocated", None)).answers, Answer(409, b"{}")]),
    ],
    ids=["two holders", "no holder", "one place twice", "one refused"],
)
def test_a_slot_with_another_outcome_has_no_figure(wrong):
    with pytest.raises(WrongOutcome):
        p2_last_slot.must_have_one_holder(wrong)


TAKEN = Answer(409, b'{"type": "/problems/slot-taken"}')


@pytest.mark.parametrize(
    "wrong",
    [
        [TAKEN, TAKEN],
        [Answer(200, b"{}"), Answer(200, b"{}")],
        [Answer(200, b"{}"), Answer(409, b'{"type": "/other"}')],
    ],
    ids=["no holder", "two holders", "refused for another reason"],
)
def test_a_named_slot_with_another_outcome_has_no_figure(wrong):
    p2_last_slot.must_be_taken_once(Round(1.0, [Answer(200, b"{}"), TAKEN]))
    with pytest.raises(WrongOutcome):
        p2_last_slot.must_be_taken_once(Round(1.0, wrong))


def test_the_bare_application_reads_the_row_that_it_inserted(tmp_path):
    engine = create_engine(f"sqlite:///{tmp_path / 'bare.db'}")
    bare.Base.metadata.create_all(engine)
    asking = bare.create_app(engine).test_client()
    inserted = asking.post("/places").json["id"]
    assert asking.get(f"/places/{inserted}").json == {"id": inserted, "name": "the last slot", "created_at": ANY}
    engine.dispose()


@pytest.mark.parametrize("name", ["SQLite", "PostgreSQL"])
def test_a_year_of_rounds_is_measured_in_milliseconds_and_in_reads_of_the_same_rounds(name, postgres_server):
    in_ms, in_reads = p3_year_of_rounds.measured(name, postgres_server, definitions=1, rounds=2)
    assert (in_ms.unit, in_reads.unit) == ("ms", "reads")
    (first, second), (first_limit, second_limit) = (
        [reads / ms for reads, ms in zip(of_reads, of_ms, strict=True)]
        for of_reads, of_ms in [(in_reads.ours, in_ms.ours), (in_reads.limit, in_ms.limit)]
    )
    assert (first, second) == pytest.approx((first_limit, second_limit)), "one rate for each round"
    assert min(first, second) > 0


def test_where_a_read_is_not_answered_there_is_no_figure(postgres_server, monkeypatch):
    with p3_year_of_rounds.reads_per_ms("SQLite", postgres_server) as read:
        unanswered = Round(1.0, [Answer(200, b"{}"), Answer(404, b"{}")])
        monkeypatch.setattr(p3_year_of_rounds, "ask_at_once", lambda *_: unanswered)
        with pytest.raises(WrongOutcome, match="answered"):
            read()


@pytest.fixture(params=["SQLite", "PostgreSQL"])
def application(request, postgres_server) -> Iterator[Flask]:
    with p3_year_of_rounds.application(request.param, postgres_server) as app:
        yield app


def count(model: type[Model]) -> int:
    with db.engine.connect() as connection:
        return connection.scalar(select(func.count()).select_from(model))


def test_a_year_of_rounds_has_52_sessions_of_two_slots_and_the_limit_inserts_as_many(application):
    defined = p3_year_of_rounds.define_round(application, *next(p3_year_of_rounds.new_groups(1)))
    assert (count(Session), count(Slot)) == (52, 104)
    p3_year_of_rounds.insert_anew(db.engine, p3_year_of_rounds.written(db.engine, defined))
    assert (count(Session), count(Slot)) == (104, 208)


def test_a_round_with_fewer_sessions_has_no_figure(application, monkeypatch):
    shorter = p3_year_of_rounds.round_from(datetime.now(UTC).date(), wall_time(11)) | {"rule": "FREQ=WEEKLY;BYDAY=TU"}
    monkeypatch.setattr(p3_year_of_rounds, "round_from", lambda *_: shorter)
    defined = p3_year_of_rounds.define_round(application, *next(p3_year_of_rounds.new_groups(1)))
    with pytest.raises(WrongOutcome, match="not 26"):
        p3_year_of_rounds.written(db.engine, defined)
