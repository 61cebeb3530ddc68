"""IMAP servers on the loopback, and a certificate for them."""

import pytest

from tests.notify.post.imap_server import ImapServer
from tests.notify.post.loopback_certificate import written_to


@pytest.fixture
def imap_server():
    """Starts a mail server with the given mails and faults; all are stopped at the end."""
    servers = []

    def start(*args, **given):
        servers.append(ImapServer(*args, **given))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture(scope="session")
def loopback_certificate(tmp_path_factory):
    return written_to(tmp_path_factory.mktemp("tls") / "loopback.pem")
