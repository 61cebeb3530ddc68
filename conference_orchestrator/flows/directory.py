"""The directory that the helpdesk keeps: networks, hospitals, expert groups with their members, notices.

`add_` and `change_` are flows, one transaction each. The `store_` functions do the same inside of a transaction that
is open already, for a file that is loaded whole or not at all: they add what is new and change what differs.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import or_, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm.attributes import flag_modified
from sqlalchemy.orm.exc import StaleDataError

from conference_orchestrator.flows import entries, fields
from conference_orchestrator.flows.waiting import offer_freed
from conference_orchestrator.kernel.database import Versioned, db
from conference_orchestrator.kernel.errors import Conflict, Invalid, NotFound, NotPermitted, Stale
from conference_orchestrator.kernel.outbox import Task
from conference_orchestrator.kernel.principal import SYSTEM, Principal, Role
from conference_orchestrator.kernel.times import wall
from conference_orchestrator.kernel.transaction import Transaction, transaction
from conference_orchestrator.network import clinicians, expert_groups, hospitals, networks, notice_files, notices
from conference_orchestrator.network.clinicians import Clinician
from conference_orchestrator.network.expert_groups import ChecklistItem, ExpertGroup, Membership
from conference_orchestrator.network.hospitals import Hospital
from conference_orchestrator.network.networks import Network
from conference_orchestrator.network.notices import Notice

# What coordinators may change of their own group.
OF_COORDINATORS = {"quorum", "checklist", "reminder_hours"}


class Outcome(StrEnum):
    """What storing an entry did."""

    ADDED = "added"
    CHANGED = "changed"
    UNCHANGED = "unchanged"


def add_network(entered: Mapping[str, Any], *, by: Principal) -> Network:
    """A new network. Conflict for a code that is taken, NotPermitted for an asker who belongs to one network."""
    if by.network_id is not None:
        raise NotPermitted("Your access is limited to one network.")
    values = fields.read(entered, entries.NETWORK)
    with transaction() as tx:
        if networks.by_code(values["code"]) is not None:
            raise _code_taken(values["code"])
        network, _ = store_network(values)
        flush(_code_taken(values["code"]))
        tx.record("network.add", network, by=by)
    return network


def store_network(values: Mapping[str, Any]) -> tuple[Network, Outcome]:
    """The network of that code with these values."""
    network = networks.by_code(values["code"])
    if network is not None:
        return network, assign(network, values)
    network = Network(**values)
    db.session.add(network)
    return network, Outcome.ADDED


def add_hospital(entered: Mapping[str, Any], *, by: Principal) -> Hospital:
    """A new hospital, in the asker's own network when none is named. Conflict for a taken code."""
    values = fields.read(entered, entries.HOSPITAL)
    with transaction() as tx:
        if hospitals.by_code(values["code"]) is not None:
            raise _code_taken(values["code"])
        hospital, _ = store_hospital(values, by=by)
        flush(_code_taken(values["code"]))
        tx.record("hospital.add", hospital, by=by)
    return hospital


def change_hospital(
    hospital_id: UUID, changes: Mapping[str, Any], *, by: Principal, expected: int | None = None
) -> Hospital:
    """Change the fields that are named. Stale when `expected` is not the present version, Conflict for a taken code."""
    values = fields.read(changes, entries.HOSPITAL, partial=True)
    with transaction() as tx:
        hospital = hospitals.get(hospital_id, visible_to=by)
        hospital.must_match(expected)
        if "networks" in values:
            values["networks"] = _networks(values["networks"], present=hospital.networks, by=by)
        _assign_hospital(hospital, values)
        flush(_code_taken(hospital.code))
        tx.record("hospital.change", hospital, by=by)
    return hospital


