"""The helpdesk's digest: one mail each morning at seven in Brussels, with counts and links; or none."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select, update

from conference_orchestrator.app import create_app
from conference_orchestrator.flows import access, digesting
from conference_orchestrator.jobs.embedded import State, TaskRow
from conference_orchestrator.jobs.timetable import tick
from conference_orchestrator.jobs.work import WORK
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.transaction import transaction
from conference_orchestrator.ledger import suppressions
from conference_orchestrator.ledger.inbound import InboundMail
from conference_orchestrator.ledger.messages import Message
from conference_orchestrator.ledger.suppressions import Reason, Scope
from conference_orchestrator.network.registrations import Registration
from conference_orchestrator.scheduling.conferences import Conference
from conference_orchestrator.scheduling.provider_findings import ProviderFinding
from conference_orchestrator.scheduling.sessions import Session
from conference_orchestrator.settings import Settings
from tests.house import House
from tests.post import alert, tell
from tests.scheduling.stage import Stage

URL = "http://127.0.0.1:8000"
BRUSSELS = ZoneInfo("Europe/Brussels")
WEEK = "from=2026-11-23T09:00:00Z&to=2026-11-30T09:00:00Z"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def seven(on: date) -> datetime:
    """Seven in Brussels on that day."""
    return datetime.combine(on, time(7), tzinfo=BRUSSELS).astimezone(UTC)


@pytest.fixture
def house_database(both_schemas: str) -> str:
    return both_schemas


def add(*rows: object) -> None:
    with transaction() as tx:
        for row in rows:
            row.created_at = tx.now
            db.session.add(row)


def open_mail_in(**changes: object) -> InboundMail:
    values = {"mailbox": "INBOX", "validity": 1, "number": uuid4().int % 2**31, "kind": "other", "state": "open"}
    return InboundMail(**values | {"subject": "Where is it?", "detail": "A person wrote."} | changes)


def digests(house: House) -> list[Message]:
    db.session.rollback()
    return [message for message in house.messages("desk-alert") if message.facts["title"] == digesting.TITLE]


def tick_every_hour(house: House, *, until: datetime) -> None:
    """The timer looks each hour, and the tasks of what is due are done."""
    while house.clock.at < until:
        if tick("send-digest"):
            house.queue.tasks.clear()
            digesting.send()
        house.clock.move_on(HOUR)


# ---- when ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("change", [date(2026, 10, 25), date(2027, 3, 28)], ids=["to winter", "to summer"])
def test_it_is_written_each_morning_at_seven_on_the_wall_across_a_clock_change(house: House, change: date) -> None:
    house.clock.at = seven(change - 2 * DAY) - HOUR
    tick("send-digest")
    add(open_mail_in())
    tick_every_hour(house, until=seven(change + 2 * DAY) + HOUR)
    assert [message.created_at for message in digests(house)] == [seven(change + days * DAY) for days in range(-2, 3)]


def test_after_days_of_downtime_it_is_written_once_and_at_once(house: House) -> None:
    house.clock.at = seven(date(2026, 11, 24))
    add(open_mail_in())
    tick_every_hour(house, until=house.clock.at + HOUR)
    house.clock.at = seven(date(2026, 11, 27)) + 4 * HOUR
    tick_every_hour(house, until=house.clock.at + 10 * HOUR)
    assert [message.created_at for message in digests(house)] == [
        seven(date(2026, 11, 24)),
        seven(date(2026, 11, 27)) + 4 * HOUR,
    ]


def test_two_timers_and_a_task_that_runs_again_write_one(house: House) -> None:
    house.clock.at = seven(date(2026, 11, 24))
    add(open_mail_in())
    assert sorted(house.at_once(2, lambda _: tick("send-digest"))) == [False, True]
    assert house.at_once(4, lambda _: digesting.send()) == [None] * 4
    house.clock.move_on(5 * HOUR)
    digesting.send()
    assert len(digests(house)) == 1


def test_each_run_would_write_one_were_its_cause_not_the_morning(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control."""
    house.clock.at = seven(date(2026, 11, 24))
    add(open_mail_in())
    monkeypatch.setattr(digesting, "morning", lambda now: now)
    for _ in range(2):
        digesting.send()
        house.clock.move_on(HOUR)
    assert len(digests(house)) == 2, "the harness can no longer see what it guards against"


