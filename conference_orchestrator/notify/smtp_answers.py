"""What a mail server's answers mean for one mail: the reply codes of RFC 5321, made exact by those of RFC 3463."""

from __future__ import annotations

import re
from typing import NamedTuple

from conference_orchestrator.notify.sending import Deferred, Refused, SendingError, TooFast

CLOSING = 421
_START_MAIL = 354
_POSITIVE, _PERMANENT = 2, 5
# A command out of order, or authentication or encryption missing (RFC 4954, 3207): no recipient is to blame, and a new
# connection may mend it.
_ABOUT_US = frozenset({503, 530, 534, 535, 538})
# "Mailbox full ... should be used as a persistent transient failure" (RFC 3463, 3.3), also where the server says 5yz.
_FULL = re.compile(r"5\d\d 5\.2\.2\b")
_RATE = re.compile(
    r"4\d\d 4\.7\.(?:0|28|[56]\d\d)\b|\btoo (?:many|fast|quickly|frequent)|\brate\b|throttl|slow down|limit",
    re.IGNORECASE,
)
_GREYLISTED = re.compile(r"gr[ae]y-?list", re.IGNORECASE)


class Answer(NamedTuple):
    """The answer at a step: RSET, MAIL, RCPT, DATA, or "." for the end of the mail."""

    step: str
    code: int
    said: bytes

    @property
    def text(self) -> str:
        """Code and words in one line that any database and any page can take."""
        words = self.said.decode("utf-8", "replace")
        if not words.isprintable():
            words = "".join(sign if sign.isprintable() else " " for sign in words)
        return f"{self.code} {words}".rstrip()

    @property
    def is_good(self) -> bool:
        """Whether the server goes along."""
        return self.code == _START_MAIL if self.step == "DATA" else self.code // 100 == _POSITIVE

    @property
    def is_refusal(self) -> bool:
        """Whether the server said no to this mail, and listens to the next one."""
        return not (self.is_good or self.ends_it or self.code in _ABOUT_US)

    @property
    def means_nothing(self) -> bool:
        """Whether it says neither yes nor no."""
        return not self.is_good and self.code // 100 not in {4, 5}

    @property
    def ends_it(self) -> bool:
        """Whether nothing more can be said over this connection."""
        return self.code == CLOSING or self.means_nothing

    def error(self) -> SendingError:
        """What a bad answer before or after the mail means: Refused, Deferred or TooFast."""
        if self.code // 100 == _PERMANENT and self.code not in _ABOUT_US and not _FULL.match(self.text):
            return Refused(self.text)
        return TooFast(self.text) if self._is_about_rate else Deferred(self.text)

    @property
    def _is_about_rate(self) -> bool:
        if self.code // 100 != CLOSING // 100 or _GREYLISTED.search(self.text):
            return False
        return (self.step, self.code) == ("RCPT", CLOSING) or _RATE.search(self.text) is not None
