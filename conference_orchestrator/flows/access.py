"""Ways in: tokens of a role, and what that role may see of people and of other people's requests."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import select, union

from conference_orchestrator.flows import fields
from conference_orchestrator.kernel import ports
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.errors import Invalid, NotFound
from conference_orchestrator.kernel.paging import Page, Paging, page
from conference_orchestrator.kernel.principal import SYSTEM, Principal, Role
from conference_orchestrator.kernel.times import rfc3339
from conference_orchestrator.kernel.transaction import transaction
from conference_orchestrator.network import clinicians, expert_groups, hospitals, networks, tokens
from conference_orchestrator.network.clinicians import Clinician, Share
from conference_orchestrator.network.expert_groups import Membership
from conference_orchestrator.network.hospitals import Hospital
from conference_orchestrator.network.tokens import ApiToken
from conference_orchestrator.scheduling.requests import ConsultationRequest

ROLES = (Role.HELPDESK, Role.COORDINATOR, Role.REFERENCE_CENTRE, Role.CLINICIAN, Role.AUDITOR)
# The scope that a role holds in; no other role may name it. A clinician may stand behind any role: the own record.
NEEDS = {Role.COORDINATOR: "group", Role.REFERENCE_CENTRE: "hospital", Role.CLINICIAN: "clinician"}


def create(
    *,
    role: str,
    network: str | UUID | None = None,
    group: str | UUID | None = None,
    hospital: str | UUID | None = None,
    clinician: str | UUID | None = None,
    name: str | None = None,
    valid_for: timedelta | None = None,
    by: Principal = SYSTEM,
) -> tuple[ApiToken, str]:
    """A new token and its secret, which is shown once and kept nowhere. What limits it is named by code or id.

    Invalid for an unknown role, a scope that the role needs and lacks or that is not for it, an unknown thing. Who
    belongs to one network makes tokens of that network only.
    """
    scope = {"network": network, "group": group, "hospital": hospital, "clinician": clinician}
    if role not in ROLES:
        raise Invalid({"role": f"Must be one of {', '.join(ROLES)}."})
    _must_fit(Role(role), scope)
    read = fields.read({"name": name}, {"name": fields.optional(fields.line())})
    secret = tokens.new_secret()
    with transaction() as tx:
        token = ApiToken(
            sha256=tokens.digest(secret),
            role=role,
            name=read["name"],
            **_resolved(scope, by=by),
            expires_at=tx.now + valid_for if valid_for is not None else None,
            revoked_at=None,
            created_at=tx.now,
        )
        db.session.add(token)
        tx.record("token.create", token, by=by)
    return token, secret


def revoke(token_id: UUID, *, by: Principal = SYSTEM) -> ApiToken:
    """End the token at once; a second time changes nothing. NotFound outside the asker's network."""
    with transaction() as tx:
        token = tokens.get(token_id)
        if by.network_id not in {None, token.network_id}:
            raise NotFound("There is no such token.")
        token.revoked_at = token.revoked_at or tx.now
        tx.record("token.revoke", token, by=by)
    return token


def listed(paging: Paging, *, by: Principal = SYSTEM) -> Page[ApiToken]:
    """The tokens within the asker's scope, oldest first; nobody can tell a secret from them."""
    statement = select(ApiToken)
    if by.network_id is not None:
        statement = statement.where(ApiToken.network_id == by.network_id)
    return page(statement, paging, by=[ApiToken.created_at, ApiToken.id])


def lines() -> Iterator[str]:
    """Every token as a line for people: id, role, what limits it, until when, its name."""
    for token in db.session.scalars(select(ApiToken).order_by(ApiToken.created_at, ApiToken.id)):
        scope = ("network", "group", "hospital", "clinician")
        limits = [f"{part}={found}" for part in scope if (found := getattr(token, f"{part}_id"))]
        until = f"until {rfc3339(token.expires_at)}" if token.expires_at else "without end"
        state = f"revoked {rfc3339(token.revoked_at)}" if token.revoked_at else until
        yield "  ".join([str(token.id), token.role, *limits, state, token.name or ""]).rstrip()


@dataclass(frozen=True, kw_only=True)
class Known:
    """What an asker may know of a person: `is_full` with the preferences, else name, place and shared contacts."""

    given_name: str
    family_name: str
    email: str | None
    phone: str | None
    is_full: bool

    @property
    def name(self) -> str:
        """Given name and family name."""
        return f"{self.given_name} {self.family_name}"


def knowledge_of(by: Principal) -> Callable[[Clinician], Known]:
    """What the asker may know of each person, by the policy's lines about the directory.

    The helpdesk everything; everybody the own record and what others share; a coordinator also the contacts of the own
    group's members and requesters, a reference centre those of its own hospital; the auditor everything masked.
    """
    if by.role == Role.AUDITOR:
        return _masked
    close = _close_to(by)

    def known(person: Clinician) -> Known:
        is_full = by.role in {Role.HELPDESK, Role.SYSTEM} or by.clinician_id == person.id
        is_close = (
            is_full or person.id in close or (by.hospital_id is not None and by.hospital_id == person.hospital_id)
        )
        return Known(
            given_name=person.given_name,
            family_name=person.family_name,
            email=person.email if is_close or Share.EMAIL in person.share else None,
            phone=person.phone if is_close or Share.PHONE in person.share else None,
            is_full=is_full,
        )

    return known


