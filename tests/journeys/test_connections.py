"""How long the service keeps a connection that nobody asks on."""

from __future__ import annotations

import http.client
import select
from collections.abc import Callable

from tests.journeys.service import Service

# The servers' own default is 2 s, looked at once a second.
QUIET_SECONDS = 4


def test_a_connection_that_was_quiet_is_asked_on_again(
    new_service: Callable[[str, str], Service], sqlite_url: str
) -> None:
    service = new_service(sqlite_url, "mock").start()
    connection = http.client.HTTPConnection("127.0.0.1", service.port)
    assert status_of(connection) == 200
    closed, _, _ = select.select([connection.sock], [], [], QUIET_SECONDS)
    assert not closed, "who sends a request just now gets no answer"
    assert status_of(connection) == 200
    connection.close()


def status_of(connection: http.client.HTTPConnection) -> int:
    connection.request("GET", "/health/live")
    answer = connection.getresponse()
    answer.read()
    return answer.status
