"""`kill -9`, at random moments, of whatever runs: nobody is written to twice and nobody is forgotten."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from tests.fake_smsc import FakeSmscProcess
from tests.processes import wait_for

from .conftest import EVERYBODY_COUNT
from .holds import assert_everything_holds
from .installation import SendingInstallation
from .ledger import count_taken
from .operator import Operator
from .program import Program

pytestmark = pytest.mark.faults

TEXT = '{{ first_name|default:"friend" }}, hello!'
REQUEST_SIZE = 15
CLUSTERS, WORKERS = 2, 2
KILLS = 20
#: Everything that takes minutes in the product. A request (SMSC_TIMEOUT) still ends long before its lease does.
SHORT = {"SMS_LEASE_SECONDS": "10", "SMS_SETTLE_SECONDS": "3", "SMS_LOOKUP_GAP_SECONDS": "1", "SMSC_TIMEOUT": "2"}


@pytest.mark.parametrize("seed", [1, 2])
def test_workers_and_whole_clusters_killed_twenty_times_leave_nobody_out_and_nobody_written_to_twice(
    install: Callable[..., SendingInstallation], prompt_smsc: FakeSmscProcess, ledger: Path, seed: int
) -> None:
    chance = random.Random(seed)
    installation = install(request_size=REQUEST_SIZE, SMS_WORKERS=str(WORKERS), **SHORT)
    campaign = installation.create_campaign(TEXT, "Everybody")
    # The provider takes each request at once and answers late: whoever is killed then does not know.
    prompt_smsc.fault("slow", seconds=0.5)
    clusters = [installation.start_workers() for _cluster in range(CLUSTERS)]
    installation.start_sweeper(and_wake=True)
    installation.launch(campaign)
    wait_for(lambda: count_taken(ledger), "the first message")
    for _kill in range(KILLS):
        time.sleep(chance.uniform(0, 1.5))
        victim = _one_that_works(clusters, chance)
        _kill_one_process_or_all(victim, chance)
        clusters[clusters.index(victim)] = installation.start_workers()
    assert installation.status(campaign) == "sending", f"seed {seed}: too late to prove anything"
    lost = installation.storage.value("SELECT count(*) FROM campaigns_messageevent WHERE kind = 'unknown'")
    assert lost, f"seed {seed}: nobody died in a request"

    prompt_smsc.clear_faults()
    installation.wait_until_completed(campaign)
    assert installation.reached_count(campaign) == EVERYBODY_COUNT
    assert_everything_holds(installation, ledger, seed=seed)


def _one_that_works(clusters: list[Program], chance: random.Random) -> Program:
    """One of those that have all of their processes: main one, guard, workers, monitor and pusher."""
    working: list[Program] = []
    while not working:
        working = [cluster for cluster in clusters if len(cluster.pids()) >= 4 + WORKERS]
        time.sleep(0.05)
    return chance.choice(working)


def _kill_one_process_or_all(cluster: Program, chance: random.Random) -> None:
    """The death of one takes the others along; of a dead leader's, its supervisor sees to that."""
    pids = cluster.pids()
    victim = chance.choice(pids)
    if victim == pids[0] or chance.random() < 0.25:
        cluster.kill()
    else:
        with contextlib.suppress(ProcessLookupError):
            os.kill(victim, signal.SIGKILL)
    wait_for(lambda: cluster.has_ended and not cluster.pids(), "the end of a cluster that lost a process")


@pytest.mark.usefixtures("prompt_smsc")
def test_the_web_server_and_the_workers_killed_while_a_campaign_is_started_and_prepared_start_it_once(
    install: Callable[..., SendingInstallation], ledger: Path, seed: int
) -> None:
    chance = random.Random(seed)
    installation = install(**SHORT)
    campaigns = [installation.create_campaign(f"{name}: {TEXT}", "Everybody", name) for name in ("One", "Two")]
    web = installation.start_web()
    operator = installation.operator()
    for campaign in campaigns:
        patience = 1.0
        while installation.status(campaign) == "draft":
            web.kill()
            web, workers = installation.start_web(), installation.start_workers()
            pressing = threading.Thread(target=_press_send, args=(operator, campaign))
            pressing.start()
            # Looking at the page takes a moment, launching another, preparing a second: longer on a busy machine.
            time.sleep(chance.uniform(0, patience))
            patience *= 2
            web.kill()
            workers.kill()
            pressing.join()
    installation.start_sweeper()
    installation.start_workers()
    for campaign in campaigns:
        installation.wait_until_completed(campaign)
        launches = "SELECT count(*) FROM campaigns_auditevent WHERE action = 'launch' AND campaign_id = "
        assert installation.storage.value(f"{launches}{campaign}") == 1
        assert installation.reached_count(campaign) == EVERYBODY_COUNT
    assert_everything_holds(installation, ledger, seed=seed)


def _press_send(operator: Operator, campaign: int) -> None:
    """Whoever presses may see the connection break."""
    with contextlib.suppress(requests.RequestException):
        operator.launch(campaign)
