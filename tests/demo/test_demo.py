"""`conference-orchestrator demo`, started, read, interrupted and started again."""

from __future__ import annotations

import fcntl
import re
import signal
import socket
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import requests

from conference_orchestrator.demo import mailbox
from conference_orchestrator.demo.processes import is_free
from tests.demo.conftest import LAST_LINE, Demo

Start = Callable[..., Demo]
MOST_WIDE = 96


def test_the_story_is_true_and_outlives_a_ctrl_c(start: Start, tmp_path: Path) -> None:
    first = start()
    told = first.until(LAST_LINE)
    assert re.findall(r"^(\d)\. ", told, re.MULTILINE) == list("123456")
    assert [line for line in first.lines if len(line) > MOST_WIDE and "curl" not in line] == []
    assert mails_told(told) <= mails_kept(tmp_path)
    assert but_of_the_timer(mails_told(told)) == but_of_the_timer(mails_kept(tmp_path))
    assert meetings_told(told) == meetings_at_the_sandbox(told)
    assert [status(first, token) for token in tokens(told)] == [200] * 7
    assert page(told, "an invitation").status_code == 200

    assert first.interrupt() == 0
    assert "Traceback" not in first.text
    assert all(is_free(port) for port in ports(told)), "no child is left"

    second = start(first.port)
    told_again = second.until(LAST_LINE)
    assert "The data of an earlier start are kept" in told_again
    assert "1. " not in told_again, "the story is not played again"
    assert but_of_the_timer(mails_kept(tmp_path)) == but_of_the_timer(mails_told(told)), "no mail has left since"
    assert meetings_at_the_sandbox(told_again) == meetings_told(told)
    assert [status(second, token) for token in tokens(told)] == [401] * 7, "the tokens of the first start have ended"
    assert [status(second, token) for token in tokens(told_again)] == [200] * 7
    assert second.interrupt(signal.SIGTERM) == 0


def test_a_port_in_use_is_told_in_one_line(start: Start, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        demo = start(port)
        assert demo.status() == 1
    demo.until("Port")
    assert demo.lines == [f"Port {port} is in use; choose another with --port."]
    assert not (tmp_path / "var" / "conference.db").exists(), "nothing was begun"


def test_a_folder_that_cannot_be_written_is_told_in_one_line(start: Start, tmp_path: Path) -> None:
    (tmp_path / "var").write_text("a file where the folder should be")
    demo = start()
    assert demo.status() == 1
    demo.until("The demonstration cannot keep its data in")
    assert len(demo.lines) == 1


def test_a_second_demonstration_in_the_folder_is_refused(start: Start, tmp_path: Path) -> None:
    (tmp_path / "var").mkdir()
    with (tmp_path / "var" / "demo.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        demo = start()
        assert demo.status() == 1
    demo.until("A demonstration is running in this folder already")


def test_a_setting_that_nobody_knows_stops_the_start(start: Start) -> None:
    demo = start(CO_LOG_LEVLE="debug")
    assert demo.status() == 1
    demo.until("CO_LOG_LEVLE is not a setting of this service")
    assert "Traceback" not in demo.text


def whole_lines(told: str) -> list[str]:
    """The lines with what was wrapped put back together."""
    return re.sub(r"\n {19}", " ", told).splitlines()


def mails_told(told: str) -> Counter[tuple[str, str | None]]:
    found: Counter[tuple[str, str | None]] = Counter()
    for line in whole_lines(told):
        if match := re.match(r"  mail +(\d+) x ([\w-]+)(?: \(calendar (\w+)\))? to (.+)", line):
            count, kind, method, names = match.groups()
            assert len(names.split(", ")) == int(count)
            found[kind, method] += int(count)
    return found


def mails_kept(folder: Path) -> Counter[tuple[str, str | None]]:
    mails = [mailbox.read(path) for path in (folder / "var" / "mail" / "new").iterdir()]
    return Counter((mail.kind, mail.method) for mail in mails)


def but_of_the_timer(mails: Counter[tuple[str, str | None]]) -> Counter[tuple[str, str | None]]:
    """Without what comes by the clock: the quorum of tomorrow's session may be due between the two starts."""
    return Counter({mail: count for mail, count in mails.items() if mail[0] != "desk-alert"})


def meetings_told(told: str) -> set[tuple[str, datetime]]:
    """Host and start of each meeting that stands at the end: one was moved, one deleted, two left as they were made."""
    made = re.findall(
        r"makes the meeting at the sandbox: host (\S+), (.+?)$", "\n".join(whole_lines(told)), re.MULTILINE
    )
    [moved_to] = re.findall(r"moves it: (.+)", told)
    (first_host, _), _deleted, *others = made
    assert len(others) == 2
    return {(first_host, instant(moved_to)), *((host, instant(start)) for host, start in others)}


def instant(when: str) -> datetime:
    """ "Tuesday 24 November 2026, 12:00-12:40 Europe/Berlin" as the instant at which it begins."""
    wall, zone = re.sub(r"-\d\d:\d\d", "", when).rsplit(" ", 1)
    return datetime.strptime(wall, "%A %d %B %Y, %H:%M").replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def meetings_at_the_sandbox(told: str) -> set[tuple[str, datetime]]:
    now = datetime.now(UTC)
    found = set()
    for host in ("host-1@paedcan.example", "host-2@paedcan.example", "webinars@covid19-cmss.example"):
        answer = requests.get(
            f"{address(told, 'sandbox')}v1/meetings",
            params={
                "hostEmail": host,
                "max": 100,
                "from": now.isoformat(),
                "to": (now + timedelta(days=60)).isoformat(),
            },
            headers={"Authorization": "Bearer demonstration"},
            timeout=20,
        )
        found |= {(one["hostEmail"], datetime.fromisoformat(one["start"])) for one in answer.json()["items"]}
    return found


def address(told: str, name: str) -> str:
    return re.findall(rf"^  {name} +(\S+)", told, re.MULTILINE)[-1]


def page(told: str, name: str) -> requests.Response:
    return requests.get(address(told, name), timeout=20)


def ports(told: str) -> list[int]:
    return [int(address(told, name).rstrip("/").rpartition(":")[2]) for name in ("home page", "sandbox")]


def tokens(told: str) -> list[str]:
    _, ways = told.split("A way in for each role")
    return re.findall(r"^  [a-z-]+ +([\w-]{43})", ways, re.MULTILINE)


def status(demo: Demo, token: str) -> int:
    url = f"http://127.0.0.1:{demo.port}/api/v1/sessions"
    return requests.get(url, headers={"Authorization": f"Bearer {token}"}, timeout=20).status_code
