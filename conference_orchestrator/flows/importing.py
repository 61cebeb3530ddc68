"""Import and export of hospitals, clinicians and groups: one row each, a file whole or not at all.

The columns are the fields of the API. Lists are separated by semicolons; quorum, check list and rules are JSON as in
the API. Hospitals and groups are added or changed by their code; a clinician's record belongs to the clinician, so a
known address with other data is refused.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache, partial
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import selectinload

from conference_orchestrator.flows import directory, entries, fields, people, tables
from conference_orchestrator.flows.directory import Outcome
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.errors import Conflict, Invalid, OrchestratorError
from conference_orchestrator.kernel.principal import SYSTEM
from conference_orchestrator.kernel.transaction import transaction
from conference_orchestrator.network import hospitals
from conference_orchestrator.network.clinicians import Clinician, ClinicianNetwork, State
from conference_orchestrator.network.expert_groups import ExpertGroup
from conference_orchestrator.network.hospitals import Hospital
from conference_orchestrator.network.networks import Network


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a file did, or would have done. With a row in `refused` nothing of the file was stored."""

    added: int = 0
    changed: int = 0
    unchanged: int = 0
    refused: tuple[str, ...] = ()


class _Known:
    """What many rows name, looked up once for all rows of a file."""

    def __init__(self) -> None:
        self.network = cache(partial(directory.find_network, by=SYSTEM))
        self.hospital = cache(hospitals.find)


@dataclass(frozen=True)
class _Kind:
    """How the rows of one kind are read, told apart, stored, and written."""

    form: fields.Form
    key: tuple[str, ...]
    store: Callable[[Mapping[str, Any], _Known, datetime], Outcome]
    rows: Callable[[], Sequence[Mapping[str, Any]]]


class _NothingStored(Exception):
    """Leaves the transaction without a commit."""


def import_file(kind: str, path: Path, *, dry_run: bool = False) -> Report:
    """Store all rows of a CSV or XLSX file, or none; each refused row is told with its line and its fields.

    `kind` is hospitals, clinicians or groups. Invalid when the file as a whole is no such table: not UTF-8, too
    large, an unknown or a missing column.
    """
    form = _kind(kind)
    header, rows = tables.read(path)
    _check_header(header, form.form, name=path.name)
    counts: Counter[Outcome] = Counter()
    refused: list[str] = []
    with contextlib.suppress(_NothingStored), transaction() as tx:
        seen: dict[tuple[Any, ...], int] = {}
        known = _Known()
        for line, cells in rows:
            try:
                values = fields.read(_entry(header, cells), form.form)
                _must_be_first(seen, tuple(values[name] for name in form.key), line=line)
                counts[form.store(values, known, tx.now)] += 1
            except OrchestratorError as error:
                refused.append(f"line {line}: {error.detail}")
        if refused or dry_run:
            raise _NothingStored
        if counts[Outcome.ADDED] or counts[Outcome.CHANGED]:
            tx.record(f"import.{kind}", path.name, by=SYSTEM)
        directory.flush(Conflict("Somebody else stored one of these at the same time; import the file again."))
    return Report(
        added=counts[Outcome.ADDED],
        changed=counts[Outcome.CHANGED],
        unchanged=counts[Outcome.UNCHANGED],
        refused=tuple(refused),
    )


def export_rows(kind: str) -> list[list[str]]:
    """The header and the rows of a CSV file that `import_file` reads again; no cell begins like a formula."""
    form = _kind(kind)
    header = list(form.form)
    rows = [[_cell(row[name]) for name in header] for row in form.rows()]
    return [header, *([tables.defused(cell) for cell in row] for row in rows)]


def export_csv(kind: str) -> str:
    """The same as the text of a file."""
    written = io.StringIO(newline="")
    csv.writer(written, lineterminator="\n").writerows(export_rows(kind))
    return written.getvalue()


def _kind(kind: str) -> _Kind:
    if kind not in KINDS:
        raise Invalid({"kind": f"Must be one of {', '.join(KINDS)}."})
    return KINDS[kind]


def _check_header(header: list[str], form: fields.Form, *, name: str) -> None:
    missing = [column for column, field in form.items() if field.required and column not in header]
    unknown = [column for column in header if column not in form]
    if unknown:
        raise Invalid({name: f"Unknown column {', '.join(map(repr, unknown))}; the columns are {', '.join(form)}."})
    if missing:
        raise Invalid({name: f"The column {', '.join(missing)} is missing."})
    if len(set(header)) < len(header):
        raise Invalid({name: "A column stands twice."})


