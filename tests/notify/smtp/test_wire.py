"""A mail as it travels: whatever its bytes are, no line of it can end the mail or begin another one."""

from __future__ import annotations

import itertools
import re

import pytest

from conference_orchestrator.notify.smtp import on_the_wire

# Every way to put so many of the bytes that matter, and a letter, behind each other.
MAILS = [bytes(signs) for length in range(7) for signs in itertools.product(b"\r\n.a", repeat=length)]


def taken_up(wire: bytes) -> bytes:
    """What a server makes of it: lines up to a dot alone, each without the first of leading dots (RFC 5321, 4.5.2)."""
    assert not re.search(rb"\r(?!\n)|(?<!\r)\n", wire), "servers disagree on where such a line ends"
    lines = wire.split(b"\r\n")
    assert lines.index(b".") == len(lines) - 2, "the mail ends before its end"
    return b"".join(line.removeprefix(b".") + b"\r\n" for line in lines[:-2])


def test_every_mail_arrives_with_its_own_lines_and_nothing_behind_them():
    for mail in MAILS:
        assert taken_up(on_the_wire(mail)) == b"".join(line + b"\r\n" for line in mail.splitlines() or [b""])


def test_what_signing_puts_before_a_mail_is_sent_with_it_and_its_dots_are_doubled_too():
    for mail in MAILS:
        signed = on_the_wire(mail, lambda data: b".signed\r\n" + data)
        assert taken_up(signed).startswith(b".signed\r\n")
        assert taken_up(signed).endswith(taken_up(on_the_wire(mail)))


@pytest.mark.parametrize("mail", [b"a\r\n.\r\na\r\n", b"a\n.\na", b".\r\n"])
def test_a_mail_that_travels_as_it_is_ends_early(mail):
    """The negative control."""
    with pytest.raises(AssertionError):
        taken_up(mail + b".\r\n")
