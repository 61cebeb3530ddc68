"""The host key: sealed in the row, told to who hosts it around its time, and in no line of the log."""

from __future__ import annotations

import logging
from datetime import timedelta
from uuid import UUID

import pytest
import structlog
from sqlalchemy import text

from conference_orchestrator.flows import conferencing, host_keys, moving, rounds
from conference_orchestrator.flows.host_keys import HostKey
from conference_orchestrator.kernel import audit, ports
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.errors import NotFound, RuleBroken
from conference_orchestrator.kernel.paging import Paging
from conference_orchestrator.kernel.principal import SYSTEM, Principal, Role
from conference_orchestrator.network.expert_groups import ExpertGroup
from conference_orchestrator.providers.base import Secrets
from conference_orchestrator.settings import Settings
from tests.faulty_provider import FaultyProvider
from tests.flows.providers.conftest import ENSURE, made
from tests.house import HELPDESK, House
from tests.scene import Scene, settle

KEY, PASSWORD, PHONE = "994417", "swordfish-77", "20884411"


@pytest.fixture
def provider(provider: FaultyProvider) -> FaultyProvider:
    provider.settings = {"secrets": Secrets(host_key=KEY, password=PASSWORD, phone_password=PHONE)}
    return provider


@pytest.fixture
def standing(house: House, provider: FaultyProvider, conference_id: UUID) -> UUID:
    """A conference whose meeting stands, everyone invited."""
    made(house)
    return conference_id


@pytest.fixture
def coordinator(group: ExpertGroup) -> Principal:
    return Principal(role=Role.COORDINATOR, group_id=group.id)


def test_the_helpdesk_reads_it_at_any_time(house: House, scene: Scene, standing: UUID) -> None:
    assert host_keys.host_key(standing, by=HELPDESK).host_key == KEY
    house.clock.at = scene.fresh(standing).ends_at + timedelta(days=1)
    assert host_keys.host_key(standing, by=HELPDESK).host_key == KEY


@pytest.mark.parametrize("minutes", [-60, 0, 39])
def test_the_coordinator_reads_it_from_an_hour_before_until_the_end(
    house: House, scene: Scene, standing: UUID, coordinator: Principal, minutes: int
) -> None:
    house.clock.at = scene.fresh(standing).starts_at + timedelta(minutes=minutes)
    assert host_keys.host_key(standing, by=coordinator).host_key == KEY


@pytest.mark.parametrize("minutes", [-61, 40])
def test_before_and_after_the_coordinator_is_told_when(
    house: House, scene: Scene, standing: UUID, coordinator: Principal, minutes: int
) -> None:
    house.clock.at = scene.fresh(standing).starts_at + timedelta(minutes=minutes)
    with pytest.raises(RuleBroken, match="from an hour before the start until the end"):
        host_keys.host_key(standing, by=coordinator)


def test_for_the_coordinator_of_another_group_there_is_no_such_conference(
    house: House, scene: Scene, standing: UUID
) -> None:
    other = scene.group("ewing", scene.clinician("olga"))
    house.clock.at = scene.fresh(standing).starts_at
    with pytest.raises(NotFound, match="no such conference"):
        host_keys.host_key(standing, by=Principal(role=Role.COORDINATOR, group_id=other.id))


def test_it_is_gone_when_the_session_is_cancelled(house: House, scene: Scene, standing: UUID) -> None:
    rounds.cancel(scene.fresh(standing).session_id, "ill", by=HELPDESK)
    with pytest.raises(NotFound, match="no host key"):
        host_keys.host_key(standing, by=HELPDESK)
    settle(house, ENSURE)
    assert scene.fresh(standing).secrets is None, "with the meeting its secrets go"


def test_before_the_meeting_is_made_there_is_none(provider: FaultyProvider, conference_id: UUID) -> None:
    with pytest.raises(NotFound, match="no host key"):
        host_keys.host_key(conference_id, by=HELPDESK)


def test_where_the_provider_gives_none_there_is_none(
    house: House, scene: Scene, provider: FaultyProvider, conference_id: UUID
) -> None:
    provider.settings = {"secrets": Secrets()}
    settle(house, ENSURE)
    assert scene.fresh(conference_id).secrets is None
    with pytest.raises(NotFound, match="no host key"):
        host_keys.host_key(conference_id, by=HELPDESK)


def test_moved_to_another_provider_the_old_key_is_told_no_more(house: House, standing: UUID) -> None:
    moving.move_to_provider(standing, "second", by=HELPDESK)
    with pytest.raises(NotFound, match="no host key"):
        host_keys.host_key(standing, by=HELPDESK)


def test_sealed_with_another_secret_of_ours_it_cannot_be_read(house: House, standing: UUID) -> None:
    ports.settings.fill(house.app, Settings(secret_key="another-one", mail_from="helpdesk@network.example"))
    with pytest.raises(NotFound, match="no host key"):
        host_keys.host_key(standing, by=HELPDESK)


def test_the_database_holds_no_secret_in_words_that_can_be_read(house: House, standing: UUID) -> None:
    everything = whole_database()
    assert "Brain panel" in everything, "the grep sees the rows"
    assert [word for word in (KEY, PASSWORD, PHONE) if word in everything] == []


def test_the_grep_would_see_it(house: House, scene: Scene, standing: UUID) -> None:
    """The negative control."""
    scene.fresh(standing).secrets = f"host_key={KEY}"
    db.session.commit()
    assert KEY in whole_database()


def test_no_line_of_the_log_and_no_repr_holds_it(
    house: House,
    scene: Scene,
    provider: FaultyProvider,
    conference_id: UUID,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    with structlog.testing.capture_logs() as lines:
        settle(house, ENSURE, "issue-invitations")
        read = host_keys.host_key(conference_id, by=HELPDESK)
    written = capfd.readouterr()
    shown = [repr(read), repr(scene.fresh(conference_id)), repr(provider.meetings), str(lines), caplog.text, *written]
    told = audit.listed(Paging(), visible_to=SYSTEM).items[-1]
    assert (told.action, told.subject) == ("conference.host-key", f"conference:{conference_id}")
    assert [one for one in shown if KEY in one or PASSWORD in one or PHONE in one] == []
    assert read == HostKey(None, KEY)


def test_no_mail_holds_it(house: House, standing: UUID) -> None:
    told = [str(message.facts) for message in house.messages()]
    assert len(told) >= 3
    assert [facts for facts in told if KEY in facts or PASSWORD in facts or PHONE in facts] == []


def test_an_alert_about_the_meeting_does_not_hold_it(
    house: House, scene: Scene, provider: FaultyProvider, conference_id: UUID
) -> None:
    provider.settings |= {"public": True}
    conferencing.ensure(conference_id)
    assert scene.alerts() == ["A meeting is not set up as promised"]
    assert KEY not in str([message.facts for message in house.messages()])


def whole_database() -> str:
    """Every value of every row."""
    db.session.rollback()
    tables = db.session.scalars(text("SELECT name FROM sqlite_master WHERE type = 'table'")).all()
    return str([db.session.execute(text(f'SELECT * FROM "{table}"')).all() for table in tables])