def masked_address(address: str) -> str:
    """An e-mail address that tells nobody's name: `m***@***`."""
    return f"{address[:1]}***@***"


def visible_requests(request_ids: Collection[UUID], *, by: Principal) -> set[UUID]:
    """Those of the consultation requests that the asker may look at."""
    if by.role in {Role.HELPDESK, Role.COORDINATOR, Role.SYSTEM}:
        # Whoever sees the session as a coordinator coordinates its group.
        return set(request_ids)
    statement = select(ConsultationRequest.id).where(ConsultationRequest.id.in_(request_ids))
    if by.role == Role.REFERENCE_CENTRE:
        statement = statement.where(ConsultationRequest.hospital_id == by.hospital_id)
    elif by.role == Role.CLINICIAN:
        statement = statement.where(ConsultationRequest.requester_id == by.clinician_id)
    else:
        return set()
    return set(db.session.scalars(statement)) if request_ids else set()


def participants(reference: str | UUID, *, by: Principal) -> list[tuple[Clinician, Known]]:
    """The participant list of a network as the asker may see it, by country, hospital and name.

    NotFound for a network that the asker does not belong to.
    """
    network = _own_network(reference, by=by)
    with transaction() as tx:
        tx.record("participants.read", network, by=by)
    known = knowledge_of(by)
    lines = [(person, known(person)) for person in db.session.scalars(clinicians.active_in(network.id))]
    return sorted(lines, key=lambda line: (line[0].country, line[0].hospital_name, line[1].name, line[0].id))


def _own_network(reference: str | UUID, *, by: Principal) -> networks.Network:
    network = networks.find(reference)
    if by.role == Role.CLINICIAN and by.clinician_id is not None:
        person = clinicians.get(by.clinician_id, visible_to=SYSTEM)
        own = {place.network_id for place in person.networks}
    elif by.role == Role.COORDINATOR and by.group_id is not None:
        own = {expert_groups.get(by.group_id, visible_to=SYSTEM).network_id}
    elif by.role == Role.REFERENCE_CENTRE and by.hospital_id is not None:
        own = {place.id for place in hospitals.get(by.hospital_id, visible_to=SYSTEM).networks}
    else:
        own = {network.id}
    if network.id not in own or by.network_id not in {None, network.id}:
        raise NotFound("There is no such network.")
    return network


def _must_fit(role: Role, scope: Mapping[str, str | UUID | None]) -> None:
    errors: dict[str, str | list[str]] = {}
    for needing, field in NEEDS.items():
        given = scope[field] is not None
        if needing == role and not given:
            errors[field] = f"A token of the role {role} needs a {field}."
        elif given and needing != role and field != "clinician":
            errors[field] = f"Only a token of the role {needing} has a {field}."
    if errors:
        raise Invalid(errors)


def _resolved(scope: Mapping[str, str | UUID | None], *, by: Principal) -> dict[str, UUID | None]:
    """The ids behind the names, within the asker's own network."""
    network, group, hospital, clinician = (scope[name] for name in ("network", "group", "hospital", "clinician"))
    network_id = networks.find(network).id if network is not None else by.network_id
    if by.network_id not in {None, network_id}:
        raise Invalid({"network": f"There is no network {str(network)!r}."})
    within = Principal(role=Role.HELPDESK, network_id=network_id)
    coordinated = expert_groups.find(group, visible_to=within) if group is not None else None
    asking = _hospital(hospital, within=within) if hospital is not None else None
    # The directory that a token opens ends where the network of its group, or the only one of its hospital, does.
    if coordinated is not None:
        network_id = coordinated.network_id
    elif asking is not None and network_id is None and len(asking.networks) == 1:
        network_id = asking.networks[0].id
    return {
        "network_id": network_id,
        "group_id": coordinated.id if coordinated else None,
        "hospital_id": asking.id if asking else None,
        "clinician_id": clinicians.find(clinician, visible_to=within).id if clinician is not None else None,
    }


def _hospital(reference: str | UUID, *, within: Principal) -> Hospital:
    try:
        return hospitals.get(hospitals.find(reference).id, visible_to=within)
    except NotFound as error:
        raise Invalid({"hospital": f"There is no hospital {str(reference)!r}."}) from error


def _close_to(by: Principal) -> set[UUID]:
    """A coordinator's own people: the members of the group, and those who asked it."""
    if by.role != Role.COORDINATOR:
        return set()
    today = ports.clock().now().date()
    members = select(Membership.clinician_id).where(
        Membership.group_id == by.group_id, (Membership.until_on.is_(None)) | (Membership.until_on >= today)
    )
    requesters = select(ConsultationRequest.requester_id).where(ConsultationRequest.group_id == by.group_id)
    return set(db.session.scalars(union(members, requesters)))


def _masked(person: Clinician) -> Known:
    return Known(
        given_name=f"{person.given_name[:1]}***",
        family_name=f"{person.family_name[:1]}***",
        email=masked_address(person.email),
        phone="***" if person.phone else None,
        is_full=False,
    )
