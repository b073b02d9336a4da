"""Dummy, console, log file and memory keep the contract of every adapter."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sms_backends.providers import locmem
from sms_backends.providers.console import RULE
from tests.contracts import BackendContract


class TestDummy(BackendContract):
    backend_path = "sms_backends.providers.dummy.SmsBackend"
    gives_ids = False

    def received(self) -> None:
        return None


class TestLocmem(BackendContract):
    backend_path = "sms_backends.providers.locmem.SmsBackend"

    def received(self) -> list[tuple[str, str]]:
        return [(number, message.message) for message in locmem.outbox for number in message.phone_numbers]


class TestConsole(BackendContract):
    backend_path = "sms_backends.providers.console.SmsBackend"
    gives_ids = False

    @pytest.fixture(autouse=True)
    def _capture(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys = capsys

    def received(self) -> list[tuple[str, str]]:
        received = []
        for block in self.capsys.readouterr().out.split(f"\n{RULE}\n")[:-1]:
            head, _, text = block.partition("\n\n")
            (to,) = (line.removeprefix("To: ") for line in head.splitlines() if line.startswith("To: "))
            received += [(number, text) for number in to.split(", ")]
        return received


class TestLogfile(BackendContract):
    backend_path = "sms_backends.providers.logfile.SmsBackend"
    gives_ids = False

    @pytest.fixture(autouse=True)
    def _log_file(self, tmp_path: Path) -> None:
        self.log = tmp_path / "new" / "sms.log"

    def make_options(self) -> dict[str, Any]:
        return {"LOG_FILE": str(self.log), "LOG_FULL_NUMBERS": True}

    def received(self) -> list[tuple[str, str]]:
        lines = self.log.read_text(encoding="utf-8").splitlines() if self.log.exists() else []
        rows = [line.split("\t") for line in lines]
        return [(row[2], json.loads(row[5])) for row in rows]