def _entry(header: list[str], cells: list[str]) -> dict[str, Any]:
    """The row's cells under their columns, each in the type that its column has; an empty cell is not entered."""
    if any(cell.strip() for cell in cells[len(header) :]):
        raise Invalid({"row": f"Has {len(cells)} cells, the header has {len(header)}."})
    # Fewer cells than columns: what is missing at the end is empty.
    written = dict(zip(header, cells, strict=False))
    return {name: _typed(name, cell) for name, cell in written.items() if cell.strip()}


def _typed(column: str, cell: str) -> Any:
    if column in {"networks", "specialties", "share"}:
        return [part.strip() for part in cell.split(";") if part.strip()]
    if column == "is_reference_centre":
        return {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}.get(cell.lower(), cell)
    if column in {"quorum", "checklist", "rules", "reminder_hours"}:
        try:
            return json.loads(cell)
        except (ValueError, RecursionError) as error:
            raise Invalid({column: "Must be JSON as in the API."}) from error
    return cell


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return ";".join(value)
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else str(value)


def _must_be_first(seen: dict[tuple[Any, ...], int], key: tuple[Any, ...], *, line: int) -> None:
    if key in seen:
        raise Conflict(f"{key[-1]} stands on line {seen[key]} already.")
    seen[key] = line


def _store_hospital(values: Mapping[str, Any], _known: _Known, _at: datetime) -> Outcome:
    return directory.store_hospital(values, by=SYSTEM)[1]


def _store_group(values: Mapping[str, Any], _known: _Known, _at: datetime) -> Outcome:
    return directory.store_group(values, by=SYSTEM)[1]


def _store_clinician(values: Mapping[str, Any], known: _Known, at: datetime) -> Outcome:
    network = known.network(values["network"])
    person, outcome = people.store_clinician(values, known.hospital(values["hospital"]) if values["hospital"] else None)
    if outcome == Outcome.CHANGED:
        raise Invalid({"email": f"{person.email} is a clinician already, with other data; an import changes nobody."})
    return Outcome.CHANGED if people.join(person, network, at=at) and outcome == Outcome.UNCHANGED else outcome


def _hospital_rows() -> list[dict[str, Any]]:
    found = db.session.scalars(select(Hospital).options(selectinload(Hospital.networks)).order_by(Hospital.code))
    return [_columns(place, entries.HOSPITAL) | {"networks": [n.code for n in place.networks]} for place in found]


def _clinician_rows() -> list[dict[str, Any]]:
    """One row for each network that the clinician is active in."""
    codes = dict(db.session.execute(select(Hospital.id, Hospital.code)).all())
    statement = (
        select(Network.code, Clinician)
        .join(ClinicianNetwork, ClinicianNetwork.network_id == Network.id)
        .join(Clinician, Clinician.id == ClinicianNetwork.clinician_id)
        .where(Clinician.state == State.ACTIVE)
        .order_by(Network.code, Clinician.email)
    )
    return [
        {
            **_columns(person, entries.PERSON),
            "network": network,
            "hospital": codes[person.hospital_id] if person.hospital_id else None,
        }
        for network, person in db.session.execute(statement)
    ]


def _group_rows() -> list[dict[str, Any]]:
    statement = (
        select(Network.code, ExpertGroup)
        .join(Network, Network.id == ExpertGroup.network_id)
        .options(selectinload(ExpertGroup.checklist))
        .order_by(ExpertGroup.code)
    )
    return [
        {
            **_columns(group, entries.GROUP),
            "network": network,
            "quorum": {"minimum": group.quorum_minimum, "disciplines": group.quorum_disciplines},
            "checklist": [_columns(item, entries.CHECKLIST_ITEM) for item in group.checklist],
        }
        for network, group in db.session.execute(statement)
    ]


def _columns(thing: Any, form: fields.Form) -> dict[str, Any]:
    """The columns of a row that stand in the form; its relations are added by name."""
    columns = thing.__table__.columns.keys()
    return {name: getattr(thing, name) for name in form if name in columns}


KINDS = {
    "hospitals": _Kind(entries.HOSPITAL, ("code",), _store_hospital, _hospital_rows),
    "clinicians": _Kind(entries.ACTIVE_PERSON, ("network", "email"), _store_clinician, _clinician_rows),
    "groups": _Kind(entries.GROUP, ("code",), _store_group, _group_rows),
}
