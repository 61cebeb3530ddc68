"""What is wrong with a calendar or with the mail that carries it, beyond what validators catch (calendar.md).

Each rule is a function of its own; written without icalendar, which writes the objects.
"""

from __future__ import annotations

import email.policy
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from email.message import EmailMessage
from zoneinfo import ZoneInfo

from dateutil.rrule import rrulestr

from tests.readers.objects import Component, Property, form_faults, read, utc

PARTSTATS = {"NEEDS-ACTION", "ACCEPTED", "DECLINED", "TENTATIVE"}
ONCE = ("UID", "SEQUENCE", "DTSTAMP", "DTSTART", "DTEND", "SUMMARY", "ORGANIZER", "STATUS")
OFTEN = {"ATTENDEE", "EXDATE", "CONFERENCE"}
DATED = ("DTSTART", "DTEND", "EXDATE", "RECURRENCE-ID")


def mail_faults(data: bytes) -> list[str]:
    """What is wrong with the calendar parts of a mail and with the calendar in them; nothing for a mail without one."""
    mail = email.message_from_bytes(data, EmailMessage, policy=email.policy.default)
    beside = [part for part in mail.walk() if part.get_content_type() == "text/calendar"]
    attached = [part for part in mail.walk() if part.get_content_type() == "application/ics"]
    if not beside and not attached:
        return []
    if len(beside) != 1 or len(attached) != 1:
        return [f"{len(beside)} calendars beside the text and {len(attached)} attached, not one of each"]
    one, other = beside[0].get_payload(decode=True), attached[0].get_payload(decode=True)
    return [*_part_faults(beside[0], attached[0], is_same=one == other), *calendar_faults(one)]


def calendar_faults(data: bytes) -> list[str]:
    """What is wrong with a calendar, in words."""
    found = form_faults(data)
    try:
        calendar = read(data)
    except ValueError as error:
        return [*found, str(error)]
    found += _envelope(calendar)
    found += _contents(calendar)
    found += _zones(calendar)
    found += _masters(calendar)
    for event in calendar.components("VEVENT"):
        found += _properties(event)
        found += _people(event, str(calendar.value("METHOD")))
        found += _status(event, str(calendar.value("METHOD")))
        wrong = list(_times(event))
        # Times that are none cannot be held against a rule.
        found += wrong or _rule(event, calendar)
    return found


def _part_faults(beside: EmailMessage, attached: EmailMessage, *, is_same: bool) -> Iterator[str]:
    parameters, data = beside["Content-Type"].params, beside.get_payload(decode=True)
    if f"METHOD:{parameters.get('method')}\r\n".encode() not in data:
        yield f"the MIME method {parameters.get('method')} is not the METHOD of the calendar"
    if parameters.get("charset", "").lower() != "utf-8":
        yield "the calendar beside the text does not say that it is UTF-8"
    if beside["Content-Disposition"] is not None:
        yield "the calendar beside the text has a disposition"
    if attached.get_content_disposition() != "attachment" or not (attached.get_filename() or "").endswith(".ics"):
        yield "the attached calendar is no attachment with the name of a calendar"
    if not is_same:
        yield "the two calendar parts differ"


def _envelope(calendar: Component) -> Iterator[str]:
    for name in ("VERSION", "PRODID", "CALSCALE", "METHOD"):
        if calendar.value(name) is None:
            yield f"{name} missing or not alone"
    if calendar.value("METHOD") not in {"REQUEST", "CANCEL", "PUBLISH", None}:
        yield f"METHOD {calendar.value('METHOD')}"


def _contents(calendar: Component) -> Iterator[str]:
    for component in calendar.everything()[1:]:
        if component.name not in {"VEVENT", "VTIMEZONE", "STANDARD", "DAYLIGHT"}:
            yield f"{component.name} present"
    for component in calendar.everything():
        for one in component.properties:
            if one.name in {"ATTACH", "RDATE", "EXRULE"}:
                yield f"{one.name} present"
            if "RANGE" in one.parameters:
                yield f"RANGE in {one.name}"


def _zones(calendar: Component) -> Iterator[str]:
    described = {zone.value("TZID") for zone in calendar.components("VTIMEZONE")}
    used = {one.parameters["TZID"] for event in calendar.inside for one in event.properties if "TZID" in one.parameters}
    yield from (f"no VTIMEZONE for the TZID {name}" for name in sorted(used - described))
    yield from (f"a VTIMEZONE {name} that nothing uses" for name in sorted(map(str, described - used)))


