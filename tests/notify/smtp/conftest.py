"""Mail servers with faults, and certificates that are good for one reason less each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from conference_orchestrator.notify.smtp import SmtpSender
from conference_orchestrator.notify.smtp_connection import Connection
from tests.smtp_faults import SmtpFaults

SENDER, INES, RUI = "helpdesk@network.example", "ines@hospital.example", "rui@clinic.example"
MAIL = b"Subject: x\r\nMessage-ID: <1@network.example>\r\n\r\ntext\r\n"
A_DAY = timedelta(days=1)


@pytest.fixture
def start() -> Iterator[Callable[..., SmtpFaults]]:
    """Starts mail servers; all are stopped at the end."""
    with ExitStack() as running:
        yield lambda **given: running.enter_context(SmtpFaults(**given))


@pytest.fixture
def opened() -> Iterator[Callable[..., SmtpSender]]:
    """Opens senders to a server; all are closed at the end."""
    with ExitStack() as running:
        yield lambda server, timeout=20.0: running.enter_context(SmtpSender(server.url, timeout=timeout))


@pytest.fixture
def writes(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What the client wrote, write by write, from the first mail on."""
    written: list[bytes] = []

    def noted(self: Connection, data: bytes) -> None:
        written.append(bytes(data))
        write(self, data)

    write = Connection.write
    monkeypatch.setattr(Connection, "write", noted)
    return written


class Authority:
    """Vouches for servers. `trusted` is the file by which a client knows it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority")])
        own = self._signed(self._name, self._key, x509.BasicConstraints(ca=True, path_length=0))
        self.trusted = folder / "authority.pem"
        self.trusted.write_bytes(own.public_bytes(Encoding.PEM))

    def certificate(self, kind: str) -> Path:
        """A file with key and certificate of a server on 127.0.0.1: good, or what the kind says."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, kind)])
        host = x509.DNSName("other.example") if kind == "another name" else x509.IPAddress(ip_address("127.0.0.1"))
        more: dict[str, Any] = {"by_itself": kind == "self-signed", "until": -A_DAY if kind == "expired" else A_DAY}
        made = self._signed(name, key, x509.SubjectAlternativeName([host]), **more)
        path = self._folder / f"{kind}.pem"
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        path.write_bytes(private + made.public_bytes(Encoding.PEM))
        return path

    def _signed(
        self,
        name: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        extension: x509.ExtensionType,
        *,
        by_itself: bool = False,
        until: timedelta = A_DAY,
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        issuer, signing = (name, key) if by_itself else (self._name, self._key)
        made = x509.CertificateBuilder(issuer, name, key.public_key(), x509.random_serial_number())
        made = made.not_valid_before(now - 2 * A_DAY).not_valid_after(now + until)
        return made.add_extension(extension, critical=False).sign(signing, hashes.SHA256())


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))
