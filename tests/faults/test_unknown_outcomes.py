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

from .conftest import EVERYBODY_COUNT
from .holds import assert_everything_holds
from .installation import SendingInstallation
from .ledger import read_ledger
from .storage import Storage

pytestmark = pytest.mark.faults

TEXT = '{{ first_name|default:"friend" }}, hello!'
REQUEST_SIZE = 250
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
    campaign = installation.create_campaign(TEXT, "Everybody")
    for index, fault in enumerate(faults):
        smsc.fault(**fault, after=2 * index + 1, times=1)
    installation.start_all()
    installation.launch(campaign)
    _wait_until_all_are_handed_over(installation, campaign)
    _settle(installation)
    assert "unknown" not in installation.counts(campaign)

    installation.wait_until_completed(campaign)
    assert installation.counts(campaign) == {"sent": EVERYBODY_COUNT}
    assert_everything_holds(installation, ledger)
    assert len(read_ledger(ledger)) == EVERYBODY_COUNT


def test_a_provider_that_cannot_say_what_it_took_is_asked_until_it_can(
    install: Callable[..., SendingInstallation], smsc: FakeSmscProcess, ledger: Path, storage: Storage
) -> None:
    installation = install(request_size=REQUEST_SIZE, **WAITS)
    campaign = installation.create_campaign(TEXT, "Everybody")
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
    assert installation.counts(campaign) == {"sent": EVERYBODY_COUNT}
    assert_everything_holds(installation, ledger)


@pytest.mark.parametrize("accept", [True, False], ids=["taken", "not-taken"])
def test_what_the_provider_may_have_forgotten_is_left_to_the_operator(
    install: Callable[..., SendingInstallation], smsc: FakeSmscProcess, ledger: Path, storage: Storage, accept: bool
) -> None:
    installation = install(request_size=REQUEST_SIZE, **WAITS)
    campaign = installation.create_campaign(TEXT, "Everybody")
    smsc.fault("http", status=500, accept=accept, after=1, times=1)
    smsc.fault("http", script="status.php", status=503)  # nothing can be asked before it is too late
    installation.start_all()
    installation.launch(campaign)
    _wait_until_all_are_handed_over(installation, campaign)
    doubtful = installation.counts(campaign)["unknown"]
    smsc.clear_faults()
    # As if SMSC.ru's day had passed.
    moved = "started_at - interval '2 days'" if storage.redis_url else "datetime(started_at, '-2 days')"
    storage.execute(f"UPDATE campaigns_attempt SET started_at = {moved} WHERE outcome = 'unknown'")
    _settle(installation, lambda: _ask_now(storage))
    installation.wait_until_completed(campaign)
    # What it still knows was taken; "not there" says nothing any more.
    expected = {"sent": EVERYBODY_COUNT} if accept else {"sent": EVERYBODY_COUNT - doubtful, "unknown": doubtful}
    assert installation.counts(campaign) == expected
    listed = {row.digits for row in installation.messages(campaign) if row.status == "unknown"}
    assert_everything_holds(installation, ledger, unknown=listed)


def test_another_account_is_not_asked_and_the_operator_decides(
    install: Callable[..., SendingInstallation], smsc: FakeSmscProcess, ledger: Path
) -> None:
    installation = install(request_size=REQUEST_SIZE, **WAITS)
    campaign = installation.create_campaign(TEXT, "Everybody")
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
    assert installation.counts(campaign) == {"sent": EVERYBODY_COUNT - doubtful, "unknown": doubtful}
    listed = {row.digits for row in installation.messages(campaign) if row.status == "unknown"}
    assert_everything_holds(installation, ledger, unknown=listed)


def _wait_until_all_are_handed_over(installation: SendingInstallation, campaign: int) -> None:
    def is_done() -> bool:
        counts = installation.counts(campaign)
        return sum(counts.values()) == EVERYBODY_COUNT and not {"queued", "claimed", "sending"} & counts.keys()

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
