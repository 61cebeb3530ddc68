"""Further addresses of a clinician, over the API."""

from __future__ import annotations


def path(shared) -> str:
    return f"/clinicians/{shared.ids['colleague']}/addresses"


def test_an_address_is_added_listed_and_forgotten(service):
    added = service.made(path(service), {"email": "Second@Clinic.example"})
    assert added["email"] == "second@clinic.example"
    assert [one["id"] for one in service.get(path(service)).json["items"]] == [added["id"]]
    assert service.ask("DELETE", f"{path(service)}/{added['id']}").status_code == 204
    assert service.get(path(service)).json["items"] == []
    assert service.ask("DELETE", f"{path(service)}/{added['id']}").status_code == 404


def test_an_address_belongs_to_one_person(service):
    service.made(path(service), {"email": "second@clinic.example"})
    assert service.post(path(service), {"email": "second@clinic.example"}).status_code == 409
    other = f"/clinicians/{service.ids['requester']}/addresses"
    assert service.post(other, {"email": "SECOND@clinic.example"}).status_code == 409
    colleague = service.get(f"/clinicians/{service.ids['colleague']}").json["email"]
    assert service.post(other, {"email": colleague}).status_code == 409


def test_what_is_no_address_is_refused_by_its_field(service):
    answer = service.post(path(service), {"email": "nobody"})
    assert (answer.status_code, list(answer.json["errors"])) == (422, ["email"])


def test_the_address_of_somebody_forgotten_is_nobodys_further_one(service):
    forgotten = service.get(f"/clinicians/{service.ids['requester']}").json["email"]
    assert service.ask("DELETE", f"/clinicians/{service.ids['requester']}").status_code == 204
    answer = service.post(path(service), {"email": forgotten})
    assert answer.status_code == 409
    assert "asked to be forgotten" in answer.json["detail"]
