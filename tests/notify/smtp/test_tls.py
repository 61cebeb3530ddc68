"""Mail and secrets go to a server that proved its name, or nowhere."""

from __future__ import annotations

import base64
import ssl

import pytest

from conference_orchestrator.notify.sending import Deferred
from conference_orchestrator.notify.smtp import SmtpSender
from conference_orchestrator.notify.smtp_connection import Connection
from tests.notify.smtp.conftest import INES, MAIL, SENDER
from tests.smtp_faults import DROP, Held
from tests.smtp_talk import WAIT_SECONDS

BAD = ["self-signed", "expired", "another name", "unknown authority"]


@pytest.fixture(params=["starttls", "implicit"])
def secured(request, authority, start, monkeypatch):
    """Starts a server with a certificate of that kind, which speaks TLS in one of the two ways."""

    def serve(kind):
        if kind != "unknown authority":
            monkeypatch.setenv("SSL_CERT_FILE", str(authority.trusted))
        return start(certificate=authority.certificate(kind), tls=request.param)

    return serve


def signing_in(server):
    return SmtpSender(server.url.replace("//", "//desk%40network:a%3Ab%2Fc@"), timeout=20)


def test_mail_and_secret_travel_to_a_server_with_a_good_certificate(secured):
    server = secured("good")
    with signing_in(server) as sender:
        sender.send(SENDER, INES, MAIL)
    given = base64.b64encode(b"\0desk@network\0a:b/c").decode()
    assert f"AUTH PLAIN {given}" in server.commands
    assert server.copies(INES) == 1


@pytest.mark.parametrize("kind", BAD)
def test_a_server_that_cannot_prove_its_name_gets_nothing(secured, kind):
    server = secured(kind)
    with signing_in(server) as sender, pytest.raises(Deferred, match="CERTIFICATE_VERIFY_FAILED"):
        sender.send(SENDER, INES, MAIL)
    assert {command.split()[0].upper() for command in server.commands} <= {"EHLO", "STARTTLS"}


@pytest.mark.parametrize("kind", BAD)
def test_a_client_that_does_not_check_would_give_it_all(secured, kind, monkeypatch):
    """The negative control."""
    monkeypatch.setattr(ssl, "create_default_context", ssl._create_unverified_context)
    server = secured(kind)
    with signing_in(server) as sender:
        sender.send(SENDER, INES, MAIL)
    assert server.copies(INES) == 1


@pytest.mark.parametrize("answer", ["454 4.7.0 not now", "501 5.5.1 what?", DROP])
def test_a_server_that_does_not_go_on_in_tls_gets_nothing_in_the_clear(start, authority, answer):
    server = start(certificate=authority.certificate("good"), tls="starttls")
    server.at("starttls", answer)
    with signing_in(server) as sender, pytest.raises(Deferred):
        sender.send(SENDER, INES, MAIL)
    assert {command.split()[0].upper() for command in server.commands} == {"EHLO", "STARTTLS"}


def test_a_server_without_starttls_gets_no_mail_and_no_secret_in_the_clear(start):
    server = start()
    server.tls = "starttls"
    url = server.url.replace("//", "//user:secret@")
    server.tls = "none"
    with SmtpSender(url, timeout=20) as sender, pytest.raises(Deferred, match="STARTTLS"):
        sender.send(SENDER, INES, MAIL)
    assert {command.split()[0].upper() for command in server.commands} == {"EHLO"}


def test_where_tls_is_switched_off_it_all_goes_in_the_clear(start):
    """The negative control: what travels can be seen."""
    server = start()
    with signing_in(server) as sender:
        sender.send(SENDER, INES, MAIL)
    assert [command.split()[0].upper() for command in server.commands[:2]] == ["EHLO", "AUTH"]


@pytest.fixture
def slipped_in(start, authority, monkeypatch):
    """A server between whose words somebody slips in an answer, before they are encrypted."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.trusted))
    server = start(certificate=authority.certificate("good"), tls="starttls")
    server.at("starttls", "220 go on in TLS\r\n250-evil\r\n250 AUTH LOGIN")
    return server


def test_words_slipped_in_before_the_encryption_are_not_taken_for_the_server_s(slipped_in):
    with signing_in(slipped_in) as sender, pytest.raises(Deferred, match="in the clear"):
        sender.send(SENDER, INES, MAIL)
    assert {command.split()[0].upper() for command in slipped_in.commands} == {"EHLO", "STARTTLS"}


def test_without_that_check_they_would_be(slipped_in, monkeypatch):
    """The negative control: the way in which the secret is given is the one that was slipped in."""
    monkeypatch.setattr(Connection, "encrypt", lambda self, context: self.starttls(context=context))
    asked = Held()
    slipped_in.at("auth", asked)
    with signing_in(slipped_in) as sender, pytest.raises(Deferred):
        sender.send(SENDER, INES, MAIL)
    assert asked.reached.wait(WAIT_SECONDS), "the client does not wait for the server to read it"
    assert any(command.upper().startswith("AUTH LOGIN") for command in slipped_in.commands)
