"""The e-mails that leave, each as the facts that it tells.

Facts are plain frozen values: they are stored as JSON with the message when it is caused, and composed for one reader
when it is sent. `KINDS` names every kind as the header `X-Conference-Kind` does.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Literal

Role = Literal["expert", "requester", "speaker", "audience"]
Method = Literal["REQUEST", "CANCEL"]
Answer = Literal["NEEDS-ACTION", "ACCEPTED", "DECLINED", "TENTATIVE"]


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What one kind of e-mail tells; the same for every reader unless a field belongs to that reader."""

    kind: ClassVar[str]

    @property
    def outdated_at(self) -> datetime | None:
        """The instant from which on telling it would only confuse; None: it is worth telling at any time."""
        return None


@dataclass(frozen=True, kw_only=True)
class PrivacyStatement:
    """The privacy statement that was accepted, with the version in force then."""

    title: str
    url: str
    version: str


@dataclass(frozen=True, kw_only=True)
class Factsheet:
    """The network's factsheet."""

    title: str
    url: str


@dataclass(frozen=True, kw_only=True)
class Instructions:
    """The network's instructions for active clinicians; `body` is plain text of several lines."""

    title: str
    body: str


@dataclass(frozen=True, kw_only=True)
class ParticipantLine:
    """One clinician in the participant list; `email` and `phone` are None unless that clinician shares them."""

    country: str
    hospital: str
    name: str
    email: str | None = None
    phone: str | None = None


@dataclass(frozen=True, kw_only=True)
class RegistrationReceived(Facts):
    """Somebody registered with this address; the link confirms that it was its owner."""

    kind = "registration-received"
    network_name: str
    given_name: str
    confirm_url: str
    privacy: PrivacyStatement
    factsheet: Factsheet | None = None


@dataclass(frozen=True, kw_only=True)
class RegistrationActivated(Facts):
    """The helpdesk let the clinician in. A network that wants only a link gives `list_url` and no participants."""

    kind = "registration-activated"
    network_name: str
    instructions: Instructions
    participants: tuple[ParticipantLine, ...] = ()
    list_url: str | None = None
    sender_address: str


@dataclass(frozen=True, kw_only=True)
class RegistrationRefused(Facts):
    """The helpdesk did not let the clinician in."""

    kind = "registration-refused"
    network_name: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class RequestReceived(Facts):
    """A consultation request arrived; `missing` holds the labels of what the group's check list still wants."""

    kind = "request-received"
    case_reference: str
    group_name: str
    missing: tuple[str, ...] = ()
    request_url: str | None = None


@dataclass(frozen=True, kw_only=True)
class RequestReturned(Facts):
    """The group sent the request back to be completed."""

    kind = "request-returned"
    case_reference: str
    group_name: str
    reason: str
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class RequestDeclined(Facts):
    """The group will not discuss the case."""

    kind = "request-declined"
    case_reference: str
    group_name: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class RequestWaiting(Facts):
    """The request is accepted and has no slot yet; `position` counts from 1."""

    kind = "request-waiting"
    case_reference: str
    group_name: str
    position: int
    reason: str


@dataclass(frozen=True, kw_only=True)
class SlotOffer(Facts):
    """A slot is held for the request until an instant; the link accepts or refuses it.

    `time_zone` is where the session is set, shown when the reader lives by another clock.
    """

    kind = "slot-offer"
    case_reference: str
    group_name: str
    starts_at: datetime
    ends_at: datetime
    time_zone: str
    held_until: datetime
    answer_url: str | None = None

    @property
    def outdated_at(self) -> datetime:
        """Nobody can take the slot any more."""
        return self.held_until


@dataclass(frozen=True, kw_only=True)
class SessionOfSeries:
    """A session of a series that is not as the rule says, or has a link: `on` is the instant that the rule gives.

    `entry` is the invitation whose personal link stands for `join_url`, which is then made when the mail is sent.
    `attendee_status` is the answer that counts for this date.
    """

    on: datetime
    starts_at: datetime
    ends_at: datetime
    join_url: str | None = None
    entry: str | None = None
    attendee_status: Answer = "NEEDS-ACTION"


@dataclass(frozen=True, kw_only=True)
class DateOfSeries:
    """A date of a series that is not as it was told: when its session was, and when it is; None where there is none."""

    previous_starts_at: datetime | None = None
    previous_ends_at: datetime | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class SeriesFacts:
    """A series as one calendar object: the rule ("FREQ=WEEKLY;BYDAY=TU") over the wall of `time_zone`.

    `starts_at` and `ends_at` are those of its first session, `until` is the start of its last one (None: until further
    notice), `left_out` the starts that the rule gives and that are not held. `is_whole`: the object tells the whole
    series; otherwise only the `changed` sessions, or for a cancellation those `left_out`, of which `changed` tells when
    calendars show them if not as the rule says. `news`: what an update of the whole names to the reader.
    """

    rule: str
    time_zone: str
    starts_at: datetime
    ends_at: datetime
    until: datetime | None = None
    left_out: tuple[datetime, ...] = ()
    changed: tuple[SessionOfSeries, ...] = ()
    is_whole: bool = True
    news: tuple[DateOfSeries, ...] = ()


