"""Mails that break readers, as many as are wanted, the same each time."""

from __future__ import annotations

import base64
import random
import zlib
from collections.abc import Callable, Iterator

from tests.notify.post.letters import NAMES, sample

HEAD = b"From: mallory@evil.example\r\nSubject: x\r\nMessage-ID: <p@evil.example>\r\n"
CALENDAR = b"Content-Type: text/calendar; method=REPLY\r\n"


def garbage(dice: random.Random) -> bytes:
    return dice.randbytes(dice.randrange(20_000))


def cut_off(dice: random.Random) -> bytes:
    mail = sample(dice.choice(NAMES))
    return mail[: dice.randrange(len(mail))]


def scratched(dice: random.Random) -> bytes:
    mail = bytearray(sample(dice.choice(NAMES)))
    for _ in range(dice.randrange(1, 60)):
        place = dice.randrange(len(mail))
        mail[place : place + dice.randrange(4)] = dice.choice(
            [b"", b"\x00", b"\r", b"\n", b'"', b"--", b";", b"=", b":"]
        )
    return bytes(mail)


def endless_header(dice: random.Random) -> bytes:
    return HEAD + b"X-Long: " + b"x" * dice.randrange(60_000, 1_000_000)


def many_headers(dice: random.Random) -> bytes:
    return HEAD + b"".join(b"X-%d: y\r\n" % number for number in range(dice.randrange(30_000))) + b"\r\nbody"


def folded_header(dice: random.Random) -> bytes:
    return HEAD + b"References: <a@b>" + b"\r\n <a@b>" * dice.randrange(9_000) + b"\r\n\r\n"


def nested(dice: random.Random) -> bytes:
    parts = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(300))
    return HEAD + parts + CALENDAR + b"\r\n" + b"\r\n" * dice.randrange(1000)


def the_same_boundary_all_the_way_down(dice: random.Random) -> bytes:
    return HEAD + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" * dice.randrange(1, 2000)


def a_mail_in_a_mail(dice: random.Random) -> bytes:
    return HEAD + b"Content-Type: message/rfc822\r\n\r\n" * dice.randrange(20_000)


def many_parts(dice: random.Random) -> bytes:
    return HEAD + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * dice.randrange(50_000)


def zip_as_text(dice: random.Random) -> bytes:
    bomb = zlib.compress(b"\0" * dice.randrange(2_000_000), 9)
    return HEAD + b"Content-Type: text/plain\r\nContent-Encoding: gzip\r\n\r\n" + bomb


def quoted_bomb(dice: random.Random) -> bytes:
    return HEAD + CALENDAR + b"Content-Transfer-Encoding: quoted-printable\r\n\r\n" + b"=" * dice.randrange(900_000)


def huge_line(dice: random.Random) -> bytes:
    line = b"ATTENDEE;" + dice.choice([b'"', b";", b"X=", b",", b"\\", b"a"]) * dice.randrange(200_000)
    return HEAD + CALENDAR + b"\r\nBEGIN:VCALENDAR\r\n" + line + b"\r\nEND:VCALENDAR\r\n"


def wrong_base64(dice: random.Random) -> bytes:
    text = bytearray(base64.b64encode(dice.randbytes(3000)))
    for _ in range(dice.randrange(20)):
        text[dice.randrange(len(text))] = dice.randrange(256)
    return HEAD + CALENDAR + b"Content-Transfer-Encoding: base64\r\n\r\n" + bytes(text[: dice.randrange(4000)])


def many_events(dice: random.Random) -> bytes:
    event = b"BEGIN:VEVENT\r\nUID:u\r\nATTENDEE;PARTSTAT=ACCEPTED:mailto:a@b.example\r\nEND:VEVENT\r\n"
    events = event * dice.randrange(5000)
    return HEAD + CALENDAR + b"\r\nBEGIN:VCALENDAR\r\nMETHOD:REPLY\r\n" + events + b"END:VCALENDAR\r\n"


def many_attendees(dice: random.Random) -> bytes:
    people = b"".join(b"ATTENDEE:mailto:%d@b.example\r\n" % n for n in range(dice.randrange(8000)))
    event = b"BEGIN:VEVENT\r\nUID:u\r\n" + people + b"END:VEVENT\r\n"
    return HEAD + CALENDAR + b"\r\nBEGIN:VCALENDAR\r\nMETHOD:REPLY\r\n" + event + b"END:VCALENDAR\r\n"


def never_ending_components(dice: random.Random) -> bytes:
    begun = b"BEGIN:VCALENDAR\r\n" + b"BEGIN:VEVENT\r\n" * dice.randrange(15_000)
    return HEAD + CALENDAR + b"\r\n" + begun + b"END:VALARM\r\n" * dice.randrange(5_000)


def many_recipients(dice: random.Random) -> bytes:
    block = b"Final-Recipient: rfc822; a@b.example\r\nAction: failed\r\n\r\n"
    return HEAD + b"Content-Type: message/delivery-status\r\n\r\n" + block * dice.randrange(15_000)


def strange_charset(dice: random.Random) -> bytes:
    name = dice.choice([b"punycode", b"idna", b"unicode_escape", b"undefined", b"zlib", b"rot13", b"\0", b"x" * 3000])
    words = b"Subject: =?" + name + b"?q?" + b"a-" * 100 + b"?=\r\n"
    return words + b"Content-Type: text/calendar; charset=" + name + b"\r\n\r\nBEGIN:VCALENDAR\r\n" + b"a-" * 9000


def comments(dice: random.Random) -> bytes:
    deep = dice.choice([b"(", b'"', b"<", b"\\", b"(\\"]) * dice.randrange(60_000)
    return b"From: " + deep + b"\r\nAuthentication-Results: mx; " + deep + b"\r\n\r\n"


def too_large(dice: random.Random) -> bytes:
    return HEAD + b"\r\n" + b"x" * dice.randrange(1_048_576, 1_500_000)


def empty(dice: random.Random) -> bytes:
    return dice.choice([b"", b"\r\n", b"\n\n\n", b":", b"\x00", b"From "])


KINDS: list[Callable[[random.Random], bytes]] = [
    garbage,
    cut_off,
    scratched,
    endless_header,
    many_headers,
    folded_header,
    nested,
    the_same_boundary_all_the_way_down,
    a_mail_in_a_mail,
    many_parts,
    zip_as_text,
    quoted_bomb,
    huge_line,
    wrong_base64,
    many_events,
    many_attendees,
    never_ending_components,
    many_recipients,
    strange_charset,
    comments,
    too_large,
    empty,
]


def poisoned_mails(number: int, *, seed: int) -> Iterator[bytes]:
    """So many mails, each kind in its turn."""
    dice = random.Random(seed)
    for turn in range(number):
        yield KINDS[turn % len(KINDS)](dice)
