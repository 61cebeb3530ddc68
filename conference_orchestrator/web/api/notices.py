"""/notices: privacy statement, factsheet, instructions and the like, in versions and languages."""

from __future__ import annotations

import io
from http import HTTPStatus
from uuid import UUID

from flask import Response, abort, request, send_file
from marshmallow import Schema, fields
from werkzeug.http import parse_options_header

from conference_orchestrator.flows import directory
from conference_orchestrator.kernel import ports
from conference_orchestrator.kernel.paging import part
from conference_orchestrator.kernel.principal import Principal, Role
from conference_orchestrator.network import expert_groups, networks, notice_files, notices
from conference_orchestrator.network.notices import Kind, Notice
from conference_orchestrator.web.fields import Choice, Instant, Language, Link, OneLine, Reference, Text
from conference_orchestrator.web.idempotency import once
from conference_orchestrator.web.kit import Form, Json, Paged, Resource, expected, items, listing, paging, versioned
from conference_orchestrator.web.policy import allow, principal

notices_api = Resource("notices", "Privacy statement, factsheet, instructions, in versions and languages.")

# Notices are public, also those of a group: their filter finds any group.
_ANY = Principal(role=Role.SYSTEM)


class NoticeEntry(Form):
    """A notice to be published: either a body or a link."""

    network = Reference(allow_none=True)
    group = Reference(allow_none=True)
    kind = Choice(Kind, required=True)
    language = Language(required=True)
    version = OneLine(100, required=True)
    valid_from = Instant(required=True)
    title = OneLine(required=True)
    body = Text(100_000, allow_none=True)
    link = Link(allow_none=True)


class NoticeFileSchema(Schema):
    """The file of a notice: what `/notices/{id}/file` gives."""

    name = fields.String()
    media_type = fields.String()
    size = fields.Integer(metadata={"description": "In bytes."})
    sha256 = fields.String()


class NoticeSchema(Schema):
    """A notice in one language and version."""

    id = fields.UUID()
    network = fields.UUID(attribute="network_id", allow_none=True)
    group = fields.UUID(attribute="group_id", allow_none=True)
    kind = fields.String()
    language = fields.String()
    version = fields.String(attribute="notice_version")
    valid_from = Instant()
    title = fields.String()
    body = fields.String(allow_none=True)
    link = fields.String(allow_none=True)
    sha256 = fields.String()
    file = fields.Nested(NoticeFileSchema, allow_none=True)


class NoticeQuery(Paged):
    """Which notices."""

    kind = Choice(Kind)
    language = Language()
    network = Reference()
    group = Reference()


@notices_api.get("/notices")
@allow("notice.read")
@notices_api.query(NoticeQuery)
@notices_api.response(200, listing(NoticeSchema))
def listed(query: Json) -> Json:
    """List the notices in force: of each kind, place and language the latest."""
    network = networks.find(query.pop("network")) if "network" in query else None
    group = expert_groups.find(query.pop("group"), visible_to=_ANY) if "group" in query else None
    asked = paging(query)
    in_force = notices.valid(
        at=ports.clock().now(),
        network_id=network.id if network else None,
        group_id=group.id if group else None,
        **query,
    )
    return items(part(in_force, asked, key=lambda one: str(one.id)))


@notices_api.post("/notices")
@allow("notice.publish")
@once
@notices_api.arguments(NoticeEntry)
@notices_api.response(201, NoticeSchema)
def publish(entered: Json) -> Notice:
    """Publish a notice; a changed text is a new version."""
    return versioned(directory.publish_notice(entered, by=principal()))


@notices_api.get("/notices/<uuid:notice_id>")
@allow("notice.read")
@notices_api.response(200, NoticeSchema)
def one(notice_id: UUID) -> Notice:
    """Read one notice."""
    return versioned(notices.get(notice_id))


_BYTES = {kind: {"schema": {"type": "string", "format": "binary"}} for kind in notice_files.KINDS}


@notices_api.put("/notices/<uuid:notice_id>/file")
@allow("notice.publish")
@notices_api.doc(requestBody={"required": True, "content": _BYTES})
@notices_api.response(200, NoticeSchema)
def attach(notice_id: UUID) -> Notice:
    """Give the notice its file: the body is the file, Content-Disposition may name it. It is never changed after."""
    if request.mimetype not in notice_files.KINDS:
        wanted = ", ".join(notice_files.KINDS)
        abort(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, description=f"Send the file with one of these types: {wanted}.")
    request.max_content_length = notice_files.LARGEST
    _, said = parse_options_header(request.headers.get("Content-Disposition"))
    return versioned(
        directory.attach_file(
            notice_id,
            request.get_data(cache=False),
            media_type=request.mimetype,
            name=said.get("filename"),
            by=principal(),
            expected=expected(),
        )
    )


@notices_api.get("/notices/<uuid:notice_id>/file")
@allow("notice.read")
@notices_api.doc(responses={"200": {"description": "The file as it was given.", "content": _BYTES}})
def file(notice_id: UUID) -> Response:
    """Fetch the file of a notice, to be saved."""
    found = notices.file_of(notice_id)
    return send_file(
        io.BytesIO(found.content),
        mimetype=found.media_type,
        as_attachment=True,
        download_name=found.name,
        etag=found.sha256,
    )
