"""The file of a notice over HTTP: given once, told with the notice, given out as it came."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from sqlalchemy import event
from werkzeug.test import TestResponse

from conference_orchestrator.kernel.database import db
from conference_orchestrator.network.notice_files import KINDS, LARGEST
from tests.web.conftest import Service

PDF = b"%PDF-1.7\n" + bytes(range(256))
PATH = "/notices/{privacy}/file"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


def put(service: Service, content: bytes = PDF, kind: str = "application/pdf", **more: Any) -> TestResponse:
    headers = {"Content-Type": kind} | more.pop("headers", {})
    return service.ask("PUT", PATH, data=content, headers=headers, **more)


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_of_each_kind_comes_back_byte_by_byte_to_be_saved(service: Service, kind: str) -> None:
    content = KINDS[kind][1] + b"\r\n\x00 and more"
    assert put(service, content, kind).status_code == 200
    answer = service.get(PATH, by="anonymous")
    assert (answer.status_code, answer.data, answer.mimetype) == (200, content, kind)
    assert answer.headers["Content-Disposition"].startswith("attachment; filename=")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"


def test_the_notice_tells_of_its_file_and_has_another_tag(service: Service) -> None:
    before = service.get("/notices/{privacy}", by="anonymous")
    assert before.json["file"] is None
    made = put(service, headers={"Content-Disposition": 'attachment; filename="Consent form.pdf"'})
    told = {
        "name": "Consent form.pdf",
        "media_type": "application/pdf",
        "size": len(PDF),
        "sha256": hashlib.sha256(PDF).hexdigest(),
    }
    after = service.get("/notices/{privacy}", by="anonymous")
    assert made.json["file"] == after.json["file"] == told
    assert before.headers["ETag"] != after.headers["ETag"] == made.headers["ETag"]
    listed = service.get("/notices", by="anonymous").json["items"]
    assert [one["file"] for one in listed if one["id"] == service.ids["privacy"]] == [told]


def test_without_a_name_it_is_called_as_the_notice_is(service: Service) -> None:
    title = service.get("/notices/{privacy}").json["title"]
    assert put(service).json["file"]["name"] == f"{title.replace(' ', '-')}.pdf"


def test_who_has_the_file_is_told_that_nothing_changed(service: Service) -> None:
    put(service)
    etag = service.get(PATH).headers["ETag"]
    answer = service.get(PATH, headers={"If-None-Match": etag})
    assert (answer.status_code, answer.data) == (304, b"")


def test_the_same_file_again_changes_nothing_and_another_one_needs_another_version(service: Service) -> None:
    first = put(service)
    again = put(service)
    assert (again.status_code, again.headers["ETag"]) == (200, first.headers["ETag"])
    other = put(service, b"%PDF-1.7\nanother")
    assert (other.status_code, other.json["type"]) == (409, "/problems/conflict")
    assert service.get(PATH).data == PDF


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        pytest.param(b"<script>alert(1)</script>", "text/html", 415, id="a page"),
        pytest.param(b"<svg/>", "image/svg+xml", 415, id="a drawing that can run"),
        pytest.param(b"{}", "application/json", 415, id="JSON"),
        pytest.param(b"<html>", "application/pdf", 422, id="a page that says to be a PDF"),
        pytest.param(PDF, DOCX, 422, id="a PDF that says to be a text"),
        pytest.param(b"", "application/pdf", 422, id="nothing"),
        pytest.param(b"%PDF-" + bytes(LARGEST), "application/pdf", 413, id="too much"),
    ],
)
def test_what_is_no_such_file_is_refused_and_not_kept(service: Service, content: bytes, kind: str, status: int) -> None:
    answer = put(service, content, kind)
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")
    assert service.get(PATH).status_code == 404


@pytest.mark.parametrize(
    "name", ["../form.pdf", "a\\\\b.pdf", ".htaccess", "x" * 101, "a%00.pdf", "=?utf-8?q?x?=", "a<b>.pdf"]
)
def test_a_dangerous_name_is_refused(service: Service, name: str) -> None:
    answer = put(service, headers={"Content-Disposition": f'attachment; filename="{name}"'})
    assert (answer.status_code, list(answer.json["errors"])) == (422, ["Content-Disposition"])


def test_a_name_with_another_ending_gets_that_of_its_kind(service: Service) -> None:
    answer = put(service, headers={"Content-Disposition": 'attachment; filename="form.exe"'})
    assert answer.json["file"]["name"] == "form.exe.pdf"


def test_who_saw_an_older_version_of_the_notice_does_not_add_a_file(service: Service) -> None:
    seen = service.get("/notices/{privacy}").headers["ETag"]
    assert put(service, headers={"If-Match": seen.replace('"1-', '"9-')}).status_code == 412
    assert put(service, headers={"If-Match": seen}).status_code == 200


def test_it_is_in_the_audit(service: Service) -> None:
    put(service)
    done = [(one["action"], one["subject"]) for one in service.get("/audit", by="auditor").json["items"]]
    assert done[-1] == ("notice.file", f"notice:{service.ids['privacy']}")


def test_a_list_of_notices_does_not_read_the_files(service: Service) -> None:
    put(service)
    asked: list[str] = []

    def note(*of: Any) -> None:
        asked.append(of[2])

    with service.app.app_context():
        engine = db.engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        service.get("/notices", by="anonymous")
        assert [one for one in asked if "notice_file.content" in one] == []
        service.get(PATH, by="anonymous")
    finally:
        event.remove(engine, "before_cursor_execute", note)
    assert len([one for one in asked if "notice_file.content" in one]) == 1


def test_the_page_of_the_notice_offers_it(service: Service) -> None:
    path = f"/notices/{service.ids['privacy']}"
    assert "/file" not in service.client().get(path).get_data(as_text=True)
    put(service)
    assert f'href="/api/v1{path}/file"' in service.client().get(path).get_data(as_text=True)
