"""Ports and principals: what an application was given, and who asks."""

from __future__ import annotations

from uuid import uuid4

import pytest
from flask import Flask

from conference_orchestrator.kernel.ports import Port
from conference_orchestrator.kernel.principal import ANONYMOUS, SYSTEM, Principal, Role

WORDS: Port[str] = Port("words")


def test_each_application_has_its_own_thing_in_a_port() -> None:
    one, two = Flask("one"), Flask("two")
    WORDS.fill(one, "first")
    WORDS.fill(two, "second")
    with one.app_context():
        assert WORDS() == "first"
        with two.app_context():
            assert WORDS() == "second"


def test_a_forgotten_port_is_named() -> None:
    with Flask("empty").app_context(), pytest.raises(KeyError, match="words"):
        WORDS()


def test_a_decision_is_recorded_with_the_role_and_the_token_but_no_secret() -> None:
    token_id = uuid4()
    assert str(Principal(role=Role.COORDINATOR, token_id=token_id)) == f"coordinator:{token_id}"
    assert [str(SYSTEM), str(ANONYMOUS)] == ["system", "anonymous"]
