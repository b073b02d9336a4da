"""The queue is lost, the servers go away, everything is asked for many times over: each message goes out once."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fake_smsc import FakeSmscProcess
from tests.processes import wait_for

from .conftest import EVERYBODY_COUNT
from .holds import assert_everything_holds
from .installation import SendingInstallation
from .ledger import count_taken
from .storage import Storage

pytestmark = pytest.mark.faults

TEXT = '{{ first_name|default:"friend" }}, hello!'
REQUEST_SIZE = 25
SHORT = {"SMS_LEASE_SECONDS": "10", "SMS_SETTLE_SECONDS": "3", "SMS_LOOKUP_GAP_SECONDS": "1", "SMSC_TIMEOUT": "2"}


def test_an_emptied_queue_and_servers_that_go_away_in_the_middle_cost_nobody_their_message(
    install: Callable[..., SendingInstallation], prompt_smsc: FakeSmscProcess, ledger: Path, storage: Storage, seed: int
) -> None:
    chance = random.Random(seed)
    installation = install(request_size=REQUEST_SIZE, **SHORT)
    campaign = installation.create_campaign(TEXT, "Everybody")
    prompt_smsc.fault("slow", seconds=0.6)
    run = installation.start_all()
    installation.start_sweeper()
    installation.launch(campaign)
    wait_for(lambda: count_taken(ledger), "the first message")
    outages = [*storage.outages.values(), storage.empty_queue, lambda: _lose_every_task(storage, ledger)]
    chance.shuffle(outages)
    for happens in outages:
        taken = count_taken(ledger)
        happens()
        # The next one not only when this one is over, but while messages go out again.
        wait_for(lambda: count_taken(ledger) > taken + REQUEST_SIZE, "messages to go out again")  # noqa: B023
        time.sleep(chance.uniform(0, 0.5))
    assert installation.status(campaign) == "sending", f"seed {seed}: too late to prove anything"
    prompt_smsc.clear_faults()
    installation.wait_until_completed(campaign)
    assert installation.reached_count(campaign) == EVERYBODY_COUNT
    assert run.stop() == 0, run.output
    assert_everything_holds(installation, ledger, seed=seed)


def _lose_every_task(storage: Storage, ledger: Path) -> None:
    """Until nobody sends any more: what is worked on at this moment is in no queue, and queues itself again."""
    taken, since = count_taken(ledger), time.monotonic()
    while time.monotonic() - since < 1:
        storage.empty_queue()
        if (now := count_taken(ledger)) != taken:
            taken, since = now, time.monotonic()
        time.sleep(0.02)


def test_the_same_tasks_fifty_times_two_sweepers_and_two_clusters_send_nothing_twice(
    install: Callable[..., SendingInstallation], prompt_smsc: FakeSmscProcess, ledger: Path
) -> None:
    installation = install(request_size=4 * REQUEST_SIZE, **SHORT)
    campaigns = [installation.create_campaign(f"{name}: {TEXT}", "Everybody", name) for name in ("One", "Two")]
    prompt_smsc.mix(
        1, [(0.1, {"kind": "slow", "seconds": 0.3}), (0.05, {"kind": "http", "status": 500, "accept": True})]
    )
    for campaign in campaigns:
        installation.launch(campaign)
    installation.manage(
        "shell",
        "-c",
        "from campaigns.wakeups import wake\n"
        f"[wake(task, pk) for _ in range(50) for task in ('freeze_campaign', 'send_campaign') for pk in {campaigns}]",
    )
    for _process in range(2):
        installation.start_workers()
        installation.start_sweeper(every=0.2)
    for campaign in campaigns:
        installation.wait_until_completed(campaign)
        assert installation.reached_count(campaign) == EVERYBODY_COUNT
    assert_everything_holds(installation, ledger)


@pytest.mark.usefixtures("prompt_smsc")
def test_send_pressed_by_ten_at_once_sends_once(install: Callable[..., SendingInstallation], ledger: Path) -> None:
    installation = install()
    installation.start_web()
    installation.start_workers()
    campaign = installation.create_campaign(TEXT, "Everybody")
    operators = [installation.operator() for _operator in range(10)]
    looked_at = [operator.look_at(campaign) for operator in operators]
    together = threading.Barrier(len(operators))
    pages: list[str] = []

    def press(position: int) -> None:
        together.wait()
        pages.append(operators[position].send(campaign, looked_at[position]))

    threads = [threading.Thread(target=press, args=(position,)) for position in range(len(operators))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(pages) == len(operators), "each got an answer"
    assert sum("is on its way" in page for page in pages) == 1
    installation.wait_until_completed(campaign)
    assert installation.reached_count(campaign) == EVERYBODY_COUNT
    assert_everything_holds(installation, ledger)


def test_a_campaign_that_is_paused_and_resumed_every_second_stands_still_while_it_is_paused_and_loses_nobody(
    install: Callable[..., SendingInstallation], prompt_smsc: FakeSmscProcess, ledger: Path
) -> None:
    installation = install(request_size=REQUEST_SIZE)
    installation.start_web()
    installation.start_workers()
    campaign = installation.create_campaign(TEXT, "Everybody")
    prompt_smsc.fault("slow", seconds=0.2)
    operator = installation.operator()
    operator.launch(campaign)
    wait_for(lambda: count_taken(ledger), "the first message")
    pauses = 0
    while installation.status(campaign) == "sending":
        operator.pause(campaign)
        if installation.status(campaign) != "paused":
            break  # it was completed before
        wait_for(lambda: "sending" not in installation.counts(campaign), "the requests under way")
        pauses += 1
        taken = count_taken(ledger)
        time.sleep(0.5)
        assert count_taken(ledger) == taken, "something was sent in a pause"
        operator.resume(campaign)
        time.sleep(0.5)
    assert pauses >= 5, "too few to prove anything"
    installation.wait_until_completed(campaign)
    assert installation.reached_count(campaign) == EVERYBODY_COUNT
    assert_everything_holds(installation, ledger)
