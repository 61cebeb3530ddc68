"""Idempotency-Key: a creating POST that is sent twice has one effect and one answer."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable
from copy import deepcopy
from functools import wraps
from typing import Any

from flask import Response, current_app, request

from conference_orchestrator.flows import bookkeeping
from conference_orchestrator.flows.bookkeeping import Answer, Claim, Standing
from conference_orchestrator.kernel import ports
from conference_orchestrator.kernel.bookkeeping import SEALED_ANSWER
from conference_orchestrator.kernel.errors import Busy, Conflict, Invalid
from conference_orchestrator.kernel.sealing import sealer
from conference_orchestrator.kernel.transaction import with_next_commit
from conference_orchestrator.web.policy import principal

HEADER = "Idempotency-Key"
KEPT_HEADERS = ("Content-Type", "ETag", "Location")
PATIENCE_SECONDS, LOOK_EVERY_SECONDS = 20.0, 0.05

PARAMETER = {
    "name": HEADER,
    "in": "header",
    "schema": {"type": "string", "minLength": 1, "maxLength": 200},
    "description": "Same key and body: the same answer, and one effect. Kept for 24 hours.",
}


def once(view: Callable[..., Any]) -> Callable[..., Any]:
    """Let the view honour Idempotency-Key. It belongs below `allow` and above the reading of the body.

    The same key, path and body of one asker get the answer of the first request; another body is refused (422). Those
    who come while the first is at work wait for its answer. A refused request leaves the key free.
    """

    @wraps(view)
    def answered(*args: Any, **kwargs: Any) -> Any:
        key = request.headers.get(HEADER)
        if key is None:
            return view(*args, **kwargs)
        claim = _claim(key)
        if claim.answer is not None:
            return _repeated(claim.answer)
        return _done(claim, lambda: view(*args, **kwargs))

    documented = deepcopy(getattr(view, "_apidoc", {}))
    manual = documented.setdefault("manual_doc", {})
    manual["parameters"] = [*manual.get("parameters", []), PARAMETER]
    answered._apidoc = documented  # type: ignore[attr-defined]  # noqa: SLF001  - where flask-smorest keeps it
    return answered


def _claim(key: str) -> Claim:
    """Ours to work on, or answered already; waits for the one who works on it."""
    if not re.fullmatch(r"[\x21-\x7e]{1,200}", key):
        raise Invalid({HEADER: "Must have 1 to 200 visible characters."})
    owner = str(principal().token_id or "anonymous")
    digest = hashlib.sha256(request.get_data(cache=True)).hexdigest()
    patience = time.monotonic() + PATIENCE_SECONDS
    claim: Claim | None = None
    while time.monotonic() < patience:
        claim = claim or bookkeeping.claim(owner, request.full_path, key, body_sha256=digest)
        if claim.body_sha256 != digest:
            raise Invalid({HEADER: "This key was used with another body; take a new one."})
        if claim.standing in {Standing.OURS, Standing.ANSWERED}:
            return claim
        if claim.standing == Standing.LOST:
            raise Conflict(
                "This request was carried out, but its answer was lost in a crash. Look at what it made before you "
                "send it again with a new key."
            )
        time.sleep(LOOK_EVERY_SECONDS)
        claim = bookkeeping.look(claim.id, now=ports.clock().now())
    raise Busy("The first request with this key is still at work; ask again in a moment.", retry_after=1)


def _done(claim: Claim, work: Callable[[], Response]) -> Response:
    try:
        with with_next_commit(lambda on: bookkeeping.mark_committed(on, claim, at=ports.clock().now())):
            response = work()
    except BaseException:
        bookkeeping.give_back(claim)
        raise
    headers = {name: response.headers[name] for name in KEPT_HEADERS if name in response.headers}
    sealed = sealer(SEALED_ANSWER).encrypt(response.get_data()).decode()
    bookkeeping.keep(claim, Answer(status=response.status_code, body=sealed, headers=headers))
    return response


def _repeated(answer: Answer) -> Response:
    return current_app.response_class(sealer(SEALED_ANSWER).decrypt(answer.body), answer.status, dict(answer.headers))
