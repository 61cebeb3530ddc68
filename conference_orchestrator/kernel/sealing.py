"""Secrets at rest, sealed with a key made from CO_SECRET_KEY: a copy of the database alone opens nothing."""

from __future__ import annotations

import base64
import hashlib
import hmac

from cryptography.fernet import Fernet, InvalidToken

from conference_orchestrator.kernel import ports


def sealer(purpose: str) -> Fernet:
    """What seals and opens for one purpose; words sealed for another do not open."""
    key = hmac.digest(ports.settings().secret_key.encode(), purpose.encode(), hashlib.sha256)
    return Fernet(base64.urlsafe_b64encode(key))


def seal(purpose: str, text: str) -> str:
    """The text as it may be stored."""
    return sealer(purpose).encrypt(text.encode()).decode()


def unseal(purpose: str, sealed: str) -> str | None:
    """The text again; None when it was sealed with another key, as after CO_SECRET_KEY was changed."""
    try:
        return sealer(purpose).decrypt(sealed).decode()
    except InvalidToken:
        return None
