"""Under which address a person is known, and who finds whom."""

from __future__ import annotations

import pytest

from conference_orchestrator.flows import directory, joining
from conference_orchestrator.kernel.errors import Invalid, NotFound
from conference_orchestrator.kernel.paging import Paging
from conference_orchestrator.kernel.principal import Principal, Role
from conference_orchestrator.network import clinicians, sharing
from conference_orchestrator.network.clinicians import Clinician
from conference_orchestrator.network.networks import Network
from tests.house import HELPDESK, applicant

ELSEWHERE = {"hospital_name": "Clinique du Parc", "country": "FR"}


def enter(given_name: str, *, network: str = "covid", **changes: object) -> Clinician:
    email = f"{given_name.lower()}@szpital.example"
    entered = applicant(given_name=given_name, email=email, network=network, privacy_version=None) | changes
    return joining.enter(entered, by=HELPDESK)


def as_clinician(person: Clinician) -> Principal:
    return Principal(role=Role.CLINICIAN, clinician_id=person.id)


@pytest.mark.parametrize(
    ("typed", "known_as"),
    [
        ("Anna@Szpital.Example", "anna@szpital.example"),
        ("anna@KLINIK-MÜNCHEN.example", "anna@klinik-münchen.example"),
        ("e\u0301va@szpital.example", "éva@szpital.example"),
    ],
)
def test_an_address_is_known_in_one_form(typed: str, known_as: str) -> None:
    assert clinicians.canonical(typed) == known_as


@pytest.mark.parametrize("typed", ["", "anna", "anna@", "@szpital.example", "a b@c.example", "a@b.example\nx", "a@b"])
def test_what_is_no_address_is_refused_by_its_field(typed: str) -> None:
    with pytest.raises(Invalid) as refused:
        clinicians.canonical(typed, field="contact_email")
    assert refused.value.errors.keys() == {"contact_email"}


@pytest.mark.usefixtures("covid")
class TestScope:
    def test_a_clinician_finds_the_colleagues_of_the_own_networks_only(self) -> None:
        directory.add_network({"code": "paedcan", "name": "ERN PaedCan"}, by=HELPDESK)
        anna, bea, cora = enter("Anna"), enter("Bea"), enter("Cora", network="paedcan")
        assert clinicians.get(bea.id, visible_to=as_clinician(anna)).id == bea.id
        with pytest.raises(NotFound):
            clinicians.get(cora.id, visible_to=as_clinician(anna))
        listed = clinicians.listed(Paging(), visible_to=as_clinician(anna)).items
        assert {person.id for person in listed} == {anna.id, bea.id}

    def test_searching_by_an_address_tells_it_to_the_helpdesk_alone(self) -> None:
        anna = enter("Anna", share=[])
        assert len(clinicians.listed(Paging(), visible_to=HELPDESK, q="anna@").items) == 1
        assert clinicians.listed(Paging(), visible_to=as_clinician(anna), q="anna@").items == []

    def test_a_search_takes_its_words_as_they_are(self) -> None:
        enter("Anna")
        assert clinicians.listed(Paging(), visible_to=HELPDESK, q="%").items == []

    def test_the_participant_list_shows_what_each_person_chose(self, covid: Network) -> None:
        enter("Anna", share=[])
        enter("Bea", share=["email"])
        enter("Cora", share=["phone"], phone="+48 3")
        listed = sharing.participant_list(covid.id)
        assert [(line.name.split()[0], line.email, line.phone) for line in listed] == [
            ("Anna", None, None),
            ("Bea", "bea@szpital.example", None),
            ("Cora", None, "+48 3"),
        ]
        assert {(line.country, line.hospital) for line in listed} == {("PL", "Szpital Świętej Łucji")}

    def test_a_reference_centre_finds_the_clinicians_of_its_networks_and_its_own(self) -> None:
        directory.add_network({"code": "paedcan", "name": "ERN PaedCan"}, by=HELPDESK)
        anna, foreign = enter("Anna"), enter("Cora", network="paedcan", hospital=None, **ELSEWHERE)
        own = enter("Bea", network="paedcan")
        centre = Principal(role=Role.REFERENCE_CENTRE, hospital_id=own.hospital_id)
        listed = clinicians.listed(Paging(), visible_to=centre).items
        assert {person.id for person in listed} == {anna.id, own.id}
        for reference in (str(foreign.id), foreign.email, "nobody@szpital.example"):
            with pytest.raises(Invalid) as refused:
                clinicians.find(reference, field="attendees", visible_to=centre)
            assert refused.value.errors == {"attendees": [f"There is no clinician {reference!r}."]}
