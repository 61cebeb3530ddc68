"""Signing mail (DKIM, RFC 6376), so that its receiver can tell that the domain of the sender stands behind it."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from conference_orchestrator.settings import Settings

SIGNED = (
    "from",
    "reply-to",
    "to",
    "subject",
    "date",
    "message-id",
    "references",
    "mime-version",
    "content-type",
    "auto-submitted",
    "x-conference-kind",
    "list-unsubscribe",
    "list-unsubscribe-post",
)


def sign(data: bytes, settings: Settings) -> bytes:
    """The mail, with CRLF only, below its signature by the key of the settings.

    `From` is named once more than it stands there: a second one, which some programs would show, breaks the signature.
    """
    # It takes a third of a second to load, and few installations sign by themselves.
    import dkim  # type: ignore[import-untyped]  # noqa: PLC0415

    head = data.partition(b"\r\n\r\n")[0]
    there = {name.lower().decode("ascii") for name in re.findall(rb"(?m)^([!-9;-~]+):", head)}
    signature: Any = dkim.sign(
        data,
        settings.dkim_selector.encode(),
        settings.dkim_domain.encode(),
        _as_dkimpy_reads_it(settings.dkim_key),
        canonicalize=(b"relaxed", b"relaxed"),
        include_headers=[b"from", *(name.encode() for name in SIGNED if name in there)],
    )
    return bytes(signature) + data


# Reading a key checks it, which takes longer than signing.
@lru_cache(maxsize=1)
def _as_dkimpy_reads_it(pem: str) -> bytes:
    """The key in PKCS#1, with LF; `openssl` writes PKCS#8 today."""
    key = load_pem_private_key(pem.encode(), password=None)
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
