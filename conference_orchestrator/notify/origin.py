"""Who a mail says it is from, and what our own mail server found out about that (RFC 8601)."""

from __future__ import annotations

import re
from typing import Literal

from conference_orchestrator.notify.parts import Fields
from conference_orchestrator.notify.received_text import plain_address

Verdict = Literal["pass", "fail", "none"]

_RESULT = re.compile(r"\s*(dmarc|dkim|spf)(?:\s*/\s*\d+)?\s*=\s*([a-z]+)\b")
_DOMAIN = re.compile(r"(?:header\.d|header\.i|smtp\.mailfrom|header\.from)\s*=\s*(\S+)")


def sender(header: Fields) -> str | None:
    """The address of the one From; None when there is no From, or two, or several addresses in it.

    A mail with two of them shows one to the server that checks it and another to the reader.
    """
    said = [value for name, value in header if name == "from"]
    if len(said) != 1:
        return None
    plain = _without_comments(said[0], quoted="")
    angle = re.fullmatch(r"([^<>]*)<([^<>]*)>\s*", plain)
    if angle is None:
        return plain_address(plain)
    return None if "," in angle[1] and "@" in angle[1] else plain_address(angle[2])


def authentication(header: Fields, *, trusted: str | None, address: str | None) -> Verdict:
    """What our server says about the domain of `address`, in the topmost header that bears its name `trusted`.

    The server has to take away what comes in under its own name (RFC 8601, 5). DMARC decides; without it a passed DKIM
    or SPF counts when it is about that domain or one above it.
    """
    if trusted is None or address is None:
        return "none"
    for name, value in header:
        server, _, results = _without_comments(value.lower(), quoted="?").partition(";")
        if name == "authentication-results" and server.split()[:1] == [trusted.lower()]:
            return _verdict(results.split(";"), address.rpartition("@")[2])
    return "none"


def _verdict(results: list[str], domain: str) -> Verdict:
    said: dict[str, set[str]] = {"dmarc": set(), "dkim": set(), "spf": set()}
    aligned = False
    for result in results:
        if found := _RESULT.match(result):
            about = {name.rpartition("@")[2] for name in _DOMAIN.findall(result)}
            ours = any(_is_within(domain, one) for one in about)
            aligned |= found[2] == "pass" and ours
            # DMARC is about the From that the server read; where that is another, it says nothing.
            if ours or not about or found[1] != "dmarc":
                said[found[1]].add(found[2])
    if said["dmarc"] & {"pass", "fail"}:
        return "fail" if "fail" in said["dmarc"] else "pass"
    if aligned:
        return "pass"
    return "fail" if "fail" in said["dkim"] | said["spf"] and "pass" not in said["dkim"] | said["spf"] else "none"


def _is_within(domain: str, other: str) -> bool:
    return domain == other or ("." in other and domain.endswith(f".{other}"))


def _without_comments(value: str, *, quoted: str) -> str:
    """The value without its comments, which may lie in each other, and with `quoted` for each quoted text."""
    kept, depth, within, escaped = [], 0, False, False
    for character in value:
        if escaped:
            escaped = False
        elif character == "\\" and (within or depth):
            escaped = True
        elif character == '"' and not depth:
            within = not within
            kept += [quoted] if within else []
        elif character in "()" and not within:
            depth = max(0, depth + (1 if character == "(" else -1))
        elif not within and not depth:
            kept.append(character)
    return "".join(kept)
