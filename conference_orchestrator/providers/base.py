"""The port to a provider: what the flows ask of it and the plain values that travel.

An adapter is synchronous, knows no database and repeats nothing by itself; the flows decide that from the error
(see `errors`). Instants are aware, and a provider keeps them to the minute.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Final, Literal, NoReturn, Protocol

from conference_orchestrator.kernel.times import is_zone
from conference_orchestrator.providers.errors import Invalid

Kind = Literal["meeting", "webinar"]
MeetingState = Literal["scheduled", "running", "over"]
Role = Literal["moderator", "panellist", "attendee"]
EventKind = Literal["created", "changed", "deleted", "started", "ended", "joined", "left", "other"]


class Unset(Enum):
    """The type of `UNSET`."""

    UNSET = "unset"


KEY_PREFIX: Final = "co-"
"""How every key of ours begins, at whatever provider and installation."""
UNSET: Final = Unset.UNSET
"""Leave this field as it is."""


@dataclass(frozen=True, kw_only=True)
class MeetingSpec:
    """A meeting that is wanted. TypeError for a naive instant.

    `key` is ours, unique and without meaning to others; `host` is the e-mail of the host account, None where the
    provider needs none. `join_before_minutes` is how long before the start people may come in without the host,
    0 for not at all; with `lobby` they then wait until the host admits them.
    """

    key: str
    kind: Kind
    title: str
    agenda: str
    starts_at: datetime
    ends_at: datetime
    time_zone: str
    host: str | None
    join_before_minutes: int = 0
    lobby: bool = True

    def __post_init__(self) -> None:
        must_be_aware(self.starts_at, self.ends_at)


@dataclass(frozen=True, kw_only=True)
class MeetingChanges:
    """The fields of a meeting to change; those left `UNSET` stay, an agenda of None is cleared.

    Start and end come together, because one alone does not tell the length. TypeError for a naive instant.
    """

    title: str | Unset = UNSET
    agenda: str | Unset | None = UNSET
    starts_at: datetime | Unset = UNSET
    ends_at: datetime | Unset = UNSET
    time_zone: str | Unset = UNSET
    join_before_minutes: int | Unset = UNSET
    lobby: bool | Unset = UNSET

    def __post_init__(self) -> None:
        if (self.starts_at is UNSET) is not (self.ends_at is UNSET):
            raise ValueError("the start and the end of a meeting change together")
        must_be_aware(*(at for at in (self.starts_at, self.ends_at) if at is not UNSET))

    def given(self) -> dict[str, object]:
        """The names and values of the fields to change; empty when there is nothing to do."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if value is not UNSET}


@dataclass(frozen=True)
class MeetingRef:
    """Where a meeting is: the provider's entry-point name, its id there, and the host account that holds it."""

    provider: str
    id: str
    host: str | None


@dataclass(frozen=True, repr=False, kw_only=True)
class Secrets:
    """What lets people in or makes them host. Never in a log, a mail to clinicians or a calendar object."""

    host_key: str | None = None
    password: str | None = None
    phone_password: str | None = None

    def __repr__(self) -> str:
        return "Secrets(********)"


@dataclass(frozen=True, kw_only=True)
class Meeting:
    """A meeting as the provider has it.

    `key` is None where the provider does not tell it, and so are the settings `has_password`, `lobby`, `public` and
    `recording` (started by itself).
    """

    ref: MeetingRef
    key: str | None
    number: str | None
    title: str
    starts_at: datetime
    ends_at: datetime
    state: MeetingState
    join_url: str
    secrets: Secrets
    has_password: bool | None
    lobby: bool | None
    public: bool | None
    recording: bool | None
    registration_url: str | None = None

    def __post_init__(self) -> None:
        must_be_aware(self.starts_at, self.ends_at)

    def shortcomings(self) -> tuple[str, ...]:
        """Why the link must not be mailed: "no-password", "no-lobby", "public", "recording". Empty when all is right.

        A setting that the provider does not tell counts as wrong: only what was read back may be relied on.
        """
        right = {
            "no-password": self.has_password is True,
            "no-lobby": self.lobby is True,
            "public": self.public is False,
            "recording": self.recording is False,
        }
        return tuple(name for name, fulfilled in right.items() if not fulfilled)


@dataclass(frozen=True, repr=False)
class Person:
    """Somebody who is to be in a meeting. The repr tells nothing of a person, because it may end up in a log."""

    name: str
    email: str

    def __repr__(self) -> str:
        return "Person(********)"


