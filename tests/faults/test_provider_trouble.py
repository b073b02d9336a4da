"""The provider is down, refuses our password or has no money left for us: nothing is lost, nothing is marked failed."""

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

TEXT = '{{ first_name|default:"friend" }}, the shop is open.'
#: Where a message may stand before the provider has said anything about it.
NOT_OFFERED = {"queued", "claimed", "sending"}


def test_a_provider_that_is_down_is_waited_for_and_everything_goes_out_without_a_human(
    install: Callable[..., SendingInstallation], smsc_port: int, ledger: Path
) -> None:
    installation = install()
    installation.start_all()
    campaign = installation.create_campaign(TEXT, "People")
    installation.launch(campaign)
    wait_for(lambda: installation.gateway()["held_until"], "the gateway to be held")

    held = installation.gateway()
    assert held["provider_text"]
    assert held["paused_at"] is None
    status = installation.answer("campaign_status", str(campaign))
    assert status["status"] == "sending"
    assert sum(status["messages"].values()) == status["audience"] == PEOPLE_COUNT
    assert {state for state, count in status["messages"].items() if count} <= NOT_OFFERED

    with FakeSmscProcess(port=smsc_port, ledger=ledger, password="right"):
        installation.wait_until_completed(campaign)
    assert installation.counts(campaign) == {"sent": PEOPLE_COUNT}
    assert_log_and_ledger_agree(installation.messages(campaign), read_ledger(ledger))
    assert installation.gateway()["failure_count"] == 0


@pytest.mark.usefixtures("smsc")
def test_a_wrong_password_pauses_the_gateway_until_the_operator_has_mended_it(
    install: Callable[..., SendingInstallation], ledger: Path
) -> None:
    installation = install(SMSC_PASSWORD="wrong")
    workers = installation.start_workers()
    campaign = installation.create_campaign(TEXT, "People")
    installation.launch(campaign)
    wait_for(lambda: installation.gateway()["paused_at"], "the gateway to be paused")
    _assert_paused_and_nothing_failed(installation, campaign, "authentication", "authorise error")
    assert read_ledger(ledger) == []

    assert workers.stop() == 0
    installation.variables["SMSC_PASSWORD"] = "right"
    installation.start_workers()
    installation.resume_gateway()
    installation.wait_until_completed(campaign)
    assert installation.counts(campaign) == {"sent": PEOPLE_COUNT}
    assert_log_and_ledger_agree(installation.messages(campaign), read_ledger(ledger))


def test_no_money_from_the_middle_on_pauses_the_gateway_and_the_rest_goes_out_after_paying(
    install: Callable[..., SendingInstallation], smsc: FakeSmscProcess, ledger: Path
) -> None:
    installation = install(request_size=50)
    installation.start_workers()
    campaign = installation.create_campaign(TEXT, "People")
    smsc.fault("error", code=3, after=5)
    installation.launch(campaign)
    wait_for(lambda: installation.gateway()["paused_at"], "the gateway to be paused")
    _assert_paused_and_nothing_failed(installation, campaign, "no_funds", "no money")
    assert len(read_ledger(ledger)) == 5 * 50
    assert installation.counts(campaign) == {"sent": 5 * 50, "queued": PEOPLE_COUNT - 5 * 50}

    smsc.clear_faults()
    installation.resume_gateway()
    installation.wait_until_completed(campaign)
    assert installation.counts(campaign) == {"sent": PEOPLE_COUNT}
    assert_log_and_ledger_agree(installation.messages(campaign), read_ledger(ledger))


def _assert_paused_and_nothing_failed(
    installation: SendingInstallation, campaign: int, reason: str, words: str
) -> None:
    wait_for(lambda: not {"claimed", "sending"} & installation.counts(campaign).keys(), "the requests under way")
    gateway = installation.gateway()
    assert gateway["pause_reason"] == reason
    assert words in gateway["provider_text"]
    status = installation.answer("campaign_status", str(campaign))
    assert status["status"] == "sending", "it goes on by itself once the gateway does"
    assert sum(status["messages"].values()) == status["audience"] == PEOPLE_COUNT
    assert {state for state, count in status["messages"].items() if count} <= {"queued", "sent"}
