"""Under which names the service answers (S14), and that no other name ever comes back in what it says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from flask.testing import FlaskClient

from conference_orchestrator.kernel import ports
from tests.web.conftest import Service

At = Callable[[str], FlaskClient]


@pytest.fixture
def at(service: Service) -> At:
    """A client of the service whose address is that one."""

    def client(public_url: str) -> FlaskClient:
        with service.app.app_context():
            ports.settings.fill(service.app, replace(ports.settings(), public_url=public_url))
        return service.client()

    return client


@pytest.mark.parametrize(
    "host",
    ["net.example", "net.example:443", "NET.Example", "net.example.", "localhost", "127.0.0.1:8000", "[::1]:8000"],
)
def test_it_answers_to_its_own_name_and_to_the_machine(at: At, host: str) -> None:
    assert at("https://net.example/calls").get("/api/v1/notices", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "net.example.evil.example",
        "evil.example:8000",
        "net.example@evil.example",
        "evil.example@net.example",
        "net.example/evil",
        "[::1",
        "",
        "a b",
    ],
)
@pytest.mark.parametrize("path", ["/", "/api/v1/notices", "/hooks/webex", "/feeds/x.ics", "/nowhere", "/static/x.css"])
def test_to_any_other_name_it_answers_400_and_does_not_repeat_it(at: At, host: str, path: str) -> None:
    answer = at("https://net.example").get(path, headers={"Host": host})
    assert answer.status_code == 400
    assert "evil" not in answer.get_data(as_text=True) + str(answer.headers)


def test_the_refusal_is_a_problem_that_tells_what_to_do(at: At) -> None:
    answer = at("https://net.example").get("/api/v1/notices", headers={"Host": "evil.example"})
    assert answer.mimetype == "application/problem+json"
    assert answer.json == {
        "type": "/problems/foreign-host",
        "title": "This is not the address of the service",
        "status": 400,
        "detail": "Ask by the address of CO_PUBLIC_URL; a proxy in front passes the Host header on as it is.",
    }


def test_what_a_proxy_says_about_the_host_is_not_looked_at(at: At) -> None:
    client = at("https://net.example")
    said = {"X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example"}
    assert client.get("/api/v1/notices", headers={"Host": "net.example", **said}).status_code == 200
    said = {"X-Forwarded-Host": "net.example", "Forwarded": "host=net.example"}
    assert client.get("/api/v1/notices", headers={"Host": "evil.example", **said}).status_code == 400


@pytest.mark.parametrize("path", ["/health/live", "/health/ready"])
def test_who_watches_the_service_may_ask_by_any_address(at: At, path: str) -> None:
    assert at("https://net.example").get(path, headers={"Host": "10.0.3.7:8000"}).status_code == 200
