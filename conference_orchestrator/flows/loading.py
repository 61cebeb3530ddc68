"""Loads an installation from a TOML file such as `config/paedcan.toml`: whole or not at all, and as often as wanted.

    [[networks]] [[hospitals]] [[clinicians]] [[notices]] [[host_accounts]]
    [[groups]] with [groups.quorum], [[groups.checklist]], [[groups.members]], [[groups.series]]

The fields are those of the API. What is there already is changed to what the file says; what the file does not name is
left alone. Two things are never overwritten: what a clinician chose to share, and a series, which people move and end.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import select

from conference_orchestrator.flows import arranging, directory, entries, fields, hosting, people
from conference_orchestrator.flows.directory import Outcome
from conference_orchestrator.flows.importing import Report
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.errors import Conflict, Invalid, OrchestratorError
from conference_orchestrator.kernel.principal import SYSTEM
from conference_orchestrator.kernel.transaction import Transaction, transaction
from conference_orchestrator.network.expert_groups import ExpertGroup
from conference_orchestrator.scheduling import host_pool, series
from conference_orchestrator.scheduling.host_pool import HostAccount

Entries = Callable[[Transaction, Mapping[str, Any]], Iterator[Outcome]]


def load(path: Path) -> Report:
    """Store everything that the file says. Invalid, naming the file, the table and the field, for what is wrong."""
    try:
        with path.open("rb") as file:
            content = tomllib.load(file)
    except OSError as error:
        raise Invalid({path.name: f"The file cannot be read ({error.strerror})."}) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Invalid({path.name: f"The file is not TOML in UTF-8: {error}."}) from error
    if unknown := content.keys() - TABLES.keys():
        raise Invalid({path.name: f"Unknown table {', '.join(sorted(unknown))}; the tables are {', '.join(TABLES)}."})
    counts: Counter[Outcome] = Counter()
    with transaction() as tx:
        # In the order of TABLES, since a later one names what stands in those before it.
        for table, store in TABLES.items():
            for place, entry in _listed(content, table, within=f"{path.name}: "):
                with _told_at(place):
                    counts.update(store(tx, entry))
                    directory.flush(Conflict("Somebody else stored the same at the same time; load the file again."))
        if counts[Outcome.ADDED] or counts[Outcome.CHANGED]:
            tx.record("load", path.name, by=SYSTEM)
    return Report(added=counts[Outcome.ADDED], changed=counts[Outcome.CHANGED], unchanged=counts[Outcome.UNCHANGED])


def _listed(content: Mapping[str, Any], table: str, *, within: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The entries of a table, each with where it stands: `paedcan.toml: groups[2] 'ewing'`, counted from 1."""
    listed = content.get(table, [])
    if not isinstance(listed, list) or not all(isinstance(entry, Mapping) for entry in listed):
        raise Invalid({f"{within}{table}": "Each entry stands under a heading of its own, in double brackets."})
    for number, entry in enumerate(listed, start=1):
        name = next((entry[key] for key in ("code", "email", "clinician", "title", "rule") if key in entry), "")
        yield f"{within}{table}[{number}] {name!r}", entry


@contextmanager
def _told_at(place: str) -> Iterator[None]:
    """Say where in the file it stands, whatever the block refuses."""
    try:
        yield
    except Invalid as error:
        raise Invalid({f"{place}: {field}": said for field, said in error.errors.items()}) from error
    except OrchestratorError as error:
        raise Invalid({place: error.detail}) from error


def _network(_tx: Transaction, entry: Mapping[str, Any]) -> Iterator[Outcome]:
    yield directory.store_network(fields.read(entry, entries.NETWORK))[1]


def _hospital(_tx: Transaction, entry: Mapping[str, Any]) -> Iterator[Outcome]:
    yield directory.store_hospital(fields.read(entry, entries.HOSPITAL), by=SYSTEM)[1]


def _clinician(tx: Transaction, entry: Mapping[str, Any]) -> Iterator[Outcome]:
    values = fields.read(entry, entries.ACTIVE_PERSON)
    network = directory.find_network(values["network"], by=SYSTEM)
    person, outcome = people.store_clinician(values, people.place_of(values))
    joined = people.join(person, network, at=tx.now)
    yield Outcome.CHANGED if joined and outcome == Outcome.UNCHANGED else outcome


def _notice(_tx: Transaction, entry: Mapping[str, Any]) -> Iterator[Outcome]:
    yield directory.store_notice(fields.read(entry, entries.NOTICE), by=SYSTEM)[1]


def _host_account(tx: Transaction, entry: Mapping[str, Any]) -> Iterator[Outcome]:
    values = fields.read(entry, entries.HOST_ACCOUNT)
    account = db.session.scalar(select(HostAccount).filter_by(provider=values["provider"], email=values["email"]))
    if account is None:
        db.session.add(HostAccount(**values))
        yield Outcome.ADDED
        return
    account = host_pool.locked(account.id, now=tx.now)
    outcome = directory.assign(account, values)
    if outcome == Outcome.CHANGED:
        db.session.flush()
        hosting.reassign(tx, account)
    yield outcome


def _group(tx: Transaction, entry: Mapping[str, Any]) -> Iterator[Outcome]:
    own = {name: value for name, value in entry.items() if name not in {"members", "series"}}
    group, outcome = directory.store_group(fields.read(own, entries.GROUP), by=SYSTEM)
    yield outcome
    directory.flush(Conflict("Somebody else stored the same group at the same time; load the file again."))
    members = [_member(tx, group, *listed) for listed in _listed(entry, "members")]
    if set(members) - {Outcome.UNCHANGED}:
        directory.refresh(tx, group.id)
    yield from members
    for place, row in _listed(entry, "series"):
        with _told_at(place):
            yield _series(tx, group, fields.read(row, entries.SERIES))


def _member(tx: Transaction, group: ExpertGroup, place: str, row: Mapping[str, Any]) -> Outcome:
    with _told_at(place):
        return directory.store_member(group, fields.read(row, entries.MEMBER), at=tx.now)[1]


def _series(tx: Transaction, group: ExpertGroup, values: dict[str, Any]) -> Outcome:
    present = {(known.rule, known.start_time) for known in series.of_group(group.id)}
    if (values["rule"], values["start_time"]) in present:
        return Outcome.UNCHANGED
    arranging.store_series(tx, group, values)
    return Outcome.ADDED


TABLES: dict[str, Entries] = {
    "networks": _network,
    "hospitals": _hospital,
    "clinicians": _clinician,
    "groups": _group,
    "notices": _notice,
    "host_accounts": _host_account,
}
