"""Yesterday's backup started, and a copy of production on another machine: nobody is written to a second time."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fake_smsc import FakeSmscProcess
from tests.processes import wait_for

from .conftest import PEOPLE_COUNT
from .installation import SendingInstallation
from .ledger import assert_log_and_ledger_agree, assert_nobody_was_written_to_twice, read_ledger
from .services import find_binary
from .storage import Storage

pytestmark = pytest.mark.faults

TEXT = '{{ first_name|default:"friend" }}, hello!'


def back_up(storage: Storage, path: Path) -> None:
    """As docs/operations.md says."""
    if storage.database_url.startswith("sqlite"):
        with closing(sqlite3.connect(_file(storage))) as source, closing(sqlite3.connect(path)) as copy:
            source.backup(copy)
        return
    subprocess.run([find_binary("pg_dump"), "-Fc", "-f", str(path), storage.database_url], check=True)


def restore(storage: Storage, path: Path) -> None:
    """Into the same database; nothing else uses it."""
    if storage.database_url.startswith("sqlite"):
        for leftover in ("-wal", "-shm"):
            Path(f"{_file(storage)}{leftover}").unlink(missing_ok=True)
        shutil.copyfile(path, _file(storage))
        return
    into = ["--clean", "--if-exists", "-d", storage.database_url]
    subprocess.run([find_binary("pg_restore"), *into, str(path)], check=True)


def _file(storage: Storage) -> Path:
    return Path(storage.database_url.removeprefix("sqlite://"))


def everything_waits(installation: SendingInstallation) -> int:
    """A campaign that is ready to be sent, by workers that have run before and are gone."""
    installation.pause_gateway()
    campaign = installation.create_campaign(TEXT, "People")
    workers = installation.start_workers()
    installation.launch(campaign)
    wait_for(lambda: installation.counts(campaign).get("queued") == PEOPLE_COUNT, "the rows of the campaign")
    workers.kill()
    return campaign


def nothing_is_sent(installation: SendingInstallation, campaign: int) -> None:
    """Real workers run against it, the gateway says why, and every message goes on waiting."""
    workers = installation.start_workers()
    wait_for(lambda: installation.gateway()["pause_reason"] == "restored", "the pause of the gateway")
    installation.sweep()
    workers.kill()
    assert "restored from a backup" in installation.gateway()["provider_text"]
    assert installation.counts(campaign) == {"queued": PEOPLE_COUNT}


def test_yesterdays_backup_sends_nothing_until_it_is_released(
    install: Callable[..., SendingInstallation], storage: Storage, smsc: FakeSmscProcess, ledger: Path, tmp_path: Path
) -> None:
    installation = install()
    campaign = everything_waits(installation)
    back_up(storage, tmp_path / "backup")
    installation.resume_gateway()
    workers = installation.start_workers()
    installation.wait_until_completed(campaign)
    workers.kill()
    taken = read_ledger(ledger)
    assert_log_and_ledger_agree(installation.messages(campaign), taken)
    assert len(taken) == PEOPLE_COUNT

    restore(storage, tmp_path / "backup")
    # The backup was made while the gateway was paused by hand; an operator who does not know opens it.
    storage.execute("UPDATE campaigns_gatewaystate SET paused_at = NULL, pause_reason = '', provider_text = ''")
    nothing_is_sent(installation, campaign)
    assert read_ledger(ledger) == taken
    assert_nobody_was_written_to_twice(taken)


def test_a_copy_on_a_machine_that_remembers_nothing_sends_nothing_until_it_is_released(
    install: Callable[..., SendingInstallation],
    storage: Storage,
    smsc: FakeSmscProcess,
    ledger: Path,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    installation = install()
    campaign = everything_waits(installation)
    installation.resume_gateway()
    if storage.database_url.startswith("sqlite"):
        back_up(storage, tmp_path / "copy.sqlite3")
        copied = f"sqlite:///{tmp_path / 'copy.sqlite3'}"
    else:
        copied = request.getfixturevalue("postgres").create_database("copy", template="installation")
    copy = install(SMS_DATA_DIR=str(tmp_path / "elsewhere"), DATABASE_URL=copied)
    copy.storage = replace(storage, database_url=copied)
    nothing_is_sent(copy, campaign)
    assert read_ledger(ledger) == []

    copy.manage("shell", "-c", "from campaigns.identity import release; release(actor=None)")
    copy.start_workers()
    copy.wait_until_completed(campaign)
    assert Counter(message.phone for message in read_ledger(ledger)).keys() == {
        row.digits for row in copy.messages(campaign)
    }
    assert_log_and_ledger_agree(copy.messages(campaign), read_ledger(ledger))
