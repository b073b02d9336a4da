"""
Requests that end without a clear answer, at a provider that cannot be asked but takes each reference once: they are
offered again as they were.

Nobody is written to twice, and nobody stays unknown.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fake_smsc import FakeSmscProcess

from .conftest import EVERYBODY_COUNT
from .holds import assert_everything_holds
from .installation import SendingInstallation
from .ledger import read_ledger
from .rigging import WAITS, RiggedInstallation
from .storage import Storage

pytestmark = pytest.mark.faults

TEXT = '{{ first_name|default:"friend" }}, hello!'
REQUEST_SIZE = 250
TAKEN: list[dict[str, Any]] = [{"kind": "http", "status": 500, "accept": True}, {"kind": "cut", "accept": True}]
NOT_TAKEN: list[dict[str, Any]] = [{"kind": "http", "status": 500}, {"kind": "close"}]
#: Taken only after it was offered again.
TAKEN_LATE: list[dict[str, Any]] = [{"kind": "late", "seconds": 20}]
#: Ends in doubt again when it is offered again.
TWICE: list[dict[str, Any]] = [{"kind": "cut", "accept": True, "times": 2}]


@pytest.fixture
def once_smsc(smsc_port: int, ledger: Path) -> Iterator[FakeSmscProcess]:
    """The provider, which takes a number once under one id."""
    with FakeSmscProcess(port=smsc_port, ledger=ledger, password="right", idempotent=True) as process:
        yield process


@pytest.mark.parametrize(
    "faults", [TAKEN, NOT_TAKEN, TAKEN_LATE, TWICE], ids=["taken", "not-taken", "taken-late", "twice"]
)
def test_what_is_offered_again_under_its_reference_reaches_everybody_once(
    install: Callable[..., SendingInstallation],
    once_smsc: FakeSmscProcess,
    ledger: Path,
    storage: Storage,
    faults: list[dict[str, Any]],
) -> None:
    installation = _installation(install)
    campaign = installation.create_campaign(TEXT, "Everybody")
    for index, fault in enumerate(faults):
        once_smsc.fault(**{"times": 1, **fault}, after=2 * index + 1)
    installation.start_all()
    installation.launch(campaign)
    _sweep_until_completed(installation, campaign, storage)
    assert_everything_holds(installation, ledger)
    assert installation.counts(campaign) == {"sent": EVERYBODY_COUNT} == {"sent": len(read_ledger(ledger))}
    assert storage.value("SELECT count(*) FROM campaigns_attempt WHERE number > 1") > 0


def test_the_requests_of_killed_workers_are_offered_again(
    install: Callable[..., SendingInstallation], once_smsc: FakeSmscProcess, ledger: Path, storage: Storage
) -> None:
    installation = _installation(install)
    rigged = RiggedInstallation(installation)
    campaign = installation.create_campaign(TEXT, "Everybody")
    installation.launch(campaign)
    for point in ("before-the-request", "after-the-write"):
        assert rigged.start_workers([point], what="kill").wait() != 0
        rigged.wait_until_struck(point)
    assert installation.let_leases_end() > 0
    rigged.start_workers()
    _sweep_until_completed(installation, campaign, storage)
    assert installation.lost_count(campaign) > 0
    assert_everything_holds(installation, ledger)
    assert installation.counts(campaign) == {"sent": EVERYBODY_COUNT} == {"sent": len(read_ledger(ledger))}


def _installation(install: Callable[..., SendingInstallation]) -> SendingInstallation:
    return install(request_size=REQUEST_SIZE, SMS_BACKEND="tests.faults.idempotent.smsc.SmsBackend", **WAITS)


def _sweep_until_completed(installation: SendingInstallation, campaign: int, storage: Storage) -> None:
    for _sweep in range(60):
        if installation.status(campaign) == "completed":
            return
        _the_wait_is_over(storage)
        installation.sweep()
        time.sleep(1)
    raise AssertionError((installation.counts(campaign), installation.logs()))


def _the_wait_is_over(storage: Storage) -> None:
    """As if ten minutes had passed since each hand-over whose outcome nobody knows."""
    ago = "{} - interval '10 minutes'" if storage.redis_url else "datetime({}, '-10 minutes')"
    moved = ", ".join(f"{name} = {ago.format(name)}" for name in ("started_at", "finished_at"))
    unknown = "(SELECT id FROM campaigns_sentmessage WHERE status = 'unknown')"
    storage.execute(f"UPDATE campaigns_attempt SET {moved} WHERE message_id IN {unknown}")
    storage.execute(
        "UPDATE campaigns_sentmessage SET next_lookup_at = CURRENT_TIMESTAMP "
        "WHERE status = 'unknown' AND next_lookup_at IS NOT NULL"
    )
