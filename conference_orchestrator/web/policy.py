"""Who may do what: one table, and the decorator that puts every view under one line of it.

A role that a line does not name gets 403, nobody at all 401. What a role may do only with its own things (own group,
own hospital, own record) is kept by the flows and queries: `visible_to` makes everything else a 404.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from flask import Flask, request

from conference_orchestrator.kernel import ports
from conference_orchestrator.kernel.errors import NotPermitted
from conference_orchestrator.kernel.principal import ANONYMOUS, Principal, Role
from conference_orchestrator.network import tokens
from conference_orchestrator.web.problems import Unauthorized

# The request keeps it, not `g`: requests of a test client may share one application context.
KEPT = "conference_orchestrator.principal"

P = ParamSpec("P")
R = TypeVar("R")

AN, CL, GC = Role.ANONYMOUS, Role.CLINICIAN, Role.COORDINATOR
RR, HD, AU = Role.REFERENCE_CENTRE, Role.HELPDESK, Role.AUDITOR
EVERYBODY = frozenset({AN, CL, GC, RR, HD, AU})
SIGNED_IN = EVERYBODY - {AN}
DESK = frozenset({HD})
GROUPS = frozenset({GC, HD})
REQUESTERS = frozenset({CL, GC, RR, HD})

POLICY: dict[str, frozenset[Role]] = {
    "page.read": EVERYBODY,
    "invitation.answer": EVERYBODY,  # who holds the link of an invitation answers it
    "meeting.enter": EVERYBODY,  # who holds the link of an invitation comes in
    "documentation.read": EVERYBODY,
    "health.read": EVERYBODY,
    "metrics.read": EVERYBODY,  # numbers that name nobody
    "notice.read": EVERYBODY,
    "notice.publish": DESK,
    "captcha.read": EVERYBODY,
    "contact.write": EVERYBODY,
    "contact.read": DESK,
    "contact.resolve": DESK,
    "registration.submit": EVERYBODY,
    "registration.read": DESK,
    "registration.decide": DESK,
    "network.read": SIGNED_IN,
    "network.change": DESK,
    "hospital.read": SIGNED_IN,
    "hospital.change": DESK,
    "clinician.read": SIGNED_IN,
    "clinician.enter": DESK,
    "clinician.change": SIGNED_IN,  # the own record; the helpdesk any
    "clinician.erase": frozenset({CL, HD}),  # a clinician the own
    "clinician.export": frozenset({CL, HD}),
    "address.read": DESK,
    "address.change": DESK,
    "calendar.repair": frozenset({CL, HD}),  # a clinician the own
    "calendar.repair-by-link": EVERYBODY,  # who holds the link of an invitation
    "participants.read": SIGNED_IN,
    "group.read": SIGNED_IN,
    "group.enter": DESK,
    "group.change": GROUPS,  # a coordinator the check list and the quorum
    "member.read": SIGNED_IN,
    "member.change": GROUPS,
    "member.calendar": frozenset({CL, GC, HD}),  # a clinician the own
    "series.read": SIGNED_IN,
    "series.change": GROUPS,
    "exception.read": SIGNED_IN,
    "exception.change": GROUPS,
    "session.read": SIGNED_IN,
    "session.change": GROUPS,
    "roster.read": SIGNED_IN,
    "roster.change": GROUPS,
    "absence.read": frozenset({CL, GC, HD}),  # a clinician the own, a coordinator the own group's
    "absence.change": frozenset({CL, GC, HD}),
    "request.read": REQUESTERS,
    "request.submit": REQUESTERS,
    "request.withdraw": REQUESTERS,
    "request.triage": GROUPS,
    "request.allocate": GROUPS,
    "offer.read": REQUESTERS,
    "offer.answer": REQUESTERS,
    "offer.answer-by-link": EVERYBODY,  # who holds the link of an offer answers it
    "replan.propose": GROUPS,
    "replan.apply": GROUPS,
    "webinar.read": frozenset({RR, HD, AU}),
    "webinar.submit": frozenset({RR, HD}),
    "webinar.change": frozenset({RR, HD}),
    "webinar.decide": DESK,
    "webinar.register": EVERYBODY,  # who holds the link of a webinar asks for an invitation
    "conference.read": SIGNED_IN,
    "conference.change": DESK,
    "attendance.read": SIGNED_IN,
    "conference.host-key": GROUPS,  # a coordinator the own group's, around its time
    "finding.read": DESK,
    "finding.resolve": DESK,
    "event.receive": EVERYBODY,  # the signature over the body tells who sends
    "delivery.read": SIGNED_IN,
    "delivery.retry": frozenset({GC, RR, HD}),
    "inbound.read": DESK,
    "inbound.resolve": DESK,
    "suppression.read": DESK,
    "suppression.change": DESK,
    "reminders.choose": EVERYBODY,  # who holds the link of a reminder stops the own reminders
    "feed.read": frozenset({CL, HD}),  # a clinician the own
    "feed.change": frozenset({CL, HD}),
    "feed.fetch": EVERYBODY,  # who holds the address of a feed reads its calendar
    "host.read": DESK,
    "host.change": DESK,
    "token.read": DESK,
    "token.change": DESK,
    "audit.read": frozenset({CL, HD, AU}),  # a clinician what is about it, the helpdesk the own actions
}


def allow(action: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Put the view under a line of the policy; nothing of the request is read before the role is known to be right."""
    roles = POLICY[action]

    def decorate(view: Callable[P, R]) -> Callable[P, R]:
        @wraps(view)
        def checked(*args: P.args, **kwargs: P.kwargs) -> R:
            by = principal()
            if by.role not in roles:
                if by is ANONYMOUS:
                    raise Unauthorized("Send a valid token: Authorization: Bearer TOKEN.")
                raise NotPermitted(f"The role {by.role} may not do this.")
            return view(*args, **kwargs)

        checked.policy = action  # type: ignore[attr-defined]
        return checked

    return decorate


def principal() -> Principal:
    """Who asks, read once per request; ANONYMOUS without a token.

    Unauthorized for a token that is unknown, expired or revoked, also where nobody needs one: who sends it believes
    that it counts.
    """
    if KEPT not in request.environ:
        request.environ[KEPT] = _principal()
    by: Principal = request.environ[KEPT]
    return by


def principal_so_far() -> Principal | None:
    """Who asks, if that was read already: for the log, which must not read it anew."""
    return request.environ.get(KEPT)


def _principal() -> Principal:
    header = request.headers.get("Authorization")
    if header is None:
        return ANONYMOUS
    scheme, _, secret = header.strip().partition(" ")
    found = None
    if scheme.lower() == "bearer" and secret.strip():
        found = tokens.principal_of(secret.strip(), at=ports.clock().now())
    if found is None:
        raise Unauthorized("The token is not valid (any more); ask the helpdesk for a new one.")
    return found


def action_of(app: Flask, endpoint: str) -> str | None:
    """The line of the policy that the endpoint's view stands under."""
    return getattr(app.view_functions[endpoint], "policy", None)


def check(app: Flask) -> None:
    """RuntimeError, which stops the start, when a route stands under no line of the policy (static files may)."""
    bare = [
        rule.rule
        for rule in app.url_map.iter_rules()
        if not rule.endpoint.endswith("static") and action_of(app, rule.endpoint) is None
    ]
    if bare:
        raise RuntimeError(f"These routes have no policy: {', '.join(sorted(bare))}. Put @allow(...) on their views.")
