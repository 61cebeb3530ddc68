"""By which names the service is asked: that of CO_PUBLIC_URL, and those of the machine itself."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from flask import request

from conference_orchestrator.kernel import ports
from conference_orchestrator.web.problems import ForeignHost

# Whoever is on the machine, such as a proxy or a watcher; no page of another site can carry these names.
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
# Who starts and watches the service asks by whatever address it has inside.
ANY_HOST = ("/health/", "/metrics")
# A name, which may end with a dot, or an address, and a port (RFC 9110, 7.2).
_HOST = re.compile(r"([A-Za-z0-9_.-]*[A-Za-z0-9_-]|\[[0-9A-Fa-f:.]+\])\.?(?::[0-9]*)?")


def refuse_foreign() -> None:
    """ForeignHost for a request by another name: a page of another site whose name leads here, or a misled link.

    Ports are not compared, and what a proxy says about the host is not looked at.
    """
    if request.path.startswith(ANY_HOST):
        return
    said = _HOST.fullmatch(request.headers.get("Host", ""))
    if said is None or said[1].strip("[]").lower() not in LOOPBACK | {urlsplit(ports.settings().public_url).hostname}:
        raise ForeignHost("Ask by the address of CO_PUBLIC_URL; a proxy in front passes the Host header on as it is.")