def store_hospital(values: Mapping[str, Any], *, by: Principal) -> tuple[Hospital, Outcome]:
    """The hospital of that code with these values. Invalid for an unknown network."""
    hospital = hospitals.by_code(values["code"])
    wanted = values["networks"] or ([by.network_id] if by.network_id else [])
    columns = {**values, "networks": _networks(wanted, present=hospital.networks if hospital else [], by=by)}
    if hospital is not None:
        return hospital, _assign_hospital(hospital, columns)
    hospital = Hospital(**columns)
    db.session.add(hospital)
    return hospital, Outcome.ADDED


def add_group(entered: Mapping[str, Any], *, by: Principal) -> ExpertGroup:
    """A new expert group. Conflict for a taken code, Invalid for an unknown network."""
    values = fields.read(entered, entries.GROUP)
    with transaction() as tx:
        if expert_groups.by_code(values["code"]) is not None:
            raise _code_taken(values["code"])
        group, _ = store_group(values, by=by)
        flush(_code_taken(values["code"]))
        tx.record("group.add", group, by=by)
    return group


def change_group(
    group_id: UUID, changes: Mapping[str, Any], *, by: Principal, expected: int | None = None
) -> ExpertGroup:
    """Change the fields that are named; of quorum and rules only the parts that are named.

    A coordinator may change the check list, the quorum and the hours of reminders. A group stays in its network. Stale
    when `expected` is not the present version, Conflict for a taken code.
    """
    if by.role == Role.COORDINATOR and changes.keys() - OF_COORDINATORS:
        raise NotPermitted(
            "A coordinator may change the check list, the quorum and the reminders; ask the helpdesk for the rest."
        )
    with transaction() as tx:
        group = expert_groups.get(group_id, visible_to=by, lock=True)
        group.must_match(expected)
        values = fields.read(_merged(group, changes), entries.GROUP, partial=True)
        if "network" in values and find_network(values["network"], by=by).id != group.network_id:
            raise Invalid({"network": "A group stays in its network."})
        _assign_group(group, values)
        flush(_code_taken(group.code))
        tx.record("group.change", group, by=by)
        if "rules" in values:
            offer_freed(tx, group)
    return group


def store_group(values: Mapping[str, Any], *, by: Principal) -> tuple[ExpertGroup, Outcome]:
    """The group of that code with these values. Invalid for an unknown network, or another one than the group's."""
    network = find_network(values["network"], by=by)
    group = expert_groups.by_code(values["code"])
    if group is None:
        group = ExpertGroup(network_id=network.id, checklist=[])
        _assign_group(group, values)
        db.session.add(group)
        return group, Outcome.ADDED
    if group.network_id != network.id:
        raise Invalid({"network": "A group stays in its network."})
    return group, _assign_group(group, values)


def add_member(
    group_id: UUID,
    clinician: str | UUID,
    *,
    role: str,
    discipline: str | None = None,
    by: Principal,
    expected: int | None = None,
) -> Membership:
    """Take a clinician of the network, named by id or address, into the group. Conflict for a present member."""
    entered = {"clinician": clinician, "role": role, "discipline": discipline}
    values = fields.read(entered, entries.MEMBER)
    with transaction() as tx:
        group = expert_groups.get(group_id, visible_to=by, lock=True)
        group.must_match(expected)
        present, outcome = store_member(group, values, at=tx.now)
        if outcome != Outcome.ADDED:
            raise Conflict(f"{present.clinician.name} is a member of this group already.")
        flush(Conflict("This clinician is a member of this group already."))
        refresh(tx, group.id)
        tx.record("member.add", present, by=by)
    return present


def remove_member(group_id: UUID, clinician_id: UUID, *, by: Principal, expected: int | None = None) -> None:
    """End a clinician's membership today. NotFound for somebody who is no member."""
    with transaction() as tx:
        group = expert_groups.get(group_id, visible_to=by, lock=True)
        group.must_match(expected)
        end_membership(tx, group, clinician_id, by=by)


