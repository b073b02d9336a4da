"""Workers are killed and queues are emptied: nobody is written to twice, nobody is skipped, doubt is called doubt."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from campaigns.sending.dispatch import BULK_WIDTH
from tests.fake_smsc import FakeSmscProcess
from tests.processes import wait_for

from .conftest import PEOPLE_COUNT
from .installation import SendingInstallation
from .ledger import assert_log_and_ledger_agree, read_ledger
from .program import Program
from .storage import Storage

pytestmark = pytest.mark.faults

TEXT = '{{ first_name|default:"friend" }}, hello!'
REQUEST_SIZE = 20
WORKERS = 2


def test_a_killed_worker_and_a_killed_cluster_leave_nobody_out_and_nobody_written_to_twice(
    install: Callable[..., SendingInstallation], smsc: FakeSmscProcess, ledger: Path
) -> None:
    waits = {"SMS_SETTLE_SECONDS": "2", "SMS_LOOKUP_GAP_SECONDS": "1"}
    installation = install(request_size=REQUEST_SIZE, SMS_WORKERS=str(WORKERS), **waits)
    campaign = installation.create_campaign(TEXT, "People")
    # The provider takes each request at once and answers late: whoever is killed then does not know.
    smsc.fault("slow", seconds=1)
    workers = installation.start_workers()
    installation.launch(campaign)
    _wait_for_requests(smsc, 3)
    os.kill(workers.pids()[-1], signal.SIGKILL)
    assert workers.wait() != 0
    wait_for(lambda: not workers.pids(), "the end of the cluster that lost a process")
    doubtful = _in_doubt(installation, campaign)
    installation.let_leases_end()

    workers = installation.start_workers()
    _wait_for_requests(smsc, smsc.requests() + 3)
    workers.kill()
    last = _in_doubt(installation, campaign)
    installation.let_leases_end()
    smsc.clear_faults()

    installation.sweep()
    lost = [row for row in installation.messages(campaign) if row.status == "unknown"]
    # What became of the others may have been found out already.
    assert last <= {row.digits for row in lost} <= doubtful | last
    assert {row.reason for row in lost} == {"worker_lost"}
    assert 0 < len(doubtful | last) <= 2 * WORKERS * BULK_WIDTH * REQUEST_SIZE

    installation.start_workers()
    installation.let_unknown_settle(2, 1)
    installation.wait_until_completed(campaign)
    log, taken = installation.messages(campaign), read_ledger(ledger)
    assert_log_and_ledger_agree(log, taken)

    messages = installation.answer("campaign_status", str(campaign))["messages"]
    assert {state: count for state, count in messages.items() if count} == Counter(row.status for row in log)
    assert messages["sent"] == PEOPLE_COUNT


def test_work_goes_on_after_the_queue_was_emptied_in_the_middle(
    install: Callable[..., SendingInstallation], smsc: FakeSmscProcess, ledger: Path, storage: Storage
) -> None:
    installation = install(request_size=REQUEST_SIZE, SMS_WORKERS=str(WORKERS))
    campaign = installation.create_campaign(TEXT, "People")
    smsc.fault("slow", seconds=1)
    run = installation.start_all()
    installation.launch(campaign)
    _wait_for_requests(smsc, 3)
    # Whoever sends stops here, and what would have woken them again is lost.
    installation.pause_gateway()
    wait_for(lambda: not {"claimed", "sending"} & installation.counts(campaign).keys(), "the requests under way")
    storage.execute("UPDATE campaigns_gatewaystate SET paused_at = NULL WHERE alias = 'default'")
    storage.empty_queue()
    smsc.clear_faults()
    assert installation.counts(campaign)["queued"] > 0

    installation.wait_until_completed(campaign)
    assert installation.counts(campaign) == {"sent": PEOPLE_COUNT}
    assert_log_and_ledger_agree(installation.messages(campaign), read_ledger(ledger))
    assert run.stop() == 0, run.output


def test_a_campaign_whose_wake_up_was_lost_before_any_worker_came_is_sent(
    install: Callable[..., SendingInstallation], ledger: Path, smsc: FakeSmscProcess, storage: Storage
) -> None:
    installation = install()
    campaign = installation.create_campaign(TEXT, "People")
    installation.launch(campaign)
    storage.empty_queue()
    assert installation.status(campaign) == "freezing"
    workers: Program = installation.start_workers()
    installation.wait_until_completed(campaign)
    assert_log_and_ledger_agree(installation.messages(campaign), read_ledger(ledger))
    assert len(smsc.messages()) == PEOPLE_COUNT
    assert workers.stop() == 0, workers.output


def _wait_for_requests(smsc: FakeSmscProcess, count: int) -> None:
    wait_for(lambda: smsc.requests() >= count, f"{count} requests")


def _in_doubt(installation: SendingInstallation, campaign: int) -> set[str]:
    """Whom the dead were writing to when they died."""
    return {row.digits for row in installation.messages(campaign) if row.status == "sending"}
