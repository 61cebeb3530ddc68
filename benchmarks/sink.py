"""A mail server that takes everything and keeps nothing: postfix's smtp-sink where it is installed, else this program.

It stands in a process of its own, so that what sends is measured and not what receives.
"""

from __future__ import annotations

import os
import shutil
import socket
import socketserver
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.journeys.service import ROOT, free_port

GREETING = b"220 sink ready\r\n"
EHLO = b"250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n"
PATIENCE_SECONDS = 20.0


@contextmanager
def running(*, with_postfix: bool = True) -> Iterator[int]:
    """The port of a server at work for the block."""
    port = free_port()
    found = shutil.which("smtp-sink", path=f"{os.environ['PATH']}:/usr/sbin") if with_postfix else None
    command = (
        [found, *_privileges(), f"127.0.0.1:{port}", "100"] if found else [sys.executable, "-m", __name__, str(port)]
    )
    with subprocess.Popen(command, cwd=ROOT) as process:  # noqa: S603  - a command of ours
        try:
            _wait_for(port)
            yield port
        finally:
            process.terminate()


def _privileges() -> list[str]:
    # It refuses to run as root without being told whom to become.
    return ["-u", "nobody"] if os.geteuid() == 0 else []


def _wait_for(port: int) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except ConnectionRefusedError:
            if time.monotonic() > until:
                raise
            time.sleep(0.02)
        else:
            return


class Session(socketserver.StreamRequestHandler):
    """One connection: every command is well, and a mail ends with the dot."""

    disable_nagle_algorithm = True

    def handle(self) -> None:
        """Answer until the caller ends."""
        self.wfile.write(GREETING)
        for line in self.rfile:
            command = line[:4].upper()
            if command == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                while (text := self.rfile.readline()) and text != b".\r\n":
                    pass
            self.wfile.write(EHLO if command == b"EHLO" else b"221 bye\r\n" if command == b"QUIT" else b"250 ok\r\n")
            if command == b"QUIT":
                return


class Sink(socketserver.ThreadingTCPServer):
    """Takes mail on a port, each connection in a thread."""

    allow_reuse_address = True
    daemon_threads = True


if __name__ == "__main__":
    Sink(("127.0.0.1", int(sys.argv[1])), Session).serve_forever()
