"""A mailbox full of mails that break readers is read to its end, and what lies behind them counts."""

from __future__ import annotations

from collections import Counter

import pytest

from conference_orchestrator.flows import reading_post
from tests.flows.answers.conftest import Mailroom
from tests.notify.post.poison import KINDS, poisoned_mails

MAILS = 10 * len(KINDS)
SEED = 20261123


@pytest.fixture
def house_database(both_schemas: str) -> str:
    return both_schemas


def test_it_is_read_to_its_end_and_the_answer_behind_it_counts(mailroom: Mailroom) -> None:
    for mail in [*poisoned_mails(MAILS, seed=SEED), mailroom.reply(mailroom.anna, "ACCEPTED")]:
        mailroom.box.put(mail)
    for _ in range(MAILS // reading_post.MOST_AT_ONCE + 1):
        reading_post.read_post()
    assert mailroom.said(mailroom.anna) == "accepted"
    assert len(mailroom.box.seen) == MAILS + 1
    rows = mailroom.rows()
    assert len(rows) == MAILS + 1
    assert Counter(row.state for row in rows)["counted"] == 1
    assert not [row for row in rows if row.detail.startswith("It could not be seen to")], "nothing was unforeseen"
    assert mailroom.scene.alerts() == []
