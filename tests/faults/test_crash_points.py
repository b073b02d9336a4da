"""
A process is killed, and one is stopped, at each boundary of the engine: by a switch, and not by luck.

Nobody is written to twice, nobody is left out, and it is found out what became of every message.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from campaigns.sending.dispatch import BULK_WIDTH
from tests.fake_smsc import FakeSmscProcess
from tests.processes import wait_for
from tests.rigged import BOUNDARIES, CLAIMS, LOCKED

from .conftest import EVERYBODY_COUNT
from .holds import assert_everything_holds
from .installation import SendingInstallation
from .ledger import read_ledger
from .program import Program
from .rigging import WAITS, RiggedInstallation, is_stopped

pytestmark = pytest.mark.faults

TEXT = '{{ first_name|default:"friend" }}, hello!'
REQUEST_SIZE = 50
#: Options of a campaign: one whose messages go straight from `queued` to `sending`, and one whose messages are claimed.
WAYS: dict[str, Sequence[str]] = {"straight": (), "claimed": ("--max-per-second", "1000000")}


def _points(way: str) -> list[str]:
    return [point for point in BOUNDARIES if way == "claimed" or point not in CLAIMS]


@pytest.mark.parametrize("way", WAYS)
def test_a_worker_killed_at_each_boundary_costs_nobody_a_text_and_gives_nobody_two(
    install: Callable[..., SendingInstallation], smsc: FakeSmscProcess, ledger: Path, way: str
) -> None:
    installation = install(request_size=REQUEST_SIZE, **WAITS)
    rigged = RiggedInstallation(installation)
    campaign = installation.create_campaign(TEXT, "Everybody", options=WAYS[way])
    installation.launch(campaign)
    installation.start_sweeper(every=1, and_wake=True)
    for point in _points(way):
        workers = rigged.start_workers([point], what="kill")
        assert workers.wait() != 0, workers.output
        rigged.wait_until_struck(point)
        wait_for(functools.partial(_is_gone, workers), "the end of the cluster that lost a process")
    assert 0 < installation.counts(campaign)["queued"] < EVERYBODY_COUNT, "each was killed in the middle of it"

    rigged.start_workers(workers=2)
    installation.wait_until_completed(campaign)
    assert_everything_holds(installation, ledger)
    assert installation.counts(campaign) == {"sent": EVERYBODY_COUNT}
    # A boundary beyond the intent puts the requests under way in doubt, and no more.
    assert 0 < installation.lost_count(campaign) <= BULK_WIDTH * len(BOUNDARIES) * REQUEST_SIZE


@pytest.mark.parametrize("way", WAYS)
def test_a_worker_stopped_at_any_boundary_until_all_is_done_without_it_sends_nothing_more(
    install: Callable[..., SendingInstallation], smsc: FakeSmscProcess, ledger: Path, way: str
) -> None:
    installation = install(request_size=REQUEST_SIZE, **WAITS)
    rigged = RiggedInstallation(installation)
    campaign = installation.create_campaign(TEXT, "Everybody", options=WAYS[way])
    installation.launch(campaign)
    points = [point for point in _points(way) if point not in LOCKED]
    stopped = rigged.start_workers(points, what="stop", workers=len(points))
    installation.start_sweeper(every=1, and_wake=True)
    rigged.wait_until_struck(*points)
    # Others find out which of their messages were taken, and send the rest.
    rigged.start_workers()
    installation.wait_until_completed(campaign)
    assert all(is_stopped(pid) for pid in rigged.struck().values())
    assert installation.counts(campaign) == {"sent": EVERYBODY_COUNT} == {"sent": len(read_ledger(ledger))}

    rigged.let_go_on()
    assert stopped.stop() == 0, stopped.output
    assert_everything_holds(installation, ledger)
    assert installation.counts(campaign) == {"sent": EVERYBODY_COUNT}


def _is_gone(program: Program) -> bool:
    return not program.pids()
