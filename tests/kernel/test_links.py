"""Personal links: good for one purpose and one subject of one installation, and for nothing else."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest
from flask import Flask

from conference_orchestrator.kernel import links, ports
from conference_orchestrator.kernel.errors import NotFound
from conference_orchestrator.settings import Settings


def installation(secret_key: str, public_url: str = "https://panels.network.example") -> Flask:
    app = Flask("links")
    ports.settings.fill(app, Settings(secret_key=secret_key, public_url=public_url))
    return app


@pytest.fixture
def subject() -> UUID:
    return uuid4()


@pytest.fixture
def word(subject: UUID) -> str:
    with installation("a" * 32).app_context():
        return links.token("answer", subject)


def subject_of(word: str, *, purpose: str = "answer", secret_key: str = "a" * 32) -> UUID:
    with installation(secret_key).app_context():
        return links.subject_of(purpose, word)


def test_a_word_leads_back_to_its_subject(word: str, subject: UUID) -> None:
    assert subject_of(word) == subject


def test_a_word_can_stand_in_an_address_as_it_is(word: str) -> None:
    assert len(word) == 43, "16 bytes of the subject and 128 bits of signature"
    assert set(word) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


def test_a_word_for_another_purpose_is_not_valid(word: str) -> None:
    with pytest.raises(NotFound):
        subject_of(word, purpose="confirm")


def test_a_word_of_another_installation_is_not_valid(word: str) -> None:
    with pytest.raises(NotFound):
        subject_of(word, secret_key="b" * 32)


@pytest.mark.parametrize("place", range(42))  # The last character also holds two bits that say nothing.
def test_a_word_with_one_character_changed_is_not_valid(word: str, place: int) -> None:
    changed = "A" if word[place] != "A" else "B"
    with pytest.raises(NotFound):
        subject_of(word[:place] + changed + word[place + 1 :])


@pytest.mark.parametrize("forged", ["", "A", "A" * 43, "A" * 10_000, "é" * 43, "%%%", "../../etc/passwd", "\0" * 43])
def test_what_was_never_given_out_is_not_valid(forged: str) -> None:
    with pytest.raises(NotFound, match="not valid"):
        subject_of(forged)


def test_addresses_stand_below_the_public_one_and_no_other() -> None:
    with installation("a" * 32).app_context():
        assert links.url("/i/abc") == "https://panels.network.example/i/abc"
