"""What tells who a patient is: refused where a label says so, asked about where it stands alone."""

from __future__ import annotations

import random

import pytest

from conference_orchestrator.kernel import identifiers
from conference_orchestrator.kernel.identifiers import BORN, NAMED, NUMBERED

BIRTHS = [
    "A girl, born 3 April 2015, with a mass",
    "born on 03.04.2015",
    "DOB: 2015-04-03",
    "D.O.B. 3/4/15",
    "date of birth is April 3rd, 2015",
    "Mädchen, geb. 03.04.2015",
    "geb.03.04.2015",
    "Geburtsdatum: 3. April 2015",
    "née le 3 avril 2015",
    "né le 03/04/2015",
    "né(e) le 03/04/2015",
    "date de naissance : 03/04/2015",
    "nato il 3 aprile 2015",
    "nato/a il 03/04/2015",
    "data di nascita 03-04-2015",
    "nacida el 3 de abril de 2015",
    "nacido/a el 03/04/2015",
    "Fecha de nacimiento: 03/04/2015",
    "ur. 03.04.2015",
    "urodzona dnia 3 kwietnia 2015",
    "geboortedatum 03-04-2015",
    "nascido a 3 de abril de 2015",
    "nascido(a) em 03/04/2015",
    "data de nascimento: 03/04/2015",
    "geb 03.04.2015",
    "geb. 3. 4. 2015",
    "DOB: 3-Apr-2015",
    "DOB: 03APR2015",
    "DOB: 20150403",
    "Date of Birth (DD/MM/YYYY): 03/04/2015",
    "DOB | 03.04.2015",
    "Date of birth: **03.04.2015**",
    "geboren in Köln am 03.04.2015",
    "nata a Milano il 3.4.2015",
    "née à Paris le 03/04/2015",
    "nacido en Madrid el 3 de abril de 2015",
    "urodzona w Warszawie 3.4.2015",
    "Born in Warsaw, 3 April 2015",
    "geb.\u200b 03.04.2015",
    "geb.: \uff10\uff13.\uff10\uff14.\uff12\uff10\uff11\uff15",
    "Geb.dat.: 03.04.2015",
]
NAMES = [
    "Patient name: Anna Kowalska",
    "the patient's name is Anna",
    "Name of the patient: Rui",
    "Patientenname: Müller",
    "Name des Kindes: Jörg",
    "nom du patient : Dupont",
    "nome del paziente: Rossi",
    "nombre del paciente: García",
    "imię i nazwisko: Łucja Nowak",
    "naam van het kind: Pieter",
    "nome do doente: Santos",
    "Surname: Nowak",
    "Nom de famille : Dupont",
    "Prénom: Marie",
    "Nome da criança: Maria",
    "Nombre del niño: Juan",
    "Imię i nazwisko pacjenta: Anna Nowak",
    "patient name: anna nowak",
    "Nachname: Müller",
]
NUMBERS = [
    "NHS number 943 476 5919",
    "NHS no. 9434765919",
    "PESEL: 44051401359",
    "BSN 111222333",
    "codice fiscale RSSMRA85T10A562S",
    "DNI: 54362315K",
    "MRN 123456",
    "hospital number: 1234567",
    "Patientennummer 4711000",
    "Pat.-Nr. 4711000",
    "KVNR A123456780",
    "numéro de sécurité sociale 2 95 10 99 126 111 93",
    "rodné číslo 710319/2745",
    "passport no. X1234567",
    "Patient-ID: 12345678",
    "Patiëntnummer: 1234567",
    "Fallnummer 12345678",
    "Nº historia clínica: 123456",
    "NHC: 1234567",
    "MRN 1234",
    "MRN\u00ad 123456",
    "burgerservicenummer 111222333",
    "Hospital no 1234567",
    "PPS number 1234567T",
]
CASES = [
    "Is surgery an option?",
    "A four-year-old boy with a pontine lesion since 3 March 2026; MRI of 03.10.2026 shows growth.",
    "born at 32 weeks, birth weight 1,850 g",
    "born 2019",
    "geboren in der 32. Woche; Erstdiagnose 03.05.2026",
    "Patient: guter Allgemeinzustand nach OP am 12.05.2026",
    "The patient is stable. Name of the drug: Selumetinib, 25 mg/m2 twice daily.",
    "MRI of 120 images, series 1.2.840.113619.2.55.3.604688119",
    "NCT01234567, EudraCT 2015-004456-14",
    "Chemotherapy from 2024-11-03 to 2025-02-17, Hb 11.2, PLT 234000, LDH 1234",
    "CPR 12.05.2026 for 10 minutes; CNP 120 pg/ml; IPP 40 mg",
    "DNI order discussed with the family",
    "insurance does not cover the drug",
    "hospital number of images: 120",
    "the patient's name is not known to us",
    "nome do medicamento: Temozolomida",
    "DNA methylation class 12345",
    "NIR spectroscopy 70 % at 730/850 nm",
    "Phone +351 222 000 111",
    "CPMS-2026/0012, see case 4711",
    "Po 5 dni 12000 leukocytów, gorączka.",
    "Leczenie przez 14 dni 50 000 j./kg",
    "Thrombozyten waren nie 100 000/µl",
    "Płytki nie 150 000, tylko 20 000",
    "Birth: 40 weeks, 3450 g",
    "Born 38 weeks 2950 g",
    "Geboren 38. SSW, 2950 g, APGAR 9/10/10",
    "Nacido 39 semanas, 3200 g",
    "Nascida 38 semanas, 2900 g",
    "Geboren 38 weken 2950 g",
    "Nata a 31 settimane, 2050 g",
    "NIR 700-900 nm fluorescence with indocyanine green",
    "NSS 2025-2026 in our centre",
    "NSS 12/2025 left, 02/2026 right",
    "NHS 2025/26 funding of proton therapy?",
    "Insurance 2025/26 does not cover dinutuximab",
    "Medical record 2019-2026 reviewed.",
    "PPS 100 80 60 over the last 3 months",
    "Patient name: See CPMS",
    "Patient's name: Not disclosed",
    "Patientenname: Siehe CPMS",
    "Nom du patient : Anonyme",
    "Patient: Guter Allgemeinzustand nach OP",
    "geb in der 32. Woche",
    "medical record 2019 reviewed",
    "name of the trial: SIOPEN",
    "Surname not given",
    "MRN 2024",
]
NATIONAL = {
    "Czechia": "710319/2745",
    "Finland": "131052-308T",
    "France": "2 95 10 99 126 111 93",
    "Italy": "RSSMRA85T10A562S",
    "the Netherlands": "111222333",
    "Poland": "44051401359",
    "Spain": "54362315K",
    "the United Kingdom": "943 476 5919",
}


