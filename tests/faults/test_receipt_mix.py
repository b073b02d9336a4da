"""Receipts twice, out of order, early, for messages that nobody knows, and a thousand at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fake_smsc import FakeSmscProcess
from tests.processes import wait_for

from .conftest import EVERYBODY_COUNT
from .holds import assert_everything_holds
from .installation import CALLBACK_SECRET, SENDING_SECONDS, SendingInstallation
from .receipts import push_receipts

pytestmark = pytest.mark.faults

#: SMSC.ru's words.
DELIVERED, UNDELIVERABLE = 1, 20
MEANING = {DELIVERED: "delivered", UNDELIVERABLE: "undelivered"}
BURST = 1000


def test_receipts_by_chance_and_a_burst_of_them_leave_every_message_with_its_last_word(
    install: Callable[..., SendingInstallation], smsc: FakeSmscProcess, ledger: Path, seed: int
) -> None:
    installation = install(request_size=100)
    installation.start_web()
    campaign = installation.create_campaign('{{ first_name|default:"friend" }}, hello!', "Everybody")
    # The first of each request come while its answer is still under way.
    smsc.fault("slow", seconds=0.1)
    smsc.set_callback(
        url=installation.receipts_url,
        secret=CALLBACK_SECRET,
        seed=seed,
        undeliverable=0.2,
        doubled=0.1,
        reversed_share=0.1,
        stray=0.01,
    )
    installation.start_workers()
    installation.launch(campaign)
    installation.wait_until_completed(campaign)
    wait_for(lambda: not smsc.callbacks_due(), "the receipts", seconds=SENDING_SECONDS)
    answers = Counter(smsc.callback_answers())
    assert answers.keys() == {200}
    assert answers.total() > 1.1 * EVERYBODY_COUNT, "some twice"
    expected = {message.phone: MEANING[message.status] for message in smsc.messages()}
    assert _last_words(installation, campaign) == expected
    assert 0 < installation.storage.value("SELECT count(*) FROM campaigns_unmatchedreceipt") < 0.03 * EVERYBODY_COUNT

    # The phones of a thousand were off and came back.
    lucky = [message for message in smsc.messages() if message.status == UNDELIVERABLE][:BURST]
    assert len(lucky) > 0.9 * BURST
    pushed = push_receipts(installation, [*lucky, *lucky[:100]], DELIVERED, connections=16)
    assert set(pushed) == {200}
    expected |= {message.phone: "delivered" for message in lucky}
    assert _last_words(installation, campaign) == expected
    assert_everything_holds(installation, ledger, seed=seed)


def _last_words(installation: SendingInstallation, campaign: int) -> dict[str, str]:
    return {row.digits: row.status for row in installation.messages(campaign)}
