"""Tests that show a secret, each in another way: run by test_secrets.py, they have to fail."""

from __future__ import annotations

import logging
from pathlib import Path

from conference_orchestrator.providers.mock import MockProvider
from tests.chaos.test_secrets import a_spec


def a_password() -> str:
    """One that a fake has just handed out."""
    password = MockProvider().create(a_spec()).secrets.password
    assert password is not None
    return password


def test_that_shows_nothing() -> None:
    assert a_password()
    print("nothing to be seen")  # noqa: T201
    logging.getLogger("leaks").warning("nothing to be seen")


def test_that_prints_one() -> None:
    print(f"password={a_password()}")  # noqa: T201


def test_that_logs_one() -> None:
    logging.getLogger("leaks").warning("password=%s", a_password())


def test_that_logs_an_error_with_one() -> None:
    try:
        int(a_password())
    except ValueError:
        logging.getLogger("leaks").exception("it failed")


def test_whose_service_logs_one(tmp_path: Path) -> None:
    (tmp_path / "service.log").write_text(f"password={a_password()}", encoding="utf-8")
