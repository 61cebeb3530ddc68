"""The API as a whole: its resources, its description (OpenAPI 3) and a readable form of it."""

from __future__ import annotations

from copy import deepcopy
from http import HTTPStatus
from threading import Lock
from typing import Any

import flask_smorest
from apispec.ext.marshmallow import MarshmallowPlugin
from flask import Blueprint, Flask, Response, current_app, json, render_template
from marshmallow import Schema

from conference_orchestrator import __version__
from conference_orchestrator.kernel.principal import Role
from conference_orchestrator.web.api import RESOURCES
from conference_orchestrator.web.policy import EVERYBODY, POLICY, action_of, allow
from conference_orchestrator.web.problems import MEDIA_TYPE, ProblemSchema

KEPT = "conference_orchestrator.openapi"

docs = Blueprint("docs", __name__, url_prefix="/api", template_folder="templates")

DESCRIPTION = """Runs the meetings of a clinical expert network: registrations, rounds, slots, meetings, invitations.

Send `Authorization: Bearer TOKEN`. Errors are `application/problem+json` (RFC 9457). Instants are RFC 3339 in UTC; on
input any offset is accepted. Where a field names a network, hospital or group, its code and its id are both accepted.
Lists are `{"items": [...], "next": address or null}`. Things carry an ETag; PATCH needs it as If-Match, DELETE and
actions accept it. An exception carries that of its series, a member that of the group; that of a session or its roster
is stale also when one of its slots was taken, offered, answered or let go."""

PROBLEMS = {
    400: "The body is not valid JSON.",
    401: "A valid token is needed.",
    403: "The role may not do this.",
    404: "There is no such thing within the asker's scope.",
    409: "The present state does not allow it.",
    412: "If-Match is not the ETag of the present version.",
    415: "The body is not of a type that is taken here.",
    422: "The input is wrong; `errors` tells where.",
    428: "If-Match is missing.",
    429: "Too many requests; Retry-After tells when to ask again.",
}
IF_MATCH = {
    "name": "If-Match",
    "in": "header",
    "schema": {"type": "string"},
    "description": "The ETag of what is changed.",
}


class _Api(flask_smorest.Api):  # type: ignore[misc]
    """flask-smorest's collection of resources, with our errors instead of its own, described when somebody asks.

    To describe them takes half of a start, and most processes are never asked.
    """

    ERROR_SCHEMA = ProblemSchema
    DEFAULT_ERROR_RESPONSE_NAME = None

    def register_blueprint(self, resource: Any) -> None:
        """Add the routes of the resource."""
        self._app.extensions["flask-smorest"]["blp_name_to_api"][resource.name] = self
        self._app.register_blueprint(resource)

    def describe(self) -> dict[str, Any]:
        """The description of all resources; asked once."""
        for resource in RESOURCES:
            resource.register_views_in_doc(self, self._app, self.spec, name=resource.name, parameters=None)
            self.spec.tag({"name": resource.name, "description": resource.description})
        return _complete(self._app, self.spec.to_dict())

    def _register_error_handlers(self) -> None:
        """Errors are told by `web/problems.py`, the one place."""


class _Description:
    """The description of the API, made when it is first asked for."""

    def __init__(self, api: _Api) -> None:
        self._api = api
        self._lock = Lock()
        self._told: dict[str, Any] | None = None

    def told(self) -> dict[str, Any]:
        with self._lock:
            if self._told is None:
                self._told = self._api.describe()
            return self._told


def register(app: Flask) -> None:
    """Add all resources, the description of them, and the page that shows it."""
    api = _Api(
        app,
        spec_kwargs={
            "title": "conference_orchestrator",
            "version": __version__,
            "openapi_version": "3.0.3",
            "marshmallow_plugin": MarshmallowPlugin(schema_name_resolver=_name),
            "info": {"description": DESCRIPTION},
        },
    )
    api.spec.components.security_scheme("token", {"type": "http", "scheme": "bearer"})
    for resource in RESOURCES:
        api.register_blueprint(resource)
    app.register_blueprint(docs)
    app.extensions[KEPT] = _Description(api)


@docs.get("/v1/openapi.json")
@allow("documentation.read")
def description() -> Response:
    """The description for programs."""
    return current_app.response_class(json.dumps(current_app.extensions[KEPT].told()), mimetype="application/json")


@docs.get("/docs")
@allow("documentation.read")
def readable() -> str:
    """The description for people."""
    return render_template("api_docs.html", api=current_app.extensions[KEPT].told())


def _name(schema: Any) -> str:
    """The name of a schema; one of which every field may be missing is a change."""
    instance = schema if isinstance(schema, Schema) else schema()
    name = type(instance).__name__.removesuffix("Schema").lstrip("_")
    return f"{name}Change" if instance.partial else name


def _complete(app: Flask, spec: dict[str, Any]) -> dict[str, Any]:
    """Add what the policy and `problems` know of each operation: who may ask, and which errors come."""
    told = deepcopy(spec)
    for rule in app.url_map.iter_rules():
        action = action_of(app, rule.endpoint) if rule.endpoint in app.view_functions else None
        path = _path(rule.rule)
        for method in rule.methods or ():
            operation = told["paths"].get(path, {}).get(method.lower())
            if operation is not None and action is not None:
                _tell(operation, method, action, has_id="{" in path)
                operation["operationId"] = rule.endpoint.replace(".", "_").replace("-", "_")
    return told


def _path(rule: str) -> str:
    return rule.replace("<uuid:", "{").replace("<", "{").replace(">", "}")


def _tell(operation: dict[str, Any], method: str, action: str, *, has_id: bool) -> None:
    roles = POLICY[action]
    open_to_all = Role.ANONYMOUS in roles
    who = "Everybody" if roles == EVERYBODY else ", ".join(sorted(roles))
    operation["description"] = f"{operation.get('description', '')}\n\nWho may: {who}.".strip()
    operation["x-roles"] = sorted(roles)
    operation["security"] = [{}, {"token": []}] if open_to_all else [{"token": []}]
    expected = {401} if open_to_all else {401, 403}
    expected |= {404} if has_id else set()
    expected |= {422} if method != "DELETE" else set()
    if method in {"POST", "PATCH"}:
        expected |= {400, 409, 412, 415, 429}
    if method == "DELETE":
        expected |= {409, 412}
    if method in {"PATCH", "DELETE"} or (method == "POST" and has_id):
        operation.setdefault("parameters", []).append({**IF_MATCH, "required": method == "PATCH"})
    if method == "PATCH":
        expected |= {428}
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for status in sorted(expected):
        said = PROBLEMS.get(status, HTTPStatus(status).phrase)
        operation["responses"][str(status)] = {"description": said, "content": content}
