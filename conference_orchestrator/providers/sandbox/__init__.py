"""A small server that Webex clients take for Webex, for development, demonstrations and tests.

It speaks the part of the Webex API that the service uses, as the OpenAPI description of May 2026 has it: meetings and
webinars, session types, invitees, registrants, personal join links, participants, webhooks and access tokens. It
listens on the loopback interface only, and sends its events nowhere else.

Unless it is given clients, any token is accepted and stands for one client application with admin rights; integration
tags are seen by the client alone that wrote them. People see its meetings at `/`; behind a join link is a room that
notes who comes and goes, behind a register link a form.

What is like Webex, and easily overlooked: a meeting is held once for each time that somebody comes into the empty room
(`meetingType=meeting`), and the participants of a meeting's own id are those of the last time alone. Somebody with two
devices is there twice, and who is still in left on 1 January 1970. `registerLink` is told when a meeting is made or
read by its id, not in lists and changes, and registration goes neither with a recurrence nor with
`enabledJoinBeforeHost`. An event has no id of its own. Unlike Webex, a recurring meeting has one occurrence, and
webhooks and tokens are forgotten when the sandbox ends.

It fails on demand. A faults file is a JSON list of rules, tried from the top; each names one fault:

    [{"method": "POST", "path": "/v1/meetings", "times": 2, "status": 429, "retry_after": "3"},
     {"method": "POST", "times": null, "share": 0.25, "fault": "apply-then-drop"},
     {"method": "GET", "times": null, "delay": 1.5},
     {"path": "meetings/", "event": "duplicate"}]

- `method` (default: any), `path`: how the path begins (default `/v1/`), `times`: how many requests meet the fault
  (default 1, null: all).
- `share`: only so much of these requests meet it, from 0 to 1, by a chance that is the same at each run; the others are
  tried on the rules below, whose shares are of what is left.
- `status`: answer with it and do nothing, with `retry_after` as that header and `body` as the body (default: an error
  in Webex's form); with `"applied": true` the request is carried out before. With `"times": null` and a share, 429 is a
  storm.
- `delay`: carry it out, then answer after so many seconds.
- `list_lag`: carry it out, but leave the meeting out of the next so many lists.
- `bytes_per_second`: carry it out, and send the body that slowly.
- `fault`: one of "drop-before-apply" and "apply-then-drop" (close the connection without an answer), "reset-in-body"
  (close it amid the body), "empty-object" (`{}`), "html", "large" (a body of 50 MB) and "endless" (one that ends with
  the sandbox); all but the first carry the request out.
- `event`: for events instead of requests, where `path` is how resource and event begin, as in `meetings/updated`
  (default: any): "drop" it, "duplicate" it, or "hold-back" until after the next one.
"""

from conference_orchestrator.providers.sandbox.application import create_sandbox
from conference_orchestrator.providers.sandbox.server import RunningSandbox, serve_sandbox

__all__ = ["RunningSandbox", "create_sandbox", "serve_sandbox"]
