"""
Requests that end without a clear answer: where the provider can be asked, it is found out what became of each message.

Nobody is written to twice, and nobody stays unknown.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.fake_smsc import FakeSmscProcess
from tests.processes import wait_for

from .conftest import PEOPLE_COUNT
from .installation import SendingInstallation
from .ledger import assert_log_and_ledger_agree, read_ledger
from .storage import Storage

pytestmark = pytest.mark.faults

TEXT = '{{ first_name|default:"friend" }}, hello!'
REQUEST_SIZE = 50
SETTLE_SECONDS, GAP_SECONDS = 5, 1
WAITS = {
    "SMSC_TIMEOUT": "2",
    "SMS_SETTLE_SECONDS": str(SETTLE_SECONDS),
    "SMS_LOOKUP_GAP_SECONDS": str(GAP_SECONDS),
}
TAKEN: list[dict[str, Any]] = [
    {"kind": "http", "status": 500, "accept": True},
    {"kind": "http", "status": 502, "accept": True},
    {"kind": "cut", "accept": True},
    {"kind": "hang", "accept": True, "seconds": 6},
]
NOT_TAKEN: list[dict[str, Any]] = [{"kind": "http", "status": 500}, {"kind": "close"}, {"kind": "garbage"}]
#: The provider says that it does not know it, and takes it afterwards, within the settle time.
TAKEN_LATE: list[dict[str, Any]] = [{"kind": "late", "seconds": 3}, {"kind": "late", "seconds": 1}]


@pytest.mark.parametrize("faults", [TAKEN, NOT_TAKEN, TAKEN_LATE], ids=["taken", "not-taken", "taken-late"])
def test_it_is_found_out_what_was_taken_and_only_the_rest_is_sent_again(
    install: Callable[..., SendingInstallation],
    smsc: FakeSmscProcess,
    ledger: Path,
    faults: list[dict[str, Any]],
) -> None:
    installation = install(request_size=REQUEST_SIZE, **WAITS)
    campaign = installation.create_campaign(TEXT, "People")
    for index, fault in enumerate(faults):
        smsc.fault(**fault, after=2 * index + 1, times=1)
    installation.start_all()
    installation.launch(campaign)
    _wait_until_all_are_handed_over(installation, campaign)
    _settle(installation)
    assert "unknown" not in installation.counts(campaign)

    installation.wait_until_completed(campaign)
    assert installation.counts(campaign) == {"sent": PEOPLE_COUNT}
    log, taken = installation.messages(campaign), read_ledger(ledger)
    assert_log_and_ledger_agree(log, taken)
    assert len(taken) == PEOPLE_COUNT


def test_a_provider_that_cannot_say_what_it_took_is_asked_until_it_can(
    install: Callable[..., SendingInstallation], smsc: FakeSmscProcess, ledger: Path, storage: Storage
) -> None:
    installation = install(request_size=REQUEST_SIZE, **WAITS)
    campaign = installation.create_campaign(TEXT, "People")
    smsc.fault("http", status=500, accept=True, after=1, times=1)
    smsc.fault("close", after=3, times=1)
    # Down, then slow, then asked too often, and never an answer before the faults are cleared.
    smsc.fault("http", script="status.php", status=503, times=2)
    smsc.fault("hang", script="status.php", seconds=4, times=2)
    smsc.fault("error", script="status.php", code=9)
    installation.start_all()
    installation.launch(campaign)
    _wait_until_all_are_handed_over(installation, campaign)
    doubtful = installation.counts(campaign)["unknown"]
    time.sleep(SETTLE_SECONDS)
    while smsc.requests("status.php") < 6:
        _ask_now(storage)
        installation.sweep()
    assert installation.counts(campaign)["unknown"] == doubtful
    assert installation.status(campaign) == "sending"

    smsc.clear_faults()
    _settle(installation, lambda: _ask_now(storage))
    assert "unknown" not in installation.counts(campaign)
    installation.wait_until_completed(campaign)
    assert installation.counts(campaign) == {"sent": PEOPLE_COUNT}
    assert_log_and_ledger_agree(installation.messages(campaign), read_ledger(ledger))


def test_another_account_is_not_asked_and_the_operator_decides(
    install: Callable[..., SendingInstallation], smsc: FakeSmscProcess, ledger: Path
) -> None:
    installation = install(request_size=REQUEST_SIZE, **WAITS)
    campaign = installation.create_campaign(TEXT, "People")
    smsc.fault("http", status=500, accept=True, after=1, times=1)
    smsc.fault("close", after=3, times=1)
    # Nothing can be asked before the account is changed.
    smsc.fault("http", script="status.php", status=503)
    run = installation.start_all()
    installation.launch(campaign)
    _wait_until_all_are_handed_over(installation, campaign)
    assert run.stop() == 0
    doubtful = installation.counts(campaign)["unknown"]

    smsc.clear_faults()
    asked_before = smsc.requests("status.php")
    installation.variables |= {"SMSC_LOGIN": "", "SMSC_PASSWORD": "", "SMSC_APIKEY": "apikey"}
    installation.storage.execute("UPDATE campaigns_sentmessage SET next_poll_at = NULL")  # no questions but ours
    installation.start_all()
    _settle(installation, lambda: _ask_now(installation.storage))
    installation.wait_until_completed(campaign)
    assert smsc.requests("status.php") == asked_before
    assert installation.counts(campaign) == {"sent": PEOPLE_COUNT - doubtful, "unknown": doubtful}
    assert_log_and_ledger_agree(installation.messages(campaign), read_ledger(ledger))


def _wait_until_all_are_handed_over(installation: SendingInstallation, campaign: int) -> None:
    def is_done() -> bool:
        counts = installation.counts(campaign)
        return sum(counts.values()) == PEOPLE_COUNT and not {"queued", "claimed", "sending"} & counts.keys()

    wait_for(is_done, "the last request")


def _settle(installation: SendingInstallation, before_asking: Callable[[], object] = lambda: None) -> None:
    """The settle time passes, then two sweeps."""
    time.sleep(SETTLE_SECONDS)
    for _sweep in range(2):
        before_asking()
        installation.sweep()
        time.sleep(GAP_SECONDS)


def _ask_now(storage: Storage) -> None:
    """As if the wait between two questions that came to nothing were over."""
    storage.execute(
        "UPDATE campaigns_sentmessage SET next_lookup_at = CURRENT_TIMESTAMP "
        "WHERE status = 'unknown' AND next_lookup_at IS NOT NULL"
    )
