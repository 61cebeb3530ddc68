"""Addresses of the own calendar, and the calendar behind them."""

from __future__ import annotations

import hashlib
import re
from datetime import timedelta
from uuid import UUID

import pytest
import vobject
from sqlalchemy import select, text, update

from conference_orchestrator.flows import conferencing, feeding, inviting
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.transaction import transaction
from conference_orchestrator.network.clinicians import Clinician
from conference_orchestrator.network.feeds import Feed

BASE = "http://127.0.0.1:8000"


@pytest.fixture
def invited(service):
    """The service, the requester of its one case invited."""
    with service.app.app_context():
        conferencing.ensure(UUID(service.ids["conference"]))
        inviting.issue(UUID(service.ids["conference"]))
        db.session.remove()
    return service


def fetch(service, url, *, method="GET", **headers):
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return service.client().open(url.removeprefix(BASE), method=method, headers=sent)


def opened(service, by="clinician", **entered):
    return service.made("/feeds", entered, by=by)


def test_a_clinician_gets_an_address_once(service):
    made = opened(service, name="Phone")
    shown = {"id": made["id"], "clinician": service.ids["requester"], "name": "Phone", "created_at": made["created_at"]}
    assert {name: value for name, value in made.items() if name != "url"} == shown
    assert re.fullmatch(rf"{BASE}/feeds/[A-Za-z0-9_-]{{43}}\.ics", made["url"]), "256 random bits"
    assert service.get("/feeds", by="clinician").json["items"] == [shown]
    assert opened(service)["url"] != made["url"]


def test_the_word_is_kept_nowhere_only_its_sha256(service):
    word = opened(service)["url"].removeprefix(f"{BASE}/feeds/").removesuffix(".ics")
    with service.app.app_context():
        assert db.session.scalars(select(Feed.sha256)).all() == [hashlib.sha256(word.encode()).hexdigest()]
        tables = db.session.scalars(text("SELECT name FROM sqlite_master WHERE type = 'table'")).all()
        kept = str([db.session.execute(text(f'SELECT * FROM "{table}"')).all() for table in tables])
        db.session.remove()
    assert hashlib.sha256(word.encode()).hexdigest() in kept, "the search finds what is there"
    assert word not in kept


def test_the_calendar_says_for_how_long_it_is_good_and_who_may_keep_it(invited):
    answer = fetch(invited, opened(invited)["url"])
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/calendar; charset=utf-8")
    assert answer.headers["Cache-Control"] == "private, no-cache"
    assert re.fullmatch('"[0-9a-f]{32}"', answer.headers["ETag"]), "a strong one"
    assert "Set-Cookie" not in answer.headers
    (one,) = vobject.readOne(answer.text).vevent_list
    assert one.uid.value == f"request-{invited.ids['request']}"
    assert one.summary.value == "Brain Tumour: discussion of your case CPMS-1"


def test_who_has_it_already_gets_304_without_the_calendar_being_written(invited, monkeypatch):
    url = opened(invited)["url"]
    first = fetch(invited, url)
    monkeypatch.setattr(feeding, "feed_bytes", None)
    for tag in (first.headers["ETag"], f"W/{first.headers['ETag']}", f'"other", {first.headers["ETag"]}', "*"):
        again = fetch(invited, url, If_None_Match=tag)
        assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", first.headers["ETag"])
        assert again.headers["Cache-Control"] == "private, no-cache"


def test_another_tag_gets_the_calendar_and_asking_twice_the_same_bytes(invited):
    url = opened(invited)["url"]
    first = fetch(invited, url, If_None_Match='"0123456789abcdef0123456789abcdef"')
    invited.clock.move_on(timedelta(hours=6))
    second = fetch(invited, url)
    assert (first.status_code, first.data, first.headers["ETag"]) == (200, second.data, second.headers["ETag"])


def test_a_program_may_ask_for_the_headers_alone(invited):
    url = opened(invited)["url"]
    head = fetch(invited, url, method="HEAD")
    assert (head.status_code, head.data) == (200, b"")
    assert head.headers["ETag"] == fetch(invited, url).headers["ETag"]


