"""The task queue's own processes die, and two versions of the code share one queue."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fake_smsc import FakeSmscProcess
from tests.processes import BASE_DIR, wait_for

from .conftest import EVERYBODY_COUNT
from .holds import assert_everything_holds
from .installation import SendingInstallation
from .ledger import count_taken

pytestmark = pytest.mark.faults

TEXT = '{{ first_name|default:"friend" }}, hello!'
REQUEST_SIZE = 25
SHORT = {"SMS_LEASE_SECONDS": "10", "SMS_SETTLE_SECONDS": "3", "SMS_LOOKUP_GAP_SECONDS": "1", "SMSC_TIMEOUT": "2"}
#: django-q2's processes in the order of their start, with one worker.
MAIN, GUARD, WORKER, MONITOR, PUSHER = range(5)


def test_the_death_of_any_process_that_may_hold_a_queues_lock_ends_the_cluster_and_the_next_one_goes_on(
    install: Callable[..., SendingInstallation], prompt_smsc: FakeSmscProcess, ledger: Path
) -> None:
    # The one worker that waits for a task holds the lock of the queue; whoever came in its place would wait for ever.
    installation = install(request_size=REQUEST_SIZE, SMS_WORKERS="1", **SHORT)
    campaign = installation.create_campaign(TEXT, "Everybody")
    prompt_smsc.fault("slow", seconds=0.2)
    for victim in (WORKER, MONITOR, PUSHER, GUARD):
        workers = installation.start_workers()
        wait_for(lambda: len(workers.pids()) == PUSHER + 1, "all processes of the cluster")  # noqa: B023
        _wait_until_idle(installation)
        os.kill(workers.pids()[victim], signal.SIGKILL)
        wait_for(lambda: workers.has_ended and not workers.pids(), "the end of the cluster")  # noqa: B023
    installation.launch(campaign)
    for victim in (MONITOR, WORKER):
        workers = installation.start_workers()
        taken = count_taken(ledger)
        installation.sweep()
        wait_for(lambda: count_taken(ledger) > taken, "a message")  # noqa: B023
        os.kill(workers.pids()[victim], signal.SIGKILL)
        wait_for(lambda: workers.has_ended and not workers.pids(), "the end of the cluster")  # noqa: B023
        installation.let_leases_end()
    assert installation.status(campaign) == "sending"
    prompt_smsc.clear_faults()
    installation.start_workers()
    installation.start_sweeper()
    installation.wait_until_completed(campaign)
    assert installation.reached_count(campaign) == EVERYBODY_COUNT
    assert_everything_holds(installation, ledger)


def _wait_until_idle(installation: SendingInstallation) -> None:
    """It has worked off what it is woken with at its start."""
    beats = "SELECT count(*) FROM campaigns_heartbeat"
    wait_for(lambda: installation.storage.value(beats), "a beat of the worker")


def test_two_versions_of_the_code_that_do_not_know_each_others_tasks_share_a_campaign(
    install: Callable[..., SendingInstallation], prompt_smsc: FakeSmscProcess, ledger: Path, tmp_path: Path
) -> None:
    """A task that a worker does not know is dropped: the sweeper of the other version makes up for it."""
    installation = install(request_size=4 * REQUEST_SIZE, **SHORT)
    campaign = installation.create_campaign(TEXT, "Everybody")
    in_doubt = {"kind": "http", "status": 500, "accept": True}
    prompt_smsc.mix(1, [(0.1, {"kind": "slow", "seconds": 0.3}), (0.05, in_doubt)])
    other = _other_version(tmp_path / "other")
    programs = [installation.start_workers(), installation.start_workers(other)]
    installation.start_sweeper()
    installation.launch(campaign)
    installation.wait_until_completed(campaign)
    assert not any(program.has_ended for program in programs)
    assert "is not defined" in installation.logs(), "no worker met a task that it does not know"
    assert installation.reached_count(campaign) == EVERYBODY_COUNT
    assert_everything_holds(installation, ledger)


def _other_version(folder: Path) -> Path:
    """A copy of the project in which the tasks that freeze and send have other names."""
    ignored = shutil.ignore_patterns(".git", ".venv", "var", "__pycache__", "staticfiles", "tests", "docs")
    shutil.copytree(BASE_DIR, folder, ignore=ignored)
    for path in (folder / "campaigns").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        for task in ("freeze_campaign", "send_campaign"):
            renamed = "prepare_campaign" if task.startswith("freeze") else "deliver_campaign"
            text = text.replace(f'wake("{task}"', f'wake("{renamed}"').replace(f"def {task}(", f"def {renamed}(")
        path.write_text(text, encoding="utf-8")
    return folder