def test_the_clock_that_goes_back_an_hour_brings_no_second_one(house: House) -> None:
    house.clock.at = seven(date(2026, 11, 24))
    add(open_mail_in())
    for hours in (0, -1, 0, 1, 0):
        tick("send-digest")
        digesting.send()
        house.clock.at = seven(date(2026, 11, 24)) + hours * HOUR
    mornings = [message.cause for message in digests(house)]
    assert len(mornings) == len(set(mornings))
    assert mornings.count("digest:2026-11-24T06:00:00Z") == 1


def test_without_anything_to_tell_there_is_none_nor_later_that_day(house: House) -> None:
    house.clock.at = seven(date(2026, 11, 24))
    tick_every_hour(house, until=house.clock.at + HOUR)
    add(open_mail_in())
    tick_every_hour(house, until=seven(date(2026, 11, 25)))
    assert digests(house) == []
    tick_every_hour(house, until=seven(date(2026, 11, 25)) + HOUR)
    assert len(digests(house)) == 1


# ---- what ------------------------------------------------------------------------------------------------------------


def said(house: House) -> dict[str, tuple[int, str]]:
    """What the latest digest counts: the number and where to look, by its words."""
    parts = [part.split("\n") for part in digests(house)[-1].facts["detail"].split("\n\n")]
    return {words.partition(": ")[0]: (int(words.partition(": ")[2]), where) for words, where in parts}


def a_registration(house: House, stage: Stage, *, waits: timedelta) -> Registration:
    at = house.clock.at - waits
    return Registration(
        network_id=stage.network.id,
        given_name="Łucja",
        family_name="Réné",
        email=f"{uuid4().hex}@szpital.example",
        hospital_name="Szpital",
        country="PL",
        profession="physician",
        specialties=[],
        language="en",
        time_zone="Europe/Warsaw",
        share=[],
        state="pending",
        submitted_at=at,
        confirmed_at=at,
        due_at=at + DAY,
    )


def a_finding(**changes: object) -> ProviderFinding:
    found = {"provider": "webex", "kind": "orphan", "meeting_id": uuid4().hex, "detail": "It belongs to nothing."}
    return ProviderFinding(**found | changes)


def set_all(model: type, **values: object) -> None:
    with transaction():
        db.session.execute(update(model).values(**values))


def bounced(house: House) -> None:
    with transaction() as tx:
        suppressions.add("a@hospital.example", Scope.ALL, Reason.BOUNCED, at=tx.now)
        suppressions.add("b@hospital.example", Scope.REMINDERS, Reason.UNSUBSCRIBED, at=tx.now)


def a_message(house: House, **values: object) -> None:
    tell(alert("ines", cause=uuid4().hex))
    with transaction():
        db.session.execute(update(Message).where(Message.name == "ines").values(**values))


def a_dead_task(house: House) -> None:
    row = TaskRow(kind="deliver", payload={}, rank=10, due_at=house.clock.at, state=State.DEAD, attempts=5)
    row.last_error = "ValueError: ines@hospital.example is poisoned"
    add(row)


Make = Callable[[House, Stage], object]
COUNTED: dict[str, tuple[Make, str]] = {
    "Registrations waiting longer than a day": (
        lambda house, stage: add(
            a_registration(house, stage, waits=25 * HOUR), a_registration(house, stage, waits=23 * HOUR)
        ),
        "/api/v1/registrations?state=pending",
    ),
    "Requests that are incomplete": (
        lambda _, stage: stage.in_state("draft"),
        "/api/v1/consultation-requests?state=draft",
    ),
    "Requests returned to their requesters": (
        lambda _, stage: stage.in_state("returned"),
        "/api/v1/consultation-requests?state=returned",
    ),
    "Requests waiting for a slot": (
        lambda _, stage: stage.in_state("waiting"),
        "/api/v1/consultation-requests?state=waiting",
    ),
    "Findings at the providers": (
        lambda house, _: add(a_finding(), a_finding(action="ignore"), a_finding(resolved_at=house.clock.at)),
        "/api/v1/provider-findings",
    ),
    "Mails that failed since the last time": (
        lambda house, _: a_message(house, state="failed"),
        "/api/v1/deliveries?state=failed",
    ),
    "Mails that may not have arrived": (
        lambda house, _: a_message(house, state="ambiguous", lost_answers=3),
        "/api/v1/deliveries?state=ambiguous",
    ),
    "Addresses that bounced since the last time": (lambda house, _: bounced(house), "/api/v1/suppressions"),
    "Mails that came in and wait for you": (
        lambda *_: add(open_mail_in(), open_mail_in(state="done")),
        "/api/v1/inbound-mails?state=open",
    ),
}