def test_a_revoked_address_answers_no_more_and_is_listed_no_more(invited):
    made, kept = opened(invited), opened(invited)
    for _ in range(2):
        assert invited.ask("DELETE", f"/feeds/{made['id']}", by="clinician").status_code == 204
    gone = fetch(invited, made["url"], If_None_Match="*")
    assert (gone.status_code, gone.headers["Cache-Control"]) == (404, "no-store")
    assert fetch(invited, kept["url"]).status_code == 200
    assert [item["id"] for item in invited.get("/feeds", by="clinician").json["items"]] == [kept["id"]]


@pytest.mark.parametrize("word", ["A" * 43, "x", "%00", "%F0%9F%98%80", "a b", "'--"])
def test_an_unknown_word_is_no_address(service, word):
    assert fetch(service, f"/feeds/{word}.ics").status_code == 404


def test_the_address_of_somebody_who_was_erased_answers_no_more(invited):
    url = opened(invited)["url"]
    with invited.app.app_context():
        with transaction():
            mine = update(Clinician).where(Clinician.id == UUID(invited.ids["requester"]))
            db.session.execute(mine.values(state="erased"))
        db.session.remove()
    assert fetch(invited, url).status_code == 404


def test_the_helpdesk_opens_lists_and_revokes_for_a_clinician(service):
    made = opened(service, by="helpdesk", clinician="expert@szpital.example")
    service.clock.move_on(timedelta(seconds=1))
    own = opened(service)
    assert made["clinician"] == service.ids["expert"]
    assert [item["id"] for item in service.get("/feeds").json["items"]] == [made["id"], own["id"]]
    listed = service.get(f"/feeds?clinician={service.ids['expert']}").json["items"]
    assert [item["id"] for item in listed] == [made["id"]]
    assert service.ask("DELETE", f"/feeds/{own['id']}").status_code == 204


def test_a_helpdesk_without_a_clinician_is_asked_for_one(service):
    answer = service.post("/feeds", {})
    assert (answer.status_code, list(answer.json["errors"])) == (422, ["clinician"])


def test_the_helpdesk_of_one_network_has_nothing_to_do_with_another_ones_clinicians(service):
    service.tokens["narrow"] = service.token("helpdesk", network="other")
    made = opened(service)
    assert service.get("/feeds", by="narrow").json["items"] == []
    assert service.ask("DELETE", f"/feeds/{made['id']}", by="narrow").status_code == 404
    refused = service.post("/feeds", {"clinician": service.ids["requester"]}, by="narrow")
    assert (refused.status_code, list(refused.json["errors"])) == (422, ["clinician"])


def test_a_colleagues_calendar_is_not_for_a_clinician_to_open_see_or_revoke(service):
    made = opened(service, by="helpdesk", clinician=service.ids["expert"])
    refused = service.post("/feeds", {"clinician": service.ids["expert"]}, by="clinician")
    assert (refused.status_code, refused.json["detail"]) == (
        403,
        "You may open addresses of your own calendar only; ask the helpdesk for others.",
    )
    assert service.get("/feeds", by="clinician").json["items"] == []
    assert service.get(f"/feeds?clinician={service.ids['expert']}", by="clinician").json["items"] == []
    assert service.ask("DELETE", f"/feeds/{made['id']}", by="clinician").status_code == 404


def test_a_repeated_key_opens_one_address_and_tells_it_again(service):
    headers = {"Idempotency-Key": "phone"}
    answers = [service.post("/feeds", {"name": "Phone"}, by="clinician", headers=headers).json for _ in range(2)]
    assert answers[0] == answers[1]
    assert fetch(service, answers[0]["url"]).status_code == 200
    assert len(service.get("/feeds", by="clinician").json["items"]) == 1


@pytest.mark.parametrize("name", ["", "two\nlines", "x" * 101, 7])
def test_a_name_is_one_short_line(service, name):
    answer = service.post("/feeds", {"name": name}, by="clinician")
    assert (answer.status_code, list(answer.json["errors"])) == (422, ["name"])


def test_the_list_is_paged(service):
    made = [opened(service)["id"] for _ in range(3)]
    page = service.get("/feeds?limit=2", by="clinician").json
    rest = service.get(page["next"], by="clinician").json
    assert sorted(item["id"] for item in page["items"] + rest["items"]) == sorted(made)
    assert rest["next"] is None


def test_the_log_does_not_tell_the_address(invited, capsys):
    url = opened(invited)["url"]
    fetch(invited, url)
    logged = capsys.readouterr()
    assert "/feeds/<word>.ics" in logged.out + logged.err
    assert url.removeprefix(BASE) not in logged.out + logged.err
