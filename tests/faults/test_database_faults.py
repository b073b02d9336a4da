"""The database loses connections at the worst moment, is locked for long, or has no room left."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.fake_smsc import FakeSmscProcess
from tests.processes import wait_for

from .conftest import EVERYBODY_COUNT
from .holds import assert_everything_holds
from .installation import SendingInstallation
from .ledger import read_ledger
from .postgres_proxy import Cut, PostgresProxy
from .rigging import WAITS
from .services import PostgresServer
from .small_disk import NoSmallDisk, SmallDisk
from .storage import Storage

pytestmark = pytest.mark.faults

TEXT = '{{ first_name|default:"friend" }}, hello!'
REQUEST_SIZE = 50
#: Longer than SQLite's busy timeout.
LOCK_SECONDS = 25
#: What the statements of a transaction have in common that others have not.
TRANSACTIONS = {
    "freeze": ("COPY", '"campaigns_sentmessage"', "freeze_cursor"),
    "claim": ("SKIP LOCKED", '"campaigns_sentmessage"', "'claimed'"),
    "intent": ("COPY", '"campaigns_attempt"', "'sending'"),
    "record": ('UPDATE "campaigns_attempt"', "'sent'"),
}


def test_a_connection_lost_around_a_commit_makes_nobody_lost_and_nobody_written_to_twice(
    postgres: PostgresServer,
    prepared_postgres: str,
    smsc: FakeSmscProcess,
    smsc_port: int,
    ledger: Path,
    tmp_path: Path,
) -> None:
    """On PostgreSQL: there is no connection that SQLite could lose."""
    cuts = [cut for words in TRANSACTIONS.values() for cut in (Cut(words, "before"), Cut(words, "after"))]
    url = postgres.create_database("installation", template=prepared_postgres)
    with PostgresProxy(postgres.port, cuts) as proxy:
        storage = Storage(url.replace(str(postgres.port), str(proxy.port)), "")
        installation = SendingInstallation(tmp_path, storage, smsc_port, request_size=REQUEST_SIZE, **WAITS)
        try:
            campaign = installation.create_campaign(TEXT, "Everybody")
            installation.start_all()
            installation.start_sweeper(every=1, and_wake=True)
            installation.launch(campaign)
            wait_for(lambda: all(cut.is_done for cut in cuts), f"all of {cuts}")
            installation.wait_until_completed(campaign)
            assert_everything_holds(installation, ledger)
            assert installation.counts(campaign) == {"sent": EVERYBODY_COUNT}
            _assert_every_answer_was_written_down(storage, ledger)
        finally:
            installation.kill_everything()


def test_answers_that_come_while_the_database_is_locked_for_long_are_not_lost(
    install: Callable[..., SendingInstallation], smsc: FakeSmscProcess, ledger: Path, storage: Storage
) -> None:
    installation = install(request_size=REQUEST_SIZE, **WAITS)
    campaign = installation.create_campaign(TEXT, "Everybody")
    smsc.fault("slow", seconds=0.5)
    installation.start_all()
    installation.launch(campaign)
    wait_for(lambda: smsc.requests() >= 4, "requests under way")
    with storage.write_lock():
        time.sleep(LOCK_SECONDS)
    smsc.clear_faults()
    installation.start_sweeper(every=1, and_wake=True)
    installation.wait_until_completed(campaign)
    assert_everything_holds(installation, ledger)
    assert installation.counts(campaign) == {"sent": EVERYBODY_COUNT}
    without = storage.value("SELECT count(*) FROM campaigns_attempt WHERE raw IS NULL")
    assert not without, f"the provider had to be asked what it had answered to {without} messages"


@pytest.fixture
def small_disk() -> Iterator[SmallDisk]:
    try:
        disk = SmallDisk(256)
    except NoSmallDisk as why:
        pytest.skip(f"no disk can be mounted: {why}")
    yield disk
    disk.remove()


@pytest.fixture
def cramped_storage(storage: Storage, small_disk: SmallDisk, request: pytest.FixtureRequest) -> Iterator[Storage]:
    """A database on the small disk."""
    folder = small_disk.folder / "data"
    folder.mkdir(mode=0o700)
    if not storage.redis_url:
        path = shutil.copy(urlsplit(storage.database_url).path, folder)
        yield Storage(f"sqlite:///{path}", "")
        return
    server = PostgresServer(data=folder)
    try:
        server.start()
        request.node.server = server
        yield Storage(server.copy_database(storage.database_url, "installation"), storage.redis_url)
    finally:
        server.remove()


def test_a_full_disk_stops_sending_and_loses_nothing(
    cramped_storage: Storage,
    small_disk: SmallDisk,
    smsc: FakeSmscProcess,
    smsc_port: int,
    ledger: Path,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    installation = SendingInstallation(tmp_path, cramped_storage, smsc_port, request_size=REQUEST_SIZE, **WAITS)
    try:
        campaign = installation.create_campaign(TEXT, "Everybody")
        smsc.fault("slow", seconds=0.2)
        run = installation.start_all()
        installation.launch(campaign)
        wait_for(lambda: smsc.requests() >= 4, "requests under way")
        small_disk.fill()
        wait_for(lambda: "is full" in run.output or "No space left" in run.output, "the disk to be missed")
        wait_for(lambda: _stands_still(smsc), "the last request")
        assert smsc.requests() < EVERYBODY_COUNT / REQUEST_SIZE

        small_disk.free()
        smsc.clear_faults()
        server: PostgresServer | None = getattr(request.node, "server", None)
        if server is not None and not server.is_running:
            server.start()
        installation.start_sweeper(every=1, and_wake=True)
        installation.wait_until_completed(campaign)
        assert_everything_holds(installation, ledger)
        assert installation.counts(campaign) == {"sent": EVERYBODY_COUNT}
        if server is None:  # PostgreSQL may have gone down, and a worker with it
            _assert_every_answer_was_written_down(cramped_storage, ledger)
    finally:
        installation.kill_everything()


def _assert_every_answer_was_written_down(storage: Storage, ledger: Path) -> None:
    """Looking up what was taken comes to the same, much later: that must not hide that an answer was lost."""
    taken = {message.id for message in read_ledger(ledger)}
    unanswered = storage.rows("SELECT DISTINCT reference FROM campaigns_attempt WHERE raw IS NULL")
    lost = taken & {reference for (reference,) in unanswered}
    assert not lost, f"{len(lost)} answers that were in hand were not written down"


def _stands_still(smsc: FakeSmscProcess) -> bool:
    before = smsc.requests()
    time.sleep(3)
    return bool(smsc.requests() == before)
