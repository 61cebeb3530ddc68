"""The address of a mail server, as the settings give it."""

from __future__ import annotations

import pytest

from conference_orchestrator.notify.smtp import server_from
from conference_orchestrator.settings import SettingsError


@pytest.mark.parametrize(
    ("url", "host", "port", "tls"),
    [
        ("smtp://user:secret@mail.example", "mail.example", 587, "starttls"),
        ("smtp://mail.example:2525?tls=starttls", "mail.example", 2525, "starttls"),
        ("smtp://mail.example?tls=none", "mail.example", 25, "none"),
        ("smtps://mail.example", "mail.example", 465, "implicit"),
        ("smtp://[::1]:2525?tls=none", "::1", 2525, "none"),
    ],
)
def test_the_address_of_a_server_says_how_to_reach_it(url, host, port, tls):
    server = server_from(url)
    assert (server.host, server.port, server.tls) == (host, port, tls)


@pytest.mark.parametrize("url", ["http://mail.example", "smtp://", "smtp://mail.example?tls=maybe", "mail.example"])
def test_an_address_that_names_no_server_stops_the_start(url):
    with pytest.raises(SettingsError, match="CO_SMTP_URL"):
        server_from(url)
