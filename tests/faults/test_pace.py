"""Several clusters of workers keep to one rate and one number of open requests, by the provider's own record."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fake_smsc import FakeSmscProcess

from .conftest import PEOPLE_COUNT
from .installation import SendingInstallation
from .ledger import assert_log_and_ledger_agree, read_ledger

pytestmark = pytest.mark.faults

RATE = 50
REQUEST_SIZE = 10
CONNECTIONS = 4


@pytest.mark.usefixtures("smsc")
def test_a_campaigns_rate_is_kept_by_all_workers_together(
    install: Callable[..., SendingInstallation], ledger: Path
) -> None:
    installation = install(request_size=REQUEST_SIZE)
    installation.manage(
        "create_campaign", "Slow", "--text", "Hello", "--group", "People", "--max-per-second", str(RATE)
    )
    campaign = int(installation.storage.value("SELECT max(id) FROM campaigns_campaign"))
    for _cluster in range(2):
        installation.start_workers()
    installation.launch(campaign)
    installation.wait_until_completed(campaign)

    taken = read_ledger(ledger)
    times = sorted(message.time for message in taken)
    # The messages of the first request came at the beginning, not in the time after it.
    per_second = (len(times) - REQUEST_SIZE) / (times[-1] - times[0])
    assert RATE * 0.9 <= per_second <= RATE * 1.1
    busiest = max(sum(start <= at < start + 5 for at in times) for start in times)
    assert busiest <= 5 * RATE * 1.1
    assert_log_and_ledger_agree(installation.messages(campaign), taken)
    assert installation.counts(campaign) == {"sent": PEOPLE_COUNT}


def test_no_more_requests_are_open_than_the_account_allows(
    install: Callable[..., SendingInstallation], smsc: FakeSmscProcess, ledger: Path
) -> None:
    options = {"SMSC_MAX_RECIPIENTS": REQUEST_SIZE, "SMSC_MAX_CONNECTIONS": CONNECTIONS}
    installation = install(SMS_OPTIONS=json.dumps(options))
    campaigns = [installation.create_campaign("Hello", "People", name=name) for name in ("One", "Two")]
    smsc.fault("slow", seconds=0.2)
    for _cluster in range(3):
        installation.start_workers()
    for campaign in campaigns:
        installation.launch(campaign)
    for campaign in campaigns:
        installation.wait_until_completed(campaign)
        assert installation.counts(campaign) == {"sent": PEOPLE_COUNT}
    # One is kept for urgent messages, of which there are none.
    assert smsc.most_open() == CONNECTIONS - 1
    assert len(read_ledger(ledger)) == 2 * PEOPLE_COUNT
