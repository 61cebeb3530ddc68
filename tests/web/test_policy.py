"""Every role at every route gets what the hand-written matrix says."""

from __future__ import annotations

import re

import pytest
from flask import Flask

from conference_orchestrator.web import policy
from tests.web.conftest import ROLES
from tests.web.matrix import MATRIX

CASES = [
    pytest.param(method, path, role, status, id=f"{role} {method} {path}")
    for method, path, *statuses in MATRIX
    for role, status in zip(ROLES, statuses, strict=True)
]


@pytest.mark.parametrize(("method", "path", "role", "status"), CASES)
def test_each_role_gets_what_the_table_says(shared, method, path, role, status):
    # Nothing is changed: a body with an unknown field and a stale If-Match are refused after the role was accepted.
    headers = {} if method == "GET" else {"If-Match": '"999999-0000000000000000"'}
    body = {"json": {"nobody_knows_this": 1}} if method in {"POST", "PATCH"} else {}
    answer = shared.ask(method, path, by=role, headers=headers, **body)
    assert answer.status_code == status, answer.get_data(as_text=True)


def test_the_matrix_has_every_route_of_the_api(shared):
    listed = {(method, re.sub(r"{\w+}", "*", path.partition("?")[0])) for method, path, *_ in MATRIX}
    routes = {
        (method, re.sub(r"<[^>]+>", "*", rule.rule.removeprefix("/api/v1")))
        for rule in shared.app.url_map.iter_rules()
        for method in rule.methods - {"HEAD", "OPTIONS"}
        if rule.rule.startswith("/api/v1/") and "openapi" not in rule.rule
    }
    assert listed == routes


def test_a_route_without_a_policy_stops_the_start():
    app = Flask("bare")
    app.add_url_rule("/open", "open", lambda: "for everybody")
    with pytest.raises(RuntimeError, match="/open"):
        policy.check(app)


def test_every_route_of_the_service_stands_under_the_policy(shared):
    policy.check(shared.app)


@pytest.mark.parametrize("path", ["/sessions", "/notices", "/health/live"])
@pytest.mark.parametrize("header", ["Bearer of-nobody", "Bearer", "Basic aGVscDpkZXNr", ""])
def test_a_token_that_is_none_is_refused_even_where_nobody_needs_one(shared, path, header):
    answer = shared.ask("GET", path, by="anonymous", headers={"Authorization": header})
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")


def test_a_revoked_token_is_refused(service):
    made = service.made("/tokens", {"role": "auditor"})
    headers = {"Authorization": f"Bearer {made['token']}"}
    assert service.get("/sessions", headers=headers).status_code == 200
    assert service.ask("DELETE", f"/tokens/{made['id']}").status_code == 204
    assert service.get("/sessions", headers=headers).status_code == 401


def test_an_expired_token_is_refused(service):
    made = service.made("/tokens", {"role": "auditor", "days": 1})
    headers = {"Authorization": f"Bearer {made['token']}"}
    assert service.get("/sessions", headers=headers).status_code == 200
    service.clock.at = service.clock.at.replace(day=24, hour=10)
    assert service.get("/sessions", headers=headers).status_code == 401


@pytest.mark.parametrize(
    ("entered", "field"),
    [
        ({"role": "system"}, "role"),
        ({"role": "coordinator"}, "group"),
        ({"role": "reference-centre"}, "hospital"),
        ({"role": "clinician"}, "clinician"),
        ({"role": "helpdesk", "group": "brain"}, "group"),
        ({"role": "coordinator", "group": "nobody"}, "group"),
        ({"role": "coordinator", "group": "ewing", "network": "covid"}, "group"),
    ],
)
def test_the_scope_of_a_token_fits_its_role(shared, entered, field):
    answer = shared.post("/tokens", entered)
    assert (answer.status_code, list(answer.json["errors"])) == (422, [field])


def test_who_belongs_to_one_network_grants_nothing_beyond_it(service):
    service.tokens["narrow"] = service.token("helpdesk", network="covid")
    assert service.post("/tokens", {"role": "auditor", "network": "other"}, by="narrow").status_code == 422
    made = service.made("/tokens", {"role": "auditor"}, by="narrow")
    assert made["network"] == service.ids["network"]
    seen = service.get("/tokens", by="narrow").json["items"]
    # Those of a group and of a hospital are narrowed to the network that these belong to.
    assert {token["role"] for token in seen} == {"helpdesk", "coordinator", "reference-centre", "auditor"}
    assert service.ask("DELETE", "/tokens/{token}", by="narrow").status_code == 404
