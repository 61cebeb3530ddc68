"""The limit of P1 and P8: mails that are ready, sent one after the other, each marked and committed by itself.

Nothing of ours runs in the loop: a socket, the database's driver, one UPDATE for each mail. It says "ready" when the
mails are, begins when a line comes in, and says how many seconds it took.
"""

from __future__ import annotations

import json
import socket
import sqlite3
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
from sqlalchemy import select
from sqlalchemy.engine import make_url

from conference_orchestrator.flows import delivering
from conference_orchestrator.kernel.database import db
from conference_orchestrator.ledger.messages import Message
from tests.journeys.service import database_of

Mark = Callable[[UUID], None]
SENDER = "helpdesk@localhost"


def main(url: str, port: int, folder: str, wanted: Sequence[str]) -> None:
    """Send the messages with these ids to the mail server on the port."""
    ready = mails(url, Path(folder), [UUID(one) for one in wanted])
    mark = marking(url)
    with socket.create_connection(("127.0.0.1", port)) as server:
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        answers = server.makefile("rb")
        answers.readline()
        server.sendall(b"EHLO by-hand\r\n")
        while answers.readline()[3:4] == b"-":
            pass
        print("ready", flush=True)  # noqa: T201  - the parent reads it
        sys.stdin.readline()
        began = time.perf_counter()
        for message_id, envelope, data in ready:
            server.sendall(envelope)
            said = [answers.readline(), answers.readline(), answers.readline()]
            server.sendall(data)
            said.append(answers.readline())
            if [line[:3] for line in said] != [b"250", b"250", b"354", b"250"]:
                raise ConnectionError(f"The server did not take a mail: {said}")
            mark(message_id)
        print(time.perf_counter() - began, flush=True)  # noqa: T201  - the parent reads it


def mails(url: str, folder: Path, wanted: Sequence[UUID]) -> list[tuple[UUID, bytes, bytes]]:
    """Each message with its envelope and its mail, as they go over the wire."""
    with database_of(url, var=folder):
        rows = db.session.execute(select(*Message.__table__.c)).all()
        found = {row.id: row for row in rows}
        return [
            (
                one,
                f"MAIL FROM:<{SENDER}>\r\nRCPT TO:<{found[one].address}>\r\nDATA\r\n".encode(),
                delivering.mail(found[one]).replace(b"\r\n.", b"\r\n..") + b".\r\n",
            )
            for one in wanted
        ]


def marking(url: str) -> Mark:
    """What marks a message sent and commits."""
    if url.startswith("sqlite"):
        return _marking_sqlite(url.removeprefix("sqlite:///"))
    connection = psycopg.connect(make_url(url).set(drivername="postgresql").render_as_string(False), autocommit=True)
    statement = "UPDATE message SET state = 'sent', sent_at = %s, last_answer = '250 ok' WHERE id = %s"
    return lambda one: _run(connection, statement, (datetime.now(UTC), one))


def _marking_sqlite(path: str) -> Mark:
    connection = sqlite3.connect(path, isolation_level=None)
    for pragma in ("journal_mode = WAL", "synchronous = NORMAL", "busy_timeout = 30000"):
        connection.execute(f"PRAGMA {pragma}")
    statement = "UPDATE message SET state = 'sent', sent_at = ?, last_answer = '250 ok' WHERE id = ?"
    return lambda one: _run(connection, statement, (datetime.now(UTC).isoformat(" ")[:26], one.hex))


def _run(connection: Any, statement: str, values: tuple[Any, ...]) -> None:
    connection.execute(statement, values)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3], json.loads(sys.stdin.readline()))
