"""What each fault of a mail server is taken for, and that the next mail finds its way all the same."""

import base64
import smtplib
import socket
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from conference_orchestrator.notify.sending import Deferred, Lost, Refused
from conference_orchestrator.notify.smtp import SmtpSender, server_from
from conference_orchestrator.settings import SettingsError

MAIL = b"Subject: x\r\n\r\ntext\r\n"


def send(sender, to="b@hospital.example", mail=MAIL):
    return sender.send("a@network.example", to, mail)


def test_a_server_without_a_fault_takes_the_mail(faulty_server):
    server = faulty_server()
    with SmtpSender(server.url, timeout=10) as sender:
        assert send(sender) == "250 queued as 1"
    assert server.taken == [MAIL]


FAULTS = [
    ("connect", None, Deferred),
    ("connect", b"421 too busy", Deferred),
    ("connect", b"554 go away", Deferred),
    ("mail", b"451 later", Deferred),
    ("mail", b"421 closing", Deferred),
    ("mail", b"550 no such sender", Refused),
    ("mail", None, Deferred),
    ("rcpt", b"450 greylisted", Deferred),
    ("rcpt", b"421 closing", Deferred),
    ("rcpt", b"550 no such person", Refused),
    ("rcpt", None, Deferred),
    ("data", b"451 later", Deferred),
    ("data", b"421 closing", Deferred),
    ("data", b"554 no", Refused),
    ("data", b"250 what?", Deferred),
    ("data", None, Deferred),
    ("dot", b"451 disk full", Deferred),
    ("dot", b"421 closing", Deferred),
    ("dot", b"552 too big", Refused),
    ("dot", b"nonsense", Lost),
    ("dot", b"354 go on", Lost),
    ("dot", None, Lost),
]


@pytest.mark.parametrize("step", ["data", "dot"])
def test_plain_sendmail_cannot_tell_which_of_the_two_happened(faulty_server, step):
    server = faulty_server(**{step: [None]})
    with (
        smtplib.SMTP("127.0.0.1", server.port, timeout=10) as plain,
        pytest.raises(smtplib.SMTPServerDisconnected),
    ):
        plain.sendmail("a@network.example", "b@hospital.example", MAIL)


@pytest.mark.parametrize(("step", "fault", "outcome"), FAULTS)
def test_a_fault_is_taken_for_what_it_is(faulty_server, step, fault, outcome):
    server = faulty_server(**{step: [fault]})
    with SmtpSender(server.url, timeout=10) as sender:
        with pytest.raises(outcome) as raised:
            send(sender)
        assert type(raised.value) is outcome
        assert send(sender) == "250 queued as 1", "the next mail did not find its way"
    assert server.taken == [MAIL]


def test_a_server_that_never_speaks_is_left_after_the_time_out():
    # The system takes the connection for a listener that never accepts it.
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"smtp://127.0.0.1:{listener.getsockname()[1]}?tls=none"
        with SmtpSender(url, timeout=0.2) as sender, pytest.raises(Deferred, match="timed out"):
            send(sender)


def test_silence_after_the_final_dot_leaves_it_open(faulty_server):
    server = faulty_server(dot=[b"250-never ends"])
    with SmtpSender(server.url, timeout=0.2) as sender, pytest.raises(Lost, match="timed out"):
        send(sender)


def test_nobody_listening_defers():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with (
        SmtpSender(f"smtp://127.0.0.1:{port}?tls=none", timeout=10) as sender,
        pytest.raises(Deferred, match="refused"),
    ):
        send(sender)


def test_a_host_that_nobody_knows_defers(monkeypatch):
    def unknown(*args, **kwargs):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with (
        SmtpSender("smtp://mail.network.example?tls=none", timeout=10) as sender,
        pytest.raises(Deferred, match="not known"),
    ):
        send(sender)


def test_many_mails_share_one_connection(faulty_server):
    server = faulty_server()
    with SmtpSender(server.url, timeout=10) as sender:
        for _ in range(5):
            send(sender)
    assert (server.connections, len(server.taken)) == (1, 5)
    assert server.commands[-1].lower() == "quit"


def test_a_refusal_keeps_the_connection_for_the_others(faulty_server):
    server = faulty_server(rcpt=[b"550 no such person"])
    with SmtpSender(server.url, timeout=10) as sender:
        with pytest.raises(Refused):
            send(sender)
        send(sender)
    assert server.connections == 1


