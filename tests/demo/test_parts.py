"""The parts of the demonstration, each alone."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from conference_orchestrator.demo import mailbox, stage
from conference_orchestrator.demo.mailbox import Mail
from conference_orchestrator.demo.processes import Child, run
from conference_orchestrator.demo.transcript import WIDTH, Transcript
from conference_orchestrator.demo.waiting import GaveUp, until

INVITATION = b"""\
From: Helpdesk <helpdesk@conference.example>\r
To: =?utf-8?q?J=C3=B6rg?= <joerg@klinik.example>\r
X-Conference-Kind: invitation\r
MIME-Version: 1.0\r
Content-Type: multipart/alternative; boundary="="\r
\r
--=\r
Content-Type: text/plain; charset="utf-8"\r
\r
Open\r
http://127.0.0.1:8000/i/abc_-1\r
--=\r
Content-Type: text/calendar; method="REQUEST"\r
\r
BEGIN:VCALENDAR\r
--=--\r
"""


@pytest.fixture
def maildir(tmp_path: Path) -> Path:
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "1.mail").write_bytes(INVITATION)
    return tmp_path


def test_a_mail_is_read_as_its_recipient_reads_it(maildir: Path) -> None:
    [mail] = mailbox.Mailbox(maildir).take("invitation")
    assert (mail.name, mail.address, mail.method) == ("Jörg", "joerg@klinik.example", "REQUEST")
    assert mail.link("/i/") == "http://127.0.0.1:8000/i/abc_-1"


def test_a_mail_is_taken_out_once(maildir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    box = mailbox.Mailbox(maildir)
    box.take("invitation")
    monkeypatch.setattr("conference_orchestrator.demo.mailbox.until", lambda look, _what: look() or [])
    assert box.take("invitation") == []


def test_a_mail_without_the_link_says_so(maildir: Path) -> None:
    [mail] = mailbox.Mailbox(maildir).take("invitation")
    with pytest.raises(GaveUp, match="has no link to /confirm/"):
        mail.link("/confirm/")


def test_waiting_ends() -> None:
    with pytest.raises(GaveUp, match="in vain for the moon"):
        until(lambda: None, "the moon", seconds=0)


def test_a_long_text_stays_in_its_column() -> None:
    out = io.StringIO()
    Transcript(out).mails([Mail("invitation", "Niamh Ó Súilleabháin", "n@x.example", "REQUEST", "")] * 12)
    first, *more = out.getvalue().splitlines()
    assert first.startswith("  mail             12 x invitation (calendar REQUEST) to Niamh")
    assert all(line.startswith(" " * 19) and len(line) <= WIDTH for line in more)


def test_colours_are_for_terminals() -> None:
    terminal, file = io.StringIO(), io.StringIO()
    terminal.isatty = lambda: True  # type: ignore[method-assign]
    for out in (terminal, file):
        Transcript(out).line("service", "is ready")
    assert "\033[" in terminal.getvalue()
    assert "\033[" not in file.getvalue()


def test_an_installations_settings_stay_out_of_it() -> None:
    theirs = {
        "CO_DATABASE_URL_FILE": "/run/secrets/database",
        "CO_SMTP_URL": "smtps://mail.example",
        "CO_CAPTCHA": "off",
        "CO_LOG_LEVEL": "debug",
        "CO_UNKNOWN": "1",
        "PATH": "/bin",
    }
    ours = stage.environment_for(theirs, address="http://127.0.0.1:8000", sandbox_address="http://127.0.0.1:9001")
    assert ours.keys() & theirs.keys() == {"CO_LOG_LEVEL", "CO_UNKNOWN", "PATH"}
    assert (ours["CO_PROVIDER"], ours["CO_WEBEX_URL"]) == ("webex", "http://127.0.0.1:9001/v1/")


def test_the_networks_are_found_in_the_checkout() -> None:
    assert all(file.is_file() for file in stage.network_files())


def test_a_child_that_ends_is_told_with_the_end_of_its_log(tmp_path: Path) -> None:
    log = tmp_path / "service.log"
    log.write_text("said at an earlier start\n")
    with (
        Child("service", "no-such-command", environment=os.environ, log=log) as child,
        pytest.raises(GaveUp, match=r"service has ended \(2\)") as gave_up,
    ):
        until(child.must_live, "the child to end")
    assert "no-such-command" in str(gave_up.value)
    assert "earlier start" not in str(gave_up.value)


def test_the_first_command_that_fails_is_told() -> None:
    with pytest.raises(GaveUp, match="--role"):
        run(("--help",), ("token", "create"), ("no-such-command",), environment=os.environ)