@pytest.mark.parametrize(
    ("said", "text"),
    [(said, text) for said, texts in ((BORN, BIRTHS), (NAMED, NAMES), (NUMBERED, NUMBERS)) for text in texts],
)
def test_what_a_label_names_is_refused_by_what_it_is(said: str, text: str) -> None:
    assert identifiers.labelled(f"We ask for advice.\n{text}. Thank you.") == said


@pytest.mark.parametrize("text", CASES)
def test_a_case_without_its_patient_is_neither_refused_nor_asked_about(text: str) -> None:
    assert (identifiers.labelled(text), identifiers.alone(text)) == (None, None)


@pytest.mark.parametrize("country", NATIONAL)
def test_a_number_that_stands_alone_is_asked_about(country: str) -> None:
    number = NATIONAL[country]
    text = f"Please see {number} in the archive."
    assert identifiers.labelled(text) is None
    ends = number.replace(" ", "")[-3:]
    assert identifiers.alone(text) == f"The number that ends in {ends} may be somebody's national number"


@pytest.mark.parametrize("country", NATIONAL)
def test_a_telephone_number_is_none(country: str) -> None:
    assert identifiers.alone(f"+{NATIONAL[country]}") is None


def test_right_check_digits_say_little() -> None:
    """Why a number alone is never refused: of random ones of ten digits more than a quarter are right."""
    by_chance = random.Random(5)
    numbers = [str(by_chance.randrange(10**9, 10**10)) for _ in range(1000)]
    assert 200 < sum(identifiers.alone(number) is not None for number in numbers) < 400


@pytest.mark.parametrize(
    "number", ["\u096712345678901", "1234567\u096e901", "1234567\u0967ZZ8", "1" * 5000, "1 " * 3000]
)
def test_digits_of_other_scripts_and_very_long_numbers_are_looked_at_without_an_error(number: str) -> None:
    assert identifiers.alone(number) in {None, "The number that ends in 901 may be somebody's national number"}


def test_a_number_is_found_in_the_digits_of_another_script() -> None:
    pesel = "".join(chr(ord(digit) - ord("0") + 0x0966) for digit in NATIONAL["Poland"])
    assert identifiers.alone(pesel) is not None
    assert identifiers.labelled(f"PESEL: {pesel}") == NUMBERED
