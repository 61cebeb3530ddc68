"""The examples of e-mails, a lint for calendar objects, and a mail server that fails when it is told to."""

import re
import time
from collections.abc import Iterator

import pytest
from aiosmtpd.controller import Controller

from tests.notify.examples import ANNA, EVENTS, EXAMPLES, event


@pytest.fixture(params=EXAMPLES.values(), ids=EXAMPLES.keys())
def example(request):
    """Facts and reader of one e-mail, one after the other of each kind."""
    return request.param


@pytest.fixture
def examples():
    return EXAMPLES


@pytest.fixture(params=EVENTS.values(), ids=EVENTS.keys())
def invitation(request):
    """Facts and reader of one e-mail that carries a calendar object."""
    return request.param


@pytest.fixture
def event_facts():
    """Makes the facts of an event; what is not given is ordinary."""
    return event


@pytest.fixture
def anna():
    return ANNA


@pytest.fixture
def far_west() -> Iterator[None]:
    """The reading machine stands in Los Angeles: a floating time would come out wrong."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "America/Los_Angeles")
        time.tzset()
        yield
    time.tzset()


def _lint(data: bytes, mime_method: str) -> list[str]:
    """What is wrong with an object for one person and one date, beyond what parsers complain about."""
    wrong = []
    if b"\n" in data.replace(b"\r\n", b"") or b"\r" in data.replace(b"\r\n", b""):
        wrong.append("a line end that is not CRLF")
    if not data.endswith(b"\r\n"):
        wrong.append("the last line has no end")
    wrong += [f"{len(line)} octets in a line" for line in data.split(b"\r\n") if len(line) > 75]
    lines = data.replace(b"\r\n ", b"").decode().split("\r\n")[:-1]
    names = [re.split("[;:]", line, maxsplit=1)[0] for line in lines]
    values = {name: line.rpartition(":")[2] for name, line in zip(names, lines, strict=True)}
    envelope = ["BEGIN", "VERSION", "PRODID", "CALSCALE", "METHOD", "BEGIN"]
    if names[:6] != envelope or lines[5] != "BEGIN:VEVENT" or lines[-2:] != ["END:VEVENT", "END:VCALENDAR"]:
        wrong.append(f"not one VEVENT in a VCALENDAR: {names[:6]}")
    must = {
        "UID",
        "SEQUENCE",
        "DTSTAMP",
        "DTSTART",
        "DTEND",
        "SUMMARY",
        "CLASS",
        "TRANSP",
        "STATUS",
        "ORGANIZER",
        "ATTENDEE",
    }
    may = {"DESCRIPTION", "LOCATION", "URL", "CONFERENCE"} if mime_method == "REQUEST" else set()
    inside = names[6:-2]
    wrong += [f"no {name}" for name in sorted(must - set(inside))]
    wrong += [f"unexpected {name}" for name in sorted(set(inside) - must - may)]
    wrong += [f"{name} twice" for name in sorted(set(inside)) if inside.count(name) > 1]
    if values.get("METHOD") != mime_method:
        wrong.append(f"METHOD {values.get('METHOD')} in a part of method {mime_method}")
    if (values.get("STATUS") == "CANCELLED") != (mime_method == "CANCEL"):
        wrong.append("STATUS and METHOD contradict each other")
    wrong += [
        f"{n} is not UTC"
        for n in ("DTSTAMP", "DTSTART", "DTEND")
        if not re.fullmatch(r"\d{8}T\d{6}Z", values.get(n, ""))
    ]
    if values.get("DTEND", "") <= values.get("DTSTART", ""):
        wrong.append("it ends before it starts")
    for line in lines:
        if line.startswith(("ORGANIZER", "ATTENDEE")) and not re.search(r":mailto:[^\s:]+@[^\s:]+$", line):
            wrong.append(f"no mailto: {line}")
        status = re.search("PARTSTAT=([^;:]*)", line) if line.startswith("ATTENDEE") else None
        if status and status[1] not in {"NEEDS-ACTION", "ACCEPTED", "DECLINED", "TENTATIVE"}:
            wrong.append(f"PARTSTAT {status[1]}")
    return wrong


@pytest.fixture
def lint():
    return _lint


class LoopbackController(Controller):
    """aiosmtpd's server in a thread, on a port that the system chooses."""

    def __init__(self, handler, **options):
        super().__init__(handler, hostname="127.0.0.1", port=0, **options)

    def _trigger_server(self):
        # The controller knocks at its own door to see that it is open, and takes port 0 for its number.
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


@pytest.fixture
def real_server():
    """Starts a real mail server with a handler and options of aiosmtpd; all are stopped at the end."""
    controllers = []

    def start(handler, **options):
        controllers.append(LoopbackController(handler, **options))
        controllers[-1].start()
        return controllers[-1]

    yield start
    for controller in controllers:
        controller.stop()
