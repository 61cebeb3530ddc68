"""Access export: everything that is kept about a clinician (GDPR, article 15), by the tables that erasure goes by.

Words that open something are kept as hashes only, and not even these are in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime, time
from typing import Any
from uuid import UUID

from sqlalchemy import Select, inspect, or_, select

from conference_orchestrator.flows import personal_data
from conference_orchestrator.flows.erasing import in_reach
from conference_orchestrator.flows.personal_data import HOLDINGS, LINKS, Traces
from conference_orchestrator.kernel import audit
from conference_orchestrator.kernel.audit import AuditEntry
from conference_orchestrator.kernel.database import Model, db
from conference_orchestrator.kernel.principal import Principal, Role
from conference_orchestrator.kernel.times import rfc3339
from conference_orchestrator.kernel.transaction import transaction
from conference_orchestrator.ledger.messages import Message
from conference_orchestrator.network.clinicians import Clinician
from conference_orchestrator.network.expert_groups import ExpertGroup
from conference_orchestrator.network.hospitals import Hospital
from conference_orchestrator.network.networks import Network
from conference_orchestrator.scheduling.allocations import Allocation
from conference_orchestrator.scheduling.requests import ConsultationRequest


def everything_about(clinician_id: UUID, *, by: Principal) -> dict[str, Any]:
    """The rows about the clinician by their tables, as JSON values; instants in UTC.

    What the rows refer to stands there by its id, and `names` tells what network, group or hospital that is. NotFound
    outside the asker's scope, and for who was erased. That it was asked for is in the audit.
    """
    with transaction() as tx:
        person = in_reach(clinician_id, by=by)
        who = personal_data.traces_of(person)
        found = {one.model.__tablename__: _rows(one.model, one.of(who), one.hidden) for one in HOLDINGS}
        found |= {model.__tablename__: _rows(model, of(who)) for model, of in LINKS.items()}
        found[Allocation.__tablename__] = _rows(Allocation, Allocation.request_id.in_(_requests(who)))
        found[AuditEntry.__tablename__] = _rows(AuditEntry, _in_the_audit(who))
        tx.record("clinician.export", person, by=by)
        names = _names(found)
    return {"exported_at": rfc3339(tx.now), "names": names, "tables": found}


def _rows(model: type[Model], of: Any, hidden: Iterable[str] = ()) -> list[dict[str, Any]]:
    columns = [column for column in model.__table__.columns if column.name not in set(hidden)]
    ordered = select(*columns).where(of).order_by(*inspect(model).primary_key)
    return [_shown(model, row) for row in db.session.execute(ordered).mappings()]


def _shown(model: type[Model], row: Mapping[Any, Any]) -> dict[str, Any]:
    values = {name: _as_json(value) for name, value in row.items()}
    if model is Message:
        # The list that came with a mail tells about others, and what they shared is not the person's to take along.
        values["facts"] = {name: value for name, value in values["facts"].items() if name != "participants"}
    return values


def _names(found: Mapping[str, list[dict[str, Any]]]) -> dict[str, str]:
    """What the networks, groups and hospitals are called whose ids stand in the rows."""
    told = {value for rows in found.values() for row in rows for value in row.values() if isinstance(value, str)}
    named = [
        (str(identifier), name)
        for model in (Network, ExpertGroup, Hospital)
        for identifier, name in db.session.execute(select(model.id, model.name))
    ]
    return {identifier: name for identifier, name in named if identifier in told}


def _as_json(value: Any) -> Any:
    if isinstance(value, datetime):
        return rfc3339(value)
    return str(value) if isinstance(value, UUID | date | time) else value


def _requests(who: Traces) -> Select[UUID]:
    return select(ConsultationRequest.id).where(ConsultationRequest.requester_id == who.id)


def _in_the_audit(who: Traces) -> Any:
    actor = audit.actor(Principal(role=Role.CLINICIAN, clinician_id=who.id))
    return or_(AuditEntry.subject == audit.named(Clinician, who.id), AuditEntry.actor == actor)
