import os
from pathlib import Path

import pytest

from conference_orchestrator.notify.maildir import MaildirSender
from conference_orchestrator.notify.sending import Deferred, Lost

MAIL = b"Subject: x\r\n\r\ntext\r\n"


def send(path):
    return MaildirSender(path).send("a@network.example", "b@hospital.example", MAIL)


def test_the_answer_names_the_file(tmp_path):
    answer = send(tmp_path)
    assert (tmp_path / answer.removeprefix("written to ")).read_bytes() == MAIL


def test_a_mail_is_synced_before_it_can_be_seen_and_its_folder_after(tmp_path, monkeypatch):
    steps, fsync, rename = [], os.fsync, Path.rename
    monkeypatch.setattr(os, "fsync", lambda number: (steps.append("sync"), fsync(number)))
    monkeypatch.setattr(
        Path, "rename", lambda path, target: (steps.append(target.parent.name), rename(path, target))[1]
    )
    send(tmp_path)
    assert steps == ["sync", "new", "sync"]


def test_a_full_disk_defers_and_leaves_nothing_behind(tmp_path, monkeypatch):
    def full(number):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Deferred, match="No space left"):
        send(tmp_path)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_folder_that_cannot_be_synced_leaves_it_open_whether_the_mail_is_kept(tmp_path, monkeypatch):
    fsync, numbers = os.fsync, []

    def fails_the_second_time(number):
        numbers.append(number)
        if len(numbers) == 2:
            raise OSError(5, "Input/output error")
        fsync(number)

    monkeypatch.setattr(os, "fsync", fails_the_second_time)
    with pytest.raises(Lost, match="Input/output"):
        send(tmp_path)
    assert len(list((tmp_path / "new").iterdir())) == 1


def test_a_path_that_is_a_file_defers(tmp_path):
    (tmp_path / "mail").write_text("not a folder")
    with pytest.raises(Deferred):
        send(tmp_path / "mail")
