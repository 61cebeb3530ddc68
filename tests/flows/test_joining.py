"""Joining a network: what each step stores, whom it tells, and what nobody can learn or change by it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, update

from conference_orchestrator.flows import directory, joining
from conference_orchestrator.kernel import links
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.errors import Conflict, Invalid, NotFound, NotPermitted, RuleBroken, Stale
from conference_orchestrator.kernel.principal import Principal, Role
from conference_orchestrator.kernel.transaction import transaction
from conference_orchestrator.network.clinicians import Clinician
from conference_orchestrator.network.networks import Network
from conference_orchestrator.network.notices import NoticeAcceptance
from conference_orchestrator.network.registrations import Registration
from tests.house import HELPDESK, House, applicant, notice


@pytest.fixture(autouse=True)
def network(covid: Network) -> Network:
    return covid


def the_registration() -> Registration:
    return db.session.scalars(select(Registration)).one()


def token(registration: Registration) -> str:
    return links.token("confirm", registration.id)


def pending(**changes: Any) -> UUID:
    """Somebody who registered and confirmed the address."""
    entered = applicant(**changes)
    joining.register(entered)
    mine = select(Registration).where(Registration.email == entered["email"], Registration.state == "address-pending")
    return joining.confirm(token(db.session.scalars(mine).one())).id


def active(**changes: Any) -> Clinician:
    registration = joining.activate(pending(**changes), by=HELPDESK)
    return db.session.scalars(select(Clinician).where(Clinician.id == registration.clinician_id)).one()


def record() -> dict[str, Any]:
    """Everything that is kept of the only clinician."""
    person = db.session.scalars(select(Clinician).execution_options(populate_existing=True)).one()
    return {column.key: getattr(person, column.key) for column in Clinician.__table__.columns}


class TestRegistering:
    def test_a_registration_waits_for_the_click_with_what_was_entered(self) -> None:
        joining.register(applicant(email="Lucja@Szpital.example"))

        kept = the_registration()
        assert (kept.state, kept.email, kept.due_at) == ("address-pending", "lucja@szpital.example", None)
        assert (kept.hospital_name, kept.country) == ("Szpital Świętej Łucji", "PL")

    def test_the_applicant_gets_the_factsheet_the_statement_and_one_personal_link(self, house: House) -> None:
        joining.register(applicant())

        (mail,) = house.messages()
        assert (mail.kind, mail.address) == ("registration-received", "lucja@szpital.example")
        assert mail.link_subject == the_registration().id
        assert mail.facts["confirm_url"] == "", "the link is made at sending, nothing usable is kept at rest"
        assert mail.facts["privacy"]["version"] == "2026-01"
        assert mail.facts["factsheet"]["url"].startswith("http://127.0.0.1:8000/notices/")
        assert house.queue.of_kind("deliver") == [{"messages": [str(mail.id)]}]

    def test_what_was_accepted_is_kept_with_its_version_and_time(self, house: House) -> None:
        joining.register(applicant())

        kept = db.session.scalars(select(NoticeAcceptance)).one()
        assert (kept.registration_id, kept.accepted_at) == (the_registration().id, house.clock.at)

    def test_the_hospital_gives_the_time_zone_that_was_not_entered(self) -> None:
        joining.register(applicant(time_zone=None))
        assert the_registration().time_zone == "Europe/Warsaw"

    def test_somebody_of_a_hospital_that_is_not_listed_enters_its_name_and_country(self) -> None:
        joining.register(applicant(hospital=None, hospital_name="Hospital São João", country="pt"))
        assert (the_registration().hospital_name, the_registration().country) == ("Hospital São João", "PT")

    def test_an_open_registration_gets_its_mail_again_and_keeps_what_was_entered_first(self, house: House) -> None:
        joining.register(applicant())
        joining.register(applicant(family_name="Somebody-Else", phone="+1 555"))

        assert the_registration().family_name == "Großmann-Réné"
        assert [mail.kind for mail in house.messages()] == ["registration-received"] * 2

    def test_an_active_clinician_gets_the_instructions_again_and_no_account_changes(self, house: House) -> None:
        person = active()
        before = record()
        joining.register(applicant(phone="+1 555 666", share=["email", "phone"], family_name="Intruder"))

        assert record() == before
        (task,) = house.queue.of_kind("send-instructions")
        joining.send_instructions(UUID(task["clinician"]), UUID(task["network"]), cause=task["cause"])
        assert [m.address for m in house.messages("registration-activated")] == [person.email] * 2
        assert house.count(Registration) == 1

    def test_the_answer_is_the_same_for_unknown_open_and_active_addresses(self) -> None:
        active(email="known@szpital.example")
        joining.register(applicant(email="open@szpital.example"))
        addresses = ("known@szpital.example", "open@szpital.example", "new@szpital.example")
        assert [joining.register(applicant(email=address)) for address in addresses] == [None] * 3  # type: ignore[func-returns-value]

    def test_an_address_gets_at_most_three_mails_within_any_hour(self, house: House) -> None:
        for _ in range(5):
            joining.register(applicant())
            house.clock.move_on(timedelta(minutes=14))
        # Minutes 0, 14, 28, then silence at 42 and 56; those at 0 still count until an hour has passed.
        assert len(house.messages()) == 3
        house.clock.move_on(timedelta(minutes=120))
        joining.register(applicant())
        assert len(house.messages()) == 4

    def test_the_mails_of_one_address_do_not_silence_another(self, house: House) -> None:
        for _ in range(4):
            joining.register(applicant())
        joining.register(applicant(email="other@szpital.example"))
        assert [mail.address for mail in house.messages()].count("other@szpital.example") == 1

    def test_an_active_clinician_is_spared_a_flood_like_everybody(self, house: House) -> None:
        active()
        house.clock.move_on(timedelta(hours=2))
        for _ in range(5):
            joining.register(applicant())
        assert len(house.queue.of_kind("send-instructions")) == 3

    @pytest.mark.parametrize(
        ("wrong", "field"),
        [
            ({"email": "no address"}, "email"),
            ({"email": "a@b.example\r\nBcc: x@y.example"}, "email"),
            ({"time_zone": "Europe/Atlantis"}, "time_zone"),
            ({"hospital": "nowhere"}, "hospital"),
            ({"hospital": None}, "hospital_name"),
            ({"network": "unknown"}, "network"),
            ({"privacy_version": "2019-01"}, "privacy_version"),
            ({"given_name": "two\nlines"}, "given_name"),
            ({"given_name": "x" * 300}, "given_name"),
            ({"family_name": "=?utf-8?q?Bcc?="}, "family_name"),
            ({"share": ["everything"]}, "share.0"),
            ({"role": "helpdesk"}, "role"),
        ],
    )
    def test_wrong_input_names_its_field_and_stores_nothing(
        self, house: House, wrong: dict[str, Any], field: str
    ) -> None:
        with pytest.raises(Invalid) as refused:
            joining.register(applicant(**wrong))
        assert field in refused.value.errors
        assert house.count(Registration) == 0
        assert house.messages() == []

    def test_everything_that_is_wrong_is_told_at_once(self) -> None:
        with pytest.raises(Invalid) as refused:
            joining.register(applicant(email="x", language="english", given_name=""))
        assert refused.value.errors.keys() == {"email", "language", "given_name"}

    def test_a_statement_that_is_superseded_cannot_be_accepted_any_more(self) -> None:
        directory.publish_notice(notice("privacy", version="2026-06", body="New."), by=HELPDESK)
        with pytest.raises(Invalid, match="2026-06"):
            joining.register(applicant(privacy_version="2026-01"))


class TestConfirming:
    def test_looking_at_the_link_changes_nothing(self) -> None:
        joining.register(applicant())
        assert joining.confirmation(token(the_registration())).state == "address-pending"
        assert the_registration().state == "address-pending"

    def test_the_click_starts_the_helpdesks_24_hours_and_tells_it(self, house: House) -> None:
        joining.register(applicant())
        confirmed = joining.confirm(token(the_registration()))

        assert (confirmed.state, confirmed.due_at) == ("pending", house.clock.at + timedelta(hours=24))
        (alert,) = house.messages("desk-alert")
        assert (alert.address, alert.facts["title"]) == ("helpdesk@network.example", "New registration to decide")

    def test_a_second_click_changes_nothing_and_tells_nobody(self, house: House) -> None:
        joining.register(applicant())
        first = joining.confirm(token(the_registration())).due_at
        house.clock.move_on(timedelta(hours=3))

        assert joining.confirm(token(the_registration())).due_at == first
        assert len(house.messages("desk-alert")) == 1

    def test_the_link_expires_after_seven_days(self, house: House) -> None:
        joining.register(applicant())
        house.clock.move_on(timedelta(days=7) - timedelta(seconds=1))
        assert joining.confirmation(token(the_registration()))
        house.clock.move_on(timedelta(seconds=1))
        with pytest.raises(NotFound):
            joining.confirmation(token(the_registration()))
        with pytest.raises(NotFound):
            joining.confirm(token(the_registration()))

    def test_after_an_expired_link_one_registers_again_with_new_words(self, house: House) -> None:
        joining.register(applicant())
        house.clock.move_on(timedelta(days=8))
        joining.register(applicant(family_name="Neu"))
        assert joining.confirm(token(the_registration())).family_name == "Neu"

    def test_a_link_made_for_another_purpose_is_no_confirmation(self) -> None:
        joining.register(applicant())
        with pytest.raises(NotFound):
            joining.confirm(links.token("answer", the_registration().id))

    @pytest.mark.parametrize("word", ["", "x", "é", "A" * 43, "../../etc", "\x00"])
    def test_a_word_that_is_no_link_is_not_found(self, word: str) -> None:
        with pytest.raises(NotFound):
            joining.confirm(word)


class TestActivating:
    def test_activation_makes_a_clinician_of_the_network(self) -> None:
        registration = joining.activate(pending(), by=HELPDESK)

        person = db.session.scalars(select(Clinician)).one()
        assert (registration.state, registration.clinician_id) == ("active", person.id)
        assert (person.name, person.email, person.share) == ("Łucja Großmann-Réné", "lucja@szpital.example", ["email"])
        assert db.session.scalars(select(NoticeAcceptance.clinician_id)).all() == [person.id]

    def test_the_instructions_come_in_the_readers_language_with_the_list(self, house: House) -> None:
        directory.publish_notice(notice("instructions", language="de", title="So geht es", body="Hallo."), by=HELPDESK)
        active(email="first@szpital.example", share=[])
        active(language="de")

        mail = next(m for m in house.messages("registration-activated") if m.address == "lucja@szpital.example")
        assert mail.facts["instructions"] == {"title": "So geht es", "body": "Hallo."}
        assert mail.facts["sender_address"] == "helpdesk@network.example"
        assert mail.facts["list_url"] is None
        assert len(mail.facts["participants"]) == 2

    def test_nobody_learns_an_address_that_its_owner_does_not_share(self, house: House) -> None:
        active(email="private@szpital.example", phone="+48 111", share=[])
        active(email="phone-only@szpital.example", phone="+48 222", share=["phone"])
        active(email="reader@szpital.example", phone="+48 333", share=["email"])

        mail = next(m for m in house.messages("registration-activated") if m.address == "reader@szpital.example")
        told = str(mail.facts)
        assert "private@szpital.example" not in told
        assert "+48 111" not in told
        assert "phone-only@" not in told
        assert "+48 222" in told
        assert "+48 333" not in told
        assert "reader@szpital.example" in told

    def test_a_network_that_wants_a_link_sends_no_list(self, house: House) -> None:
        with transaction():
            db.session.execute(update(Network).values(participant_list="link"))
        active()
        (mail,) = house.messages("registration-activated")
        assert mail.facts["participants"] == []
        assert mail.facts["list_url"] == "http://127.0.0.1:8000/participants?network=covid"

    def test_a_known_clinician_joins_a_second_network_and_keeps_the_own_data(self, house: House) -> None:
        active()
        directory.add_network({"code": "paedcan", "name": "ERN PaedCan"}, by=HELPDESK)
        directory.publish_notice(notice("privacy", network="paedcan"), by=HELPDESK)
        house.clock.move_on(timedelta(hours=2))
        before = record()
        joining.activate(pending(network="paedcan", phone="+1 555", share=["phone"]), by=HELPDESK)

        assert record() == before
        assert len(house.messages("registration-activated")) == 2

    def test_an_address_that_is_not_confirmed_is_not_activated(self) -> None:
        joining.register(applicant())
        with pytest.raises(RuleBroken):
            joining.activate(the_registration().id, by=HELPDESK)

    def test_a_registration_is_decided_once(self) -> None:
        decided = pending()
        joining.activate(decided, by=HELPDESK)
        with pytest.raises(RuleBroken):
            joining.activate(decided, by=HELPDESK)
        with pytest.raises(RuleBroken):
            joining.refuse(decided, "No.", by=HELPDESK)

    def test_a_decision_about_an_old_version_is_stale(self, house: House) -> None:
        registration = pending()
        with pytest.raises(Stale):
            joining.activate(registration, by=HELPDESK, expected=1)
        assert house.count(Clinician) == 0

    def test_a_helpdesk_of_another_network_does_not_find_the_registration(self) -> None:
        registration = pending()
        with pytest.raises(NotFound):
            joining.activate(registration, by=Principal(role=Role.HELPDESK, network_id=uuid4()))

    def test_a_refusal_tells_its_reason(self, house: House) -> None:
        refused = joining.refuse(pending(), "You are no clinician.", by=HELPDESK)
        (mail,) = house.messages("registration-refused")
        assert (refused.state, mail.facts["reason"]) == ("refused", "You are no clinician.")

    def test_who_was_refused_may_register_again(self, house: House) -> None:
        joining.refuse(pending(), "Wrong hospital.", by=HELPDESK)
        joining.register(applicant())
        assert house.count(Registration) == 2


class TestEscalating:
    def test_an_overdue_registration_is_told_to_the_helpdesk_once(self, house: House) -> None:
        pending()
        house.clock.move_on(timedelta(hours=24))
        joining.escalate()
        assert len(house.messages("desk-alert")) == 1, "it is due at this instant, not overdue"
        house.clock.move_on(timedelta(seconds=1))
        joining.escalate()
        joining.escalate()
        assert sorted(m.facts["title"] for m in house.messages("desk-alert")) == [
            "A registration is overdue",
            "New registration to decide",
        ]

    def test_a_decided_registration_is_not_overdue(self, house: House) -> None:
        joining.activate(pending(), by=HELPDESK)
        house.clock.move_on(timedelta(days=2))
        joining.escalate()
        assert len(house.messages("desk-alert")) == 1


class TestEnteringAndChanging:
    def test_the_helpdesk_enters_somebody_who_is_active_at_once(self, house: House) -> None:
        person = joining.enter(applicant(privacy_version=None), by=HELPDESK)
        assert person.hospital is not None
        assert (person.state, person.hospital.code, len(person.networks)) == ("active", "warsaw", 1)
        assert house.messages() == [], "without an accepted statement nobody's data is sent"

    def test_who_accepted_the_statement_gets_the_instructions(self, house: House) -> None:
        joining.enter(applicant(), by=HELPDESK)
        assert [mail.kind for mail in house.messages()] == ["registration-activated"]

    def test_a_known_address_is_not_entered_again(self) -> None:
        joining.enter(applicant(), by=HELPDESK)
        with pytest.raises(Conflict):
            joining.enter(applicant(email="LUCJA@szpital.example", family_name="Other"), by=HELPDESK)

    def test_a_clinician_changes_the_own_record(self) -> None:
        person = joining.enter(applicant(), by=HELPDESK)
        me = Principal(role=Role.CLINICIAN, clinician_id=person.id)
        changed = joining.change(person.id, {"phone": None, "share": []}, by=me, expected=person.version)
        assert (changed.phone, changed.share, changed.version) == (None, [], 2)

    def test_a_clinician_changes_neither_another_record_nor_the_own_address(self) -> None:
        person = joining.enter(applicant(), by=HELPDESK)
        me = Principal(role=Role.CLINICIAN, clinician_id=uuid4())
        with pytest.raises(NotFound):
            joining.change(person.id, {"phone": "1"}, by=me)
        me = Principal(role=Role.CLINICIAN, clinician_id=person.id)
        with pytest.raises(NotPermitted):
            joining.change(person.id, {"email": "new@szpital.example"}, by=me)

    def test_the_helpdesk_changes_an_address_unless_it_belongs_to_another(self) -> None:
        person = joining.enter(applicant(), by=HELPDESK)
        joining.enter(applicant(email="taken@szpital.example"), by=HELPDESK)
        assert joining.change(person.id, {"email": "New@szpital.example"}, by=HELPDESK).email == "new@szpital.example"
        with pytest.raises(Conflict):
            joining.change(person.id, {"email": "taken@szpital.example"}, by=HELPDESK)

    def test_a_change_of_an_old_version_is_stale(self) -> None:
        person = joining.enter(applicant(), by=HELPDESK)
        joining.change(person.id, {"phone": "1"}, by=HELPDESK, expected=1)
        with pytest.raises(Stale):
            joining.change(person.id, {"phone": "2"}, by=HELPDESK, expected=1)

    def test_another_hospital_by_name_leaves_the_one_that_was_named(self) -> None:
        person = joining.enter(applicant(), by=HELPDESK)
        changed = joining.change(person.id, {"hospital_name": "Klinik Süd", "country": "DE"}, by=HELPDESK)
        assert (changed.hospital, changed.hospital_name, changed.country) == (None, "Klinik Süd", "DE")

    @pytest.mark.parametrize("field", ["given_name", "email", "language", "time_zone"])
    def test_what_must_be_there_is_not_emptied(self, field: str) -> None:
        person = joining.enter(applicant(), by=HELPDESK)
        with pytest.raises(Invalid) as refused:
            joining.change(person.id, {field: None}, by=HELPDESK)
        assert field in refused.value.errors