def end_membership(tx: Transaction, group: ExpertGroup, clinician_id: UUID, *, by: Principal) -> None:
    """The same inside of a transaction that is open already and has locked the group."""
    leaving = expert_groups.membership(group.id, clinician_id)
    leaving.until_on = _today(group, tx.now)
    refresh(tx, group.id)
    tx.record("member.remove", leaving, by=by)


def store_member(group: ExpertGroup, values: Mapping[str, Any], *, at: datetime) -> tuple[Membership, Outcome]:
    """The clinician's present membership with these values. Invalid for somebody outside the group's network."""
    person = clinicians.find(values["clinician"], visible_to=SYSTEM)
    if group.network_id not in {place.network_id for place in person.networks}:
        # The same words as for nobody at all: who is active in other networks is not told here.
        raise Invalid({"clinician": f"There is no clinician {values['clinician']!r}."})
    columns = {"role": values["role"], "discipline": values["discipline"]}
    for present in expert_groups.members(group.id):
        if present.clinician_id == person.id:
            return present, assign(present, columns)
    clinicians.hold(person)
    new = Membership(group_id=group.id, clinician=person, from_on=_today(group, at), **columns)
    db.session.add(new)
    return new, Outcome.ADDED


def refresh(tx: Transaction, group_id: UUID) -> None:
    """After the commit, look who is invited to the group's sessions: its members changed."""
    tx.after(Task(kind="refresh-group", payload={"group": str(group_id)}, lock=f"group:{group_id}"))


def publish_notice(entered: Mapping[str, Any], *, by: Principal) -> Notice:
    """Publish a notice. The same text again corrects at most its title and its date; another text is a new version."""
    values = fields.read(entered, entries.NOTICE)
    with transaction() as tx:
        notice, _ = store_notice(values, by=by)
        flush(Conflict(f"Version {notice.notice_version} of this notice was published by someone else just now."))
        tx.record("notice.publish", notice, by=by)
    return notice


def attach_file(
    notice_id: UUID, content: bytes, *, media_type: str, name: str | None, by: Principal, expected: int | None = None
) -> Notice:
    """Give the notice its file. The same bytes again change nothing.

    Conflict for others: people may have accepted what the notice said, so another file needs a new version. NotFound
    for a notice outside the asker's network, Invalid for what is not of that type.
    """
    with transaction() as tx:
        notice = notices.get(notice_id)
        if by.network_id not in {None, notice.network_id}:
            raise NotFound("There is no such notice.")
        notice.must_match(expected)
        added = notice_files.made(content, media_type=media_type, name=name, title=notice.title, at=tx.now)
        if notice.file is None:
            notice.file = added
            _touch(notice)
            flush(Conflict("Somebody gave this notice a file at the same time."))
            tx.record("notice.file", notice, by=by)
        elif notice.file.sha256 != added.sha256:
            raise Conflict("This notice has another file already; publish a new version with the new one.")
    return notice


def store_notice(values: Mapping[str, Any], *, by: Principal) -> tuple[Notice, Outcome]:
    """The notice of that version. Conflict when it has another text, Invalid without exactly one of body and link."""
    if (values["body"] is None) == (values["link"] is None):
        raise Invalid({"body": "Give either a body or a link."})
    group = expert_groups.find(values["group"], visible_to=by) if values["group"] else None
    place = group.network_id if group else find_network(values["network"], by=by).id if values["network"] else None
    if place is None and by.network_id is not None:
        raise Invalid({"network": "Name your network; a notice for all networks is not yours to publish."})
    corrections = {name: values[name] for name in ("valid_from", "title")}
    columns = {name: values[name] for name in ("kind", "language", "body", "link")} | corrections
    new = Notice(network_id=place, group_id=group.id if group else None, notice_version=values["version"], **columns)
    stored = notices.publish(new)
    return (stored, Outcome.ADDED) if stored is new else (stored, assign(stored, corrections))


