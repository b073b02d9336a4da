"""Operators do what operators do while everything is on its way: what they decide holds from the next request on."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.fake_smsc import FakeSmscProcess
from tests.processes import wait_for

from .conftest import EVERYBODY_COUNT
from .holds import assert_everything_holds
from .installation import SENDING_SECONDS, SendingInstallation
from .ledger import count_taken, read_ledger

pytestmark = pytest.mark.faults

TEXT = '{{ first_name|default:"friend" }}, hello!'
REQUEST_SIZE = 25
SHORT = {"SMS_SETTLE_SECONDS": "3", "SMS_LOOKUP_GAP_SECONDS": "1", "SMSC_TIMEOUT": "2"}


def test_opt_outs_edited_and_archived_contacts_and_another_pace_while_sending(
    install: Callable[..., SendingInstallation], prompt_smsc: FakeSmscProcess, ledger: Path, seed: int
) -> None:
    chance = random.Random(seed)
    installation = install(request_size=REQUEST_SIZE, **SHORT)
    installation.start_web()
    installation.start_workers()
    campaign = installation.create_campaign(TEXT, "Everybody")
    prompt_smsc.fault("slow", seconds=0.3)
    operator = installation.operator()
    operator.launch(campaign)
    wait_for(lambda: count_taken(ledger), "the first message")
    texts = {row.digits: row.body for row in installation.messages(campaign)}
    contacts = dict(installation.storage.rows("SELECT id, phone_number FROM campaigns_contact"))
    refused: set[str] = set()
    chosen = chance.sample(sorted(contacts), 600)
    for start in range(0, len(chosen), 120):
        opted_out, edited, archived = (chosen[start + offset : start + offset + 40] for offset in (0, 40, 80))
        operator.choose_contacts("opt_out", opted_out)
        taken = {message.phone for message in read_ledger(ledger)}
        under_way = {row.digits for row in installation.messages(campaign) if row.status == "sending"}
        refused |= {contacts[pk].removeprefix("+") for pk in opted_out} - taken - under_way
        operator.edit_contact(edited[0], f"+7904{edited[0]:07d}", "Somebody else")
        installation.storage.execute(
            f"UPDATE campaigns_contact SET first_name = 'Other' WHERE id IN ({', '.join(map(str, edited))})"
        )
        operator.choose_contacts("delete_contacts", archived)  # all are in the campaign: none is deleted
        operator.set_pace(chance.choice([200, 500, 2000]))
    assert installation.status(campaign) == "sending", f"seed {seed}: too late to prove anything"
    assert refused, f"seed {seed}: too late to prove anything"
    for what, count in (
        ("campaigns_optout", 200),
        ("campaigns_contact WHERE archived_at IS NOT NULL", 200),
        ("campaigns_contact WHERE phone_number LIKE '+7904%'", 5),
        ("campaigns_auditevent WHERE action = 'gateway_rate'", 5),
    ):
        assert installation.storage.value(f"SELECT count(*) FROM {what}") == count, what
    operator.set_pace(None)
    prompt_smsc.clear_faults()
    installation.wait_until_completed(campaign)

    said = {message.phone: message.text for message in read_ledger(ledger)}
    assert not refused & said.keys(), f"seed {seed}: written to after the opt-out"
    # Who is edited or archived later gets what was frozen for them at the start, under the number of that time.
    assert said == {phone: text for phone, text in texts.items() if phone in said}
    counts = installation.counts(campaign)
    assert counts.keys() <= {"sent", "delivered", "suppressed"}
    assert len(refused) <= counts["suppressed"] <= 200
    assert_everything_holds(installation, ledger, seed=seed)


def test_a_cancelled_campaign_stops_with_the_request_under_way_while_the_other_goes_on(
    install: Callable[..., SendingInstallation], prompt_smsc: FakeSmscProcess, ledger: Path
) -> None:
    installation = install(request_size=REQUEST_SIZE, **SHORT)
    installation.start_web()
    installation.start_workers()
    installation.start_sweeper()
    stopped, other = (
        installation.create_campaign(f"{name}: {TEXT}", "Everybody", name) for name in ("Stopped", "Other")
    )
    # Some are unknown when the campaign is cancelled, and are found not to have been taken.
    prompt_smsc.mix(1, [(0.9, {"kind": "slow", "seconds": 0.2}), (0.1, {"kind": "close"})])
    operator = installation.operator()
    operator.launch(stopped)
    operator.launch(other)
    wait_for(lambda: _taken_of(ledger, "Stopped") > EVERYBODY_COUNT / 20, "the first messages")
    operator.cancel(stopped)
    wait_for(lambda: "sending" not in installation.counts(stopped), "the requests under way")
    taken = _taken_of(ledger, "Stopped")
    prompt_smsc.clear_faults()
    installation.wait_until_completed(other)
    wait_for(lambda: "unknown" not in installation.counts(stopped), "the unknown to be settled")
    assert _taken_of(ledger, "Stopped") == taken < EVERYBODY_COUNT
    assert installation.reached_count(stopped) == taken
    assert installation.counts(stopped)["cancelled"] == EVERYBODY_COUNT - taken
    assert installation.reached_count(other) == EVERYBODY_COUNT
    assert_everything_holds(installation, ledger)


def _taken_of(ledger: Path, name: str) -> int:
    return sum(message.text.startswith(name) for message in read_ledger(ledger))


def test_only_those_whom_operators_decide_to_write_to_again_get_the_text_again_and_once_only(
    install: Callable[..., SendingInstallation], prompt_smsc: FakeSmscProcess, ledger: Path
) -> None:
    installation = install(request_size=2 * REQUEST_SIZE, **SHORT)
    installation.start_web()
    workers = installation.start_workers()
    installation.start_sweeper()
    raced, in_turn = (installation.create_campaign(f"{name}: {TEXT}", "Everybody", name) for name in ("One", "Two"))
    # Half of the doubtful were taken, and nobody can be asked: the account is another one afterwards.
    prompt_smsc.mix(1, [(0.03, {"kind": "close"}), (0.03, {"kind": "close", "accept": True})])
    prompt_smsc.fault("http", script="status.php", status=503)
    for campaign in (raced, in_turn):
        installation.launch(campaign)
    for campaign in (raced, in_turn):
        wait_for(lambda: not _waiting(installation, campaign), "the last request", seconds=SENDING_SECONDS)  # noqa: B023
    assert workers.stop() == 0
    installation.kill_everything()
    installation.variables |= {"SMSC_LOGIN": "", "SMSC_PASSWORD": "", "SMSC_APIKEY": "apikey"}
    prompt_smsc.clear_faults()
    installation.start_web()
    installation.start_sweeper()
    installation.start_workers()
    installation.storage.execute(
        "UPDATE campaigns_sentmessage SET next_lookup_at = CURRENT_TIMESTAMP WHERE next_lookup_at IS NOT NULL"
    )
    _wait_until_all_are_completed(installation)
    doubtful = [
        (row.digits, row.body)
        for campaign in (raced, in_turn)
        for row in installation.messages(campaign)
        if row.status == "unknown"
    ]
    taken_before = [(message.phone, message.text) for message in read_ledger(ledger)]
    assert set(doubtful) & set(taken_before), "nobody can get it twice"
    assert set(doubtful) - set(taken_before), "nobody can have missed it"

    operators = [installation.operator() for _operator in range(6)]
    operators[0].send_again(in_turn, "unknown")
    # Of what has gone into a campaign of its own, and of what goes there at this moment.
    _wait_until_all_are_completed(installation)
    with ThreadPoolExecutor(len(operators)) as pool:
        for campaign in (raced, in_turn):
            pages = [pool.submit(operator.resend_unknown, campaign) for operator in operators[:3]]
            pages += [pool.submit(operator.send_again, campaign, "unknown") for operator in operators[3:]]
            assert all(page.result() for page in pages)
    _wait_until_all_are_completed(installation)
    taken = [(message.phone, message.text) for message in read_ledger(ledger)]
    assert Counter(taken) == Counter(taken_before + doubtful), "each doubtful one once more, and nobody else"
    numbers = {number for number, _text in doubtful}
    assert_everything_holds(installation, ledger, sent_again=numbers, unknown=numbers)


def _wait_until_all_are_completed(installation: SendingInstallation) -> None:
    for campaign in installation.campaigns():
        installation.wait_until_completed(campaign)


def _waiting(installation: SendingInstallation, campaign: int) -> bool:
    counts = installation.counts(campaign)
    return sum(counts.values()) < EVERYBODY_COUNT or bool({"queued", "claimed", "sending"} & counts.keys())
