"""How often one address on the network may send an anonymous form."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import ParamSpec, TypeVar

from flask import request

from conference_orchestrator.flows import bookkeeping
from conference_orchestrator.kernel import ports
from conference_orchestrator.kernel.errors import Busy
from conference_orchestrator.kernel.principal import ANONYMOUS
from conference_orchestrator.web import captcha
from conference_orchestrator.web.policy import principal

P = ParamSpec("P")
R = TypeVar("R")


def limited(form: str, *, most: int, within: timedelta) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Refuse (429) an anonymous asker's further calls of the form once `most` were made within the time.

    Like the captcha, it guards what strangers can reach: CO_CAPTCHA=off, for closed test installations, ends both.
    """

    def decorate(view: Callable[P, R]) -> Callable[P, R]:
        @wraps(view)
        def counted(*args: P.args, **kwargs: P.kwargs) -> R:
            if captcha.is_on() and principal() is ANONYMOUS:
                count_call(form, most=most, within=within)
            return view(*args, **kwargs)

        return counted

    return decorate


def count_call(form: str, *, most: int, within: timedelta) -> None:
    """Count a call of this asker's address; Busy when it is one too many. The address is kept only as a keyed hash."""
    subject = hmac.new(
        ports.settings().secret_key.encode(), f"{form}:{request.remote_addr}".encode(), hashlib.sha256
    ).hexdigest()
    calls, until = bookkeeping.count(subject, window=within)
    if calls > most:
        wait = max(1, int((until - ports.clock().now()).total_seconds()) + 1)
        raise Busy(f"At most {most} in {int(within.total_seconds() // 60)} minutes; try again later.", retry_after=wait)
