"""The captcha of anonymous forms: a proof of work without third parties, spent by its first use."""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from typing import Any

import altcha

from conference_orchestrator.flows import bookkeeping
from conference_orchestrator.kernel import ports
from conference_orchestrator.kernel.errors import Invalid

# About a second of work in a browser; checking a solution costs one derivation, about 2 ms.
ALGORITHM, ITERATIONS, PREFIX = "PBKDF2/SHA-256", 5000, "00"
LIFETIME = timedelta(minutes=20)


def challenge() -> dict[str, Any]:
    """A new challenge, signed by this installation, as the widget of altcha 3 reads it."""
    made = altcha.create_challenge(
        ALGORITHM,
        ITERATIONS,
        key_prefix=PREFIX,
        expires_at=ports.clock().now() + LIFETIME,
        hmac_secret=_secret(),
    )
    signed: dict[str, Any] = made.to_dict()
    return signed


def is_on() -> bool:
    """Whether anonymous forms need a solved challenge."""
    return ports.settings().captcha == "on"


def check(solution: str | None, *, field: str = "altcha") -> None:
    """Accept the solution and use its challenge up; Invalid, naming `field`, when it is missing, wrong or used."""
    if not is_on():
        return
    if not solution:
        raise Invalid({field: "Solve the challenge of /api/v1/captcha and send its solution."})
    outcome = altcha.verify_solution(solution, _secret())
    if not outcome.verified:
        said = "The solution has expired; get a new challenge." if outcome.expired else "The solution is not right."
        raise Invalid({field: said})
    solved = altcha.Payload.from_base64(solution).challenge.parameters
    digest = hashlib.sha256(f"{solved.nonce}:{solved.salt}".encode()).hexdigest()
    if not bookkeeping.spend(digest, expires_at=datetime.fromtimestamp(solved.expires_at or 0, UTC)):
        raise Invalid({field: "The solution was used before; get a new challenge."})


def _secret() -> bytes:
    return hmac.digest(ports.settings().secret_key.encode(), b"captcha", hashlib.sha256)
