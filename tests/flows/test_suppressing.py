"""Addresses that get no mail or no reminders: by the helpdesk's word, and by the link in a reminder."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select

from conference_orchestrator.flows import delivering, joining, reminding, rounds, suppressing
from conference_orchestrator.kernel import links
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.errors import Conflict, NotFound, NotPermitted
from conference_orchestrator.kernel.paging import Paging
from conference_orchestrator.kernel.principal import Principal, Role
from conference_orchestrator.kernel.transaction import transaction
from conference_orchestrator.ledger import suppressions
from conference_orchestrator.ledger.suppressions import Reason, Scope, Suppression
from tests.answers import tuesday
from tests.house import HELPDESK
from tests.mails import erase
from tests.post import header
from tests.scheduling.stage import TUESDAY, Stage

A_DAY_BEFORE = TUESDAY - timedelta(hours=24)
ALL = ["inês", "jörg", "rui", "zoé", "łucja"]


def word(stage: Stage, name: str) -> str:
    """The word of the link in the person's reminders."""
    return suppressing.unsubscribe_url(stage.people[name].id).rpartition("/u/")[2]


def reminded(stage: Stage) -> list[str]:
    """Who is reminded a day before."""
    stage.house.clock.at = A_DAY_BEFORE
    reminding.remind()
    return sorted(mail.address.partition("@")[0] for mail in stage.house.messages("reminder"))


def suppress(address: str, scope: Scope) -> None:
    suppressing.add({"address": address, "scope": scope}, by=HELPDESK)


def rows() -> list[tuple[str, str, str]]:
    db.session.close()
    return [(one.address, one.scope, one.reason) for one in db.session.scalars(select(Suppression))]


class TestReminders:
    def test_everybody_is_reminded_who_did_not_ask_for_silence(self, full: Stage) -> None:
        assert reminded(full) == ALL

    def test_who_unsubscribed_is_not_reminded(self, full: Stage) -> None:
        suppressing.unsubscribe(word(full, "zoé"))
        assert reminded(full) == [name for name in ALL if name != "zoé"]

    @pytest.mark.parametrize("scope", list(Scope))
    def test_an_address_that_gets_no_mail_or_no_reminders_is_not_reminded(self, full: Stage, scope: Scope) -> None:
        suppress("zoé@graz.example", scope)
        assert reminded(full) == [name for name in ALL if name != "zoé"]

    def test_who_takes_it_back_is_reminded_of_what_is_to_come(self, full: Stage) -> None:
        suppressing.unsubscribe(word(full, "zoé"))
        suppressing.remind_again(word(full, "zoé"))
        assert reminded(full) == ALL

    def test_who_unsubscribed_is_told_of_a_move_all_the_same(self, full: Stage) -> None:
        suppressing.unsubscribe(word(full, "zoé"))
        rounds.move(tuesday(full).id, TUESDAY + timedelta(days=1), by=HELPDESK)
        full.work()
        assert "zoé@graz.example" in {mail.address for mail in full.house.messages("invitation-update")}


