"""What tells one date of a series can be sent again until something later tells of that date."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from uuid import UUID

import pytest
from sqlalchemy import update

from conference_orchestrator.flows import calendars, resending, rounds
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.errors import RuleBroken
from conference_orchestrator.kernel.transaction import transaction
from conference_orchestrator.ledger.messages import Message
from conference_orchestrator.network.expert_groups import CalendarStyle, ExpertGroup
from tests.house import HELPDESK, House
from tests.mails import WORK, Mails
from tests.scene import Scene, settle


class Anna:
    """Anna holds the series as one object; what she is told of its dates."""

    def __init__(self, anna_id: UUID, house: House, scene: Scene, group: ExpertGroup, mails: Mails) -> None:
        self.id, self.house, self.scene, self.group, self.mails = anna_id, house, scene, group, mails

    def is_told(self, *, moved: int, hours: int) -> Message:
        """The mail that tells that the session of that number moves by so many hours."""
        moving = self.scene.session(self.group, moved)
        rounds.move(moving.id, moving.starts_at + timedelta(hours=hours), by=HELPDESK)
        return self.is_sent()

    def is_told_the_whole(self) -> Message:
        """The mail that tells the series as it is, at her own wish."""
        self.house.clock.move_on(timedelta(hours=1))
        calendars.repair(self.id, by=HELPDESK)
        return self.is_sent()

    def is_sent(self) -> Message:
        """The one new mail, which has failed."""
        settle(self.house, *WORK)
        (sent,) = self.mails.new()
        with transaction():
            db.session.execute(update(Message).where(Message.id == sent.id).values(state="failed"))
        return sent


@pytest.fixture
def anna(house: House, scene: Scene, people: SimpleNamespace, group: ExpertGroup, mails: Mails) -> Anna:
    calendars.choose(group.id, people.anna.id, CalendarStyle.SERIES, by=HELPDESK)
    settle(house, *WORK)
    mails()
    return Anna(people.anna.id, house, scene, group, mails)


def test_another_date_that_changed_later_does_not_replace_it(anna: Anna) -> None:
    first = anna.is_told(moved=1, hours=2)
    anna.is_told(moved=2, hours=3)
    assert resending.retry(first.id, by=HELPDESK).state == "deferred"


def test_the_same_date_that_changed_later_replaces_it(anna: Anna) -> None:
    first = anna.is_told(moved=1, hours=2)
    last = anna.is_told(moved=1, hours=3)
    with pytest.raises(RuleBroken, match="not so any more"):
        resending.retry(first.id, by=HELPDESK)
    assert resending.retry(last.id, by=HELPDESK).state == "deferred"


def test_a_date_that_was_cancelled_is_not_told_as_moved(anna: Anna) -> None:
    first = anna.is_told(moved=1, hours=2)
    rounds.cancel(anna.scene.session(anna.group, 1).id, "A congress", by=HELPDESK)
    anna.is_sent()
    with pytest.raises(RuleBroken, match="not so any more"):
        resending.retry(first.id, by=HELPDESK)


def test_the_whole_series_told_later_replaces_it(anna: Anna) -> None:
    first = anna.is_told(moved=1, hours=2)
    anna.is_told_the_whole()
    with pytest.raises(RuleBroken, match="not so any more"):
        resending.retry(first.id, by=HELPDESK)


def test_the_whole_series_is_not_told_again_once_a_date_has_changed(anna: Anna) -> None:
    whole = anna.is_told_the_whole()
    anna.is_told(moved=1, hours=2)
    with pytest.raises(RuleBroken, match="not so any more"):
        resending.retry(whole.id, by=HELPDESK)