def _masters(calendar: Component) -> Iterator[str]:
    events = calendar.components("VEVENT")
    masters = Counter(event.value("UID") for event in events if not event.all("RECURRENCE-ID"))
    yield from (f"two VEVENTs without RECURRENCE-ID of {uid}" for uid, times in masters.items() if times > 1)
    uids = {event.value("UID") for event in events}
    if calendar.value("METHOD") != "PUBLISH" and len(uids) != 1:
        yield f"{len(uids)} UIDs in an object of iTIP"


def _properties(event: Component) -> Iterator[str]:
    counted = Counter(one.name for one in event.properties)
    yield from (f"{name} missing" for name in ONCE if name not in counted)
    yield from (f"{name} twice" for name, times in counted.items() if times > 1 and name not in OFTEN)
    if not (event.value("SEQUENCE") or "0").isdecimal():
        yield f"SEQUENCE {event.value('SEQUENCE')}"


def _people(event: Component, method: str) -> Iterator[str]:
    attendees = event.all("ATTENDEE")
    for one in (*event.all("ORGANIZER"), *attendees):
        name, _, domain = one.value.removeprefix("mailto:").rpartition("@")
        if not one.value.startswith("mailto:") or not name or not domain or ":" in name + domain:
            yield f"{one.name} without mailto: or address: {one.value}"
    for one in attendees:
        if one.parameters.get("PARTSTAT") not in PARTSTATS:
            yield f"PARTSTAT {one.parameters.get('PARTSTAT')}"
    if method == "PUBLISH" and attendees:
        yield "ATTENDEE in what is published"
    if method != "PUBLISH" and not attendees:
        yield "nobody is invited"


def _status(event: Component, method: str) -> Iterator[str]:
    if (event.value("STATUS") == "CANCELLED") != (method == "CANCEL"):
        yield f"STATUS:{event.value('STATUS')} in METHOD:{method}"


def _times(event: Component) -> Iterator[str]:
    yield from ("DTSTAMP not UTC" for one in event.all("DTSTAMP") if not one.is_utc)
    for one in event.properties:
        if one.name not in DATED:
            continue
        try:
            _ = one.wall
        except ValueError:
            yield f"{one.name} is no date with a time: {one.value}"
            return
        if not one.is_utc and ("TZID" not in one.parameters or one.value.endswith("Z")):
            yield f"{one.name} neither in UTC nor with a TZID"
            return
    start, end = _only(event, "DTSTART"), _only(event, "DTEND")
    if start and end and _instant(end) <= _instant(start):
        yield "DTEND not after DTSTART"


def _rule(event: Component, calendar: Component) -> Iterator[str]:
    start, rule = _only(event, "DTSTART"), event.value("RRULE")
    if start is None:
        return
    if rule is None:
        yield from ("EXDATE without a rule" for _ in event.all("EXDATE"))
        return
    parts = dict(part.split("=", 1) for part in rule.split(";"))
    until = parts.pop("UNTIL", None)
    if until is not None and not until.endswith("Z"):
        yield "UNTIL not UTC"
        return
    starts = _starts(parts, start, until)
    if _instant(start) not in starts:
        yield "DTSTART outside the rule"
    siblings = [one for one in calendar.components("VEVENT") if one.value("UID") == event.value("UID")]
    for one in (*event.all("EXDATE"), *(found for other in siblings for found in other.all("RECURRENCE-ID"))):
        if _instant(one) not in starts:
            yield f"{one.name} that hits nothing: {one.value}"


def _starts(parts: dict[str, str], start: Property, until: str | None) -> set[datetime]:
    """The instants of the rule, DTSTART only where the rule yields it; without an end those of five years."""
    rule = ";".join(f"{name}={value}" for name, value in parts.items())
    last = utc(until) if until else _instant(start) + timedelta(days=5 * 366)
    walls = rrulestr(rule, dtstart=start.wall).between(
        start.wall, last.replace(tzinfo=None) + timedelta(days=2), inc=True
    )
    found = (wall.replace(tzinfo=_zone(start)).astimezone(UTC) for wall in walls)
    return {at for at in found if at <= last}


def _instant(one: Property) -> datetime:
    return one.wall.replace(tzinfo=_zone(one)).astimezone(UTC)


def _zone(one: Property) -> tzinfo:
    return UTC if one.is_utc else ZoneInfo(one.parameters["TZID"])


def _only(event: Component, name: str) -> Property | None:
    found = event.all(name)
    return found[0] if len(found) == 1 else None
