"""A preview counts the mails to who holds the round as one object, beside those to everybody else."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from conference_orchestrator.flows import arranging, rounds
from conference_orchestrator.kernel.database import db
from conference_orchestrator.ledger.series_calendars import SeriesCalendar
from conference_orchestrator.network.expert_groups import ExpertGroup
from conference_orchestrator.scheduling.sessions import Session
from tests.flows.inviting.series_mails import series_of
from tests.house import HELPDESK, House
from tests.mails import WORK
from tests.scene import Scene, settle

FIRST, SECOND, LATER = date(2026, 11, 24), date(2026, 12, 1), date(2026, 12, 14)
Change = Callable[[ExpertGroup, bool], Any]


def session_on(group: ExpertGroup, on: date) -> Session:
    found = db.session.query(Session).filter(Session.group_id == group.id, Session.occurrence_on == on)
    return found.one()


def exception(group: ExpertGroup, preview: bool, **entered: Any) -> Any:
    return arranging.add_exception(series_of(group).id, entered, by=HELPDESK, preview=preview)


def with_a_case_skipped(group: ExpertGroup, preview: bool) -> Any:
    return exception(group, preview, on=FIRST, kind="skip")


def skipped(group: ExpertGroup, preview: bool) -> Any:
    return exception(group, preview, on=SECOND, kind="skip")


def paused(group: ExpertGroup, preview: bool) -> Any:
    return exception(group, preview, on=FIRST, kind="pause", until_on=LATER)


def moved(group: ExpertGroup, preview: bool) -> Any:
    at = datetime(2026, 12, 2, 9, tzinfo=UTC)
    return rounds.move(session_on(group, SECOND).id, at, by=HELPDESK, preview=preview)


def with_a_case_moved(group: ExpertGroup, preview: bool) -> Any:
    at = datetime(2026, 11, 25, 9, tzinfo=UTC)
    return rounds.move(session_on(group, FIRST).id, at, by=HELPDESK, preview=preview)


def cancelled(group: ExpertGroup, preview: bool) -> Any:
    return rounds.cancel(session_on(group, SECOND).id, "A congress.", by=HELPDESK, preview=preview)


def with_a_case_cancelled(group: ExpertGroup, preview: bool) -> Any:
    return rounds.cancel(session_on(group, FIRST).id, "A congress.", by=HELPDESK, preview=preview)


def changed_later(group: ExpertGroup, preview: bool) -> Any:
    changes = {"from_on": LATER, "rule": "FREQ=WEEKLY;BYDAY=TH"}
    return arranging.change_series(series_of(group).id, changes, by=HELPDESK, preview=preview)


def ended(group: ExpertGroup, preview: bool) -> Any:
    return arranging.close_series(series_of(group).id, by=HELPDESK, preview=preview)


CHANGES = [
    with_a_case_skipped,
    skipped,
    paused,
    moved,
    with_a_case_moved,
    cancelled,
    with_a_case_cancelled,
    changed_later,
    ended,
]


def name_of(value: Any) -> str | None:
    return getattr(value, "__name__", None)


@pytest.fixture
def busy(house: House, scene: Scene, anna_by_series: SimpleNamespace, group: ExpertGroup) -> ExpertGroup:
    """The first session has a case, and everybody is invited."""
    scene.allocated(anna_by_series.ines, group)
    settle(house, *WORK)
    return group


def must_be_as_foreseen(house: House, group: ExpertGroup, change: Change) -> None:
    held = {one.uid: (one.sequence, one.content) for one in db.session.query(SeriesCalendar)}
    foreseen = change(group, True)
    assert {one.uid: (one.sequence, one.content) for one in db.session.query(SeriesCalendar)} == held
    before = {mail.id for mail in house.messages()}
    change(group, False)
    settle(house, *WORK, moving_the_clock=False)
    sent = [mail for mail in house.messages() if mail.id not in before]
    assert any(mail.name.startswith("Anna") for mail in sent)
    assert (foreseen.mails, foreseen.people) == (len(sent), len({mail.address for mail in sent}))


@pytest.mark.parametrize("change", CHANGES, ids=name_of)
def test_a_preview_counts_who_holds_the_series(house: House, busy: ExpertGroup, change: Change) -> None:
    must_be_as_foreseen(house, busy, change)


@pytest.mark.parametrize("change", [skipped, paused, ended], ids=name_of)
def test_so_it_does_when_the_round_changes_later(house: House, busy: ExpertGroup, change: Change) -> None:
    changed_later(busy, False)
    settle(house, *WORK, moving_the_clock=False)
    must_be_as_foreseen(house, busy, change)


def test_so_it_does_when_an_exception_is_taken_back(house: House, busy: ExpertGroup) -> None:
    skipped(busy, False)
    settle(house, *WORK, moving_the_clock=False)
    house.clock.move_on(timedelta(minutes=1))

    def taken_back(group: ExpertGroup, preview: bool) -> Any:
        return arranging.remove_exception(series_of(group).id, SECOND, by=HELPDESK, preview=preview)

    must_be_as_foreseen(house, busy, taken_back)


def test_at_the_end_of_a_round_each_of_its_objects_ends_with_one_mail(house: House, busy: ExpertGroup) -> None:
    changed_later(busy, False)
    settle(house, *WORK, moving_the_clock=False)
    before = {mail.id for mail in house.messages()}
    ended(busy, False)
    settle(house, *WORK, moving_the_clock=False)
    told = [mail for mail in house.messages() if mail.id not in before and mail.name.startswith("Anna")]
    assert [(mail.kind, mail.facts["series"]["is_whole"]) for mail in told] == [("invitation-cancel", True)] * 2
