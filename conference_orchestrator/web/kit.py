"""What every resource of the API is made with: schemas, arguments, lists by cursor, ETags."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from functools import wraps
from http import HTTPStatus
from typing import Any, NoReturn, TypeVar, cast
from urllib.parse import urlencode

import flask_smorest
from flask import Request, Response, g, request
from marshmallow import RAISE, Schema, ValidationError, fields
from webargs import core, flaskparser

from conference_orchestrator.kernel.errors import Invalid, Stale
from conference_orchestrator.kernel.paging import DEFAULT_LIMIT, HIGHEST_LIMIT, Page, Paging
from conference_orchestrator.web.problems import PreconditionMissing, Unreadable, WrongMediaType

Json = dict[str, Any]
View = Callable[..., Any]
V = TypeVar("V", bound=View)
T = TypeVar("T")
LONGEST_CURSOR = 1000


class Form(Schema):
    """A body or a query: what it does not know is refused."""

    class Meta:
        unknown = RAISE


class Nothing(Form):
    """The body of an action that needs to be told nothing."""


class _Parser(flaskparser.FlaskParser):
    """Reads bodies and queries; every mistake becomes one of our errors."""

    def load_json(self, req: Request, schema: Schema) -> Any:  # noqa: ARG002  - given by the library
        """The body as JSON; no body at all is one without fields."""
        body = req.get_data(cache=True)
        if not body:
            return {}
        if not core.is_json(req.mimetype):
            raise WrongMediaType("Send the body as JSON, with Content-Type: application/json.")
        try:
            return json.loads(body)
        except RecursionError as error:
            raise Unreadable("The body is nested too deeply.") from error
        except ValueError as error:
            raise Unreadable(f"The body is not valid JSON: {error}") from error

    def handle_error(self, error: ValidationError, *_args: Any, **_more: Any) -> NoReturn:
        """Tell what is wrong by the dotted names of the fields."""
        said = error.messages
        places = said.values() if isinstance(said, Mapping) else [said]
        raise Invalid({name: words for place in places for name, words in flat(place).items()}) from error


def flat(messages: Any, *, below: str = "") -> dict[str, list[str]]:
    """Marshmallow's tree of messages as dotted names: {"quorum": {"minimum": [...]}} is "quorum.minimum"."""
    if not isinstance(messages, Mapping):
        words = messages if isinstance(messages, list) else [messages]
        return {below or "body": [str(word) for word in words]}
    found: dict[str, list[str]] = {}
    for name, inner in messages.items():
        # marshmallow tells about a key and a value of a map under these names, and of the whole under _schema.
        if name in {"_schema", "value", "key"}:
            found |= flat(inner, below=below)
        else:
            found |= flat(inner, below=f"{below}.{name}" if below else str(name))
    return found


class Resource(flask_smorest.Blueprint):  # type: ignore[misc]
    """One resource of the API under /api/v1: its routes, its arguments, its answers with their ETag."""

    ARGUMENTS_PARSER = _Parser(unknown=RAISE)

    def __init__(self, name: str, description: str) -> None:
        super().__init__(name, name, url_prefix="/api/v1", description=description)

    def get(self, rule: str) -> Callable[[V], V]:
        """Answer GET at the path with the view; the four below do the same for their methods."""
        return cast("Callable[[V], V]", super().get(rule))

    def post(self, rule: str) -> Callable[[V], V]:
        return cast("Callable[[V], V]", super().post(rule))

    def put(self, rule: str) -> Callable[[V], V]:
        return cast("Callable[[V], V]", super().put(rule))

    def patch(self, rule: str) -> Callable[[V], V]:
        return cast("Callable[[V], V]", super().patch(rule))

    def delete(self, rule: str) -> Callable[[V], V]:
        return cast("Callable[[V], V]", super().delete(rule))

    def arguments(self, schema: Any, *, location: str = "json", **more: Any) -> Callable[[View], View]:
        """Read the body (or the query) and hand it to the view as its first argument, a dictionary."""
        decorate: Callable[[View], View] = super().arguments(schema, location=location, **more)
        return decorate

    def query(self, schema: Any) -> Callable[[View], View]:
        """Read the query and hand it to the view as its first argument."""
        return self.arguments(schema, location="query")

    def response(self, status: int, schema: Any = None, **more: Any) -> Callable[[View], View]:
        """Answer with this status and the object dumped by the schema; a thing answers with its ETag."""
        dumped = super().response(status, schema, **more)

        def decorate(view: View) -> View:
            answering = dumped(view)

            @wraps(answering)
            def answered(*args: Any, **kwargs: Any) -> Response:
                return tagged(answering(*args, **kwargs))

            return answered

        return decorate

    def doc(self, **said: Any) -> Callable[[V], V]:
        """Add to the description what schemas do not tell."""
        return cast("Callable[[V], V]", super().doc(**said))

    def empty(self, description: str) -> Callable[[View], View]:
        """Answer 204 without a body."""
        return self.response(204, description=description)


