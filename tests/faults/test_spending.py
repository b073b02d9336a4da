"""Several clusters of workers together spend no more than was allowed, by the provider's own record."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fake_smsc import FakeSmscProcess
from tests.processes import wait_for

from .conftest import PEOPLE_COUNT
from .installation import SendingInstallation
from .ledger import assert_log_and_ledger_agree, read_ledger

pytestmark = pytest.mark.faults

PRICE = 2.5
#: Stands for the middle of a request.
AFFORDABLE = 333
LIMIT = str(AFFORDABLE * PRICE + 1)
ENTER_PRICES = f"""
from campaigns.gateway_control import ensure_states
from campaigns.models import GatewayPrice
ensure_states()
GatewayPrice.objects.create(gateway_id="default", prefix="7", per_segment="{PRICE}")
"""
ALLOW_A_DAY = f"""
from decimal import Decimal
from campaigns.gateway_control import set_daily_limit
set_daily_limit("default", Decimal("{LIMIT}"), actor=None)
"""


def write_campaign(installation: SendingInstallation, *options: str) -> int:
    installation.manage("create_campaign", "Dear", "--text", "Hello", "--group", "People", *options)
    return int(installation.storage.value("SELECT max(id) FROM campaigns_campaign"))


def send_with_three_clusters(installation: SendingInstallation, smsc: FakeSmscProcess, campaign: int) -> None:
    smsc.fault("slow", seconds=0.05)
    for _cluster in range(3):
        installation.start_workers()
    installation.launch(campaign)


def test_a_campaign_pauses_at_its_limit(
    install: Callable[..., SendingInstallation], smsc: FakeSmscProcess, ledger: Path
) -> None:
    installation = install(request_size=7)
    installation.manage("shell", "-v0", "-c", ENTER_PRICES)
    campaign = write_campaign(installation, "--spend-limit", LIMIT)
    send_with_three_clusters(installation, smsc, campaign)
    wait_for(lambda: installation.status(campaign) == "paused", "the campaign to pause")

    taken = read_ledger(ledger)
    assert len(taken) == AFFORDABLE
    assert installation.counts(campaign) == {"sent": AFFORDABLE, "queued": PEOPLE_COUNT - AFFORDABLE}
    assert_log_and_ledger_agree(installation.messages(campaign), taken)


def test_a_gateway_rests_at_the_limit_of_its_day(
    install: Callable[..., SendingInstallation], smsc: FakeSmscProcess, ledger: Path
) -> None:
    installation = install(request_size=7)
    installation.manage("shell", "-v0", "-c", ENTER_PRICES + ALLOW_A_DAY)
    campaign = write_campaign(installation)
    send_with_three_clusters(installation, smsc, campaign)
    rests = "SELECT count(*) FROM campaigns_gatewaystate WHERE spent_until IS NOT NULL"
    wait_for(lambda: installation.storage.value(rests), "the gateway to rest")

    taken = read_ledger(ledger)
    assert len(taken) == AFFORDABLE
    assert installation.counts(campaign) == {"sent": AFFORDABLE, "queued": PEOPLE_COUNT - AFFORDABLE}
    assert installation.status(campaign) == "sending"
    assert_log_and_ledger_agree(installation.messages(campaign), taken)
