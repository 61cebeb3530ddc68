"""No role but the helpdesk takes the directory away: its records are shown to others sixty a minute."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.web.conftest import Service, person


@pytest.fixture
def crowded(service: Service) -> Service:
    """Sixty-five people in the network, the token's own included."""
    for number in range(62):
        service.made("/clinicians", person(f"member{number:02}"))
    return service


def ids(service: Service) -> list[str]:
    listed = service.get("/clinicians?network=covid&limit=500").json["items"]
    assert len(listed) == 65
    return [one["id"] for one in listed if one["id"] != service.ids["requester"]]


def refused(service: Service) -> int:
    entries = service.get("/audit?limit=500", by="auditor").json["items"]
    return sum(one["action"] == "clinician.harvest-refused" for one in entries)


def test_reading_one_record_after_the_other_ends_with_the_sixtieth(crowded: Service) -> None:
    others = ids(crowded)
    for one in others[:60]:
        assert crowded.get(f"/clinicians/{one}", by="clinician").status_code == 200
    for one in others[60:]:
        answer = crowded.get(f"/clinicians/{one}", by="clinician")
        assert (answer.status_code, answer.headers["Retry-After"]) == (429, "60")
        assert answer.json["detail"].startswith("The records of at most 60 different people are shown within a minute")
    assert refused(crowded) == 1
    for one in [crowded.ids["requester"], others[0]]:  # the own one, and one that was shown
        assert crowded.get(f"/clinicians/{one}", by="clinician").status_code == 200
    crowded.clock.move_on(timedelta(seconds=60))
    assert crowded.get(f"/clinicians/{others[60]}", by="clinician").status_code == 200


@pytest.mark.parametrize("role", ["clinician", "coordinator", "reference-centre", "auditor"])
def test_a_page_has_sixty_and_the_next_one_is_to_be_waited_for(crowded: Service, role: str) -> None:
    first = crowded.get("/clinicians?network=covid&limit=500", by=role)
    assert (first.status_code, len(first.json["items"])) == (200, 60)
    assert crowded.get(first.json["next"], by=role).status_code == 429
    crowded.clock.move_on(timedelta(seconds=60))
    second = crowded.get(first.json["next"], by=role)
    assert (len(second.json["items"]), second.json["next"]) == (5, None)
    shown = [one["id"] for page in (first, second) for one in page.json["items"]]
    assert sorted(shown) == sorted([*ids(crowded), crowded.ids["requester"]])


def test_the_helpdesk_reads_them_all(crowded: Service) -> None:
    assert [crowded.get(f"/clinicians/{one}").status_code for one in ids(crowded)] == [200] * 64
    assert refused(crowded) == 0


def test_the_members_of_a_group_come_page_by_page_too(crowded: Service) -> None:
    for one in ids(crowded)[:3]:
        crowded.post("/expert-groups/{group}/members", {"clinician": one, "role": "expert"})
    first = crowded.get("/clinicians?group=brain&limit=2", by="coordinator").json
    rest = crowded.get(first["next"], by="coordinator").json
    members = crowded.get("/expert-groups/{group}/members").json["items"]
    assert (len(first["items"]), rest["next"]) == (2, None)
    assert {one["id"] for one in first["items"] + rest["items"]} == {one["clinician"] for one in members}
