"""Which account hosts what: taken with the change, waited for where none is free, told to the helpdesk."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select

from conference_orchestrator.flows import hosting, standing
from conference_orchestrator.kernel import ports
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.errors import Conflict, NotFound, Stale
from conference_orchestrator.network.expert_groups import ExpertGroup
from conference_orchestrator.scheduling.conferences import Conference
from conference_orchestrator.scheduling.host_pool import HostAccount, HostBooking
from conference_orchestrator.settings import Host, Settings
from tests.house import HELPDESK
from tests.scheduling.stage import ProviderWithHosts, Stage


@pytest.fixture
def two_groups(round_of_tuesdays: Stage, other_group: ExpertGroup) -> Stage:
    """Two groups that meet at the same hour, at a provider that wants hosts."""
    assert other_group.code == "ewing"
    round_of_tuesdays.provide(ProviderWithHosts())
    return round_of_tuesdays


def add_host(name: str = "ann", **changes: Any) -> HostAccount:
    return hosting.add_host(
        {"provider": "mock", "email": f"{name}@hosts.example", "capacity": 1, "kinds": []} | changes
    )


def conferences() -> list[Conference]:
    statement = select(Conference).order_by(Conference.title).execution_options(populate_existing=True)
    return list(db.session.scalars(statement))


class TestSessions:
    def test_two_rounds_at_the_same_hour_get_two_hosts(self, two_groups: Stage) -> None:
        add_host("ann")
        add_host("bea")
        two_groups.allocated()
        two_groups.allocated(group="ewing")
        assert {one.host for one in conferences()} == {"ann@hosts.example", "bea@hosts.example"}
        assert two_groups.mails("desk-alert") == []

    def test_a_further_slot_of_a_session_keeps_its_host_and_takes_no_second(self, two_groups: Stage) -> None:
        add_host("ann")
        two_groups.allocated()
        two_groups.allocated()
        assert two_groups.house.count(HostBooking) == 1

    def test_without_a_free_host_the_slot_is_given_the_conference_waits_and_the_helpdesk_is_told(
        self, two_groups: Stage
    ) -> None:
        add_host("ann")
        two_groups.allocated()
        request_id = two_groups.allocated(group="ewing")
        assert two_groups.request(request_id).request.state == "allocated"
        brain, ewing = conferences()
        assert (brain.host, brain.problem) == ("ann@hosts.example", None)
        assert (ewing.host, ewing.problem, ewing.state) == (None, "no-host-free", "wanted")
        (alert,) = two_groups.mails("desk-alert")
        assert alert["title"] == "No host account is free"
        assert alert["detail"] == (
            "Ewing panel, 24 November 2026 has no host account for 2026-11-24T10:00:00Z. Add an account or move it."
        )

    def test_the_helpdesk_is_told_once_of_the_same_conference_and_time(self, two_groups: Stage) -> None:
        add_host("ann")
        two_groups.allocated()
        for _ in range(2):
            two_groups.allocated(group="ewing")
        assert len(two_groups.mails("desk-alert")) == 1

    def test_no_meeting_is_made_and_nobody_invited_before_there_is_a_host(self, two_groups: Stage) -> None:
        add_host("ann")
        two_groups.allocated()
        two_groups.allocated(group="ewing", requester=two_groups.people["inês"].id)
        two_groups.work()
        assert [(one.state, one.problem) for one in conferences()] == [("ready", None), ("wanted", "no-host-free")]
        assert "inês@porto.example" not in {mail["to"] for mail in two_groups.mails("invitation")}

    @pytest.mark.parametrize("change", ["a new account", "a second seat"])
    def test_a_conference_that_waits_is_tried_again_when_the_helpdesk_finds_a_host(
        self, two_groups: Stage, change: str
    ) -> None:
        ann = add_host("ann")
        two_groups.allocated()
        two_groups.allocated(group="ewing")
        two_groups.work()
        if change == "a new account":
            add_host("bea")
        else:
            hosting.change_host(ann.id, {"capacity": 2})
        assert two_groups.tasks() == ["ensure-conference"]
        hosting.change_host(ann.id, {})
        two_groups.work()
        assert [(one.state, one.problem) for one in conferences()] == [("ready", None), ("ready", None)]

    def test_accounts_that_are_for_other_kinds_or_withdrawn_do_not_host_and_nobody_else_does(
        self, two_groups: Stage
    ) -> None:
        add_host("ann", kinds=["webinar"])
        bea = add_host("bea")
        hosting.change_host(bea.id, {"is_active": False})
        two_groups.allocated()
        assert [(one.host, one.problem) for one in conferences()] == [(None, "no-host-free")]

    def test_without_any_account_the_owner_of_the_credentials_hosts(self, two_groups: Stage) -> None:
        two_groups.allocated()
        two_groups.allocated(group="ewing")
        assert [(one.host, one.problem) for one in conferences()] == [(None, None)] * 2

    def test_a_provider_that_needs_no_host_takes_none(self, round_of_tuesdays: Stage) -> None:
        add_host("ann")
        round_of_tuesdays.allocated()
        assert round_of_tuesdays.house.count(HostBooking) == 0


class TestAccounts:
    def test_an_account_is_known_once(self, stage: Stage) -> None:
        add_host("ann")
        with pytest.raises(Conflict, match="known already"):
            add_host("ann", capacity=3)
        assert add_host("ann", provider="webex").provider == "webex"
        assert stage.house.count(HostAccount) == 2

    @pytest.mark.usefixtures("stage")
    def test_an_account_does_not_become_another(self) -> None:
        add_host("ann")
        bea = add_host("bea")
        with pytest.raises(Conflict, match="known already"):
            hosting.change_host(bea.id, {"email": "ann@hosts.example"})

    @pytest.mark.usefixtures("stage")
    def test_an_account_that_somebody_changed_meanwhile_is_stale(self) -> None:
        ann = add_host("ann")
        assert hosting.change_host(ann.id, {"capacity": 2}, expected=1).version == 2
        with pytest.raises(Stale):
            hosting.change_host(ann.id, {"capacity": 3}, expected=1)

    @pytest.mark.usefixtures("stage")
    def test_there_is_no_account_of_an_unknown_id(self) -> None:
        with pytest.raises(NotFound):
            hosting.change_host(uuid4(), {"capacity": 3})


class TestSettings:
    """The accounts that CO_WEBEX_HOSTS names, adopted by every process that starts."""

    @pytest.fixture
    def house_database(self, both_schemas: str) -> str:
        return both_schemas

    @pytest.fixture
    def named(self, stage: Stage) -> Stage:
        hosts = (Host("ann@hosts.example", 2), Host("bea@hosts.example", 1))
        ports.settings.fill(stage.house.app, Settings(secret_key="only-for-tests", webex_hosts=hosts))
        return stage

    def kept(self) -> list[tuple[str, str, int, bool, list[str]]]:
        found = db.session.scalars(select(HostAccount).order_by(HostAccount.email))
        return [(one.provider, one.email, one.capacity, one.is_active, one.kinds) for one in found]

    @pytest.mark.usefixtures("named")
    def test_they_are_entered_with_their_capacity(self) -> None:
        hosting.adopt_hosts_of_settings()
        assert self.kept() == [
            ("webex", "ann@hosts.example", 2, True, []),
            ("webex", "bea@hosts.example", 1, True, []),
        ]

    @pytest.mark.usefixtures("named")
    def test_a_known_one_keeps_what_the_helpdesk_gave_it(self) -> None:
        ann = add_host("ann", provider="webex", capacity=9)
        hosting.change_host(ann.id, {"is_active": False})
        hosting.adopt_hosts_of_settings()
        hosting.adopt_hosts_of_settings()
        assert [one[2:4] for one in self.kept()] == [(9, False), (1, True)]

    def test_processes_that_start_together_enter_each_once(self, named: Stage) -> None:
        db.session.remove()
        assert named.house.at_once(4, lambda _: hosting.adopt_hosts_of_settings()) == [None] * 4  # type: ignore[func-returns-value]
        assert len(self.kept()) == 2


def test_a_title_holds_fixed_words_the_group_and_the_date_and_nothing_that_was_typed(round_of_tuesdays: Stage) -> None:
    request_id = round_of_tuesdays.allocated(case_reference="CPMS-SECRET", question="About Ana")
    assert standing.view(request_id, by=HELPDESK).request.allocation is not None
    assert [one.title for one in conferences()] == ["Brain Tumour panel, 24 November 2026"]
