"""Faults beyond single broken answers: by chance, in storms, and with bodies that a client must not wait for."""

from __future__ import annotations

import time
from contextlib import nullcontext

import pytest
import requests

from conference_orchestrator.providers.sandbox import RunningSandbox
from conference_orchestrator.providers.sandbox.broken import LARGE
from tests.providers.sandbox.client import Client, body

MOST = 10_000


def statuses(seed, *, share, count=200):
    with RunningSandbox(seed=seed) as sandbox:
        sandbox.faults.add(method="GET", times=None, share=share, status=429)
        met = [sandbox.faults.take("GET", "/v1/meetings") for _ in range(count)]
    return [fault is not None for fault in met]


def test_a_share_of_the_requests_meets_the_fault_and_the_same_ones_at_each_run():
    first = statuses(7, share=0.25)
    assert first == statuses(7, share=0.25)
    assert first != statuses(8, share=0.25)
    assert 30 < sum(first) < 70


@pytest.mark.parametrize(("share", "met"), [(0, 0), (1, 200)])
def test_a_share_of_nothing_meets_none_and_of_all_each(share, met):
    assert sum(statuses(0, share=share)) == met


def test_who_escapes_a_share_is_tried_on_the_rules_below(sandbox, client):
    sandbox.faults.add(times=None, share=0, status=429)
    sandbox.faults.add(times=None, share=1, status=502)
    assert client("GET").status_code == 502


def test_a_share_wears_out_by_the_requests_that_met_it(sandbox, client):
    sandbox.faults.add(times=2, share=0.5, status=429)
    assert [client("GET").status_code for _ in range(20)].count(429) == 2


def test_some_creates_are_applied_and_dropped():
    with RunningSandbox(seed=1) as sandbox:
        client, answered = Client(sandbox), 0
        sandbox.faults.add(method="POST", times=None, share=0.25, fault="apply-then-drop")
        for _ in range(20):
            try:
                answered += client("POST", json=body()).status_code == 200
            except requests.ConnectionError:
                continue
        assert 10 <= answered < 20
        assert len(sandbox.meetings()) == 20


def test_the_rules_can_be_forgotten(sandbox, client):
    sandbox.faults.add(times=None, status=503)
    assert client("GET").status_code == 503
    sandbox.faults.clear()
    assert client("GET").status_code == 200


def test_a_storm_of_429_says_how_long_to_wait(sandbox, client):
    sandbox.faults.add(times=None, share=1, status=429, retry_after="2")
    answers = [client("GET") for _ in range(3)]
    assert {(answer.status_code, answer.headers["Retry-After"]) for answer in answers} == {(429, "2")}


def test_a_body_may_come_slowly(sandbox, client):
    sandbox.faults.add(method="GET", bytes_per_second=200)
    began = time.monotonic()
    answer = client("GET")
    assert answer.json() == {"items": []}
    assert time.monotonic() - began >= (len(answer.content) - 1) / 200


def test_a_body_may_have_no_end(sandbox, client):
    sandbox.faults.add(method="POST", fault="endless")
    with client("POST", json=body(), stream=True) as answer:
        assert answer.status_code == 200
        assert "Content-Length" not in answer.headers
        read = sum(len(piece) for _, piece in zip(range(3), answer.iter_content(MOST), strict=False))
    assert read == 3 * MOST
    assert len(sandbox.meetings()) == 1


@pytest.mark.parametrize("rule", [{"fault": "endless"}, {"bytes_per_second": 0.001}])
def test_the_end_of_the_sandbox_ends_every_body(rule):
    with RunningSandbox() as sandbox:
        sandbox.faults.add(method="GET", **rule)
        answer = Client(sandbox)("GET", stream=True)
    began = time.monotonic()
    with nullcontext() if "fault" in rule else pytest.raises(requests.exceptions.ChunkedEncodingError):
        for _ in answer.iter_content(MOST):
            assert time.monotonic() - began < 20


def test_a_body_may_be_large(sandbox, client):
    sandbox.faults.add(method="GET", fault="large")
    with client("GET", stream=True) as answer:
        assert int(answer.headers["Content-Length"]) == LARGE == 50 * 1024 * 1024
        assert sum(map(len, answer.iter_content(1024 * 1024))) == LARGE


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ({"event": "explode"}, "event must be one of drop, duplicate, hold-back"),
        ({"event": "drop", "status": 500}, "exactly one of"),
        ({"status": 429, "share": 1.5}, "share must lie between 0 and 1"),
        ({"bytes_per_second": 0}, "bytes_per_second must be more than 0"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(sandbox, rule, told):
    with pytest.raises(ValueError, match=told):
        sandbox.faults.add(**rule)
