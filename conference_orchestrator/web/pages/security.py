"""What guards the pages: CSRF tokens in every form, the flags of the session cookie, the content security policy.

The API is not guarded by CSRF tokens: it reads a bearer token, which no foreign page can make a browser send.
"""

from __future__ import annotations

from flask import Flask, Response, request
from flask_wtf.csrf import CSRFError, CSRFProtect
from werkzeug.exceptions import BadRequest

from conference_orchestrator.kernel import ports
from conference_orchestrator.web.pages.blueprint import pages

csrf = CSRFProtect()

# Nothing of the pages is inline, so no nonce is needed; the captcha's workers are files of ours.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; "
    "style-src 'self'; "
    "script-src 'self'; "
    "worker-src 'self'; "
    "img-src 'self' data:; "
    "font-src 'self'; "
    "connect-src 'self'; "
    "form-action 'self'; "
    "base-uri 'none'; "
    "frame-ancestors 'none'"
)


def register(app: Flask) -> None:
    """Set the application up so that the pages are guarded; its settings port is filled already."""
    with app.app_context():
        public_url = ports.settings().public_url
    app.config.update(
        SESSION_COOKIE_SECURE=public_url.startswith("https://"),
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        WTF_CSRF_CHECK_DEFAULT=False,  # asked by the pages below, not by the API
        WTF_CSRF_TIME_LIMIT=None,  # a form that lay open over lunch is still good
        WTF_CSRF_SSL_STRICT=False,  # the token is asked for; a Referer is not sent, because addresses carry tokens
    )
    csrf.init_app(app)
    app.after_request(_guarded)


# Whose address is a secret of 128 bits: the link is the right to act, no cookie is.
BY_LINK = {
    "pages.confirm",
    "pages.answer",
    "pages.answer_offer",
    "pages.enter",
    "pages.choose_reminders",
    "pages.repair_calendar",
}


@pages.before_request
def _ask_for_the_token() -> None:
    if request.endpoint in BY_LINK and not request.cookies:
        return  # no browser with a session that somebody could misuse, but a program that was given the link
    try:
        csrf.protect()
    except CSRFError as error:
        raise BadRequest(
            "This form is no longer good: it was opened in another session, or the browser keeps no cookies. "
            "Go back, load the page again and send the form once more."
        ) from error


def _guarded(response: Response) -> Response:
    if response.mimetype == "text/html":
        # Pages carry personal links and the tokens of forms: no cache keeps them. The files beside them it may.
        response.headers.setdefault("Cache-Control", "no-store")
        response.headers.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
        response.headers.setdefault("Referrer-Policy", "no-referrer")
    return response
