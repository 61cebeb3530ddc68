"""No secret shows: whatever a test logs, prints or has a service log is searched for what the fakes handed out.

Active in the whole suite. The fakes are watched while they give out host keys, passwords and tokens, and the adapters
while they are given theirs; at the end of a test that shows one of them it has failed.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from threading import Lock
from typing import Any

import pytest

from conference_orchestrator.providers.base import Meeting
from conference_orchestrator.providers.bigbluebutton_http import BigBlueButtonHttp
from conference_orchestrator.providers.jitsi import JitsiProvider
from conference_orchestrator.providers.mock import MockProvider
from conference_orchestrator.providers.sandbox.meetings import Kept
from conference_orchestrator.providers.sandbox.store import Store
from conference_orchestrator.providers.sandbox.tokens import Tokens
from conference_orchestrator.providers.webex import WebexProvider

SHORTEST = 6
"""Letters and digits: what is shorter is no secret but a word of a test."""


class Known:
    """The secrets that were handed out since the module of the test began, and where one of them showed."""

    def __init__(self) -> None:
        self._secrets: set[str] = set()
        self._lock = Lock()
        self.shown: list[str] = []

    def add(self, *handed_out: Any) -> None:
        """These are secrets from now on."""
        with self._lock:
            self._secrets |= {one for one in handed_out if isinstance(one, str) and len(one) >= SHORTEST}

    def forget(self) -> None:
        """None of them matters any more."""
        with self._lock:
            self._secrets.clear()

    def in_text(self, text: str) -> list[str]:
        """Those that the text shows; a number only where it stands alone, for instants and ids are full of digits."""
        with self._lock:
            known = tuple(self._secrets)
        return [one for one in known if one in text and (not one.isdecimal() or _stands_alone(one, text))]

    def look_at(self, where: str, text: str) -> None:
        """Note when the text shows a secret."""
        for one in self.in_text(text):
            self.shown.append(f"{where} shows a secret ({one[:2]}...): {_around(one, text)}")


KNOWN = Known()


class _Listener(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        KNOWN.look_at(f"a log record of {record.name}", self.format(record))


@pytest.fixture(autouse=True, scope="session")
def watched_fakes() -> Iterator[None]:
    """Everything that hands out secrets tells them to `KNOWN`."""
    with pytest.MonkeyPatch.context() as patch:
        _after(patch, Store, "add", lambda _result, _self, kept: _kept(kept))
        _after(patch, Store, "change", lambda _result, self, meeting_id, *_: _kept(self.get(meeting_id, None)))
        _after(patch, Tokens, "__init__", lambda _result, _self, clients, **_: KNOWN.add(*(clients or {}).values()))
        _after(patch, Tokens, "refresh", lambda grant, *_, **__: KNOWN.add(grant.access_token, grant.refresh_token))
        _after(patch, Tokens, "issue", lambda token, *_: KNOWN.add(token))
        _after(patch, MockProvider, "create", lambda meeting, *_: _made(meeting))
        _after(patch, WebexProvider, "__init__", _given)
        _after(patch, BigBlueButtonHttp, "__init__", lambda _result, _self, _url, secret, *_: KNOWN.add(secret))
        _after(patch, JitsiProvider, "__init__", lambda _result, _self, _url, _app, secret: KNOWN.add(secret))
        yield


@pytest.fixture(autouse=True, scope="module")
def secrets_of_this_module() -> None:
    """What the tests of other modules handed out may be anything here."""
    KNOWN.forget()


@pytest.fixture(autouse=True)
def listening_for_secrets() -> Iterator[None]:
    """Log records are searched as they come."""
    listener = _Listener()
    logging.getLogger().addHandler(listener)
    yield
    logging.getLogger().removeHandler(listener)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """Fail a test, at its end, that showed a secret: in its output, its log records or the log of its service."""
    report: pytest.TestReport = yield
    if call.when != "teardown":
        return report
    for name, text in report.sections:
        KNOWN.look_at(name, text)
    folder = getattr(item, "funcargs", {}).get("tmp_path")
    for log in folder.glob("*.log") if folder is not None and folder.is_dir() else ():
        KNOWN.look_at(log.name, log.read_text(encoding="utf-8", errors="replace"))
    if KNOWN.shown:
        report.outcome = "failed"
        report.longrepr = "\n".join([*([str(report.longrepr)] if report.longrepr else []), *dict.fromkeys(KNOWN.shown)])
        KNOWN.shown.clear()
    return report


def _after(patch: pytest.MonkeyPatch, owner: type, name: str, then: Callable[..., object]) -> None:
    """Have each call of the method followed by `then`, which gets its result before its arguments."""
    method = getattr(owner, name)

    def followed(*args: Any, **more: Any) -> Any:
        result = method(*args, **more)
        then(result, *args, **more)
        return result

    patch.setattr(owner, name, followed)


def _kept(meeting: Kept) -> None:
    KNOWN.add(meeting.password, meeting.phone_password, meeting.host_key, meeting.panelist_password)


def _made(meeting: Meeting) -> None:
    KNOWN.add(*vars(meeting.secrets).values())


def _given(_result: object, _self: object, _url: str, token: Any = "", *, webhook_secret: str = "", **_: Any) -> None:
    client = getattr(token, "_client", None)
    KNOWN.add(token, webhook_secret, getattr(client, "secret", None), getattr(client, "refresh_token", None))


def _stands_alone(number: str, text: str) -> bool:
    return re.search(rf"(?<![\w.]){number}(?!\w)", text) is not None


def _around(secret: str, text: str) -> str:
    at = text.index(secret)
    return text[max(at - 60, 0) : at + len(secret) + 20].replace(secret, "********")
