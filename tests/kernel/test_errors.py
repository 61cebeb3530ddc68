"""Errors say what is wrong, name the fields, and have each a stable name of its own."""

from __future__ import annotations

from collections.abc import Iterator

from conference_orchestrator.kernel.errors import Busy, Invalid, NoHostFree, OrchestratorError, RuleBroken


def kinds(of: type[OrchestratorError] = OrchestratorError) -> Iterator[type[OrchestratorError]]:
    yield of
    for kind in of.__subclasses__():
        yield from kinds(kind)


def test_every_kind_has_a_name_and_a_title_of_its_own() -> None:
    everything = list(kinds())
    assert len({kind.slug for kind in everything}) == len({kind.title for kind in everything}) == len(everything)


def test_wrong_input_names_every_field_in_one_line() -> None:
    error = Invalid({"starts_on": "Too early.", "members.0.role": ["Unknown.", "Too long."]})
    assert error.errors == {"starts_on": ["Too early."], "members.0.role": ["Unknown.", "Too long."]}
    assert str(error) == "starts_on: Too early.; members.0.role: Unknown. Too long."


def test_a_refusal_carries_what_helps_to_go_on() -> None:
    assert NoHostFree("All are busy.", next_free=["2026-11-24T10:30:00Z"]).extra == {
        "next_free": ["2026-11-24T10:30:00Z"]
    }
    assert RuleBroken("It is over.", state="closed").extra == {"state": "closed"}
    assert Busy("Too many.", retry_after=30).retry_after == 30
