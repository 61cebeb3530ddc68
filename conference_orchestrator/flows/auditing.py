"""Reading the audit."""

from __future__ import annotations

from conference_orchestrator.kernel import audit
from conference_orchestrator.kernel.audit import AuditEntry
from conference_orchestrator.kernel.errors import NotPermitted
from conference_orchestrator.kernel.paging import Page, Paging
from conference_orchestrator.kernel.principal import Principal, Role


def listed(paging: Paging, *, by: Principal) -> Page[AuditEntry]:
    """The rows within the asker's scope, in order.

    NotPermitted for an auditor of one network: the chain is that of all networks, and a part of it proves nothing.
    """
    if by.role == Role.AUDITOR and by.network_id is not None:
        raise NotPermitted("Your access is limited to one network; the audit is that of all of them.")
    return audit.listed(paging, visible_to=by)