@pytest.mark.parametrize("fault", [None, b"421 idle for too long"])
def test_a_connection_that_the_server_closed_meanwhile_costs_no_mail(faulty_server, fault):
    server = faulty_server(rset=[fault])
    with SmtpSender(server.url, timeout=10) as sender:
        send(sender)
        send(sender)
    assert (server.connections, len(server.taken)) == (2, 2)


def test_the_final_dot_cannot_be_smuggled(faulty_server):
    server = faulty_server()
    with SmtpSender(server.url, timeout=10) as sender:
        send(sender, mail=b"Subject: x\r\n\r\na\n.\nMAIL FROM:<evil@evil.example>\r.\rb\r\n.\r\nc")
    assert server.taken == [b"Subject: x\r\n\r\na\r\n..\r\nMAIL FROM:<evil@evil.example>\r\n..\r\nb\r\n..\r\nc\r\n"]
    said = [command.split(":")[0].lower() for command in server.commands]  # Pythons differ in the case they write
    assert said.count("mail from") == 1


def test_an_address_beyond_ascii_is_refused_by_a_server_without_smtputf8(faulty_server):
    server = faulty_server()
    with SmtpSender(server.url, timeout=10) as sender:
        with pytest.raises(Refused, match="SMTPUTF8"):
            send(sender, to="inês@hospital.example")
        send(sender)
    assert server.taken == [MAIL]


def test_a_server_without_starttls_gets_no_mail_in_the_clear(faulty_server):
    server = faulty_server()
    with (
        SmtpSender(server.url.replace("tls=none", "tls=starttls"), timeout=10) as sender,
        pytest.raises(Deferred, match="STARTTLS"),
    ):
        send(sender)
    assert not any(command.lower().startswith("mail") for command in server.commands)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate for 127.0.0.1 that signs itself, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "loopback")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "loopback.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture(params=["starttls", "smtps"])
def secured(request, certificate, faulty_server):
    """A server that speaks TLS in one of the two ways."""
    if request.param == "smtps":
        server = faulty_server(certificate=certificate)
        server.url = f"smtps://desk%40network:a%3Ab%2Fc@127.0.0.1:{server.port}"
    else:
        server = faulty_server(certificate=certificate, ehlo=[b"250-loopback\r\n250 STARTTLS"])
        server.url = f"smtp://desk%40network:a%3Ab%2Fc@127.0.0.1:{server.port}"
    return server


def test_mail_and_secret_travel_to_a_server_with_a_good_certificate(secured, certificate, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with SmtpSender(secured.url, timeout=10) as sender:
        send(sender)
    given = base64.b64encode(b"\0desk@network\0a:b/c").decode()
    assert f"AUTH PLAIN {given}" in secured.commands
    assert secured.taken == [MAIL]


def test_a_server_whose_certificate_nobody_vouches_for_gets_nothing(secured):
    with SmtpSender(secured.url, timeout=10) as sender, pytest.raises(Deferred, match="CERTIFICATE_VERIFY_FAILED"):
        send(sender)
    assert not any(command.startswith(("AUTH", "mail")) for command in secured.commands)


def test_a_certificate_for_another_name_is_not_taken(secured, certificate, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    elsewhere = secured.url.replace("127.0.0.1", "localhost")
    with SmtpSender(elsewhere, timeout=10) as sender, pytest.raises(Deferred, match="CERTIFICATE_VERIFY_FAILED"):
        send(sender)


def test_a_wrong_secret_defers_because_no_recipient_is_to_blame(faulty_server):
    server = faulty_server(auth=[b"535 wrong"])
    with SmtpSender(server.url.replace("//", "//user:secret@"), timeout=10) as sender:
        with pytest.raises(Deferred, match="535"):
            send(sender)
        send(sender)
    assert server.taken == [MAIL]


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


def test_the_secret_is_shown_nowhere(faulty_server):
    server = faulty_server(auth=[b"535 wrong"])
    sender = SmtpSender(server.url.replace("//", "//user:hunter2@"), timeout=10)
    with sender, pytest.raises(Deferred) as raised:
        send(sender)
    assert "hunter2" not in f"{raised.value!r} {sender!r} {server_from('smtp://u:hunter2@h.example')!r}"
