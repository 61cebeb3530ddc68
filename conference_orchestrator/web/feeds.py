"""/feeds: a person's calendar for programs. The word in the address is the right to read it."""

from __future__ import annotations

from http import HTTPStatus

from flask import Blueprint, Response, request

from conference_orchestrator.flows import feeding
from conference_orchestrator.web.policy import allow

calendars = Blueprint("calendars", __name__, url_prefix="/feeds")


@calendars.get("/<word>.ics")
@allow("feed.fetch")
def fetch(word: str) -> Response:
    """The calendar as it is now; 304 without it for whoever has it already."""
    calendar = feeding.read(word)
    # Programs ask each time whether it is still so: a revoked address stops at once.
    headers = {"Cache-Control": "private, no-cache"}
    if request.if_none_match.contains_weak(calendar.etag):
        answer = Response(status=HTTPStatus.NOT_MODIFIED, headers=headers)
    else:
        answer = Response(calendar.data(), headers=headers, content_type="text/calendar; charset=utf-8")
    answer.set_etag(calendar.etag)
    return answer
