"""Who reads an e-mail, and by which clock."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Reader:
    """The one recipient of a mail: `language` is a BCP 47 tag ("de"), `time_zone` an IANA name."""

    name: str
    address: str
    language: str
    time_zone: str
