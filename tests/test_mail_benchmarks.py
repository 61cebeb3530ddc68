"""The benchmarks of mail and feeds do the work that they name, and a wrong outcome has no figure."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import func, select

from benchmarks import p1_mailing, p5_feed, p8_webinar, sink
from benchmarks.report import Goal, Measured, WrongOutcome, table
from conference_orchestrator.kernel.database import db
from conference_orchestrator.ledger.messages import Message
from conference_orchestrator.notify.smtp import SmtpSender

RECIPIENTS = 30


def sent() -> int:
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(Message).where(Message.state == "sent")) or 0


def test_a_goal_may_be_a_figure_of_at_least_so_much():
    row = Measured(row="P5", work="feed", unit="answers/s", ours=[20], limit=[100], goal=Goal(ours_at_least=21))
    assert table([row]).splitlines()[-1].endswith("| ours >= 21 answers/s | no      |")


@pytest.mark.parametrize(("name", "processes"), [("SQLite", 1), ("PostgreSQL", 2)])
def test_a_mailing_goes_out_by_the_workers_and_once_more_by_hand(postgres_server, name, processes):
    with p1_mailing.stage(name, postgres_server, processes=processes) as on:
        assert on.ours(RECIPIENTS) > 0
        assert sent() == RECIPIENTS
        assert on.by_hand(RECIPIENTS) > 0
        assert sent() == RECIPIENTS


def test_a_mailing_that_is_not_sent_has_no_figure(postgres_server, monkeypatch):
    monkeypatch.setattr(p1_mailing, "PATIENCE_SECONDS", 0.0)
    with p1_mailing.stage("SQLite", postgres_server, processes=0) as on, pytest.raises(WrongOutcome, match="30 of 30"):
        on.ours(RECIPIENTS)


def test_the_calendar_has_its_events_and_both_applications_answer_alike(postgres_server):
    with p5_feed.stage("SQLite", postgres_server, events=3) as (ours, limit, etag):
        status, headers, data = ours.get()
        assert (status, data.count(b"BEGIN:VEVENT"), headers["ETag"]) == (200, 3, etag)
        assert limit.get()[::2] == (200, data)
        assert ours.get(etag)[::2] == limit.get(etag)[::2] == (304, b"")


def test_a_calendar_that_is_another_one_meanwhile_has_no_figure(postgres_server):
    with p5_feed.stage("SQLite", postgres_server, events=3) as (ours, _, _etag), pytest.raises(WrongOutcome):
        ours.each_second(1, '"another"')


def test_a_webinar_is_approved_and_everybody_gets_an_invitation():
    with p8_webinar.stage(audience=5) as on:
        assert on.ours() > 0
        assert len(on.sandbox.meetings()) == 1
        assert len(on.taken(datetime.min.replace(tzinfo=UTC))) == 5
        assert on.by_hand() > 0


@pytest.mark.parametrize("with_postfix", [True, False])
def test_the_sink_takes_mails(with_postfix):
    with (
        sink.running(with_postfix=with_postfix) as port,
        SmtpSender(f"smtp://127.0.0.1:{port}?tls=none", timeout=20) as sender,
    ):
        for _ in range(3):
            assert sender.send("a@b.example", "c@d.example", b"Subject: x\r\n\r\n.dot\r\n").startswith("250")


def test_mails_that_the_loop_by_hand_leaves_behind_have_no_figure(postgres_server, monkeypatch):
    with p1_mailing.stage("SQLite", postgres_server, processes=1) as on:
        on.ours(RECIPIENTS)
        monkeypatch.setattr(p1_mailing, "not_sent", lambda _: 1)
        with pytest.raises(WrongOutcome, match="left mails behind"):
            on.by_hand(RECIPIENTS)
