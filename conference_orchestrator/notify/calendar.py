"""Calendar objects as every client reads them (RFC 5545, iTIP RFC 5546, conferences RFC 7986).

The only home of icalendar. One object is one meeting for one person: plain UTC instants, no VTIMEZONE, nobody else
listed. Who chose it gets a whole series as one object: wall times with a VTIMEZONE whose onsets are rules, EXDATE for
what is left out, and a VEVENT with RECURRENCE-ID for each session that differs. The ledger decides UID, SEQUENCE,
DTSTAMP and the method; this module only writes them down.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import icalendar

from conference_orchestrator.kernel.errors import Invalid
from conference_orchestrator.kernel.text import nfc, one_line_problem
from conference_orchestrator.kernel.times import ClockChange, clock_rule, is_repeated, nth_weekday, wall
from conference_orchestrator.notify.kinds import EventFacts, SeriesFacts, SessionOfSeries
from conference_orchestrator.notify.languages import SOURCE, language_of, translations
from conference_orchestrator.notify.reader import Reader

PRODUCT = "-//conference_orchestrator//EN"
UTC_ZONES = {"UTC", "Etc/UTC"}
WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")


def event_bytes(facts: EventFacts, recipient: Reader) -> bytes:
    """The object for this recipient: VCALENDAR with the method and one VEVENT, folded, CRLF (RFC 5545, 3.1).

    Raises Invalid, naming the fact, for a text that could start another property, TypeError for a naive time.
    """
    calendar = icalendar.Calendar()
    calendar.add("version", "2.0")
    calendar.add("prodid", PRODUCT)
    calendar.add("calscale", "GREGORIAN")
    calendar.add("method", facts.method)
    if facts.series is None:
        events = [_event(facts, recipient)]
        events[0].add("dtstart", _utc(facts.starts_at))
        events[0].add("dtend", _utc(facts.ends_at))
    else:
        events = _of_series(facts, facts.series, recipient)
        if zone := _zone(facts.series.time_zone):
            calendar.add_component(zone)
    for event in events:
        calendar.add_component(event)
    data: bytes = calendar.to_ical()
    return data


def summary(facts: EventFacts, language: str = SOURCE) -> str:
    """The title in the calendar: fixed words, the group or the approved topic, and the requester's own reference."""
    gettext = translations(language).gettext
    words = {
        "expert": gettext("%(name)s: expert group meeting"),
        "requester": gettext("%(name)s: discussion of your case"),
        "speaker": gettext("%(name)s: you speak"),
        "audience": "%(name)s",
    }
    said = words[facts.role] % {"name": facts.group_name or facts.topic}
    return f"{said} {facts.case_reference}" if facts.case_reference else said


def description(facts: EventFacts, language: str = SOURCE) -> str:
    """What stands below the title: how to join, the materials, what else the person needs to know."""
    gettext = translations(language).gettext
    lines = [gettext("The link to join follows in an update of this invitation.")]
    if facts.join_url:
        lines = [gettext("Join: %(url)s") % {"url": facts.join_url}]
    if facts.needs_registration:
        # The personal link stays in the mail: others may look into a calendar.
        lines.append(gettext("Places are limited: to register, accept by the link in the mail of this invitation."))
    if facts.materials_url:
        lines.append(gettext("Materials: %(url)s") % {"url": web_address("materials_url", facts.materials_url)})
    if facts.role == "requester":
        lines.append(
            gettext("This invitation covers your own case only. Please wait in the lobby until you are admitted.")
        )
    return "\n".join(lines)


def web_address(field: str, value: str) -> str:
    """`value` if it is a plain http or https address that can stand in a link; else Invalid naming `field`."""
    if not re.fullmatch(r"https?://[^\s<>\"\\^`{|}]+", value) or one_line_problem(value):
        raise Invalid({field: "Must be an address that begins with https:// or http://."})
    return value


def escaped(value: str) -> str:
    """The text as a value of the type TEXT (RFC 5545, 3.3.11)."""
    return value.replace("\\", "\\\\").replace(";", r"\;").replace(",", r"\,").replace("\n", r"\n")


class _Text(icalendar.vText):
    """icalendar's text, which makes a line break of a backslash before an N, without that."""

    def to_ical(self) -> bytes:
        return escaped(self).encode()


def _event(facts: EventFacts, recipient: Reader) -> icalendar.Event:
    event = icalendar.Event()
    event.add("uid", _one_line("uid", facts.uid))
    event.add("sequence", facts.sequence)
    event.add("dtstamp", _utc(facts.dtstamp))
    language = language_of(recipient.language)
    event.add("summary", _Text(_one_line("summary", summary(facts, language))))
    event.add("class", "PRIVATE")
    event.add("transp", "OPAQUE")
    event.add("organizer", _person("organizer", facts.organizer_name, facts.organizer_address))
    event.add("attendee", _attendee(facts, recipient))
    if facts.method == "CANCEL":
        # Who is taken off a meeting does not keep its link.
        event.add("status", "CANCELLED")
        return event
    event.add("status", "CONFIRMED")
    event.add("description", _Text(description(facts, language)))
    if facts.join_url:
        # Thunderbird shows the first two and the description, and not CONFERENCE (calendar.md).
        link = web_address("join_url", facts.join_url)
        event.add("location", link)
        event.add("url", link)
        event.add("conference", _conference(link))
    return event


