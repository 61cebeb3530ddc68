"""`GET /metrics` over HTTP."""

from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy.exc import OperationalError

from conference_orchestrator.insight import metrics
from tests.web.conftest import Service


def test_whoever_reaches_it_reads_the_numbers(shared: Service) -> None:
    answer = shared.client().get("/metrics")
    assert (answer.status_code, answer.mimetype, answer.headers["Cache-Control"]) == (200, "text/plain", "no-store")
    names = {family.name for family in text_string_to_metric_families(answer.get_data(as_text=True))}
    assert {"conference_orchestrator_messages_open", "conference_orchestrator_double_bookings"} <= names


def test_openmetrics_is_given_to_who_asks_for_it(shared: Service) -> None:
    answer = shared.client().get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert answer.mimetype == "application/openmetrics-text"
    assert answer.get_data(as_text=True).endswith("# EOF\n")


def test_without_a_database_there_are_no_numbers_rather_than_wrong_ones(
    shared: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(_: object) -> None:
        raise OperationalError("SELECT 1", {}, Exception("gone"))

    monkeypatch.setattr(metrics, "_rows", unreachable)
    answer = shared.client().get("/metrics", headers={"Accept": "text/html"})
    assert (answer.status_code, answer.mimetype) == (503, "application/problem+json")
