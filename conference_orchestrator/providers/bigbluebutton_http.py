"""Talking to BigBlueButton: signed addresses, and answers in XML.

Every call is signed by a checksum over its name, its query and the shared secret. A refusal comes with status 200, as
`<returncode>FAILED</returncode>` and a `messageKey`; that key, not the message, is said to stay.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlencode

# The parser of the standard library is enough, because a document type, without which there are no entities to
# expand, is refused, and the size of an answer is bounded by the exchange.
from xml.etree.ElementTree import Element, ParseError, TreeBuilder, XMLParser

from conference_orchestrator.providers.calling import Call, send
from conference_orchestrator.providers.errors import (
    AuthError,
    Conflict,
    Invalid,
    NotFound,
    ProviderError,
    Transient,
)
from conference_orchestrator.providers.exchange import Answer, Timeouts

REFUSALS: Final[Mapping[str, type[ProviderError]]] = {
    "checksumError": AuthError,
    "notFound": NotFound,
    "invalidMeetingIdentifier": NotFound,
    "idNotUnique": Conflict,
    # What the balancers say that stand before several servers.
    "internalError": Transient,
    "serverUnavailable": Transient,
    "noInstanceFound": Transient,
}
"""What a `messageKey` means; any other is Invalid."""
NAME = "bigbluebutton"


class Unreadable(Exception):
    """An answer is not what BigBlueButton's description promises."""


class BigBlueButtonHttp:
    """One API address under one shared secret. Every failure is a ProviderError that tells no secret."""

    def __init__(self, url: str, secret: str, timeouts: Timeouts) -> None:
        self._url = url.rstrip("/")
        self._secret = secret
        self._timeouts = timeouts

    def address(self, name: str, query: Mapping[str, str]) -> str:
        """The signed address of a call: whoever has it can make this call, and no other."""
        said = urlencode(query)
        return f"{self._url}/{name}?{said}&checksum={checksum(name, said, self._secret)}"

    def call(self, operation: str, name: str, query: Mapping[str, str]) -> Element:
        """Make one call, and its successful answer. `operation` is the port's word for what is being done.

        No call here leaves a meeting behind that another could double, so that none is Ambiguous.
        """
        call, url = Call(provider=NAME, operation=operation), self.address(name, query)
        answer = send(call, "GET", url, timeouts=self._timeouts)
        try:
            response = xml(answer)
            code = text(response, "returncode")
        except Unreadable as error:
            raise call.lost(str(error), answer) from None
        if code.upper() == "SUCCESS":
            return response
        key, message = response.findtext("messageKey") or "", response.findtext("message") or "no explanation was given"
        kind = REFUSALS.get(key, Invalid)
        # A message may repeat the query; of that the checksum and the passwords are nobody's business.
        for secret in (self._secret, url.rpartition("=")[2], query.get("password"), query.get("moderatorPW")):
            message = message.replace(secret or "\0", "********")
        raise kind(message, provider=NAME, operation=operation, status=answer.status, code=key or None)


def checksum(name: str, query: str, secret: str, *, algorithm: str = "sha256") -> str:
    """The signature of a call over its name and its query as it is sent, in hex.

    Servers since 2.3 know sha256 besides sha1, which is no longer to be trusted.
    """
    return hashlib.new(algorithm, f"{name}{query}{secret}".encode()).hexdigest()


def xml(answer: Answer) -> Element:
    """The answer as an element. Unreadable when it is no XML, or has a document type."""
    parser = XMLParser(target=_WithoutDocumentType())  # noqa: S314  - see the import
    try:
        parser.feed(answer.body)
        response: Element = parser.close()
    except (ParseError, ValueError, LookupError):
        raise Unreadable("the answer is not XML") from None
    if response.tag != "response":
        raise Unreadable("the answer is not a response of BigBlueButton")
    return response


def text(response: Element, name: str) -> str:
    """The text of a child that has to be there. Unreadable when it is not, or is empty."""
    found = (response.findtext(name) or "").strip()
    if not found:
        raise Unreadable(f"{name} is missing")
    return found


class _WithoutDocumentType(TreeBuilder):
    def doctype(self, _name: str, _public_id: str | None, _system_id: str | None) -> None:
        raise Unreadable("the answer declares a document type")
