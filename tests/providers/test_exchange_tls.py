"""The same exchange with TLS, as every real provider is called."""

from __future__ import annotations

import ipaddress
import socket
import ssl
import time
from datetime import UTC, datetime, timedelta
from threading import Event, Thread

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from conference_orchestrator.providers.exchange import NoAnswer, NotSent, Timeouts, exchange


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate for 127.0.0.1 that signs itself, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "loopback")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "loopback.pem"
    file.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return file


@pytest.fixture
def server(certificate):
    """Starts a TLS server that answers one connection as the function given says; returns its address."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    listener, stop, threads = socket.create_server(("127.0.0.1", 0)), Event(), []

    def start(answer):
        def serve():
            raw, _ = listener.accept()
            with raw:
                try:
                    with context.wrap_socket(raw, server_side=True) as connection:
                        heard = b""
                        while not heard.endswith(b"}"):
                            heard += connection.recv(65536)
                        answer(connection, stop)
                except OSError:
                    stop.set()

        threads.append(Thread(target=serve, daemon=True))
        threads[-1].start()
        return f"https://127.0.0.1:{listener.getsockname()[1]}/v1/meetings"

    yield start
    stop.set()
    for thread in threads:
        thread.join(timeout=5)
        assert not thread.is_alive()
    listener.close()


def ask(url, *, read=10.0):
    return exchange("POST", url, token="the-token", timeouts=Timeouts(connect=5, read=read), body={"title": "Ä"})


def test_an_answer_comes_through(server, certificate, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    url = server(lambda connection, _stop: connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"))
    assert ask(url).body == b"{}"


def test_a_certificate_that_nobody_vouches_for_keeps_the_request_here(server):
    with pytest.raises(NotSent):
        ask(server(lambda *_: None))


def test_a_connection_that_ends_after_the_request_leaves_it_open_whether_it_was_done(server, certificate, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    with pytest.raises(NoAnswer):
        ask(server(lambda connection, _stop: connection.shutdown(socket.SHUT_RDWR)))


@pytest.mark.parametrize("begin", [b"HTTP/1.1 200 OK\r\nX-Long: ", b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n"])
def test_a_byte_now_and_then_is_not_waited_for(server, certificate, monkeypatch, begin):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))

    def drip(connection, stop):
        connection.sendall(begin)
        while not stop.wait(0.05):
            connection.sendall(b"x")

    url, begun = server(drip), time.monotonic()
    with pytest.raises(NoAnswer):
        ask(url, read=0.3)
    assert time.monotonic() - begun < 20
