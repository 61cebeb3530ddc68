"""Tells on a terminal, or into a file, what happens: who does what, what came of it, which mails left."""

from __future__ import annotations

import os
import textwrap
from collections import Counter
from collections.abc import Sequence
from typing import TextIO

from conference_orchestrator.demo.mailbox import Mail

WIDTH = 96
WHO_WIDTH = 17
BOLD, QUIET, BLUE, GREEN = "1", "2", "34", "32"


class Transcript:
    """Lines in two columns, at most `WIDTH` wide; colours on a terminal only."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._has_colours = out.isatty() and "NO_COLOR" not in os.environ
        self._chapters = 0

    def title(self, text: str) -> None:
        """A line that stands out."""
        self._print("", self._in(BOLD, text))

    def chapter(self, text: str) -> None:
        """The next part of the story, numbered."""
        self._chapters += 1
        self.title(f"{self._chapters}. {text}")

    def line(self, who: str, what: str) -> None:
        """Who does what, or what is found where; a long text goes on under its column."""
        self._two_columns(who, what, colour=BLUE)

    def mails(self, mails: Sequence[Mail]) -> None:
        """Which mails left, by kind and calendar method, and to whom."""
        told = Counter((mail.kind, mail.method) for mail in mails)
        for (kind, method), count in told.items():
            names = ", ".join(mail.name for mail in mails if (mail.kind, mail.method) == (kind, method))
            calendar = f" (calendar {method})" if method else ""
            self._two_columns("mail", f"{count} x {kind}{calendar} to {names}", colour=GREEN)

    def text(self, text: str) -> None:
        """A sentence."""
        self._print(*textwrap.wrap(text, WIDTH))

    def command(self, *lines: str) -> None:
        """Lines to copy, as they are."""
        self._print(*(f"  {line}" for line in lines))

    def _two_columns(self, who: str, what: str, *, colour: str) -> None:
        rest = WIDTH - WHO_WIDTH - 2
        first, *more = textwrap.wrap(what, rest, break_long_words=False, break_on_hyphens=False)
        self._print(f"  {self._in(colour, who.ljust(WHO_WIDTH))}{first}", *(" " * (WHO_WIDTH + 2) + m for m in more))

    def _in(self, colour: str, text: str) -> str:
        return f"\033[{colour}m{text}\033[0m" if self._has_colours else text

    def _print(self, *lines: str) -> None:
        print(*lines, sep="\n", file=self._out, flush=True)
