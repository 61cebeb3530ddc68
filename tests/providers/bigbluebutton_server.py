"""A BigBlueButton of the size of a test, on the loopback: it behaves as its API documentation says (version 3.0).

It checks checksums by itself and forgets nothing, so that a test can ask what was called.
"""

from __future__ import annotations

import hashlib
import itertools
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from urllib.parse import parse_qsl, urlsplit
from xml.sax.saxutils import escape

SECRET = "639259d4-9dd8-4b25-bf01-95f9567eaf4b"
FAILURES = {
    "checksumError": "Checksums do not match",
    "notFound": "A meeting with that ID does not exist",
    "idNotUnique": "A meeting already exists with that meeting ID.",
    "mismatchCreateTimeParam": "The createTime parameter submitted mismatches with the current meeting.",
    "validationError": "A parameter is missing or has a value that is not allowed",
    "unsupportedRequest": "This request is not supported.",
}


@dataclass
class Room:
    said: dict[str, str]
    create_time: str
    inside: list[str] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)


class Refused(Exception):
    pass


class BigBlueButtonServer:
    """`calls` holds the name and the query of each call that was rightly signed."""

    def __init__(self, secret=SECRET):
        self.secret = secret
        self.rooms: dict[str, Room] = {}
        self.calls: list[tuple[str, dict[str, str]]] = []
        self._lock, self._times = Lock(), itertools.count(1715261728123)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}/bigbluebutton/api"

    def __enter__(self):
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=5)

    def called(self, name):
        return [query for called, query in self.calls if called == name]

    def everybody_leaves(self):
        """Rooms without people are removed."""
        self.rooms.clear()

    def answer(self, target):
        parts = urlsplit(target)
        name = parts.path.removeprefix("/bigbluebutton/api/")
        said, _, checksum = parts.query.rpartition("&checksum=")
        with self._lock:
            try:
                return _xml("SUCCESS", self._done(name, self._checked(name, said, checksum)))
            except Refused as refused:
                key = str(refused)
                return _xml("FAILED", {"messageKey": key, "message": FAILURES[key]})

    def _checked(self, name, said, checksum):
        if checksum != hashlib.sha256(f"{name}{said}{self.secret}".encode()).hexdigest():
            raise Refused("checksumError")
        query = dict(parse_qsl(said, keep_blank_values=True, strict_parsing=True))
        self.calls.append((name, query))
        return query

    def _done(self, name, query):
        match name:
            case "create":
                return self._create(query)
            case "join":
                return self._join(query)
            case "end":
                room = self._room(query)
                if query.get("password", room.said["moderatorPW"]) != room.said["moderatorPW"]:
                    raise Refused("validationError")
                del self.rooms[query["meetingID"]]
                return {"messageKey": "sentEndMeetingRequest"}
            case "isMeetingRunning":
                room = self.rooms.get(query["meetingID"])
                return {"running": "true" if room and room.inside else "false"}
        raise Refused("unsupportedRequest")

    def _create(self, query):
        if not 2 <= len(query.get("name", "")) <= 64 or "," in query["meetingID"]:
            raise Refused("validationError")
        known = self.rooms.get(query["meetingID"])
        if known and any(known.said[name] != query[name] for name in ("attendeePW", "moderatorPW")):
            raise Refused("idNotUnique")
        room = self.rooms.setdefault(query["meetingID"], Room(query, str(next(self._times))))
        return {
            "meetingID": query["meetingID"],
            "createTime": room.create_time,
            "attendeePW": room.said["attendeePW"],
            "moderatorPW": room.said["moderatorPW"],
            "messageKey": "duplicateWarning" if known else "",
        }

    def _join(self, query):
        room = self._room(query)
        if query.get("createTime", room.create_time) != room.create_time:
            raise Refused("mismatchCreateTimeParam")
        if query["role"] not in {"MODERATOR", "VIEWER"} or not query["fullName"]:
            raise Refused("validationError")
        must_wait = query.get("guest") == "true" and room.said.get("guestPolicy") == "ASK_MODERATOR"
        (room.waiting if must_wait else room.inside).append(query["fullName"])
        return {"messageKey": "successfullyJoined"}

    def _room(self, query):
        if query["meetingID"] not in self.rooms:
            raise Refused("notFound")
        return self.rooms[query["meetingID"]]

    def _handler(self):
        bigbluebutton = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                body = bigbluebutton.answer(self.path).encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/xml;charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                """Nothing is to be written about it."""

        return Handler


def _xml(code, fields):
    inside = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in fields.items() if value)
    return f"<response><returncode>{code}</returncode>{inside}</response>"
