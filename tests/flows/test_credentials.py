from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from conference_orchestrator.flows import credentials
from conference_orchestrator.flows.credentials import LEASE, SealedTokens
from conference_orchestrator.kernel import ports
from conference_orchestrator.kernel.database import connect, db
from conference_orchestrator.kernel.transaction import transaction, with_next_commit
from conference_orchestrator.providers.tokens import Tokens
from conference_orchestrator.scheduling.provider_states import ProviderState
from conference_orchestrator.settings import Settings
from tests.house import House, StandingClock

TOKENS = Tokens(
    access_token="access-of-the-test",
    access_expires_at=datetime(2026, 11, 24, 9, 0, tzinfo=UTC),
    refresh_token="refresh-of-the-test",
    refresh_expires_at=None,
)

# Takes the right to renew as told by the lines that it reads, and writes what came of each.
OTHER_PROCESS = """
import sys
from contextlib import ExitStack
from flask import Flask
from conference_orchestrator.flows import credentials
from conference_orchestrator.kernel import ports
from conference_orchestrator.kernel.database import connect
from conference_orchestrator.settings import Settings
from tests.house import StandingClock

app, held = Flask("other"), ExitStack()
connect(app, sys.argv[1])
ports.settings.fill(app, Settings(secret_key="only-for-tests"))
ports.clock.fill(app, StandingClock())
credentials.PATIENCE_SECONDS = -1.0
with app.app_context():
    for line in sys.stdin:
        if line.strip() == "without protection":
            credentials._taken = lambda *_: True
        elif line.strip() == "leave":
            held.close()
        else:
            try:
                held.enter_context(credentials.SealedTokens().alone("webex"))
            except TimeoutError:
                print("refused", flush=True)
                continue
        print("done", flush=True)
"""


@pytest.fixture
def house_database(both_schemas: str) -> str:
    return both_schemas


@contextmanager
def restarted(address: str, *, secret_key: str = "only-for-tests") -> Iterator[None]:
    """Another start of the service on the same database."""
    app = Flask("restarted")
    connect(app, address)
    ports.settings.fill(app, Settings(secret_key=secret_key))
    ports.clock.fill(app, StandingClock())
    with app.app_context():
        yield
        db.session.remove()
        db.engine.dispose()


