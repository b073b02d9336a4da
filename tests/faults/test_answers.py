"""Answers that are hard to read: for a part of the recipients, for all because of one, or "you have asked before"."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from tests.fake_smsc import FakeSmscProcess
from tests.processes import wait_for

from .conftest import EVERYBODY_COUNT
from .holds import assert_everything_holds
from .installation import SENDING_SECONDS, SendingInstallation
from .rigging import WAITS
from .storage import Storage

pytestmark = pytest.mark.faults

TEXT = '{{ first_name|default:"friend" }}, hello!'


def test_one_number_that_makes_the_provider_refuse_a_whole_request_of_500_costs_nobody_else_a_text(
    install: Callable[..., SendingInstallation], smsc: FakeSmscProcess, ledger: Path
) -> None:
    installation = install(request_size=500, **WAITS)
    campaign = installation.create_campaign(TEXT, "Everybody")
    culprits = _numbers(installation, 700, 1900, 1901, EVERYBODY_COUNT - 1)
    for culprit in culprits:
        smsc.poison(culprit, code=8)
    _send_to_the_end(installation, campaign)
    assert_everything_holds(installation, ledger)
    assert installation.counts(campaign) == {"sent": EVERYBODY_COUNT - len(culprits), "rejected": len(culprits)}
    assert {row.phone_number for row in installation.messages(campaign) if row.status == "rejected"} == culprits


def test_of_a_request_that_was_taken_in_part_each_recipient_has_an_answer_of_its_own(
    install: Callable[..., SendingInstallation], smsc: FakeSmscProcess, ledger: Path
) -> None:
    installation = install(request_size=500, **WAITS)
    campaign = installation.create_campaign(TEXT, "Everybody")
    refused = _numbers(installation, *range(100, EVERYBODY_COUNT, 500))
    omitted = _numbers(installation, *range(200, EVERYBODY_COUNT, 500))
    for number in refused:
        smsc.refuse(number, error=248)
    for number in omitted:
        smsc.omit(number)
    installation.start_all()
    installation.start_sweeper(every=1)
    installation.launch(campaign)
    # Who was neither taken nor named may have been taken: that is asked, and then offered again.
    wait_for(lambda: _attempts(installation, omitted) == {2}, "a second attempt for all who were not named")
    wait_for(lambda: installation.counts(campaign).get("unknown") == len(omitted), "its answer")
    assert {row.phone_number for row in installation.messages(campaign) if row.status == "rejected"} == refused
    for number in omitted:
        smsc.admit(number)
    installation.wait_until_completed(campaign)
    assert_everything_holds(installation, ledger)
    assert installation.counts(campaign) == {"sent": EVERYBODY_COUNT - len(refused), "rejected": len(refused)}


def test_an_account_that_is_too_busy_refuses_nobody_for_good(
    install: Callable[..., SendingInstallation], smsc: FakeSmscProcess, ledger: Path, storage: Storage
) -> None:
    installation = install(request_size=250, **WAITS)
    campaign = installation.create_campaign(TEXT, "Everybody")
    smsc.fault("error", code=9, after=3, times=3)
    installation.start_all()
    installation.start_sweeper(every=1)
    installation.launch(campaign)
    _hurry_until_completed(installation, campaign)
    assert_everything_holds(installation, ledger)
    assert installation.counts(campaign) == {"sent": EVERYBODY_COUNT}
    # A later attempt that is refused so may be in doubt for a while, as what is identical is refused so too.
    assert storage.value("SELECT count(*) FROM campaigns_attempt WHERE outcome = 'unknown' AND number = 1") == 0


@pytest.mark.parametrize("accept", [True, False], ids=["taken", "not-taken"])
def test_a_second_attempt_that_is_refused_as_a_repetition_is_looked_up_under_every_reference(
    install: Callable[..., SendingInstallation], smsc: FakeSmscProcess, ledger: Path, storage: Storage, accept: bool
) -> None:
    installation = install(request_size=250, **WAITS)
    campaign = installation.create_campaign(TEXT, "Everybody")
    smsc.fault("close", after=3, times=1)
    smsc.fault("http", script="status.php", status=503)  # nothing is settled before the others have gone
    installation.start_all()
    installation.launch(campaign)
    wait_for(lambda: installation.counts(campaign) == {"sent": EVERYBODY_COUNT - 250, "unknown": 250}, "all others")
    smsc.clear_faults()
    smsc.fault("error", code=9, times=1, accept=accept)
    installation.start_sweeper(every=1)
    _hurry_until_completed(installation, campaign)
    # How many of the 250 are in the request that is refused depends on when their look-ups were answered.
    assert max(_attempts(installation)) == (2 if accept else 3)
    assert_everything_holds(installation, ledger)
    assert installation.counts(campaign) == {"sent": EVERYBODY_COUNT}


def _send_to_the_end(installation: SendingInstallation, campaign: int) -> None:
    installation.start_all()
    installation.start_sweeper(every=1)
    installation.launch(campaign)
    installation.wait_until_completed(campaign)


def _numbers(installation: SendingInstallation, *places: int) -> set[str]:
    """Numbers at these places in the audience."""
    rows = installation.storage.rows("SELECT phone_number FROM campaigns_contact ORDER BY id")
    return {rows[place][0] for place in places}


def _attempts(installation: SendingInstallation, numbers: set[str] | None = None) -> set[int]:
    """How often these (or any) were handed over."""
    rows = installation.storage.rows("SELECT phone_number, attempt_count FROM campaigns_sentmessage")
    return {count for number, count in rows if numbers is None or number in numbers}


def _hurry_until_completed(installation: SendingInstallation, campaign: int) -> None:
    """As if the minute were over for which SMSC.ru asks to wait after error 9, and that after useless questions."""

    def is_completed() -> bool:
        try:
            hurry()
        except psycopg.errors.DeadlockDetected:
            return False  # the sweeper writes to the same rows: next time
        return installation.status(campaign) == "completed"

    def hurry() -> None:
        execute = installation.storage.execute
        execute("UPDATE campaigns_gatewaystate SET held_until = NULL WHERE held_until IS NOT NULL")
        execute("UPDATE campaigns_sentmessage SET not_before = NULL WHERE not_before IS NOT NULL")
        execute(
            "UPDATE campaigns_sentmessage SET next_lookup_at = CURRENT_TIMESTAMP "
            "WHERE status = 'unknown' AND next_lookup_at IS NOT NULL AND not_found_at IS NULL"
        )

    give_up_at = time.monotonic() + SENDING_SECONDS
    while not is_completed():
        assert time.monotonic() < give_up_at, installation.counts(campaign)
        time.sleep(0.5)