class TestTheLink:
    def test_it_stands_in_the_reminders_as_mail_programs_look_for_it(self, full: Stage) -> None:
        reminded(full)
        (reminder,) = [mail for mail in full.house.messages("reminder") if mail.address == "zoé@graz.example"]
        sent = delivering.mail(reminder)
        assert header(sent, "List-Unsubscribe") == f"<{suppressing.unsubscribe_url(full.people['zoé'].id)}>"
        assert header(sent, "List-Unsubscribe-Post") == "List-Unsubscribe=One-Click"

    def test_it_is_one_address_for_each_person(self, full: Stage) -> None:
        addresses = {suppressing.unsubscribe_url(person.id) for person in full.people.values()}
        assert len(addresses) == len(full.people)
        assert all(address.startswith("http://127.0.0.1:8000/u/") for address in addresses)

    def test_looking_changes_nothing(self, full: Stage) -> None:
        assert suppressing.choice(word(full, "zoé")).is_reminded
        assert rows() == []

    def test_a_second_time_changes_nothing(self, full: Stage) -> None:
        for _ in range(2):
            suppressing.unsubscribe(word(full, "zoé"))
        assert rows() == [("zoé@graz.example", "reminders", "unsubscribed")]
        assert not suppressing.choice(word(full, "zoé")).is_reminded
        for _ in range(2):
            suppressing.remind_again(word(full, "zoé"))
        assert rows() == []

    def test_it_does_not_lift_what_a_bounce_has_done(self, full: Stage) -> None:
        with transaction() as tx:
            suppressions.add("zoé@graz.example", Scope.ALL, Reason.BOUNCED, at=tx.now)
        suppressing.remind_again(word(full, "zoé"))
        assert rows() == [("zoé@graz.example", "all", "bounced")]

    def test_one_made_for_something_else_or_for_nobody_is_none(self, full: Stage) -> None:
        zoe = full.people["zoé"].id
        for token in (links.token("answer", zoe), links.token("unsubscribe", uuid4()), "", "x"):
            for act in (suppressing.choice, suppressing.unsubscribe, suppressing.remind_again):
                with pytest.raises(NotFound):
                    act(token)
        assert rows() == []

    def test_that_of_somebody_erased_is_none(self, full: Stage) -> None:
        erase(full.people["zoé"])
        with pytest.raises(NotFound):
            suppressing.unsubscribe(word(full, "zoé"))


class TestTheHelpdesk:
    def test_it_suppresses_an_address_and_takes_that_away(self, full: Stage) -> None:
        made = suppressing.add({"address": "a@b.example", "scope": "all", "detail": "by phone"}, by=HELPDESK)
        assert (made.reason, made.detail, made.created_at) == ("helpdesk", "by phone", full.house.clock.at)
        suppressing.lift(made.id, by=HELPDESK)
        assert rows() == []

    @pytest.mark.usefixtures("full")
    def test_the_same_a_second_time_is_a_conflict_and_the_other_scope_is_not(self) -> None:
        suppress("a@b.example", Scope.ALL)
        with pytest.raises(Conflict, match=r"a@b.example is suppressed already"):
            suppress("a@b.example", Scope.ALL)
        suppress("a@b.example", Scope.REMINDERS)
        assert len(rows()) == 2

    def test_one_who_belongs_to_one_network_has_no_say_over_addresses_of_all(self, full: Stage) -> None:
        suppress("a@b.example", Scope.ALL)
        made = db.session.scalars(select(Suppression.id)).one()
        narrow = Principal(role=Role.HELPDESK, network_id=full.network.id)
        for refused in (
            lambda: suppressing.listed(Paging(), by=narrow),
            lambda: suppressing.add({"address": "c@d.example", "scope": "all"}, by=narrow),
            lambda: suppressing.lift(made, by=narrow),
        ):
            with pytest.raises(NotPermitted):
                refused()
        assert rows() == [("a@b.example", "all", "helpdesk")]

    @pytest.mark.usefixtures("full")
    def test_what_is_not_there_is_not_found(self) -> None:
        with pytest.raises(NotFound):
            suppressing.lift(UUID(int=0), by=HELPDESK)


def test_only_what_bounced_counts_as_bounced(full: Stage) -> None:
    suppress("a@b.example", Scope.ALL)
    with transaction() as tx:
        suppressions.add("zoé@graz.example", Scope.ALL, Reason.BOUNCED, at=tx.now)
    assert suppressing.bounced(["a@b.example", "zoé@graz.example"]) == {"zoé@graz.example": full.house.clock.at}


def test_who_gets_another_address_is_written_to_there(full: Stage) -> None:
    suppress("zoé@graz.example", Scope.ALL)
    joining.change(full.people["zoé"].id, {"email": "zoe.new@graz.example"}, by=HELPDESK)
    assert "zoe.new" in reminded(full)
