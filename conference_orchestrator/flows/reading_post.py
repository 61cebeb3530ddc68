"""The mailbox to which answers and bounces come: each mail is read once, kept as a row, and has its effect once.

A mail is marked in the mailbox after the commit. Who dies in between reads it again, and finds its row.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import structlog
from sqlalchemy.exc import OperationalError

from conference_orchestrator.flows import bouncing, counting, delivering
from conference_orchestrator.flows.counting import Fate
from conference_orchestrator.flows.suppressing import must_see_all
from conference_orchestrator.kernel import ports
from conference_orchestrator.kernel.database import db, insert_new
from conference_orchestrator.kernel.errors import RuleBroken
from conference_orchestrator.kernel.paging import Page, Paging
from conference_orchestrator.kernel.principal import Principal
from conference_orchestrator.kernel.transaction import Transaction, transaction
from conference_orchestrator.ledger import inbound
from conference_orchestrator.ledger.inbound import InboundMail, Kind, State
from conference_orchestrator.network import erased_addresses
from conference_orchestrator.notify import replies
from conference_orchestrator.notify.mailbox import Mail, Mailbox, MailboxError, MailboxRefused
from conference_orchestrator.notify.replies import Inbound

log = structlog.get_logger()

open_mailbox: ports.Port[Callable[[], Mailbox]] = ports.Port("open_mailbox")

MOST_AT_ONCE = 200
# So long one task reads: the next goes on before this one's lease runs out.
SHIFT = timedelta(minutes=1)
REFUSED = "The mailbox for answers refuses us"
UNAVAILABLE = "The mailbox for answers cannot be reached"


def read_post() -> None:
    """The timer's work: read what is new. Nothing where no mailbox is set (`CO_IMAP_URL`)."""
    if not ports.settings().imap_url:
        return
    until = ports.clock().now() + SHIFT
    try:
        with open_mailbox()() as mailbox:
            for mail in mailbox.new(MOST_AT_ONCE):
                _take_in(mail)
                mailbox.done(mail.key)
                if ports.clock().now() > until:
                    break
    except MailboxError as error:
        log.warning("the mailbox cannot be read", error=str(error))
        _tell_of(error)


def listed(paging: Paging, *, state: str | None = None, kind: str | None = None, by: Principal) -> Page[InboundMail]:
    """What came in, in the order in which it was read. NotPermitted for who belongs to one network."""
    must_see_all(by)
    return inbound.listed(paging, state=state, kind=kind)


def get(mail_id: UUID, *, by: Principal) -> InboundMail:
    """One mail that came in, or NotFound. NotPermitted for who belongs to one network."""
    must_see_all(by)
    return inbound.get(mail_id)


def resolve(mail_id: UUID, *, by: Principal) -> InboundMail:
    """The helpdesk is done with an open mail. RuleBroken for one that waits for nobody."""
    must_see_all(by)
    with transaction() as tx:
        mail = inbound.get(mail_id, lock=True)
        if mail.state != State.OPEN:
            raise RuleBroken(f"This mail is {mail.state}; it waits for nobody.")
        mail.state, mail.resolved_at = State.DONE, tx.now
        tx.record("inbound.resolve", mail, by=by)
    return mail


def _take_in(mail: Mail) -> None:
    """Keep the mail and do what it asks for. One at which that fails is kept for the helpdesk: the others go on."""
    heard = replies.read(mail.data, trusted=ports.settings().imap_authserv or None, whole=mail.whole)
    try:
        _keep(mail, heard, _fate)
    except OperationalError:
        raise  # the database is at fault, not the mail: it is read again
    except Exception:
        log.exception("mail cannot be seen to", validity=mail.key.validity, number=mail.key.number)
        _keep(mail, heard, _unforeseen)


def _keep(mail: Mail, heard: Inbound, decide: Callable[[Transaction, Inbound, InboundMail], Fate]) -> None:
    """One transaction: the row that makes it count once, and what becomes of it."""
    with transaction() as tx:
        is_erased = _is_about_the_erased(heard)
        row = {
            "id": uuid4(),
            "created_at": tx.now,
            "mailbox": _name_of_mailbox(),
            "validity": mail.key.validity,
            "number": mail.key.number,
            "kind": heard.kind,
            "state": State.OPEN,
            "message_id": heard.message_id,
            "address": None if is_erased else heard.from_address,
            "subject": "" if is_erased else heard.subject,
            "detail": "",
        }
        new = db.session.scalar(insert_new(InboundMail).values(row).returning(InboundMail.id))
        if new is None:
            return
        kept = inbound.get(new)
        fate = _of_the_erased(heard) if is_erased else decide(tx, heard, kept)
        kept.state, kept.detail = fate.state, fate.detail
        kept.clinician_id, kept.conference_id = fate.clinician_id, fate.conference_id


def _fate(tx: Transaction, heard: Inbound, kept: InboundMail) -> Fate:
    match heard.kind:
        case Kind.REPLY:
            return counting.of_reply(tx, heard)
        case Kind.COUNTER:
            return counting.of_counter(tx, heard, kept)
        case Kind.BOUNCE:
            return bouncing.of_bounces(tx, heard, kept)
        case Kind.AUTO_REPLY:
            return Fate(state=State.IGNORED, detail="An automatic reply.")
        case Kind.OTHER:
            return Fate(state=State.OPEN, detail="Somebody writes; the mail lies in the mailbox.")
        case _:
            return Fate(state=State.OPEN, detail=heard.problem or "It cannot be read; it lies in the mailbox.")


def _is_about_the_erased(heard: Inbound) -> bool:
    """Whether it comes from, or came back from, an address whose owner asked to be forgotten."""
    named = [heard.from_address, *(bounce.recipient for bounce in heard.bounces)]
    return bool(erased_addresses.among({address.lower() for address in named if address}))


def _of_the_erased(heard: Inbound) -> Fate:
    """Their answers and bounces mean nothing any more; what somebody wrote is looked at in the mailbox."""
    state = State.OPEN if Kind(heard.kind) is Kind.OTHER else State.IGNORED
    return Fate(state=state, detail="It is about somebody who was erased; the mail lies in the mailbox.")


def _unforeseen(_tx: Transaction, _heard: Inbound, _kept: InboundMail) -> Fate:
    return Fate(state=State.OPEN, detail="It could not be seen to; look at it in the mailbox.")


def _name_of_mailbox() -> str:
    """The mailbox without its secret: who, where, which folder."""
    parts = urlsplit(ports.settings().imap_url)
    return f"{parts.username}@{parts.hostname}{parts.path or '/INBOX'}"


def _tell_of(error: MailboxError) -> None:
    """Alert the helpdesk, once a day while it lasts."""
    title = REFUSED if isinstance(error, MailboxRefused) else UNAVAILABLE
    with transaction() as tx:
        detail = f"{error} Answers and bounces that come by mail wait there meanwhile; it is tried again every minute."
        delivering.tell_helpdesk(tx, title, detail, path="/", cause=f"mailbox:{title}:{tx.now:%Y-%m-%d}")
