"""The addresses of people who were forgotten, as keyed hashes: nobody but their owners brings them back.

The key is made from CO_SECRET_KEY, so the table alone tells no address; after the key was changed it knows none.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Mapped, mapped_column

from conference_orchestrator.kernel import ports
from conference_orchestrator.kernel.database import Model, db, insert_new


class ErasedAddress(Model):
    """That the owner of an address asked to be forgotten."""

    __tablename__ = "erased_address"

    digest: Mapped[str] = mapped_column(primary_key=True)
    erased_at: Mapped[datetime]


def add(addresses: Iterable[str], *, at: datetime) -> None:
    """Remember that the owner of these canonical addresses asked to be forgotten."""
    rows = [{"digest": _digest(address), "erased_at": at} for address in addresses]
    if rows:
        db.session.execute(insert_new(ErasedAddress).values(rows))


def is_erased(address: str) -> bool:
    """Whether the owner of the canonical address asked to be forgotten."""
    return bool(among([address]))


def among(addresses: Iterable[str]) -> set[str]:
    """Those of the canonical addresses whose owners asked to be forgotten."""
    digests = {_digest(address): address for address in addresses}
    found = db.session.scalars(select(ErasedAddress.digest).where(ErasedAddress.digest.in_(digests)))
    return {digests[digest] for digest in found}


def take_back(address: str) -> None:
    """The owner came back by an own registration: the address may be entered again."""
    db.session.execute(delete(ErasedAddress).where(ErasedAddress.digest == _digest(address)))


def _digest(address: str) -> str:
    key = ports.settings().secret_key.encode()
    return hmac.digest(key, f"erased:{address}".encode(), hashlib.sha256).hex()
