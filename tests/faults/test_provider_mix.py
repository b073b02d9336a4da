"""A provider in trouble, by chance and all at once, then down, then with another password, then without our money."""

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
from .installation import SENDING_SECONDS, SendingInstallation
from .ledger import count_taken

pytestmark = pytest.mark.faults

TEXT = '{{ first_name|default:"friend" }}, the shop is open.'
REQUEST_SIZE = 50
TIMEOUT = 2
WAITS = {"SMSC_TIMEOUT": str(TIMEOUT), "SMS_SETTLE_SECONDS": "4", "SMS_LOOKUP_GAP_SECONDS": "1"}
MIX: list[tuple[float, dict[str, Any]]] = [
    (0.025, {"kind": "http", "status": 500}),
    (0.025, {"kind": "http", "status": 500, "accept": True}),
    (0.02, {"kind": "close"}),
    (0.02, {"kind": "close", "accept": True}),
    (0.01, {"kind": "hang", "accept": True, "seconds": TIMEOUT + 1}),
    (0.02, {"kind": "http", "status": 429, "headers": {"Retry-After": "1"}}),
    (0.05, {"kind": "slow", "seconds": 0.5}),
]
PASSWORD = "right"


@pytest.mark.parametrize("seed", [1, 2])
def test_a_mix_of_everything_that_can_go_wrong_and_a_time_without_the_provider_lose_and_double_nobody(
    install: Callable[..., SendingInstallation], smsc_port: int, ledger: Path, seed: int
) -> None:
    installation = install(request_size=REQUEST_SIZE, **WAITS)
    campaign = installation.create_campaign(TEXT, "Everybody")
    installation.start_workers()
    installation.start_sweeper(every=1)
    with FakeSmscProcess(port=smsc_port, ledger=ledger, password=PASSWORD, deliver_after=0) as smsc:
        smsc.mix(seed, MIX)
        installation.launch(campaign)
        half = EVERYBODY_COUNT / 2
        wait_for(lambda: count_taken(ledger) > half, "half of the campaign", seconds=SENDING_SECONDS)
        smsc.kill()
    wait_for(lambda: installation.gateway()["held_until"], "the gateway to be held")
    time.sleep(1)
    with FakeSmscProcess(port=smsc_port, ledger=ledger, password=PASSWORD, deliver_after=0) as smsc:
        smsc.mix(seed + 100, MIX)
        installation.wait_until_completed(campaign)
    assert installation.reached_count(campaign) == EVERYBODY_COUNT
    assert_everything_holds(installation, ledger, seed=seed)


def test_another_password_and_then_no_money_from_the_middle_on_pause_the_gateway_and_nothing_is_lost(
    install: Callable[..., SendingInstallation], prompt_smsc: FakeSmscProcess, ledger: Path
) -> None:
    installation = install(request_size=REQUEST_SIZE, **WAITS)
    campaign = installation.create_campaign(TEXT, "Everybody")
    prompt_smsc.fault("slow", seconds=0.1)
    workers = installation.start_workers()
    installation.launch(campaign)
    wait_for(lambda: count_taken(ledger) > EVERYBODY_COUNT / 4, "a quarter of the campaign")
    prompt_smsc.change_account(password="new")
    wait_for(lambda: installation.gateway()["paused_at"], "the gateway to be paused")
    _assert_nothing_is_lost(installation, campaign, "authentication", "authorise error")
    assert workers.stop() == 0

    installation.variables["SMSC_PASSWORD"] = "new"
    # Enough for a quarter of the campaign.
    prompt_smsc.change_account(balance=f"{2.50 * EVERYBODY_COUNT / 4:.2f}")
    installation.start_workers()
    installation.resume_gateway()
    wait_for(lambda: installation.gateway()["pause_reason"] == "no_funds", "the gateway to be paused")
    _assert_nothing_is_lost(installation, campaign, "no_funds", "no money")
    assert EVERYBODY_COUNT / 2 <= count_taken(ledger) < EVERYBODY_COUNT

    prompt_smsc.change_account(balance="1000000.00")
    prompt_smsc.clear_faults()
    installation.resume_gateway()
    installation.wait_until_completed(campaign)
    assert installation.reached_count(campaign) == EVERYBODY_COUNT
    assert_everything_holds(installation, ledger)


def _assert_nothing_is_lost(installation: SendingInstallation, campaign: int, reason: str, words: str) -> None:
    wait_for(lambda: not {"claimed", "sending"} & installation.counts(campaign).keys(), "the requests under way")
    gateway = installation.gateway()
    assert gateway["pause_reason"] == reason
    assert words in gateway["provider_text"]
    counts = installation.counts(campaign)
    assert sum(counts.values()) == EVERYBODY_COUNT
    assert counts.keys() <= {"queued", "sent", "delivered"}
    assert installation.status(campaign) == "sending", "it goes on by itself once the gateway does"
