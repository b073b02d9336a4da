"""The clock is set while messages are being sent, and goes through the nights on which local time jumps."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.fake_smsc import FakeSmscProcess
from tests.processes import wait_for

from .clock import FakeClock
from .conftest import EVERYBODY_COUNT
from .holds import assert_everything_holds
from .installation import SendingInstallation
from .ledger import read_ledger
from .rigging import WAITS, RiggedInstallation
from .services import MissingBinary, PostgresServer
from .storage import Storage

pytestmark = pytest.mark.faults

TEXT = '{{ first_name|default:"friend" }}, hello!'
REQUEST_SIZE = 50
HOUR = 3600.0


@pytest.fixture
def clock() -> Iterator[FakeClock]:
    try:
        clock = FakeClock()
    except MissingBinary as missing:
        pytest.skip(str(missing))
    yield clock
    clock.remove()


@pytest.fixture
def storage(storage: Storage, clock: FakeClock) -> Iterator[Storage]:
    """Where it is a server that tells the time, one with this clock."""
    if not storage.redis_url:
        yield storage
        return
    server = PostgresServer(variables=clock.variables)
    try:
        server.start()
        yield Storage(server.copy_database(storage.database_url, "installation"), storage.redis_url)
    finally:
        server.remove()


@pytest.fixture
def installation(install: Callable[..., SendingInstallation], clock: FakeClock) -> SendingInstallation:
    return install(request_size=REQUEST_SIZE, **WAITS, **clock.variables)


@pytest.mark.parametrize("jumps", [(HOUR, -HOUR), (-HOUR, HOUR)], ids=["forward-and-back", "back-and-forward"])
def test_a_clock_that_is_set_by_an_hour_twice_while_messages_are_in_doubt_changes_nothing_for_anybody(
    installation: SendingInstallation,
    smsc: FakeSmscProcess,
    ledger: Path,
    clock: FakeClock,
    jumps: tuple[float, float],
) -> None:
    rigged = RiggedInstallation(installation)
    campaign = installation.create_campaign(TEXT, "Everybody")
    installation.launch(campaign)
    smsc.fault("slow", seconds=0.1)
    rigged.start_workers(workers=2)
    installation.start_sweeper(every=1, and_wake=True)
    for jump in jumps:
        _wait_for_requests(smsc, 10)
        # Some that were taken, and some that were not: nobody knows when the clock is set.
        smsc.clear_faults()
        smsc.fault("http", status=500, accept=True, times=1)
        smsc.fault("close", times=1)
        smsc.fault("slow", seconds=0.1)
        wait_for(lambda: installation.counts(campaign).get("unknown"), "a request that ends in doubt")
        clock.move(jump)
    installation.wait_until_completed(campaign)
    assert_everything_holds(installation, ledger)
    assert installation.counts(campaign) == {"sent": EVERYBODY_COUNT}


def _wait_for_requests(smsc: FakeSmscProcess, count: int) -> None:
    enough = smsc.requests() + count
    wait_for(lambda: smsc.requests() >= enough, f"{count} requests")


@pytest.mark.parametrize(
    ("window", "begins", "closes", "opens_again"),
    [
        # 2:00 is 3:00: the hour in which the window would close does not come.
        ("01:30-02:30", "2027-03-28T01:59:45+01:00", "2027-03-28T03:00:00+02:00", "2027-03-29T01:30:00+02:00"),
        # 3:00 is 2:00: the window closes in its middle, and opens once more.
        ("02:30-03:30", "2026-10-25T02:59:45+02:00", "2026-10-25T02:00:00+01:00", "2026-10-25T02:30:00+01:00"),
    ],
    ids=["spring", "autumn"],
)
def test_on_the_night_of_the_change_nobody_is_written_to_outside_of_the_hours(
    installation: SendingInstallation,
    smsc: FakeSmscProcess,
    ledger: Path,
    clock: FakeClock,
    window: str,
    begins: str,
    closes: str,
    opens_again: str,
) -> None:
    rigged = RiggedInstallation(installation)
    installation.storage.execute("UPDATE campaigns_contact SET time_zone = 'Europe/Berlin'")
    campaign = installation.create_campaign(TEXT, "Everybody", options=["--window", window, "--max-per-second", "200"])
    rigged.start_workers(workers=2)
    clock.set(datetime.fromisoformat(begins))
    installation.launch(campaign)
    installation.start_sweeper(every=1, and_wake=True)
    closed = datetime.fromisoformat(closes).timestamp()
    wait_for(lambda: clock.now() > closed + 3, "the change")
    sent_before = smsc.requests()
    assert sent_before > 0
    assert installation.counts(campaign)["queued"] > 0
    time.sleep(3)
    assert smsc.requests() == sent_before, "somebody was written to outside of the hours"

    first, offset_before = len(read_ledger(ledger)), clock.now() - time.time()
    clock.set(datetime.fromisoformat(opens_again) - timedelta(seconds=5))
    installation.storage.execute("UPDATE campaigns_campaign SET max_per_second = NULL")
    installation.wait_until_completed(campaign)
    assert_everything_holds(installation, ledger)
    assert installation.counts(campaign) == {"sent": EVERYBODY_COUNT}
    taken = read_ledger(ledger)
    assert all(
        datetime.fromisoformat(begins).timestamp() < one.time + offset_before < closed + 2 for one in taken[:first]
    )
    offset = clock.now() - time.time()
    assert all(one.time + offset >= datetime.fromisoformat(opens_again).timestamp() for one in taken[first:])
