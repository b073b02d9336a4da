"""What console, log file and memory show of a message."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from sms_backends import Outcome, SMSMessage, TemporaryError, get_sms_backend
from sms_backends.providers import locmem

NUMBER = "+79991234567"


@pytest.fixture
def log(settings: Any, tmp_path: Path) -> Path:
    path = tmp_path / "sms.log"
    settings.SMS_SETTINGS = {"BACKEND": "logfile", "OPTIONS": {"LOG_FILE": path}}
    return path


def test_the_log_file_masks_numbers_unless_asked_not_to(log: Path, settings: Any) -> None:
    SMSMessage([NUMBER], "Hello").send()
    line = log.read_text()
    assert "12345" not in line
    assert "4567" in line
    settings.SMS_SETTINGS = {"BACKEND": "logfile", "OPTIONS": {"LOG_FILE": log, "LOG_FULL_NUMBERS": True}}
    SMSMessage([NUMBER], "Hello").send()
    assert NUMBER in log.read_text().splitlines()[1]


@pytest.mark.parametrize("line_break", ["\n", "\r\n", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029", "\t"])
def test_the_log_file_has_one_line_per_recipient_whatever_the_text(log: Path, line_break: str) -> None:
    SMSMessage([NUMBER, NUMBER], f"a{line_break}b").send()
    lines = log.read_text(encoding="utf-8").splitlines()
    assert len(lines) == 2
    assert all(len(line.split("\t")) == 6 for line in lines)


def test_the_log_file_is_appended_to_and_names_gateway_sender_and_reference(log: Path) -> None:
    log.write_text("kept\n")
    SMSMessage([NUMBER], "Hello", sender_id="Cafe", reference="ref-1").send()
    first, second = log.read_text().splitlines()
    assert first == "kept"
    assert second.split("\t")[1] == "default"
    assert second.split("\t")[3:] == ["Cafe", "ref-1", '"Hello"']


def test_a_log_file_that_cannot_be_opened_is_a_temporary_error_and_nothing_was_sent(log: Path) -> None:
    log.mkdir()
    with pytest.raises(TemporaryError, match="LOG_FILE"):
        SMSMessage([NUMBER], "Hello").send()


def test_a_relative_log_file_starts_at_the_working_directory(
    settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings.SMS_SETTINGS = {"BACKEND": "logfile"}
    SMSMessage([NUMBER], "Hello").send()
    assert "Hello" in (tmp_path / "var" / "sms.log").read_text()


@pytest.mark.parametrize("path", ["", None, 7])
def test_a_log_file_that_is_no_path_is_named(settings: Any, path: object) -> None:
    settings.SMS_SETTINGS = {"BACKEND": "logfile", "OPTIONS": {"LOG_FILE": path}}
    with pytest.raises(ImproperlyConfigured, match="LOG_FILE must be a path"):
        get_sms_backend()


def test_the_console_shows_everything_about_a_message(settings: Any, capsys: pytest.CaptureFixture[str]) -> None:
    settings.SMS_SETTINGS = {"BACKEND": "console"}
    SMSMessage([NUMBER], "Hello", sender_id="Cafe", reference="ref-1", validity_period=timedelta(hours=2)).send()
    shown = capsys.readouterr().out
    for part in ("To: +79991234567", "From: Cafe", "Reference: ref-1", "Validity: 2:00:00", "\n\nHello\n"):
        assert part in shown


def test_the_outbox_keeps_messages_as_they_were_sent() -> None:
    validity = timedelta(hours=2)
    (result,) = SMSMessage([NUMBER], "Hello", sender_id="Cafe", reference="ref-1", validity_period=validity).send()
    assert result.outcome is Outcome.ACCEPTED
    (sent,) = locmem.outbox
    assert (sent.phone_numbers, sent.message, sent.using) == ([NUMBER], "Hello", "default")
    assert (sent.sender_id, sent.reference, sent.validity_period) == ("Cafe", "ref-1", validity)


def test_recipients_of_one_text_share_an_id_and_texts_do_not() -> None:
    numbers = [NUMBER, "+79991234568"]
    results = SMSMessage.send_many([SMSMessage(numbers, "One"), SMSMessage(numbers, "Two")])
    ids = [result.provider_message_id for result in results]
    assert ids[0] == ids[1] != ids[2] == ids[3]
