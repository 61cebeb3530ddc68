"""Personal links in mails: a signed word for one purpose and one subject, so nothing usable is kept at rest."""

from __future__ import annotations

import base64
import hashlib
import hmac
from functools import lru_cache
from uuid import UUID

from conference_orchestrator.kernel import ports
from conference_orchestrator.kernel.errors import NotFound

SIGNATURE_BYTES = 16  # 128 bits


def token(purpose: str, subject: UUID) -> str:
    """A word that only this installation can make, good for one purpose and one subject."""
    return base64.urlsafe_b64encode(subject.bytes + _signature(purpose, subject)).decode().rstrip("=")


def subject_of(purpose: str, word: str) -> UUID:
    """The subject that the word was made for; NotFound when it was not made here for this purpose."""
    try:
        raw = base64.urlsafe_b64decode(word + "=" * (-len(word) % 4))
    except ValueError as error:
        raise NotFound("This link is not valid.") from error
    subject = UUID(bytes=raw[:16]) if len(raw) == SIGNATURE_BYTES + 16 else None
    if subject is None or not hmac.compare_digest(raw[16:], _signature(purpose, subject)):
        raise NotFound("This link is not valid.")
    return subject


def url(path: str) -> str:
    """A full address below CO_PUBLIC_URL, the only base for links in mails."""
    return f"{ports.settings().public_url}{path}"


def _signature(purpose: str, subject: UUID) -> bytes:
    signing = _keyed(ports.settings().secret_key).copy()
    signing.update(f"{purpose}:{subject}".encode())
    return signing.digest()[:SIGNATURE_BYTES]


# Taking up the key costs as much as the rest, and a mailing has thousands of links.
@lru_cache(maxsize=2)
def _keyed(secret: str) -> hmac.HMAC:
    return hmac.new(secret.encode(), digestmod=hashlib.sha256)
