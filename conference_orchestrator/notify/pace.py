"""How fast mails may go to each domain: what the installation allows, and slower where a server says "too fast".

Known to one process, and forgotten with it: whoever begins anew is told again by the servers.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

MINUTE = timedelta(minutes=1)
FIRST_PAUSE, LONGEST_PAUSE = MINUTE, timedelta(hours=1)


def domain_of(address: str) -> str:
    """The domain of an address, the same for every way to write it: lower case, and as the DNS knows it (IDNA)."""
    return _as_one(address.rpartition("@")[2])


# Many people share a domain, and the DNS's way to write it takes time to find.
@lru_cache(maxsize=1024)
def _as_one(domain: str) -> str:
    domain = domain.rstrip(".").lower()
    try:
        return domain.encode("idna").decode("ascii")
    except UnicodeError:
        return domain


@dataclass(frozen=True)
class _Pause:
    until: datetime
    length: timedelta


class Pace:
    """The pace of each domain: at most so many mails in any minute, by `per_minute` or `default`; None is no limit.

    After `too_fast` nothing goes to the domain for a minute, and for twice as long each time that the next mail is too
    fast again, up to an hour. A mail that was taken halves what the next pause would be.
    """

    def __init__(self, default: int | None = None, *, per_minute: Mapping[str, int] | None = None) -> None:
        self._default = default
        self._per_minute = {domain_of(domain): limit for domain, limit in (per_minute or {}).items()}
        self._went: dict[str, deque[datetime]] = {}
        self._pauses: dict[str, _Pause] = {}

    def may_go(self, domain: str, now: datetime) -> datetime:
        """The instant from which on the next mail to the domain may go: `now`, or a later one."""
        at, limit = now, self._limit(domain)
        if domain in self._pauses:
            at = max(at, self._pauses[domain].until)
        if limit is not None and len(went := self._went.get(domain, ())) >= limit:
            at = max(at, went[-limit] + MINUTE)
        return at

    def went(self, domain: str, now: datetime) -> None:
        """A mail to the domain was taken."""
        if (limit := self._limit(domain)) is not None:
            self._went.setdefault(domain, deque(maxlen=limit)).append(now)
        if (pause := self._pauses.pop(domain, None)) is not None and pause.length >= 2 * FIRST_PAUSE:
            self._pauses[domain] = _Pause(until=pause.until, length=pause.length / 2)

    def too_fast(self, domain: str, now: datetime) -> None:
        """The domain's server did not take a mail because too many come."""
        pause = self._pauses.get(domain)
        # Mails that were under way when the pause began say nothing new.
        if pause is None or pause.until <= now:
            length = FIRST_PAUSE if pause is None else min(2 * pause.length, LONGEST_PAUSE)
            self._pauses[domain] = _Pause(until=now + length, length=length)

    def _limit(self, domain: str) -> int | None:
        return self._per_minute.get(domain, self._default)