def versioned(thing: T, of: Any = None) -> T:
    """The thing to answer with, its revision kept for the ETag; `of` is what has the revision if the thing has none."""
    versioned_one: Any = thing if of is None else of
    g.revision = versioned_one.revision
    return thing


def tagged(response: Response) -> Response:
    """Give the answer about a single thing its ETag: the revision, and a digest of what this asker sees of it.

    The digest tells a reader whether the answer is the same (If-None-Match). It differs from asker to asker, and with
    what is no part of the thing (the clock, the answers of others), so a change is checked by the revision alone.
    """
    revision = g.pop("revision", None)
    if revision is None or response.status_code >= HTTPStatus.MULTIPLE_CHOICES:
        return response
    etag = f"{revision}-{hashlib.sha256(response.get_data()).hexdigest()[:16]}"
    response.set_etag(etag)
    if request.method in {"GET", "HEAD"} and request.if_none_match.contains_weak(etag):
        response.status_code = HTTPStatus.NOT_MODIFIED
        response.set_data(b"")
    return response


def expected(*, required: bool = False) -> int | None:
    """The revision that the asker saw, from If-Match; None when it is not sent or `*`.

    PreconditionMissing when it is `required` and not sent, Stale when it is no ETag of ours.
    """
    header = request.headers.get("If-Match")
    if header is None:
        if required:
            raise PreconditionMissing("Send If-Match with the ETag that you got when you read it.")
        return None
    if header.strip() == "*":
        return None
    match = re.fullmatch(r'"(\d{1,9})-[0-9a-f]{16}"', header.strip())
    if match is None:
        raise Stale("If-Match is not the ETag of the present version; read it again and repeat your change.")
    return int(match[1])


class Paged(Form):
    """How much of a list, and from where on."""

    limit = fields.Integer(
        validate=lambda n: 1 <= n <= HIGHEST_LIMIT or _refuse(f"Must be from 1 to {HIGHEST_LIMIT}."),
        metadata={"minimum": 1, "maximum": HIGHEST_LIMIT, "default": DEFAULT_LIMIT},
    )
    cursor = fields.String(
        validate=lambda c: re.fullmatch(f"[A-Za-z0-9_-]{{1,{LONGEST_CURSOR}}}", c) or _refuse("This is not a cursor."),
        metadata={"description": "From `next` of the page before.", "maxLength": LONGEST_CURSOR},
    )


def _refuse(message: str) -> NoReturn:
    raise ValidationError(message)


def paging(query: Json) -> Paging:
    """Take what concerns paging out of the query."""
    return Paging(query.pop("limit", DEFAULT_LIMIT), query.pop("cursor", None))


def items(page: Page[Any], show: Callable[[Any], Any] | None = None) -> Json:
    """A page as it is answered; `next` keeps the other parameters of the query."""
    shown = [show(item) for item in page.items] if show else page.items
    if page.next is None:
        return {"items": shown, "next": None}
    query = [(name, value) for name, value in request.args.items(multi=True) if name != "cursor"]
    return {"items": shown, "next": f"{request.path}?{urlencode([*query, ('cursor', page.next)])}"}


def listing(item: type[Schema]) -> type[Schema]:
    """The schema of a list of such items."""
    name = f"{item.__name__}List"
    return type(
        name,
        (Schema,),
        {
            "__doc__": f"A page of {item.__name__}.",
            "items": fields.List(fields.Nested(item), required=True),
            "next": fields.String(allow_none=True, metadata={"description": "The address of the next page."}),
        },
    )