@pytest.fixture
def other_process(house_database: str) -> Iterator[Callable[[str], str]]:
    """Another process on the same database: called with a word, it says what came of it."""
    with subprocess.Popen(
        [sys.executable, "-c", OTHER_PROCESS, house_database], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        write, read = process.stdin, process.stdout

        def ask(word: str) -> str:
            write.write(f"{word}\n")
            write.flush()
            return read.readline().strip()

        yield ask
        write.close()


def kept() -> str | None:
    return db.session.scalar(select(ProviderState.tokens).where(ProviderState.provider == "webex"))


def test_there_is_nothing_before_the_first_time(house: House) -> None:
    assert SealedTokens().load("webex") is None


def test_what_was_stored_is_loaded_for_its_provider_alone(house: House) -> None:
    SealedTokens().save("webex", TOKENS)
    assert SealedTokens().load("webex") == TOKENS
    assert SealedTokens().load("zoom") is None


def test_what_is_stored_later_takes_the_place_of_the_former(house: House) -> None:
    SealedTokens().save("webex", TOKENS)
    later = Tokens(access_token="a", access_expires_at=None, refresh_token="b", refresh_expires_at=house.clock.now())
    SealedTokens().save("webex", later)
    assert SealedTokens().load("webex") == later
    assert house.count(ProviderState) == 1


def test_no_token_can_be_read_in_the_table(house: House) -> None:
    SealedTokens().save("webex", TOKENS)
    row = db.session.execute(select(ProviderState.__table__)).one()
    written = repr(tuple(row))
    assert "gAAAA" in written, "the row no longer holds what is looked at here"
    assert TOKENS.access_token not in written
    assert TOKENS.refresh_token not in written


def test_they_survive_a_restart(house: House, house_database: str) -> None:
    SealedTokens().save("webex", TOKENS)
    with restarted(house_database):
        assert SealedTokens().load("webex") == TOKENS


def test_after_a_change_of_the_secret_key_there_is_nothing(house: House, house_database: str) -> None:
    SealedTokens().save("webex", TOKENS)
    with restarted(house_database, secret_key="another"):
        assert SealedTokens().load("webex") is None
        SealedTokens().save("webex", TOKENS)
        assert SealedTokens().load("webex") == TOKENS


def test_another_process_waits_until_the_right_to_renew_is_given_back(
    house: House, other_process: Callable[[str], str]
) -> None:
    with SealedTokens().alone("webex"):
        assert other_process("enter") == "refused"
    assert other_process("enter") == "done"


def test_nobody_gets_the_right_that_another_process_holds(
    house: House, other_process: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(credentials, "PATIENCE_SECONDS", -1.0)
    assert other_process("enter") == "done"
    with pytest.raises(TimeoutError), SealedTokens().alone("webex"):
        pytest.fail("two hold the right to renew")
    assert other_process("leave") == "done"
    with SealedTokens().alone("webex"):
        assert other_process("enter") == "refused"


def test_another_process_comes_in_once_the_protection_is_taken_away(
    house: House, other_process: Callable[[str], str]
) -> None:
    with SealedTokens().alone("webex"):
        assert other_process("without protection") == "done"
        assert other_process("enter") == "done", "the harness can no longer see the fault it guards against"


def crowd_inside(house: House) -> int:
    """The most threads of eight that held the right at the same time."""
    inside, most, meeting = [0], [0], threading.Barrier(8)

    def renew(_: int) -> None:
        with SealedTokens().alone("webex"):
            inside[0] += 1
            most[0] = max(most[0], inside[0])
            with suppress(threading.BrokenBarrierError):  # nobody else came in
                meeting.wait(timeout=0.3)
            inside[0] -= 1

    assert house.at_once(8, renew) == [None] * 8
    return most[0]


def test_one_of_eight_threads_renews_at_a_time(house: House) -> None:
    assert crowd_inside(house) == 1


def test_eight_threads_renew_at_once_when_the_protection_is_taken_away(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(credentials, "_taken", lambda *_: True)
    assert crowd_inside(house) == 8, "the harness can no longer see the fault it guards against"


def test_the_right_of_a_process_that_died_ends_with_its_lease(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(credentials, "PATIENCE_SECONDS", -1.0)
    assert credentials._taken("webex", "somebody who dies")
    house.clock.move_on(LEASE - timedelta(seconds=1))
    with pytest.raises(TimeoutError), SealedTokens().alone("webex"):
        pytest.fail("the lease was not honoured")
    house.clock.move_on(timedelta(seconds=1))
    with SealedTokens().alone("webex"):
        assert not credentials._taken("webex", "a third")


def test_who_comes_back_late_does_not_give_away_the_right_of_the_next(house: House) -> None:
    with SealedTokens().alone("webex"):
        house.clock.move_on(LEASE)
        assert credentials._taken("webex", "the next")
    assert not credentials._taken("webex", "a third")


def test_an_error_inside_gives_the_right_back(house: House) -> None:
    with pytest.raises(ZeroDivisionError), SealedTokens().alone("webex"):
        raise ZeroDivisionError
    assert credentials._taken("webex", "the next")


def test_each_provider_has_a_right_of_its_own(house: House) -> None:
    with SealedTokens().alone("webex"):
        assert credentials._taken("zoom", "another")


def test_renewing_amid_a_request_does_not_mark_the_request_as_carried_out(house: House) -> None:
    marked: list[str] = []
    with with_next_commit(lambda _: marked.append("marked")):
        with SealedTokens().alone("webex"):
            SealedTokens().save("webex", TOKENS)
        assert marked == []
        with transaction():
            pass
    assert marked == ["marked"]


def test_storing_is_no_part_of_a_transaction(house: House) -> None:
    with transaction(), pytest.raises(RuntimeError):
        SealedTokens().save("webex", TOKENS)
    assert kept() is None