@pytest.mark.parametrize("words", COUNTED)
def test_it_counts_what_waits_and_says_where_to_look(house: House, stage: Stage, words: str) -> None:
    make, where = COUNTED[words]
    make(house, stage)
    digesting.send()
    assert said(house) == {words: (1, f"{URL}{where}")}


def test_it_counts_the_sessions_of_the_coming_week_that_are_at_risk_and_the_conferences_without_a_link(
    house: House, stage: Stage
) -> None:
    stage.meet()
    stage.allocated()
    set_all(Session, at_risk_since=house.clock.at)
    digesting.send()
    assert said(house) == {
        "Sessions of the coming week at risk": (1, f"{URL}/api/v1/sessions?{WEEK}"),
        "Conferences of the coming week without a link": (1, f"{URL}/api/v1/conferences?{WEEK}"),
    }


def test_it_counts_the_tasks_that_were_put_aside(house: House) -> None:
    a_dead_task(house)
    digesting.send()
    assert said(house) == {"Tasks put aside": (1, "Run `conference-orchestrator verify`.")}


def test_a_session_that_is_kept_and_a_conference_with_its_link_need_nobody(house: House, stage: Stage) -> None:
    stage.meet()
    stage.allocated()
    set_all(Session, at_risk_since=house.clock.at, kept_at=house.clock.at)
    set_all(Conference, join_url="https://meet.example/1", state="ready")
    digesting.send()
    assert digests(house) == []


def test_a_mail_that_failed_before_the_last_digest_is_not_told_again(house: House) -> None:
    a_message(house, state="failed")
    add(open_mail_in())
    house.clock.move_on(HOUR)
    digesting.send()
    house.clock.move_on(DAY)
    digesting.send()
    assert [len(message.facts["detail"].split("\n\n")) for message in digests(house)] == [2, 1]


def test_after_days_without_a_digest_what_failed_meanwhile_is_told(house: House) -> None:
    add(open_mail_in())
    digesting.send()
    house.clock.move_on(DAY)
    a_message(house, state="failed")
    house.clock.move_on(3 * DAY)
    digesting.send()
    assert said(house)["Mails that failed since the last time"][0] == 1


def test_it_holds_nothing_of_a_person(house: House, stage: Stage) -> None:
    add(a_registration(house, stage, waits=2 * DAY), open_mail_in())
    a_message(house, state="failed")
    a_dead_task(house)
    digesting.send()
    (message,) = digests(house)
    assert not any(word in str(message.facts) for word in ("Réné", "szpital", "ines", "Where is it"))


def test_every_link_answers_the_helpdesk(house: House, house_database: str) -> None:
    app = create_app(Settings(secret_key="k" * 32, database_url=house_database))
    _, secret = access.create(role="helpdesk")
    links = [where for _, where in COUNTED.values()]
    links += [f"/api/v1/sessions?{WEEK}", f"/api/v1/conferences?{WEEK}"]
    client = app.test_client()
    answers = {link: client.get(link, headers={"Authorization": f"Bearer {secret}"}).status_code for link in links}
    with app.app_context():
        db.engine.dispose()
    assert answers == dict.fromkeys(links, 200)


# ---- what was put aside ----------------------------------------------------------------------------------------------


def the_report(house: House) -> Message:
    db.session.rollback()
    (message,) = [one for one in house.messages("desk-alert") if one.facts["title"] == digesting.DEAD_TITLE]
    return message


def test_a_task_that_was_put_aside_is_told_with_its_kind_of_cause_and_what_to_do(house: House) -> None:
    a_dead_task(house)
    (task_id,) = db.session.scalars(select(TaskRow.id)).all()
    WORK["report-dead-task"]({"task": str(task_id), "at": "2026-11-23T09:00:00Z"})
    assert the_report(house).facts["detail"] == (
        f"The task {task_id} (deliver) is not tried again after 5 attempts: ValueError. "
        "Mend the cause, which the log tells, then run `conference-orchestrator verify --repair`."
    )


def test_it_is_told_once_for_each_time_it_was_put_aside(house: House) -> None:
    a_dead_task(house)
    (task_id,) = db.session.scalars(select(TaskRow.id)).all()
    for at in ("first", "first", "second"):
        digesting.report_dead_task(task_id, at=at)
    assert len(house.messages("desk-alert")) == 2


def test_of_a_task_that_runs_again_nothing_is_told(house: House) -> None:
    a_dead_task(house)
    set_all(TaskRow, state=State.OPEN)
    (task_id,) = db.session.scalars(select(TaskRow.id)).all()
    digesting.report_dead_task(task_id, at="first")
    assert house.messages("desk-alert") == []
