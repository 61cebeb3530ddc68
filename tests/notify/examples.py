"""One example of every e-mail, and the people who read them."""

from datetime import UTC, datetime, timedelta

from conference_orchestrator.notify import kinds
from conference_orchestrator.notify.reader import Reader

INES = Reader(
    name="Dr. Inês Ávila", address="ines.avila@hospital-porto.example", language="en", time_zone="Europe/Lisbon"
)
ANNA = Reader(
    name="Prof. Anna Weber", address="anna.weber@klinik-berlin.example", language="en", time_zone="Europe/Berlin"
)
KIRI = Reader(name="Kiri Ngata", address="kiri@hospital-auckland.example", language="en", time_zone="Pacific/Auckland")
DESK = Reader(name="Helpdesk", address="helpdesk@network.example", language="en", time_zone="Europe/Brussels")


def event(**given):
    starts_at = given.pop("starts_at", datetime(2026, 11, 24, 10, 0, tzinfo=UTC))
    return {
        "uid": "5f0c8a4e-session@network.example",
        "sequence": 0,
        "dtstamp": datetime(2026, 11, 2, 8, 30, tzinfo=UTC),
        "starts_at": starts_at,
        "ends_at": starts_at + timedelta(minutes=20 if given.get("role") == "requester" else 40),
        "time_zone": "Europe/Berlin",
        "role": "expert",
        "group_name": None if "topic" in given else "Brain Tumour",
        "join_url": "https://meet.example/join/8817?pwd=a,b;c",
        "organizer_name": "Panel Helpdesk",
        "organizer_address": "calendar@network.example",
        "answer_url": "https://conference.example/i/Jp3kq9",
    } | given


PARTICIPANTS = (
    kinds.ParticipantLine(
        country="Austria", hospital="St. Anna, Vienna", name="Dr. Eva Gruber", email="eva@anna.example"
    ),
    kinds.ParticipantLine(
        country="Portugal", hospital="Hospital do Porto", name="Dr. João Sá", phone="+351 22 000 00 00"
    ),
    kinds.ParticipantLine(country="Spain", hospital="Hospital <del> Mar & Co.", name="Dr. Núria Vidal"),
)
INSTRUCTIONS = kinds.Instructions(
    title="How to take part",
    body="Open the link ten minutes early.\nUse a headset.\n\nThe guide: https://conference.example/guide?a=1&b=2",
)
PRIVACY = kinds.PrivacyStatement(
    title="Privacy statement", url="https://conference.example/notices/privacy", version="3.1"
)
CASE = {"case_reference": "PT-2026/0147", "group_name": "Brain Tumour"}
TOPIC = "Sarcoma & beyond: <new> drugs"
AUDIENCE = {"role": "audience", "topic": TOPIC}
MATERIALS = {"materials_url": "https://slides.example/sarcoma?a=1&b=2", "what_changed": ("materials",)}
LATER = {"sequence": 1, "dtstamp": datetime(2026, 11, 10, 9, 0, tzinfo=UTC)}
TUESDAYS = [datetime(2026, 11, 24, 10, 0, tzinfo=UTC) + timedelta(weeks=week) for week in range(5)]
HELD = [{"starts_at": at, "ends_at": at + timedelta(minutes=40)} for at in TUESDAYS]
WAS_HELD = [{f"previous_{name}": at for name, at in times.items()} for times in HELD]
SERIES = kinds.SeriesFacts(
    rule="FREQ=WEEKLY;BYDAY=TU",
    time_zone="Europe/Berlin",
    **HELD[0],
    until=TUESDAYS[4],
    left_out=(TUESDAYS[2],),
    changed=(
        kinds.SessionOfSeries(
            on=TUESDAYS[1], starts_at=TUESDAYS[1].replace(hour=14), ends_at=TUESDAYS[1].replace(hour=15)
        ),
    ),
    news=(
        kinds.DateOfSeries(**HELD[0], **WAS_HELD[0]),
        kinds.DateOfSeries(**WAS_HELD[1], starts_at=TUESDAYS[1].replace(hour=14), ends_at=TUESDAYS[1].replace(hour=15)),
        kinds.DateOfSeries(**WAS_HELD[2]),
        kinds.DateOfSeries(**HELD[3]),
    ),
)
REMINDED = {name: event()[name] for name in ("starts_at", "ends_at", "time_zone", "join_url", "answer_url")}
AS_REQUESTER = {"role": "requester", "name": "Brain Tumour", "case_reference": "PT-2026/0147"}
AS_SPEAKER = {
    "role": "speaker",
    "name": TOPIC,
    "attendee_status": "ACCEPTED",
    "materials_url": MATERIALS["materials_url"],
}