def _of_series(facts: EventFacts, series: SeriesFacts, recipient: Reader) -> list[icalendar.Event]:
    """The master with the sessions that differ, or single sessions; a cancellation has nothing but what it takes away.

    Of a master only the rule is known, so the link stands in the single sessions.
    """
    zone, length = series.time_zone, series.ends_at - series.starts_at
    if facts.method == "CANCEL" and not series.is_whole:
        shown = {one.on: one for one in series.changed}
        gone = [shown.get(on) or SessionOfSeries(on=on, starts_at=on, ends_at=on + length) for on in series.left_out]
        return [_session(facts, one, recipient, zone=zone) for one in gone]
    singles = [
        _session(facts, one, recipient, zone=zone) for one in (series.changed if facts.method == "REQUEST" else ())
    ]
    if not series.is_whole:
        return singles
    master = _event(replace(facts, join_url=None), recipient)
    _add(master, "dtstart", series.starts_at, zone=zone)
    _add(master, "dtend", series.ends_at, zone=zone)
    try:
        rule = icalendar.vRecur.from_ical(series.rule)
    except ValueError as error:
        raise Invalid({"rule": f"{series.rule!r} is not a rule of RFC 5545."}) from error
    if series.until:
        rule["UNTIL"] = _utc(series.until)
    master.add("rrule", rule)
    for on in series.left_out:
        _add(master, "exdate", on, zone=zone)
    return [master, *singles]


def _session(facts: EventFacts, one: SessionOfSeries, recipient: Reader, *, zone: str) -> icalendar.Event:
    event = _event(replace(facts, join_url=one.join_url, attendee_status=one.attendee_status), recipient)
    _add(event, "dtstart", one.starts_at, zone=zone)
    _add(event, "dtend", one.ends_at, zone=zone)
    _add(event, "recurrence-id", one.on, zone=zone)
    return event


def _add(event: icalendar.Event, name: str, at: datetime, *, zone: str) -> None:
    """The instant on the wall of the zone; in UTC where clocks show that time twice: readers take either pass."""
    shown = wall(at, zone)
    if zone in UTC_ZONES or is_repeated(shown, zone):
        event.add(name, _utc(at))
    else:
        event.add(name, shown, {"TZID": zone})


def _zone(time_zone: str) -> icalendar.Timezone | None:
    """The VTIMEZONE, its onsets as rules from 1970 on: lists of dates are read wrongly by Thunderbird (calendar.md)."""
    if time_zone in UTC_ZONES:
        return None
    rule = clock_rule(time_zone)
    if rule is None:
        raise Invalid({"time_zone": f"The clocks of {time_zone} follow no rule that a calendar can express."})
    zone = icalendar.Timezone()
    zone.add("tzid", time_zone)
    for change in rule.changes:
        part = icalendar.TimezoneDaylight() if change.after > change.before else icalendar.TimezoneStandard()
        zone.add_component(_onset(part, change.name, change.before, change.after, change))
    if not rule.changes:
        zone.add_component(_onset(icalendar.TimezoneStandard(), rule.name, rule.offset, rule.offset, None))
    return zone


def _onset(
    part: icalendar.TimezoneStandard | icalendar.TimezoneDaylight,
    name: str,
    before: timedelta,
    after: timedelta,
    change: ClockChange | None,
) -> icalendar.TimezoneStandard | icalendar.TimezoneDaylight:
    part.add("tzname", name)
    part.add("tzoffsetfrom", before)
    part.add("tzoffsetto", after)
    if change is None:
        part.add("dtstart", datetime(1970, 1, 1))  # noqa: DTZ001  - a wall time
        return part
    first = nth_weekday(1970, change.month, change.nth, change.weekday)
    part.add("dtstart", datetime.combine(first, change.at))
    day = f"{change.nth}{WEEKDAYS[change.weekday]}"
    part.add("rrule", {"FREQ": "YEARLY", "BYMONTH": change.month, "BYDAY": day})
    return part


def _conference(link: str) -> icalendar.vUri:
    conference = icalendar.vUri(link)
    conference.params["VALUE"] = "URI"
    conference.params["FEATURE"] = ["AUDIO", "VIDEO"]
    return conference


def _attendee(facts: EventFacts, recipient: Reader) -> icalendar.vCalAddress:
    attendee = _person("attendee", recipient.name, recipient.address)
    attendee.params["CUTYPE"] = "INDIVIDUAL"
    attendee.params["ROLE"] = "REQ-PARTICIPANT"
    attendee.params["PARTSTAT"] = facts.attendee_status
    if facts.method == "REQUEST":
        attendee.params["RSVP"] = "TRUE"
    return attendee


def _person(field: str, name: str, address: str) -> icalendar.vCalAddress:
    if not re.fullmatch(r"[^\s@<>\"(),:;\\]+@[^\s@<>\"(),:;\\]+", address) or one_line_problem(address):
        raise Invalid({field: "Must be a plain e-mail address such as name@hospital.example."})
    person = icalendar.vCalAddress(f"mailto:{address}")
    # RFC 5545 has no way to write a quotation mark in a parameter, and few readers know the one of RFC 6868.
    person.params["CN"] = _one_line(field, name).replace('"', "'").replace("^", "")
    return person


def _one_line(field: str, value: str) -> str:
    if problem := one_line_problem(value):
        raise Invalid({field: problem})
    return nfc(value)


def _utc(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise TypeError("an instant is aware")
    return at.astimezone(UTC)
