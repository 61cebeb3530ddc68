"""Feeds: a calendar program reads under a secret address what its owner holds by mail, and nothing else.

The ledger of invitations says what a person holds. A feed shows that: same UID, same SEQUENCE, same link.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parseaddr
from functools import lru_cache, reduce
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, String, bindparam, cast, false, func, select

from conference_orchestrator import __version__
from conference_orchestrator.flows.delivering import ENTRY, ENTRY_PURPOSE
from conference_orchestrator.flows.entering import has_personal_links
from conference_orchestrator.kernel import audit, links, ports
from conference_orchestrator.kernel.asking import ask
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.errors import Invalid, NotFound, NotPermitted
from conference_orchestrator.kernel.paging import Page, Paging
from conference_orchestrator.kernel.principal import Principal, Role
from conference_orchestrator.kernel.transaction import transaction
from conference_orchestrator.ledger.invitations import UNREGISTERED, CalendarObject, Invitation, Method
from conference_orchestrator.network import clinicians, feeds, tokens
from conference_orchestrator.network.clinicians import Clinician, ClinicianNetwork
from conference_orchestrator.network.feeds import Feed
from conference_orchestrator.notify import kinds
from conference_orchestrator.notify.feed import feed_bytes
from conference_orchestrator.scheduling.conferences import Conference

# What was a month ago is in nobody's way; what is older would make the calendar grow for ever.
SHOWN_AFTER = timedelta(days=30)

# What a calendar shows of each object, in SQL: a program that has it already is told so without a row being read.
_SHOWN = (
    Invitation.id,  # stands for the UID and the person
    Invitation.role,
    Invitation.sequence,
    Invitation.sent_at,
    CalendarObject.starts_at,
    CalendarObject.ends_at,
    CalendarObject.join_url,
    CalendarObject.group_name,
    CalendarObject.topic,
    CalendarObject.case_reference,
)
_HELD = (
    Invitation.clinician_id == bindparam("person"),
    Invitation.method == Method.REQUEST,
    CalendarObject.ends_at > bindparam("after"),
    CalendarObject.uid == Invitation.uid,
    Conference.id == Invitation.conference_id,
)
_TEXTS: list[ColumnElement[str]] = [func.coalesce(cast(column, String), "") for column in _SHOWN]
_ONE_TEXT = reduce(lambda line, text: line + "\t" + text, _TEXTS)
_FINGERPRINT = (
    select(Conference.provider, func.aggregate_strings(_ONE_TEXT, "\n"), func.min(CalendarObject.ends_at))
    .where(*_HELD)
    .group_by(Conference.provider)
    .order_by(Conference.provider)
)
_ROWS = (
    select(*_SHOWN, Invitation.uid, Conference.provider, Conference.time_zone)
    .where(*_HELD)
    .order_by(CalendarObject.starts_at, CalendarObject.uid)
)
# Whose calendar it is, and a number that rises with each change of what the person holds.
_OWNER = feeds.OWNER.add_columns(
    select(func.sum(Invitation.number)).where(Invitation.clinician_id == feeds.Feed.clinician_id).scalar_subquery()
)


@dataclass(frozen=True)
class _Shown:
    """What a person's calendar shows, as a fingerprint; true while the numbers add up to `changes`, in a time."""

    changes: int | None
    fingerprint: str
    providers: frozenset[str]
    from_after: datetime
    to_after: datetime

    def is_true(self, changes: int | None, after: datetime) -> bool:
        """Whether it is what a reading would give."""
        return changes == self.changes and self.from_after <= after < self.to_after


# What was read lately in this process, by person: nearly every look finds what the one before it found.
_LATELY: dict[UUID, _Shown] = {}
_REMEMBERED = 10_000


@dataclass(frozen=True)
class Calendar:
    """What a feed shows now: `etag` (RFC 9110, 8.8.1: strong) changes with every byte of `data`."""

    etag: str
    owner_id: UUID
    language: str
    after: datetime
    personal: frozenset[str]

    def data(self) -> bytes:
        """The calendar, as text/calendar in UTF-8; the same bytes as long as nothing changed."""
        given = {"person": self.owner_id, "after": self.after}
        rows = db.session.connection().execute(_ROWS, given).all()
        organizer = _organizer()
        events = (_facts(row, is_personal=row.provider in self.personal, organizer=organizer) for row in rows)
        return feed_bytes(events, language=self.language)


