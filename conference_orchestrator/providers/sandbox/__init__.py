"""A small server that Webex clients take for Webex, for development, demonstrations and tests.

It speaks the part of the Webex Meetings API that creates, lists, reads, changes and deletes meetings, as the OpenAPI
description of May 2026 has it, and shows its meetings to people at `/`. Any token is accepted and stands for one
client application with admin rights; integration tags are seen by the client alone that wrote them. It listens on the
loopback interface only.

It fails on demand. A faults file is a JSON list of rules, tried from the top; each names one fault:

    [{"method": "POST", "path": "/v1/meetings", "times": 2, "status": 429, "retry_after": "3"},
     {"method": "POST", "fault": "apply-then-drop"},
     {"method": "GET", "times": null, "delay": 1.5}]

- `method` (default: any), `path`: how the path begins (default `/v1/`), `times`: how many requests meet the fault
  (default 1, null: all).
- `status`: answer with it and do nothing, with `retry_after` as that header and `body` as the body (default: an error
  in Webex's form); with `"applied": true` the request is carried out before.
- `delay`: carry it out, then answer after so many seconds.
- `list_lag`: carry it out, but leave the meeting out of the next so many lists.
- `fault`: one of "drop-before-apply" and "apply-then-drop" (close the connection without an answer), "reset-in-body"
  (close it amid the body), "empty-object" (`{}`) and "html"; the last three carry the request out.
"""

from conference_orchestrator.providers.sandbox.application import create_sandbox
from conference_orchestrator.providers.sandbox.server import RunningSandbox, serve_sandbox

__all__ = ["RunningSandbox", "create_sandbox", "serve_sandbox"]
