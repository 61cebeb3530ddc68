"""How fast mails may go to a domain, and how a server's complaint slows them down."""

from datetime import UTC, datetime, timedelta

import pytest

from conference_orchestrator.notify.pace import FIRST_PAUSE, LONGEST_PAUSE, MINUTE, Pace, domain_of

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
HOSPITAL, CLINIC = "hospital.example", "clinic.example"
A_SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("address", "domain"),
    [
        ("ines@hospital.example", "hospital.example"),
        ("Ines@HOSPITAL.Example", "hospital.example"),
        ("ines@hospital.example.", "hospital.example"),
        ("jörg@Krankenhaus-Köln.example", "xn--krankenhaus-kln-ltb.example"),
        ("jörg@xn--krankenhaus-kln-ltb.example", "xn--krankenhaus-kln-ltb.example"),
        ("odd@" + 70 * "ö" + ".example", 70 * "ö" + ".example"),
        ("odd@a..example", "a..example"),
    ],
)
def test_a_domain_is_the_same_for_every_way_to_write_it(address, domain):
    assert domain_of(address) == domain


def gone_in(pace, domain, *, seconds):
    """How many mails went in so many seconds by someone who tries every second as often as he may."""
    count = 0
    for second in range(seconds):
        now = NOW + second * A_SECOND
        while pace.may_go(domain, now) <= now and count < 1000:
            pace.went(domain, now)
            count += 1
    return count


def test_without_a_limit_every_mail_may_go_at_once():
    assert gone_in(Pace(), HOSPITAL, seconds=1) == 1000


def test_no_more_than_the_limit_go_in_any_minute():
    assert gone_in(Pace(30), HOSPITAL, seconds=60) == 30
    assert gone_in(Pace(30), HOSPITAL, seconds=61) == 60
    assert gone_in(Pace(30), HOSPITAL, seconds=180) == 90


def test_the_next_one_may_go_a_minute_after_the_first_of_a_full_minute():
    pace = Pace(2)
    pace.went(HOSPITAL, NOW)
    assert pace.may_go(HOSPITAL, NOW) == NOW
    pace.went(HOSPITAL, NOW + 20 * A_SECOND)
    assert pace.may_go(HOSPITAL, NOW + 30 * A_SECOND) == NOW + MINUTE
    pace.went(HOSPITAL, NOW + MINUTE)
    assert pace.may_go(HOSPITAL, NOW + MINUTE) == NOW + MINUTE + 20 * A_SECOND


def test_a_limit_of_its_own_goes_before_the_default_and_leaves_other_domains_alone():
    pace = Pace(1, per_minute={"Krankenhaus-Köln.example": 3})
    assert gone_in(pace, domain_of("x@krankenhaus-köln.example"), seconds=1) == 3
    assert gone_in(pace, HOSPITAL, seconds=1) == 1


def test_a_complaint_stops_that_domain_for_a_minute_and_no_other():
    pace = Pace()
    pace.too_fast(HOSPITAL, NOW)
    assert pace.may_go(HOSPITAL, NOW) == NOW + FIRST_PAUSE
    assert pace.may_go(CLINIC, NOW) == NOW
    assert pace.may_go(HOSPITAL, NOW + FIRST_PAUSE) == NOW + FIRST_PAUSE


def pauses(pace, times):
    """The lengths of the pauses when the first mail after each is complained of again."""
    now, found = NOW, []
    for _ in range(times):
        pace.too_fast(HOSPITAL, now)
        found.append(pace.may_go(HOSPITAL, now) - now)
        now += found[-1]
    return [pause / MINUTE for pause in found]


def test_pauses_double_up_to_an_hour():
    assert pauses(Pace(), 9) == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert LONGEST_PAUSE == 60 * MINUTE


def test_complaints_about_mails_that_were_under_way_do_not_prolong_the_pause():
    pace = Pace()
    for second in range(20):
        pace.too_fast(HOSPITAL, NOW + second * A_SECOND)
    assert pace.may_go(HOSPITAL, NOW) == NOW + FIRST_PAUSE


def test_a_domain_recovers_step_by_step_with_the_mails_that_it_takes():
    pace = Pace()
    assert pauses(pace, 4) == [1, 2, 4, 8]
    after = NOW + timedelta(hours=1)
    pace.went(HOSPITAL, after)
    assert pace.may_go(HOSPITAL, after) == after
    assert pauses_after(pace, after) == 8, "4 minutes were left of the last pause, and are doubled"
    for _ in range(20):
        pace.went(HOSPITAL, after + timedelta(hours=1))
    assert pauses_after(pace, after + timedelta(hours=2)) == 1


def pauses_after(pace, now):
    """The minutes of the pause that a complaint brings about now."""
    pace.too_fast(HOSPITAL, now)
    return (pace.may_go(HOSPITAL, now) - now) / MINUTE


def test_a_pause_goes_before_a_limit_that_would_let_the_mail_go():
    pace = Pace(10)
    pace.went(HOSPITAL, NOW)
    pace.too_fast(HOSPITAL, NOW)
    pace.too_fast(HOSPITAL, NOW + MINUTE)
    assert pace.may_go(HOSPITAL, NOW + MINUTE) == NOW + 3 * MINUTE
