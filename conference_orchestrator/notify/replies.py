"""What a mail in our mailbox is: somebody's answer, a bounce, an automatic reply, or something for the helpdesk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from conference_orchestrator.notify.bounces import Bounce, bounces, message_id
from conference_orchestrator.notify.calendar_answers import CalendarAnswer, answers, method_of
from conference_orchestrator.notify.content_lines import calendar_objects
from conference_orchestrator.notify.mailbox import LARGEST_MAIL
from conference_orchestrator.notify.origin import Verdict, authentication, sender
from conference_orchestrator.notify.parts import Fields, Part, Unreadable, field, opened, parts
from conference_orchestrator.notify.received_text import header_text

Kind = Literal["reply", "counter", "bounce", "auto-reply", "other", "unreadable"]

LONGEST_SUBJECT = 200
_CALENDARS = ("text/calendar", "text/x-vcalendar", "application/ics", "application/calendar")
# What such an object is sent as by programs that do not say what it is.
_UNNAMED = {"text/plain", "application/octet-stream"}
_BEGIN = b"BEGIN:VCALENDAR"
_TNEF = {"application/ms-tnef", "application/vnd.ms-tnef"}


@dataclass(frozen=True, kw_only=True)
class Inbound:
    """A mail that came in, as far as it can be told.

    `from_address` is the one address of its From; whether that is true is what `authentication` says. `problem` is for
    the helpdesk: why the mail cannot be read, or why an answer in it must not be counted.
    """

    kind: Kind
    message_id: str | None
    from_address: str | None
    subject: str
    authentication: Verdict
    answers: tuple[CalendarAnswer, ...] = ()
    bounces: tuple[Bounce, ...] = ()
    problem: str | None = None


@dataclass(frozen=True, kw_only=True)
class _Content:
    """What the mail turned out to be."""

    kind: Kind
    answers: tuple[CalendarAnswer, ...] = ()
    bounces: tuple[Bounce, ...] = ()
    problem: str | None = None


def read(raw: bytes, *, trusted: str | None = None, whole: bool = True) -> Inbound:
    """The mail in these bytes; any bytes are some mail. `trusted` is the name of the server whose checks are believed.

    Not `whole`: only its header is there, because the rest is too large or could not be fetched.
    """
    header, content = _understood(raw, whole=whole)
    address = sender(header)
    return Inbound(
        kind=content.kind,
        message_id=message_id(header, "message-id"),
        from_address=address,
        subject=header_text(field("subject", header), LONGEST_SUBJECT),
        authentication=authentication(header, trusted=trusted, address=address),
        answers=content.answers,
        bounces=content.bounces,
        problem=content.problem,
    )


def _understood(raw: bytes, *, whole: bool) -> tuple[Fields, _Content]:
    header: Fields = ()
    try:
        # A header has its bound well below that of a mail, so a mail that is too large still shows it.
        header, body = opened(raw[:LARGEST_MAIL])
        if whole and len(raw) <= LARGEST_MAIL:
            return header, _content(header, parts(header, body))
    except Unreadable as problem:
        return header, _unreadable(str(problem))
    return header, _unreadable(f"This mail is larger than {LARGEST_MAIL // 1024} KB or could not be fetched.")


def _unreadable(problem: str) -> _Content:
    return _Content(kind="unreadable", problem=problem)


def _content(header: Fields, found: Sequence[Part]) -> _Content:
    if told := bounces(header, found):
        return _Content(kind="bounce", bounces=told)
    if calendars := _calendars(found):
        return _answer(calendars)
    if any(part.media_type in _TNEF for part in found):
        return _unreadable("This mail is in Outlook's own format (winmail.dat).")
    return _Content(kind="auto-reply" if _is_automatic(header, found) else "other")


def _calendars(found: Sequence[Part]) -> list[Part]:
    """The parts that hold a calendar object, the one that mail programs act on first."""
    plain = [part for part in found if part.media_type not in _CALENDARS]
    return [
        *(part for media_type in _CALENDARS for part in found if part.media_type == media_type),
        *(part for part in plain if part.filename.endswith(".ics")),
        *(part for part in plain if part.media_type in _UNNAMED and part.content().lstrip().startswith(_BEGIN)),
    ]


def _answer(calendars: Sequence[Part]) -> _Content:
    """What the first object says that is an answer. Raises Unreadable when none of them can be read."""
    problem: Unreadable | None = None
    other = False
    for part in calendars:
        try:
            for heard in calendar_objects(part.content(), part.parameters.get("charset")):
                method = method_of(heard, mime=part.parameters.get("method"))
                if method in {"REPLY", "COUNTER"}:
                    return _said(answers(heard, "COUNTER" if method == "COUNTER" else "REPLY"))
                other = True
        except Unreadable as error:
            problem = problem or error
    if problem and not other:
        raise problem
    return _Content(kind="other")


def _said(given: tuple[CalendarAnswer, ...]) -> _Content:
    return _Content(
        kind="counter" if given[0].method == "COUNTER" else "reply",
        answers=given,
        problem=next((one.problem for one in given if one.problem), None),
    )


def _is_automatic(header: Fields, found: Sequence[Part]) -> bool:
    """Whether a machine wrote it: asked only of a mail without a calendar, for Google's answers say so too."""
    submitted = field("auto-submitted", header).lower()
    return (
        (bool(submitted) and not submitted.startswith("no"))
        or any(field(name, header) for name in ("x-autoreply", "x-autorespond"))
        or field("precedence", header).lower() in {"auto_reply", "auto-reply"}
        or any(part.media_type == "message/disposition-notification" for part in found)
    )
