"""Who asks: a frozen value, never a model."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID


class Role(StrEnum):
    """The roles of the policy table."""

    ANONYMOUS = "anonymous"
    CLINICIAN = "clinician"
    COORDINATOR = "coordinator"
    REFERENCE_CENTRE = "reference-centre"
    HELPDESK = "helpdesk"
    AUDITOR = "auditor"
    SYSTEM = "system"


@dataclass(frozen=True, kw_only=True)
class Principal:
    """Somebody with one role and the scope it holds in: a network narrows any role, the others belong to theirs."""

    role: Role
    token_id: UUID | None = None
    network_id: UUID | None = None
    group_id: UUID | None = None
    hospital_id: UUID | None = None
    clinician_id: UUID | None = None

    def __str__(self) -> str:
        return f"{self.role}:{self.token_id}" if self.token_id else str(self.role)


ANONYMOUS = Principal(role=Role.ANONYMOUS)
SYSTEM = Principal(role=Role.SYSTEM)
