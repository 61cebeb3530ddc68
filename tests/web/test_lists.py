"""Lists over HTTP: every one comes page by page, each of its items once, and refuses what it does not know."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from tests.house import notice
from tests.web.conftest import ROUND, person

LISTS = [
    "/series/{series}/exceptions",
    "/expert-groups/{group}/series",
    "/expert-groups/{group}/members",
    "/sessions/{session}/roster",
    "/conferences/{conference}/participants",
    "/clinicians/{requester}/addresses",
    "/notices",
]


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize(
    ("query", "field"),
    [("limit=0", "limit"), ("limit=501", "limit"), ("limit=x", "limit"), ("cursor=!", "cursor"), ("bogus=1", "bogus")],
)
def test_a_list_refuses_what_it_does_not_know(shared, path, query, field):
    answer = shared.get(f"{path}?{query}")
    assert (answer.status_code, list(answer.json["errors"])) == (422, [field])


@pytest.mark.parametrize("path", LISTS)
def test_a_list_refuses_a_cursor_that_no_list_gave_out(shared, path):
    answer = shared.get(f"{path}?cursor=WyJub2JvZHkiXQ")
    assert (answer.status_code, list(answer.json["errors"])) == (422, ["cursor"])


@pytest.fixture
def filled(service):
    """A world with five of each."""
    people = [service.made("/clinicians", person(f"p{n}", share=[]))["id"] for n in range(4)]
    for n, one in enumerate(people):
        role = {"role": "lead" if n == 2 else "expert"}
        service.made("/expert-groups/{group}/members", {"clinician": one} | role)
        service.made("/expert-groups/{group}/series", ROUND | {"rule": f"FREQ=WEEKLY;BYDAY={'MOWETHFR'[2 * n :][:2]}"})
    for n in range(5):
        on = date(2026, 12, 1) + timedelta(weeks=n)
        service.made("/series/{series}/exceptions", {"on": str(on), "kind": "skip"})
        service.made("/clinicians/{requester}/addresses", {"email": f"further{n}@szpital.example"})
    service.made("/notices", notice("guide"))
    service.made("/notices", notice("case-sheet"))
    return service


@pytest.mark.parametrize("path", LISTS)
def test_a_list_comes_page_by_page(filled, path):
    every = filled.get(path)
    assert (every.json["next"], len(every.json["items"]) > 4) == (None, True)
    pages = [filled.get(f"{path}?limit=2").json]
    while pages[-1]["next"] is not None:
        assert len(pages[-1]["items"]) == 2
        pages.append(filled.get(pages[-1]["next"]).json)
    assert len(pages) == (len(every.json["items"]) + 1) // 2
    assert [item for page in pages for item in page["items"]] == every.json["items"]


def test_the_members_of_a_group_are_listed_leads_first(filled):
    roles = [member["role"] for member in filled.get("/expert-groups/{group}/members").json["items"]]
    assert roles == ["lead", "expert", "expert", "expert", "expert"]


def test_a_page_after_somebody_who_has_gone_is_asked_for_anew(filled):
    last = filled.get("/sessions/{session}/roster?limit=2").json
    filled.ask("DELETE", f"/expert-groups/{{group}}/members/{last['items'][-1]['clinician']}")
    assert list(filled.get(last["next"]).json["errors"]) == ["cursor"]
