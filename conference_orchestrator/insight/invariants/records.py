"""Whether what was written down for auditors is still what was written."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from conference_orchestrator.insight.invariants.violation import Violation
from conference_orchestrator.kernel import audit


def audit_broken(_now: datetime) -> Iterator[Violation]:
    """Every row of the audit says what was written, and follows the row that it followed then."""
    for sequence, wrong in audit.broken():
        yield Violation("audit-broken", f"row {sequence} {wrong}")
