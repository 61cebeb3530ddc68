"""Anonymous forms are guarded by a proof of work that counts once, and by a limit per address on the network."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import altcha
import pytest

from conference_orchestrator.kernel.bookkeeping import RateCount
from conference_orchestrator.kernel.database import db
from tests.house import applicant


@pytest.fixture
def now(guarded):
    """The library looks at the machine's clock, so ours shows the same."""
    guarded.clock.at = datetime.now(UTC).replace(microsecond=0)
    return guarded


def solved(service):
    challenge = altcha.Challenge.from_dict(service.get("/captcha", by="anonymous").json)
    solution = altcha.solve_challenge(challenge)
    return altcha.Payload(challenge, solution).to_base64()


def send(service, **changes):
    return service.post("/registrations", applicant(**changes), by="anonymous")


def test_a_solved_challenge_lets_a_registration_in(now):
    answer = send(now, altcha=solved(now))
    assert (answer.status_code, answer.json) == (202, {"status": "check-your-mail"})


def test_a_solution_counts_once(now):
    solution = solved(now)
    assert send(now, altcha=solution).status_code == 202
    answer = send(now, altcha=solution, email="other@szpital.example")
    assert (answer.status_code, list(answer.json["errors"])) == (422, ["altcha"])
    assert len(now.get("/registrations").json["items"]) == 1


@pytest.mark.parametrize("solution", [None, "", "x", "e30=", "bnVsbA==", "W10="])
def test_without_a_solution_nothing_is_accepted(now, solution):
    changes = {} if solution is None else {"altcha": solution}
    answer = send(now, **changes)
    assert (answer.status_code, list(answer.json["errors"])) == (422, ["altcha"])
    assert now.get("/registrations").json["items"] == []


def test_a_challenge_that_somebody_else_made_is_refused(now):
    own = altcha.create_challenge("SHA-256", 1, hmac_secret="guessed")
    solution = altcha.Payload(own, altcha.solve_challenge(own)).to_base64()
    assert send(now, altcha=solution).status_code == 422


def test_an_old_challenge_is_refused(now):
    now.clock.at -= timedelta(hours=1)
    assert send(now, altcha=solved(now)).status_code == 422


def test_one_address_on_the_network_sends_thirty_forms_an_hour(now):
    statuses = [send(now).status_code for _ in range(31)]
    assert statuses == [422] * 30 + [429], "each was tried, none had a solution"
    assert 0 < int(send(now).headers["Retry-After"]) <= 3601
    now.clock.move_on(timedelta(hours=1))
    assert send(now).status_code == 422


def test_the_address_on_the_network_is_not_kept(now):
    send(now)
    with now.app.app_context():
        kept = db.session.scalars(db.select(RateCount.subject)).all()
    assert len(kept) == 1
    assert "127.0.0.1" not in kept[0]


def test_a_known_address_is_answered_like_an_unknown_one(service):
    known, unknown = (send(service, email=f"{who}@szpital.example") for who in ("requester", "nobody"))
    assert (known.status_code, known.get_data()) == (unknown.status_code, unknown.get_data())
