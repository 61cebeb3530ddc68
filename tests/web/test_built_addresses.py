"""Addresses are built by functions that are compiled late, and are those that werkzeug itself builds."""

from __future__ import annotations

from uuid import UUID

from werkzeug.routing import Map, Rule

from conference_orchestrator.web import setup

SAMPLES = {"UUIDConverter": UUID(int=7), "IntegerConverter": 7}


def values_of(rule):
    return {name: SAMPLES.get(type(one).__name__, "a b/ü?&") for name, one in rule._converters.items()}


def test_every_address_is_the_one_that_werkzeug_builds(service):
    rules = list(service.app.url_map.iter_rules())
    assert sum(isinstance(rule, setup._Rule) for rule in rules) > 100
    for rule in rules:
        own = Rule(rule.rule, endpoint=rule.endpoint, methods=rule.methods, defaults=rule.defaults)
        Map([own])
        for more in ({}, {"cursor": "x y", "limit": 3}):
            assert rule.build(values_of(rule) | more) == own.build(values_of(rule) | more)
            assert rule.build(values_of(rule) | more, append_unknown=False) == own.build(
                values_of(rule) | more, append_unknown=False
            )


def test_what_builds_an_address_is_compiled_once_and_only_when_it_is_needed(monkeypatch):
    compiled = []
    compile_builder = Rule._compile_builder
    monkeypatch.setattr(Rule, "_compile_builder", lambda *of: compiled.append(of) or compile_builder(*of))
    rule = setup._Rule("/sessions/<uuid:session_id>", endpoint="session")
    addresses = Map([rule]).bind("network.example")
    assert compiled == []
    for number in (1, 2):
        assert addresses.build("session", {"session_id": UUID(int=number)}).endswith(str(UUID(int=number)))
    assert len(compiled) == 1
