"""The main job: a dirty contact file, a campaign to all of it, and every one of them accounted for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.dirty_file import DirtyFile, make_dirty_file
from tests.fake_smsc import FakeSmscProcess
from tests.processes import wait_for

from .conftest import PEOPLE_COUNT
from .installation import CALLBACK_SECRET, SendingInstallation
from .ledger import assert_log_and_ledger_agree, read_ledger
from .receipts import push_receipts

pytestmark = pytest.mark.faults

DELIVERED, UNDELIVERABLE = 1, 20


@pytest.mark.usefixtures("smsc")
def test_everybody_in_a_dirty_file_of_10000_rows_gets_their_text_once(
    install: Callable[..., SendingInstallation], ledger: Path, tmp_path: Path
) -> None:
    installation = install()
    dirty = make_dirty_file(10_000, seed=7)
    file = tmp_path / "Клиенты.csv"
    file.write_bytes(dirty.content)

    imported = installation.answer("import_contacts", str(file), "--group", "Клиенты", "--region", "RU")
    assert imported["new"] == len(dirty.contacts)
    assert imported["duplicate"] == len(dirty.duplicates)
    assert imported["bad"] == len(dirty.bad_rows)

    workers = installation.start_workers()
    text = '{{ first_name|default:"Друг" }}, ждём вас! {{ Город }}: акция до 30 числа.'
    campaign = installation.create_campaign(text, "Клиенты")
    installation.launch(campaign)
    installation.wait_until_completed(campaign)

    taken = read_ledger(ledger)
    assert {message.phone: message.text for message in taken} == _texts(dirty)
    log = installation.messages(campaign)
    assert_log_and_ledger_agree(log, taken)
    assert all(row.attempt_count == 1 for row in log)

    status = installation.answer("campaign_status", str(campaign))
    assert status["status"] == "completed"
    assert status["audience"] == len(dirty.contacts) == sum(status["messages"].values())
    assert {state: count for state, count in status["messages"].items() if count} == Counter(row.status for row in log)
    assert workers.stop() == 0, workers.output
    assert "Traceback" not in workers.output


def _texts(dirty: DirtyFile) -> dict[str, str]:
    """What each number should get, from what the generator knows."""
    return {
        number.removeprefix("+"): f"{first_name}, ждём вас! {city}: акция до 30 числа."
        for number, (_row, first_name, _last_name, city) in dirty.contacts.items()
    }


def test_receipts_early_doubled_and_out_of_order_reach_their_messages_and_change_them_once(
    install: Callable[..., SendingInstallation], smsc: FakeSmscProcess, ledger: Path
) -> None:
    installation = install(request_size=50)
    installation.start_web()
    installation.start_workers()
    campaign = installation.create_campaign('{{ first_name|default:"friend" }}, hello!', "People")
    # They come while the answer to the request is still under way, each twice.
    smsc.fault("slow", seconds=0.3)
    smsc.set_callback(url=installation.receipts_url, secret=CALLBACK_SECRET, copies=2, statuses=[UNDELIVERABLE])
    installation.launch(campaign)
    installation.wait_until_completed(campaign)
    wait_for(lambda: len(smsc.callback_answers()) == 2 * PEOPLE_COUNT, "the receipts")
    assert set(smsc.callback_answers()) == {200}
    assert installation.counts(campaign) == {"undelivered": PEOPLE_COUNT}
    assert _receipt_count(installation) == PEOPLE_COUNT

    # The phone was off and came back: delivered outranks undelivered, whatever comes after it.
    taken = read_ledger(ledger)
    lucky = taken[::3]
    assert set(push_receipts(installation, [*lucky, *lucky], DELIVERED)) == {200}
    assert set(push_receipts(installation, lucky[:50], UNDELIVERABLE)) == {200}
    log = installation.messages(campaign)
    assert {row.digits for row in log if row.status == "delivered"} == {message.phone for message in lucky}
    assert installation.counts(campaign) == {"delivered": len(lucky), "undelivered": PEOPLE_COUNT - len(lucky)}
    assert _receipt_count(installation) == PEOPLE_COUNT + len(lucky) + 50, "each of these words is kept once"
    assert_log_and_ledger_agree(log, taken)


def _receipt_count(installation: SendingInstallation) -> int:
    """Final words that are kept; "accepted" comes from the engine's own questions, whenever it asks."""
    query = (
        "SELECT count(*) FROM campaigns_messageevent "
        "WHERE kind = 'receipt' AND CAST(payload AS TEXT) NOT LIKE '%\"accepted\"%'"
    )
    return int(installation.storage.value(query))
