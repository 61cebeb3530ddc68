"""One HTTP exchange with a provider: one request, one answer, bounded in time and size.

It follows no redirect, because the token would go along, repeats nothing, and says of a failure whether the request
had been sent: before that a create may be repeated, after that perhaps there is a meeting.
"""

from __future__ import annotations

import logging
import re
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from threading import Event, Timer
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError
from urllib3.response import HTTPResponse

LARGEST_BODY = 1_000_000
"""Bytes of an answer that are read."""
SHORTEST_WAIT, LONGEST_WAIT, USUAL_WAIT = 1.0, 3600.0, 15.0
"""Seconds: bounds for what `Retry-After` asks, and what is waited when it says nothing."""

# At debug level urllib3 writes whole addresses, and their queries hold people's addresses and passwords.
logging.getLogger("urllib3.connectionpool").setLevel(logging.INFO)


class NotSent(Exception):
    """Not one byte of the request left: refused, no such name, no TLS, or no connection in time."""


class NoAnswer(Exception):
    """The request was sent, at least in part, but no whole answer came within the bounds."""


@dataclass(frozen=True)
class Timeouts:
    """Seconds: to connect, TLS included; and for the head of an answer, then again for its body."""

    connect: float = 5.0
    read: float = 30.0


@dataclass(frozen=True)
class Answer:
    """What the server said. The names of headers are in any case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def retry_after(self, *, now: datetime | None = None) -> float | None:
        """The wait that the server asks for in seconds, 1 to 3600; None when it asks for none or not in clear words.

        `Retry-After` is a number of seconds or an HTTP date (RFC 9110, section 10.2.3).
        """
        said = self.headers.get("Retry-After", "").strip()
        if re.fullmatch(r"[0-9]{1,9}", said):
            wait = float(said)
        else:
            try:
                at = parsedate_to_datetime(said)
            except (ValueError, OverflowError):
                return None
            wait = (at.replace(tzinfo=at.tzinfo or UTC) - (now or datetime.now(UTC))).total_seconds()
        return min(max(wait, SHORTEST_WAIT), LONGEST_WAIT)


def exchange(
    method: str,
    url: str,
    *,
    token: str | None,
    timeouts: Timeouts,
    query: Mapping[str, str] | None = None,
    body: Mapping[str, object] | None = None,
    form: Mapping[str, str] | None = None,
    accept: str = "application/json",
) -> Answer:
    """Send one request with the bearer token, if any, and `body` as JSON or `form` as a form.

    Raises NotSent or NoAnswer, whose texts tell neither the token nor what was sent, and to which no other
    exception is chained.
    """
    # A session for each call: a kept connection that the server has just closed would make a create ambiguous for
    # nothing, and cookies would pass from one thread to another.
    with _Session() as session:
        try:
            with session.request(
                method,
                url,
                params=query,
                json=body,
                data=form,
                headers={"Accept": accept},
                auth=_Bearer(token),
                timeout=(timeouts.connect, timeouts.read),
                allow_redirects=False,
                stream=True,
            ) as response:
                return Answer(response.status_code, response.headers, _body(response.raw, within=timeouts.read))
        except (requests.RequestException, HTTPError, OSError) as error:
            raise NoAnswer(f"no whole answer came ({type(error).__name__})") from None


def _body(raw: HTTPResponse, *, within: float) -> bytes:
    # The time-out of the socket starts again with each byte, so that the whole needs a bound of its own.
    deadline = time.monotonic() + within
    body = bytearray()
    while chunk := raw.read1(65536, decode_content=False):
        body += chunk
        if len(body) > LARGEST_BODY:
            raise NoAnswer(f"the answer is longer than {LARGEST_BODY} bytes")
        if time.monotonic() > deadline:
            raise NoAnswer(f"the answer was not complete after {within:g} seconds")
    return bytes(body)


class _Bearer(AuthBase):
    """The token, given as `auth` even when there is none: a password in ~/.netrc would otherwise make the header."""

    def __init__(self, token: str | None) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._token is not None:
            request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class _Http(HTTPConnection):
    """A connection that tells a failure before sending from one after it, and bounds the head of the answer."""

    def connect(self) -> None:
        try:
            super().connect()
        except (OSError, HTTPError) as error:
            raise NotSent(f"no connection ({type(error).__name__})") from None

    def getresponse(self) -> Any:
        sock, expired = self.sock, Event()

        def expire() -> None:
            expired.set()
            # The method of the plain socket: that of a TLS socket would take the session from under the reader.
            with suppress(OSError):  # closed in this very moment
                socket.socket.shutdown(sock, socket.SHUT_RDWR)

        timer = Timer(float(self.timeout or 0), expire)
        timer.daemon = True
        timer.start()
        try:
            response = super().getresponse()
        finally:
            timer.cancel()
        if expired.is_set():
            response.close()
            raise TimeoutError("the head of the answer was not complete in time")
        return response


class _Https(_Http, HTTPSConnection):
    """The same with TLS."""


class _Adapter(HTTPAdapter):
    """Makes the pools use our connections; a pool through a proxy as well."""

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        pool: Any = super().get_connection_with_tls_context(*args, **kwargs)
        pool.ConnectionCls = _Https if pool.scheme == "https" else _Http
        return pool


class _Session(requests.Session):
    def __init__(self) -> None:
        super().__init__()
        self.mount("https://", _Adapter())
        self.mount("http://", _Adapter())
        # Uncompressed, so that the bound on the bytes is one on the memory too.
        self.headers["Accept-Encoding"] = "identity"

    def get_redirect_target(self, _response: requests.Response) -> None:
        """None, always: even unfollowed, requests reads the whole body of a redirect to prepare the next request."""