EXAMPLES = {
    "registration-received": (
        kinds.RegistrationReceived(
            network_name="COVID19 Clinicians Network",
            given_name="Inês",
            confirm_url="https://conference.example/confirm/7h2Kd0",
            privacy=PRIVACY,
            factsheet=kinds.Factsheet(title="Factsheet", url="https://conference.example/notices/factsheet"),
        ),
        INES,
    ),
    "registration-activated": (
        kinds.RegistrationActivated(
            network_name="COVID19 Clinicians Network",
            instructions=INSTRUCTIONS,
            participants=PARTICIPANTS,
            sender_address="helpdesk@network.example",
        ),
        INES,
    ),
    "registration-activated.link": (
        kinds.RegistrationActivated(
            network_name="COVID19 Clinicians Network",
            instructions=INSTRUCTIONS,
            list_url="https://conference.example/participants",
            sender_address="helpdesk@network.example",
        ),
        INES,
    ),
    "registration-refused": (
        kinds.RegistrationRefused(
            network_name="ERN PaedCan",
            reason="We could not reach your hospital.\n\nPlease name a colleague who knows you.",
        ),
        INES,
    ),
    "request-received": (
        kinds.RequestReceived(**CASE, request_url="https://conference.example/requests/0147"),
        INES,
    ),
    "request-received.incomplete": (
        kinds.RequestReceived(
            **CASE,
            missing=("Date of acquisition of the imaging", "Number of images"),
            request_url="https://conference.example/requests/0147",
        ),
        INES,
    ),
    "request-returned": (
        kinds.RequestReturned(**CASE, reason="Please say which question matters most.", missing=("Histology report",)),
        INES,
    ),
    "request-declined": (kinds.RequestDeclined(**CASE, reason="This belongs to the group for Ewing sarcoma."), INES),
    "request-waiting": (
        kinds.RequestWaiting(**CASE, position=3, reason="All slots until 15 December 2026 are taken."),
        INES,
    ),
    "slot-offer": (
        kinds.SlotOffer(
            **CASE | {name: event(role="requester")[name] for name in ("starts_at", "ends_at", "time_zone")},
            held_until=datetime(2026, 11, 23, 9, 30, tzinfo=UTC),
            answer_url="https://conference.example/o/Jp3kq9",
        ),
        INES,
    ),
    "invitation": (kinds.Invitation(**event()), ANNA),
    "invitation.requester": (
        kinds.Invitation(**event(role="requester", case_reference="PT-2026/0147", uid="77-request@network.example")),
        INES,
    ),
    "invitation.audience": (kinds.Invitation(**event(**AUDIENCE, join_url=None, answer_url=None)), KIRI),
    "invitation.limited": (kinds.Invitation(**event(**AUDIENCE, join_url=None, needs_registration=True)), INES),
    "invitation.speaker": (kinds.Invitation(**event(role="speaker", topic=TOPIC)), ANNA),
    "invitation-update": (
        kinds.InvitationUpdate(
            **event(
                **LATER, what_changed=("time", "link"), previous_starts_at=datetime(2026, 11, 17, 10, 0, tzinfo=UTC)
            )
        ),
        ANNA,
    ),
    "invitation-update.series": (
        kinds.InvitationUpdate(**event(**LATER, what_changed=("dates", "end"), series=SERIES)),
        ANNA,
    ),
    "invitation-update.materials": (kinds.InvitationUpdate(**event(**AUDIENCE, **MATERIALS)), INES),
    "invitation-cancel": (
        kinds.InvitationCancel(
            **event(**LATER, role="requester", case_reference="PT-2026/0147", reason="The group meets at a congress.")
        ),
        INES,
    ),
    "reminder": (kinds.Reminder(**REMINDED, **AS_REQUESTER), INES),
    "reminder.speaker": (kinds.Reminder(**REMINDED, **AS_SPEAKER), KIRI),
    "webinar-approved": (
        kinds.WebinarApproved(
            topic=TOPIC,
            starts_at=datetime(2026, 12, 3, 15, 0, tzinfo=UTC),
            ends_at=datetime(2026, 12, 3, 16, 30, tzinfo=UTC),
            time_zone="Europe/Berlin",
        ),
        INES,
    ),
    "webinar-refused": (
        kinds.WebinarRefused(topic="A topic as it was typed", reason="The audience is not named."),
        INES,
    ),
    "desk-alert": (
        kinds.DeskAlert(
            title="Message from the contact form",
            detail="From: Zoé <b>Martin</b> (zoe@hospital.example)\n\nI cannot open the guide.",
            url="https://conference.example/desk/queue",
        ),
        DESK,
    ),
}
# Series as one object: tests/readers/test_series.py.
EVENTS = {
    name: pair for name, pair in EXAMPLES.items() if isinstance(pair[0], kinds.EventFacts) and pair[0].series is None
}
