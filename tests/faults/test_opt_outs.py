"""Whoever does not want to be written to is not, from the moment it is recorded."""

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


def test_opt_outs_before_and_during_a_campaign_are_obeyed(
    install: Callable[..., SendingInstallation], smsc: FakeSmscProcess, ledger: Path
) -> None:
    installation = install(request_size=10)
    before = [f"+7903{index:07d}" for index in range(0, 100, 10)]
    during = [f"+7903{index:07d}" for index in range(PEOPLE_COUNT - 20, PEOPLE_COUNT)]
    installation.opt_out(*before)
    campaign = installation.create_campaign("Hello!", "People")
    # Slow enough for the second opt-outs to come in the middle, and before their own turn.
    smsc.fault("slow", seconds=0.5)
    installation.start_workers()
    installation.launch(campaign)
    wait_for(lambda: read_ledger(ledger), "the first message")
    installation.opt_out(*during)
    taken_by_then = {message.phone for message in read_ledger(ledger)}
    assert not taken_by_then & {number.removeprefix("+") for number in during}, "too late to prove anything"
    assert installation.status(campaign) == "sending"
    smsc.clear_faults()
    installation.wait_until_completed(campaign)

    reached = {message.phone for message in read_ledger(ledger)}
    assert not reached & {number.removeprefix("+") for number in [*before, *during]}
    log = installation.messages(campaign)
    assert {row.phone_number for row in log if row.status == "suppressed"} == {*before, *during}
    status = installation.answer("campaign_status", str(campaign))
    assert status["suppressed"] == {"opted_out": 30}
    assert status["messages"]["sent"] == PEOPLE_COUNT - 30
    assert_log_and_ledger_agree(log, read_ledger(ledger))