def read(word: str) -> Calendar:
    """The calendar at the address with that word; NotFound when there is none, or not any more.

    The tag is read before the objects: what changes in between is told again at the next look.
    """
    found = ask(_OWNER, {"sha256": tokens.digest(word)})
    if found is None:
        raise NotFound("There is no calendar at this address (any more).")
    owner_id, language, changes = found
    after = ports.clock().now() - SHOWN_AFTER
    shown = _LATELY.get(owner_id)
    if shown is None or not shown.is_true(changes, after):
        shown = _LATELY[owner_id] = _read(owner_id, changes, after)
        if len(_LATELY) > _REMEMBERED:
            _LATELY.clear()
    personal = frozenset(filter(has_personal_links, shown.providers))
    # What stands in every calendar: our words, our address, the key that signs personal links, the helpdesk's mailbox.
    told_by = [__version__, language, links.url(""), links.token("feed", owner_id), _organizer()]
    seen = hashlib.sha256("\n".join([*told_by, *sorted(personal), shown.fingerprint]).encode())
    return Calendar(seen.hexdigest()[:32], owner_id, language, after, personal)


def _read(owner_id: UUID, changes: int | None, after: datetime) -> _Shown:
    told = db.session.connection().execute(_FINGERPRINT, {"person": owner_id, "after": after}).all()
    seen = hashlib.sha256()
    for provider, texts, _ in told:
        seen.update(f"\n\n{provider}\n{texts}".encode())
    until = min((ends_at for *_, ends_at in told), default=datetime.max.replace(tzinfo=UTC))
    return _Shown(changes, seen.hexdigest(), frozenset(provider for provider, *_ in told), after, until)


def open_feed(name: str | None = None, *, clinician: str | UUID | None = None, by: Principal) -> tuple[Feed, str]:
    """A new address of the calendar of a clinician, without a name the asker's own; its URL is kept nowhere.

    Invalid for an unknown clinician, NotPermitted for somebody else's calendar unless the helpdesk asks.
    """
    word = tokens.new_secret()
    with transaction() as tx:
        owner = _whom(clinician if clinician is not None else by.clinician_id, by=by)
        clinicians.hold(owner)
        feed = Feed(clinician_id=owner.id, sha256=tokens.digest(word), name=name, revoked_at=None, created_at=tx.now)
        db.session.add(feed)
        tx.record("feed.open", owner, by=by)
    return feed, links.url(f"/feeds/{word}.ics")


def listed(paging: Paging, *, by: Principal, clinician: str | UUID | None = None) -> Page[Feed]:
    """The feeds within the asker's scope that answer, oldest first; of one clinician, or of all."""
    people = _people(by)
    if clinician is not None:
        people = people.where(Clinician.id == clinicians.find(clinician, visible_to=by).id)
    return feeds.listed(paging, of=people)


def revoke(feed_id: UUID, *, by: Principal) -> None:
    """End the address at once; a second time changes nothing. NotFound outside the asker's scope."""
    with transaction() as tx:
        feed = feeds.get(feed_id, of=_people(by))
        feed.revoked_at = feed.revoked_at or tx.now
        tx.record("feed.revoke", audit.named(Clinician, feed.clinician_id), by=by)


def _facts(row: Any, *, is_personal: bool, organizer: str) -> kinds.EventFacts:
    has_place = row.role != UNREGISTERED
    link = links.url(ENTRY + links.token(ENTRY_PURPOSE, row.id)) if is_personal else row.join_url
    return kinds.Invitation(
        uid=row.uid,
        sequence=row.sequence,
        dtstamp=row.sent_at,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        time_zone=row.time_zone,
        role=row.role if has_place else "audience",
        group_name=row.group_name,
        topic=row.topic,
        case_reference=row.case_reference,
        join_url=link if has_place else None,
        organizer_name="",
        organizer_address=organizer,
        needs_registration=not has_place,
    )


def _organizer() -> str:
    return _address_of(ports.settings().reply_to)


@lru_cache(maxsize=8)
def _address_of(mailbox: str) -> str:
    return parseaddr(mailbox)[1]


def _whom(reference: str | UUID | None, *, by: Principal) -> Clinician:
    if reference is None:
        raise Invalid({"clinician": "Missing data for required field."})
    person = clinicians.find(reference, visible_to=by)
    if by.role not in {Role.HELPDESK, Role.SYSTEM} and person.id != by.clinician_id:
        raise NotPermitted("You may open addresses of your own calendar only; ask the helpdesk for others.")
    return person


def _people(by: Principal) -> Select[UUID]:
    """Whose feeds are the asker's business: the own, for the helpdesk everybody's."""
    people = select(Clinician.id)
    if by.role not in {Role.HELPDESK, Role.SYSTEM}:
        return people.where(Clinician.id == by.clinician_id if by.clinician_id is not None else false())
    if by.network_id is not None:
        return people.where(Clinician.networks.any(ClinicianNetwork.network_id == by.network_id))
    return people