@dataclass(frozen=True, kw_only=True, repr=False)
class Visit:
    """One stay of a person on one device, as the provider noted it; `left_at` is None while it lasts.

    `email` is None where the provider does not know it. Several visits of one person are several Visits.
    """

    name: str
    email: str | None
    joined_at: datetime
    left_at: datetime | None
    is_host: bool = False

    def __post_init__(self) -> None:
        must_be_aware(self.joined_at, *([self.left_at] if self.left_at is not None else []))

    def __repr__(self) -> str:
        return f"Visit(********, joined_at={self.joined_at}, left_at={self.left_at})"


@dataclass(frozen=True)
class Attendance:
    """Who was in a meeting. Not complete: the provider still gathers, and an empty list does not mean nobody."""

    visits: tuple[Visit, ...]
    is_complete: bool


@dataclass(frozen=True, kw_only=True)
class Event:
    """What a provider told us by itself: a hint to look, never the truth.

    `id` is the same when the same event is sent again. `meeting_id` is None for an event about something else.
    """

    id: str
    kind: EventKind
    meeting_id: str | None


@dataclass(frozen=True, kw_only=True)
class Capabilities:
    """What a provider can do and how much: lengths in characters, durations in minutes, both bounds allowed.

    `find_by_key`: its meetings can be looked up by our key. `native_idempotency`: creating twice with one key gives
    the same meeting. `needs_host`: it books host accounts, so one is to be reserved first. `keeps_meetings` False: a
    meeting is no more than an address made from the key, there is nothing at the provider to look for, to change or to
    delete before people come, so that changing is creating again and gone is no drift. `is_durable` False: it forgets
    its meetings when the process ends. `personal_links`: people need
    a link each (`join_link`), the meeting's own opens nothing. `creates_per_day`: how many meetings one host account
    may create in 24 hours, failed attempts included; None where nothing is known.
    """

    kinds: frozenset[Kind]
    find_by_key: bool
    native_idempotency: bool
    needs_host: bool
    min_minutes: int
    max_minutes: int
    title_length: int
    agenda_length: int
    keeps_meetings: bool = True
    is_durable: bool = True
    personal_links: bool = False
    invitees: bool = False
    attendance: bool = False
    events: bool = False
    creates_per_day: int | None = None

    def obstacles(self, wanted: MeetingSpec | MeetingChanges) -> tuple[str, ...]:
        """Why the provider would refuse, one sentence each; empty when nothing is known against it."""
        said = [self._kind(wanted), self._title(wanted), self._agenda(wanted), self._duration(wanted), _zone(wanted)]
        return tuple(sentence for sentence in said if sentence)

    def _kind(self, wanted: MeetingSpec | MeetingChanges) -> str:
        if isinstance(wanted, MeetingChanges) or wanted.kind in self.kinds:
            return ""
        return f"The provider makes no {wanted.kind}, only: {', '.join(sorted(self.kinds))}."

    def _title(self, wanted: MeetingSpec | MeetingChanges) -> str:
        if wanted.title is UNSET or 0 < len(wanted.title.strip()) <= len(wanted.title) <= self.title_length:
            return ""
        return f"The title must have 1 to {self.title_length} characters, not {len(wanted.title)}."

    def _agenda(self, wanted: MeetingSpec | MeetingChanges) -> str:
        if wanted.agenda is UNSET or wanted.agenda is None or len(wanted.agenda) <= self.agenda_length:
            return ""
        return f"The agenda must have at most {self.agenda_length} characters, not {len(wanted.agenda)}."

    def _duration(self, wanted: MeetingSpec | MeetingChanges) -> str:
        if wanted.starts_at is UNSET or wanted.ends_at is UNSET:
            return ""
        minutes = (to_the_minute(wanted.ends_at) - to_the_minute(wanted.starts_at)) // timedelta(minutes=1)
        if self.min_minutes <= minutes <= self.max_minutes:
            return ""
        return f"The meeting must last {self.min_minutes} to {self.max_minutes} minutes, not {minutes}."


