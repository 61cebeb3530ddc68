"""R06 and R08: through a provider's storm each conference gets one meeting, and nobody a dead link."""

from __future__ import annotations

import email
import email.policy
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from conference_orchestrator.providers.sandbox import RunningSandbox
from tests.chaos.figures import QUOTA
from tests.chaos.naive import create_without_looking
from tests.chaos.storm import Storm, scale_waits

CONFERENCES = int(os.environ.get("CO_TEST_CONFERENCES", "30"))
PEOPLE = 3


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningSandbox]:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with RunningSandbox(meetings_per_day=QUOTA) as running:
        yield running


@pytest.fixture
def new_storm(
    sqlite_schema: str, sandbox: RunningSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[int], Storm]:
    def make(conferences: int) -> Storm:
        storm = Storm(database=sqlite_schema, sandbox=sandbox, folder=tmp_path, conferences=conferences)
        storm.prepare()
        scale_waits(monkeypatch)
        storm.watch(monkeypatch)
        return storm

    return make


def join_links(folder: Path, address: str) -> Counter[str]:
    """The links to meetings in the texts and calendar objects of the mails, by how many mails hold each."""
    links: Counter[str] = Counter()
    for file in folder.iterdir():
        message = email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
        parts = [part for part in message.walk() if part.get_content_maintype() == "text"]
        # Lines of a calendar object are folded (RFC 5545, section 3.1).
        said = "\n".join(str(part.get_content()).replace("\r\n ", "").replace("\n ", "") for part in parts)
        links.update(set(re.findall(rf"{re.escape(address)}join/[0-9a-f]+", said)))
    return links


def test_each_conference_of_a_storm_gets_one_meeting_and_nobody_a_dead_link(
    new_storm: Callable[[int], Storm], sandbox: RunningSandbox
) -> None:
    storm = new_storm(CONFERENCES)
    storm.rage()
    figures = storm.count()
    links = join_links(storm.mail, sandbox.url.removesuffix("v1/"))
    figures.mails, figures.links = links.total(), len(links)
    figures.dead_links = sum(requests.get(link, timeout=30).status_code != 200 for link in links)
    print(figures)  # noqa: T201  - `make chaos` shows them
    assert figures.states == {"ready": CONFERENCES}
    assert (figures.meetings, figures.several, figures.orphans, figures.findings) == (CONFERENCES, 0, 0, 0)
    assert figures.orphans_before_sweeps == 0
    assert figures.foreign_touched == 0
    assert (figures.mails, figures.links, figures.dead_links) == (CONFERENCES * PEOPLE, CONFERENCES, 0)
    assert figures.most_creates <= QUOTA
    assert figures.adopted > 0, "no answer was lost: the storm is none"


def test_creating_again_without_a_look_would_leave_orphans(
    new_storm: Callable[[int], Storm], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control: a naive retry, in the same storm."""
    create_without_looking(monkeypatch)
    storm = new_storm(20)
    storm.rage()
    assert storm.figures.orphans_before_sweeps > 0, "the storm can no longer show what it guards against"