def find_network(reference: str | UUID, *, by: Principal, field: str = "network") -> Network:
    """The network with that code or id; Invalid, naming `field`, when the asker has none of that name."""
    network = networks.find(reference, field=field)
    if by.network_id not in {None, network.id}:
        raise Invalid({field: f"There is no network {str(reference)!r}."})
    return network


def assign(thing: Any, values: Mapping[str, Any]) -> Outcome:
    """Set the columns and relations; a thing that has them all already is left alone."""
    for name, value in values.items():
        setattr(thing, name, value)
    if not db.session.is_modified(thing):
        return Outcome.UNCHANGED
    _touch(thing)
    return Outcome.CHANGED


def flush(conflict: Conflict) -> None:
    """Write now; the conflict when somebody else stored the same at the same time, Stale when they changed it."""
    try:
        db.session.flush()
    except IntegrityError as error:
        raise conflict from error
    except StaleDataError as error:
        raise Stale("It was changed at the same time; read it again and repeat your change.") from error


def _touch(thing: Any) -> None:
    """Have the version rise, and with it the ETag, also when only a related row changed."""
    if isinstance(thing, Versioned) and thing in db.session:
        flag_modified(thing, "created_at")


def _networks(references: list[Any], *, present: list[Network], by: Principal) -> list[Network]:
    """The networks wanted, and those present ones that the asker does not see."""
    wanted = {find_network(reference, by=by, field="networks") for reference in references}
    unseen = {network for network in present if by.network_id not in {None, network.id}}
    return sorted(wanted | unseen, key=lambda network: network.code)


def _assign_hospital(hospital: Hospital, values: Mapping[str, Any]) -> Outcome:
    """Change the hospital, and what stands of it with those who work there."""
    outcome = assign(hospital, values)
    if outcome == Outcome.CHANGED and values.keys() & {"name", "country"}:
        shown = {"hospital_name": hospital.name, "country": hospital.country}
        differs = or_(Clinician.hospital_name != hospital.name, Clinician.country != hospital.country)
        here = update(Clinician).where(Clinician.hospital_id == hospital.id, differs)
        db.session.execute(here.values(**shown, version=Clinician.version + 1))
    return outcome


def _merged(group: ExpertGroup, changes: Mapping[str, Any]) -> dict[str, Any]:
    present = {
        "quorum": {
            "minimum": group.quorum_minimum,
            "disciplines": group.quorum_disciplines,
            "invite_substitutes": group.quorum_substitutes,
        },
        "rules": group.rules,
    }
    return {
        name: present[name] | value if name in present and isinstance(value, dict) else value
        for name, value in changes.items()
    }


def _assign_group(group: ExpertGroup, values: Mapping[str, Any]) -> Outcome:
    columns = {name: values[name] for name in values.keys() - {"network", "quorum", "checklist"}}
    if "quorum" in values:
        columns["quorum_minimum"] = values["quorum"]["minimum"]
        columns["quorum_disciplines"] = values["quorum"]["disciplines"]
        columns["quorum_substitutes"] = values["quorum"]["invite_substitutes"]
    outcome = assign(group, columns)
    if "checklist" not in values or not _assign_checklist(group, values["checklist"]):
        return outcome
    _touch(group)
    return Outcome.CHANGED


def _assign_checklist(group: ExpertGroup, wanted: list[dict[str, Any]]) -> bool:
    """Make the check list as wanted, an item keeps its id under its code; whether anything differed."""
    present = {item.code: item for item in group.checklist}
    items = [present.get(entry["code"]) or ChecklistItem() for entry in wanted]
    differs = items != group.checklist
    for position, (item, entry) in enumerate(zip(items, wanted, strict=True)):
        differs |= assign(item, {**entry, "position": position}) == Outcome.CHANGED
    group.checklist = items
    return differs


def _today(group: ExpertGroup, at: datetime) -> date:
    return wall(at, group.time_zone).date()


def _code_taken(code: str) -> Conflict:
    return Conflict(f"The code {code!r} is taken; choose another one.")
