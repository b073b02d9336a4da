"""Stalled, not dead: what stood still, or was kept waiting, for so long that others have taken over."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fake_smsc import FakeSmscProcess
from tests.processes import wait_for

from .conftest import EVERYBODY_COUNT
from .holds import assert_everything_holds
from .installation import SendingInstallation
from .ledger import read_ledger
from .program import Program
from .rigging import WAITS, RiggedInstallation
from .services import PostgresServer
from .storage import Storage

pytestmark = pytest.mark.faults

TEXT = '{{ first_name|default:"friend" }}, hello!'
REQUEST_SIZE = 100
WORKERS = 2


def test_a_cluster_that_stood_still_for_longer_than_lease_and_settle_time_sends_nothing_more(
    install: Callable[..., SendingInstallation], smsc: FakeSmscProcess, ledger: Path, storage: Storage
) -> None:
    installation = install(request_size=REQUEST_SIZE, **WAITS)
    rigged = RiggedInstallation(installation)
    campaign = installation.create_campaign(TEXT, "Everybody")
    smsc.fault("slow", seconds=1)  # taken at once, answered late: the answers will wait in the dark
    stalled = rigged.start_workers(workers=WORKERS)
    installation.launch(campaign)
    wait_for(lambda: smsc.requests() >= 2 * WORKERS, "requests under way")
    _stop_outside_of_transactions(stalled, storage)
    in_doubt = installation.counts(campaign)["sending"]
    assert in_doubt > 0
    smsc.clear_faults()

    installation.start_sweeper(every=1, and_wake=True)
    rigged.start_workers()
    installation.wait_until_completed(campaign)
    assert installation.lost_count(campaign) == in_doubt
    assert installation.counts(campaign) == {"sent": EVERYBODY_COUNT} == {"sent": len(read_ledger(ledger))}

    for pid in stalled.pids():
        os.kill(pid, signal.SIGCONT)
    assert stalled.stop() == 0, stalled.output
    assert_everything_holds(installation, ledger)
    assert installation.counts(campaign) == {"sent": EVERYBODY_COUNT}


@pytest.mark.parametrize("accept", [True, False], ids=["taken", "not-taken"])
def test_an_answer_that_drips_for_longer_than_the_lease_is_not_waited_for(
    install: Callable[..., SendingInstallation], smsc: FakeSmscProcess, ledger: Path, accept: bool
) -> None:
    installation = install(request_size=REQUEST_SIZE, **WAITS)
    rigged = RiggedInstallation(installation)
    campaign = installation.create_campaign(TEXT, "Everybody")
    # Nearly a hundred bytes at least: every reading is quick, all of them together outlast the lease.
    smsc.fault("drip", seconds=0.2, accept=accept, after=2, times=2)
    rigged.start_workers(workers=WORKERS)
    installation.start_sweeper(every=1, and_wake=True)
    installation.launch(campaign)
    installation.wait_until_completed(campaign)
    assert installation.lost_count(campaign) == 0, "a worker was still waiting when its lease ended"
    assert_everything_holds(installation, ledger)
    assert installation.counts(campaign) == {"sent": EVERYBODY_COUNT}


def test_a_worker_that_is_stopped_inside_a_transaction_holds_nobody_up_for_ever(
    smsc: FakeSmscProcess,
    ledger: Path,
    prepared_postgres: str,
    postgres: PostgresServer,
    tmp_path: Path,
    smsc_port: int,
) -> None:
    """On PostgreSQL, which ends such a transaction. SQLite knows of no such time: the file stays locked."""
    url = postgres.create_database("installation", template=prepared_postgres)
    # Not the minute that is set, so that nobody has to wait for it here.
    storage = Storage(f"{url}?options=-c%20idle_in_transaction_session_timeout%3D3s", "")
    installation = SendingInstallation(tmp_path, storage, smsc_port, request_size=REQUEST_SIZE, **WAITS)
    try:
        rigged = RiggedInstallation(installation)
        campaign = installation.create_campaign(TEXT, "Everybody")
        stalled = rigged.start_workers(["within-the-intent", "within-the-record"], what="stop", workers=2)
        installation.launch(campaign)
        rigged.wait_until_struck("within-the-intent", "within-the-record")
        installation.start_sweeper(every=1, and_wake=True)
        rigged.start_workers()
        installation.wait_until_completed(campaign)
        rigged.let_go_on()
        assert stalled.stop() == 0, stalled.output
        assert_everything_holds(installation, ledger)
        assert installation.counts(campaign) == {"sent": EVERYBODY_COUNT}
    finally:
        installation.kill_everything()


def _stop_outside_of_transactions(program: Program, storage: Storage) -> None:
    """SIGSTOP to all its processes while they wait for the provider: one that holds a lock would stop everybody."""
    while True:
        for pid in program.pids():
            os.kill(pid, signal.SIGSTOP)
        if not storage.is_locked():
            return
        for pid in program.pids():
            os.kill(pid, signal.SIGCONT)
        time.sleep(0.1)
