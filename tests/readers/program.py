"""A reader as a program of its own: a calendar in base64 on each line that comes in, what was read of it as JSON on
each line that goes out. Instants are seconds since 1970, so that nobody's zone gets into them.
"""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

# As far as a series without end is followed.
UNTIL = 2031


def serve(read: Callable[[str], Mapping[str, Any]]) -> None:
    """Answer every line; a calendar that cannot be read is answered with the error, and the next one is read."""
    for line in sys.stdin:
        try:
            answer = read(base64.b64decode(line).decode())
        except Exception as error:  # noqa: BLE001  - whatever a library raises is the answer
            answer = {"error": f"{type(error).__name__}: {error}"}
        sys.stdout.write(json.dumps(answer) + "\n")


def seconds(at: datetime) -> int:
    """The instant; a floating time is taken for one of this machine's own zone, as most clients do."""
    return round(at.timestamp())