class ConferenceProvider(Protocol):
    """A system that hosts meetings. Every method may raise a ProviderError; a naive instant is a TypeError.

    An instance may be used by several threads at a time.
    """

    name: str
    """Its name in the entry-point group, which is also the provider of its references."""

    def capabilities(self) -> Capabilities:
        """What it can do; asks nobody."""
        ...

    def create(self, spec: MeetingSpec) -> Meeting:
        """Make a meeting, in one attempt, without any mail by the provider.

        Invalid before any request when a limit is broken. After Ambiguous there may be a meeting. A provider that
        keeps no meetings makes nothing yet: it tells the address, always the same for one key, and is never Ambiguous;
        what it has to know later stands in the id.
        """
        ...

    def find(self, key: str, host: str | None, starts_at: datetime, ends_at: datetime) -> list[Meeting]:
        """The meetings of that host that carry exactly this key, looked for around the window; [] when there is none.

        A list may lag behind: a meeting made a moment ago can be missing. What cannot be read is an error, never [].
        """
        ...

    def ours(self, host: str | None, starts_at: datetime, ends_at: datetime) -> list[Meeting]:
        """The meetings of that host within the window whose key begins with `KEY_PREFIX`, whatever installation's.

        [] where nothing can be looked up. A list may lag behind; what cannot be read is an error, never [].
        """
        ...

    def get(self, ref: MeetingRef) -> Meeting:
        """The meeting as it is now. NotFound when it is gone, and while nobody is in one that is not kept."""
        ...

    def update(self, ref: MeetingRef, changes: MeetingChanges) -> Meeting:
        """Change only the fields given, without any mail by the provider.

        NotFound when it is gone, and always from a provider that keeps no meetings: there it is created again.
        """
        ...

    def cancel(self, ref: MeetingRef) -> bool:
        """Delete the meeting, without any mail by the provider. True: deleted now; False: it was already gone.

        One that is not kept is ended when people are in it; links handed out before may go on working.
        """
        ...

    def invite(self, ref: MeetingRef, people: Sequence[Person], *, role: Role) -> None:
        """Let these people be known to the meeting in that role, without any mail by the provider.

        Who is known already stays as before. Invalid without the capability `invitees`.
        """
        ...

    def join_link(self, ref: MeetingRef, person: Person, role: Role) -> str:
        """The link by which this person comes in; the same for all where the provider has none of their own.

        It is for this person alone and for the hours of the meeting: in no log, and only shown to this person. Ask for
        it when the person is about to come in: Invalid, with the hours, where the room is not open then. NotFound when
        the meeting is gone.
        """
        ...

    def attendance(self, ref: MeetingRef, starts_at: datetime, ends_at: datetime) -> Attendance:
        """Who joined and left within the interval, all pages of it. Invalid without the capability `attendance`."""
        ...

    def listen(self, url: str) -> None:
        """Have the provider send its events to this address; doing it twice changes nothing.

        Invalid without the capability `events`.
        """
        ...

    def parse_event(self, headers: Mapping[str, str], body: bytes) -> Event:
        """What the provider told, after its signature over the raw body was checked.

        BadSignature when that is missing or wrong, Invalid without the capability `events` or for a strange body.
        """
        ...


class WithoutExtras:
    """For adapters to inherit: the operations that a provider need not have, each refused with a clear error."""

    name: str

    def ours(self, _host: str | None, _starts_at: datetime, _ends_at: datetime) -> list[Meeting]:
        """None, because nothing can be looked up."""
        return []

    def invite(self, _ref: MeetingRef, _people: Sequence[Person], *, role: Role) -> None:
        """Refused."""
        self._cannot("invite", f"know who is to come as {role}")

    def attendance(self, _ref: MeetingRef, _starts_at: datetime, _ends_at: datetime) -> Attendance:
        """Refused."""
        self._cannot("attendance", "tell who was there")

    def listen(self, _url: str) -> None:
        """Refused."""
        self._cannot("listen", "send events")

    def parse_event(self, _headers: Mapping[str, str], _body: bytes) -> Event:
        """Refused."""
        self._cannot("parse_event", "send events")

    def _cannot(self, operation: str, what: str) -> NoReturn:
        raise Invalid(f"The provider {self.name} cannot {what}.", provider=self.name, operation=operation)


def must_be_aware(*instants: datetime) -> None:
    """TypeError when one of the instants is naive."""
    for at in instants:
        if at.tzinfo is None:
            raise TypeError("an instant is aware")


def to_the_minute(at: datetime) -> datetime:
    """The instant in UTC as providers keep it, without seconds: compare with it, or seconds look like drift."""
    must_be_aware(at)
    return at.astimezone(UTC).replace(second=0, microsecond=0)


def _zone(wanted: MeetingSpec | MeetingChanges) -> str:
    if wanted.time_zone is UNSET or is_zone(wanted.time_zone):
        return ""
    return f"{wanted.time_zone!r} is not an IANA time zone such as Europe/Berlin."
