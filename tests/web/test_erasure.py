"""A clinician is erased over the API: nothing about the person is left, and everybody else keeps what they have."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, text

from conference_orchestrator.flows import erasing, importing
from conference_orchestrator.kernel.database import db
from conference_orchestrator.ledger.messages import Message
from tests.house import applicant
from tests.web import forgotten
from tests.web.conftest import Service, close, person, request_for, served
from tests.web.forgotten import ADDRESS, NAMES, TRACES

NOWHERE: dict[str, set[str]] = {one: set() for one in TRACES}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Service]:
    """The folder of a service that knows everything about Wilhelmina: made once, copied for each test."""
    folder = tmp_path_factory.mktemp("told")
    made = served(f"sqlite:///{folder / 'web.db'}", folder)
    forgotten.tell(made)
    close(made)
    return folder, made


@pytest.fixture
def service(told: tuple[Path, Service], tmp_path: Path) -> Iterator[Service]:
    folder, filled = told
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    copy = served(f"sqlite:///{tmp_path / 'web.db'}", tmp_path)
    copy.tokens, copy.ids = dict(filled.tokens), dict(filled.ids)
    yield copy
    close(copy)


@pytest.fixture
def erased(service: Service) -> Service:
    erase(service)
    return service


def erase(service: Service, by: str = "wilhelmina") -> None:
    assert service.ask("DELETE", "/clinicians/{wilhelmina}", by=by).status_code == 204
    forgotten.work(service)


def as_stored(identifier: str) -> str:
    """An id as SQLite holds it."""
    return identifier.replace("-", "")


def test_nothing_about_the_person_is_left_in_any_table(service: Service) -> None:
    before = forgotten.traces(service)
    assert all(before.values()), f"the search finds what is there: {before}"
    erase(service)
    assert forgotten.traces(service) == NOWHERE


def test_nothing_is_left_on_postgresql_either(postgres_schema: str, tmp_path: Path) -> None:
    service = served(postgres_schema, tmp_path)
    forgotten.tell(service)
    assert all(forgotten.traces(service).values()), "the search finds what is there"
    erase(service)
    assert forgotten.traces(service) == NOWHERE
    close(service)


@pytest.mark.parametrize(
    ("step", "table"), [("_leave_out_of_others", "message"), ("_forget_answers", "idempotency_key")]
)
def test_the_search_finds_the_person_where_a_step_is_left_out(
    service: Service, monkeypatch: pytest.MonkeyPatch, step: str, table: str
) -> None:
    monkeypatch.setattr(erasing, step, lambda _who: None)
    erase(service)
    assert forgotten.traces(service)[ADDRESS] == {table}


def test_work_that_was_done_for_the_person_is_not_done_again_when_its_answer_is_gone(erased: Service) -> None:
    erased.clock.at += timedelta(minutes=2)
    again = erased.post(erased.ids["activation_of_wilhelmina"], {}, headers=forgotten.KEY)
    assert (again.status_code, "was lost" in again.json["detail"]) == (409, True)
    assert erased.post(erased.ids["activation_of_olga"], {}, headers=forgotten.KEY).status_code == 200


def test_others_who_were_sent_the_participant_list_keep_the_rest_of_it(erased: Service) -> None:
    with erased.app.app_context():
        activated = select(Message).where(Message.kind == "registration-activated", Message.address != "")
        lists = [message.facts["participants"] for message in db.session.scalars(activated) if message.facts]
        db.session.remove()
    assert [[line["name"] for line in lines if line["name"] == "Olga Stein"] for lines in lists] == [["Olga Stein"]]
    assert all(
        {"Colleague Großmann-Réné", "Expert Großmann-Réné"} <= {line["name"] for line in lines} for lines in lists
    )


def test_no_mail_goes_to_the_person_any_more(service: Service, tmp_path: Path) -> None:
    before = forgotten.mails_to(tmp_path, ADDRESS)
    assert before > 5
    service.post("/registrations", applicant(email="late@szpital.example"), by="anonymous")
    service.post("/clinicians/{wilhelmina}/calendar-repair", {}, by="helpdesk")
    erase(service)
    move = {"starts_at": "2026-11-25T10:00:00Z"}
    assert service.post("/sessions/{session}/move", move).status_code == 200
    forgotten.work(service)
    assert forgotten.mails_to(tmp_path, ADDRESS) == before
    assert forgotten.mails_to(tmp_path, "expert@szpital.example") > 1, "others are told of the move"


def test_what_waited_to_be_sent_to_the_person_is_suppressed(service: Service) -> None:
    service.made("/sessions/{session}/move", {"starts_at": "2026-11-25T10:00:00Z"})
    forgotten.work(service)
    of = {"person": as_stored(service.ids["wilhelmina"])}
    with service.app.app_context(), db.engine.begin() as connection:
        sent = connection.execute(text("UPDATE message SET state = 'deferred' WHERE clinician_id = :person"), of)
    assert sent.rowcount > 5
    assert service.ask("DELETE", "/clinicians/{wilhelmina}").status_code == 204
    with service.app.app_context(), db.engine.connect() as connection:
        states = connection.scalars(text("SELECT DISTINCT state FROM message WHERE clinician_id = :person"), of).all()
    assert states == ["suppressed"]


def test_the_others_of_the_session_are_told_nothing_and_keep_their_invitations(
    service: Service, tmp_path: Path
) -> None:
    before = forgotten.mails_to(tmp_path, "expert@szpital.example")
    assert before > 0
    erase(service)
    assert forgotten.mails_to(tmp_path, "expert@szpital.example") == before
    with service.app.app_context(), db.engine.connect() as connection:
        held = text("SELECT clinician_id, method FROM invitation WHERE uid LIKE 'session-%' ORDER BY method")
        rows = [tuple(row) for row in connection.execute(held)]
    assert rows == [
        (as_stored(service.ids["wilhelmina"]), "CANCEL"),
        (as_stored(service.ids["expert"]), "REQUEST"),
    ]


def test_the_slot_is_free_and_offered_to_who_is_first_in_line(service: Service) -> None:
    assert service.get("/consultation-requests/{waiting}").json["state"] == "waiting"
    erase(service)
    assert service.get("/consultation-requests/{case}").json["state"] == "withdrawn"
    offered = service.get("/consultation-requests/{waiting}").json
    assert offered["state"] == "offered"
    offer = service.get(f"/offers/{offered['offer']}").json
    assert service.ids["freed"] in json.dumps(offer)


def test_the_helpdesk_is_told_what_has_to_be_mended_without_a_name(erased: Service) -> None:
    with erased.app.app_context():
        alerts = select(Message.facts).where(Message.kind == "desk-alert", Message.cause.startswith("erased:"))
        (facts,) = db.session.scalars(alerts)
        db.session.remove()
    speaking = erased.get("/webinar-requests/{spoken}").json["conference"]
    assert facts["title"] == "A clinician was erased"
    assert facts["detail"] == (
        "CPMS-2 (Brain Tumour) has lost its requester and is withdrawn. "
        f"Remove the speaker who was erased from the meeting of conference {speaking}."
    )


def test_the_ways_in_are_closed(service: Service) -> None:
    calendar = f"/feeds/{service.ids['feed']}"
    assert service.client().get(calendar).status_code == 200
    erase(service)
    assert service.client().get(calendar).status_code == 404
    assert service.get("/sessions", by="wilhelmina").status_code == 401


def test_the_record_that_is_left_says_nothing_and_is_not_changed_any_more(erased: Service) -> None:
    left = erased.get("/clinicians/{wilhelmina}").json
    shown = ("given_name", "family_name", "phone", "hospital", "country", "specialties", "share", "state")
    assert [left[name] for name in shown] == ["", "", None, None, "", [], [], "erased"]
    assert left["email"].endswith("@erased.invalid")
    headers = {"If-Match": "*"}
    assert erased.patch("/clinicians/{wilhelmina}", {"given_name": "W"}, headers=headers).status_code == 404


def test_who_is_erased_cannot_be_erased_again(erased: Service) -> None:
    assert erased.ask("DELETE", "/clinicians/{wilhelmina}").status_code == 404
    assert erased.get("/clinicians/{wilhelmina}/export").status_code == 404


def test_somebody_else_cannot_erase_the_person(service: Service) -> None:
    assert service.ask("DELETE", "/clinicians/{wilhelmina}", by="clinician").status_code == 404
    assert service.ask("DELETE", "/clinicians/{wilhelmina}", by="helpdesk").status_code == 204


def test_it_is_in_the_audit_under_the_id(erased: Service) -> None:
    with erased.app.app_context():
        rows = db.session.execute(text("SELECT actor, subject FROM audit WHERE action = 'clinician.erase'")).all()
        db.session.remove()
    who = f"clinician:{erased.ids['wilhelmina']}"
    assert rows == [(who, who)]


class TestComingBack:
    """Nobody but the owner of the address brings the person back."""

    def test_the_helpdesk_cannot_enter_the_address(self, erased: Service) -> None:
        answer = erased.post("/clinicians", person("wilhelmina", email=ADDRESS.upper(), **NAMES))
        assert (answer.status_code, answer.json["detail"]) == (
            409,
            "The owner of this address asked to be forgotten; only an own registration brings the person back.",
        )

    def test_nobody_else_gets_the_address(self, erased: Service) -> None:
        answer = erased.patch("/clinicians/{colleague}", {"email": ADDRESS}, headers={"If-Match": "*"})
        assert answer.status_code == 409

    def test_an_import_refuses_the_row(self, erased: Service, tmp_path: Path) -> None:
        file = tmp_path / "people.csv"
        row = f"covid,Wilhelmina,Quist,{ADDRESS},warsaw,physician,en,Europe/Warsaw"
        file.write_text(
            f"network,given_name,family_name,email,hospital,profession,language,time_zone\n{row}\n", "utf-8"
        )
        with erased.app.app_context():
            report = importing.import_file("clinicians", file)
            db.session.remove()
        assert report.refused == (
            "line 2: The owner of this address asked to be forgotten; only an own registration brings the person back.",
        )
        assert forgotten.traces(erased) == NOWHERE

    def test_an_own_registration_makes_a_new_record(self, erased: Service) -> None:
        before = erased.ids["wilhelmina"]
        forgotten.join(erased, "wilhelmina", applicant(email=ADDRESS, **NAMES))
        assert erased.ids["wilhelmina"] != before
        answer = erased.post("/clinicians", person("wilhelmina", email=ADDRESS))
        assert "known already" in answer.json["detail"], "the address is no longer one of the forgotten"

    def test_the_others_are_still_entered(self, erased: Service) -> None:
        assert erased.post("/clinicians", person("somebody")).status_code == 201


def test_a_case_of_somebody_else_is_left_as_it_was(service: Service) -> None:
    before = service.get("/consultation-requests/{request}").json
    erase(service)
    assert service.get("/consultation-requests/{request}").json == before
    assert request_for(service)["question"] == before["question"]


def test_the_export_holds_what_is_kept_and_no_word_that_opens_anything(service: Service) -> None:
    answer = service.get("/clinicians/{wilhelmina}/export", by="wilhelmina")
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    told = json.dumps(answer.json, ensure_ascii=False)
    assert [one for one in TRACES if one not in told] == []
    assert [one for one in ("sha256", service.tokens["wilhelmina"], "olga@szpital.example") if one in told] == []