@dataclass(frozen=True, kw_only=True)
class EventFacts(Facts):
    """One calendar object for one person, in the state that the ledger decided (calendar.md).

    Either `group_name` (a panel) or `topic` (an approved webinar or web conference) names it. `case_reference` is given
    to the requester alone. `time_zone` is where the meeting is set, shown when the reader lives by another clock.
    `what_changed` holds fixed words: "time", "link", or another short noun of ours. `attendee_status` carries the
    answer that the person gave already. `dtstamp` and `sequence` belong to the object: a repeat has the same.
    `has_personal_link`: `join_url` is made for this person when the mail is sent.
    `needs_registration`: places are limited, this person has none yet, and gets one by accepting at `answer_url`.
    `series`: the object is a series that the person chose to hold as one; the times are then those of the session that
    the mail speaks of, for the whole series of its next one.
    """

    method: ClassVar[Method] = "REQUEST"
    uid: str
    sequence: int
    dtstamp: datetime
    starts_at: datetime
    ends_at: datetime
    time_zone: str
    role: Role
    group_name: str | None = None
    topic: str | None = None
    case_reference: str | None = None
    join_url: str | None = None
    organizer_name: str
    organizer_address: str
    answer_url: str | None = None
    what_changed: tuple[str, ...] = ()
    previous_starts_at: datetime | None = None
    reason: str | None = None
    attendee_status: Answer = "NEEDS-ACTION"
    materials_url: str | None = None
    needs_registration: bool = False
    has_personal_link: bool = False
    series: SeriesFacts | None = None

    def __post_init__(self) -> None:
        if (self.group_name is None) == (self.topic is None):
            raise TypeError("an event is named by its group or by its topic")


@dataclass(frozen=True, kw_only=True)
class Invitation(EventFacts):
    """The person is invited for the first time."""

    kind = "invitation"

    @property
    def outdated_at(self) -> datetime:
        """The event is over. An update or a cancellation is told even then: the calendar may hold a later hour."""
        return self.ends_at


@dataclass(frozen=True, kw_only=True)
class InvitationUpdate(EventFacts):
    """The session that the person holds in the calendar changed."""

    kind = "invitation-update"


@dataclass(frozen=True, kw_only=True)
class InvitationCancel(EventFacts):
    """The session does not take place for this person."""

    kind = "invitation-cancel"
    method = "CANCEL"


@dataclass(frozen=True, kw_only=True)
class Reminder(Facts):
    """What the person holds in the calendar begins soon; the fields say what they say in `EventFacts`.

    `name` is the group's, or the approved topic.
    """

    kind = "reminder"
    name: str
    starts_at: datetime
    ends_at: datetime
    time_zone: str
    role: Role
    case_reference: str | None = None
    join_url: str | None = None
    answer_url: str | None = None
    attendee_status: Answer = "NEEDS-ACTION"
    materials_url: str | None = None
    has_personal_link: bool = False

    @property
    def outdated_at(self) -> datetime:
        """It has begun."""
        return self.starts_at


@dataclass(frozen=True, kw_only=True)
class WebinarApproved(Facts):
    """The helpdesk approved the reference centre's webinar for that time; `topic` is the approved one."""

    kind = "webinar-approved"
    topic: str
    starts_at: datetime
    ends_at: datetime
    time_zone: str


@dataclass(frozen=True, kw_only=True)
class WebinarRefused(Facts):
    """The helpdesk refused the reference centre's request."""

    kind = "webinar-refused"
    topic: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class DeskAlert(Facts):
    """Something waits for the helpdesk. `title` is made of fixed words; what people typed stands in `detail`."""

    kind = "desk-alert"
    title: str
    detail: str
    url: str


KINDS: dict[str, type[Facts]] = {
    facts.kind: facts
    for facts in (
        RegistrationReceived,
        RegistrationActivated,
        RegistrationRefused,
        RequestReceived,
        RequestReturned,
        RequestDeclined,
        RequestWaiting,
        SlotOffer,
        Invitation,
        InvitationUpdate,
        InvitationCancel,
        Reminder,
        WebinarApproved,
        WebinarRefused,
        DeskAlert,
    )
}
