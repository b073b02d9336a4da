"""What must hold after anything: the provider's own record against our log, number by number, and our own figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from tests.fake_smsc import Message

from .conftest import EVERYBODY_COUNT
from .installation import LoggedMessage, SendingInstallation
from .ledger import TAKEN, read_ledger

#: Nothing is left to wait for in a campaign that has none of these.
PENDING = {"queued", "claimed", "sending"}
ENDED = {"completed", "cancelled"}
#: Taken, and then refused by the network: the provider's record has it.
HANDED_OVER = TAKEN | {"rejected"}

Key = tuple[str, str]


def assert_everything_holds(
    installation: SendingInstallation,
    ledger: Path,
    *,
    sent_again: Collection[str] = (),
    unknown: Collection[str] = (),
    audience: int = EVERYBODY_COUNT,
    seed: int | None = None,
) -> None:
    """
    Every campaign has ended, and log and ledger agree. Ends whatever still runs. The texts of campaigns must differ,
    but for a child's.

    `sent_again` are the numbers (in digits) that an operator has decided to write to again: they alone may be in the
    ledger more than once. `unknown` are those whose outcome nobody can look up. `audience` is everybody's who was
    written into a campaign that is no child of another. A failure names the `seed`.
    """
    installation.kill_everything()
    taken = read_ledger(ledger)
    log = {campaign: installation.messages(campaign) for campaign in installation.campaigns()}
    try:
        assert log, "no campaign was launched"
        _assert_nobody_was_written_to_twice(taken, set(sent_again))
        _assert_log_and_ledger_agree([row for rows in log.values() for row in rows], taken)
        _assert_all_is_settled(log, set(unknown), set(sent_again))
        _assert_everybody_is_accounted_for(installation, log, audience)
        _assert_attempts_are_complete(installation)
        installation.manage("check_figures")
    except AssertionError as failure:
        failure.add_note(f"seed {seed}; " + "; ".join(f"{pk}: {Counter(row.status for row in log[pk])}" for pk in log))
        failure.add_note(installation.logs())
        raise


def _assert_nobody_was_written_to_twice(taken: Sequence[Message], sent_again: set[str]) -> None:
    """No number has the same text twice, unless an operator wanted that."""
    counts = Counter((message.phone, message.text) for message in taken)
    twice = sorted(phone for (phone, _text), count in counts.items() if count > 1 and phone not in sent_again)
    assert not twice, f"{len(twice)} numbers were written to more than once: {twice[:5]}"


def _assert_log_and_ledger_agree(log: Sequence[LoggedMessage], taken: Sequence[Message]) -> None:
    """What the log calls taken is in the ledger under this id; what is in the ledger is called taken, or unknown."""
    ids: dict[Key, set[str]] = {}
    for message in taken:
        ids.setdefault((message.phone, message.text), set()).add(message.id)
    rows: dict[Key, list[LoggedMessage]] = {}
    for row in log:
        rows.setdefault((row.digits, row.body), []).append(row)
    invented = [
        key
        for key, entries in rows.items()
        for row in entries
        if row.status in TAKEN and row.provider_message_id not in ids.get(key, set())
    ]
    assert not invented, f"{len(invented)} messages are called taken that the provider never had: {invented[:5]}"
    forgotten = [
        key for key in ids if not any(row.status in HANDED_OVER or row.status == "unknown" for row in rows.get(key, []))
    ]
    assert not forgotten, f"{len(forgotten)} messages were taken but are not in the log as such: {forgotten[:5]}"


def _assert_all_is_settled(log: Mapping[int, Sequence[LoggedMessage]], unknown: set[str], sent_again: set[str]) -> None:
    everything = [row for rows in log.values() for row in rows]
    assert {row.digits for row in everything if row.status == "unknown"} <= unknown, "unknown outcomes are left"
    assert {row.digits for row in everything if row.sent_twice} <= sent_again


def _assert_everybody_is_accounted_for(
    installation: SendingInstallation, log: Mapping[int, Sequence[LoggedMessage]], audience: int
) -> None:
    children = {pk for (pk,) in installation.storage.rows("SELECT id FROM campaigns_campaign WHERE parent_id > 0")}
    for campaign, (status, people) in installation.campaigns().items():
        counts = Counter(row.status for row in log[campaign])
        assert people == counts.total() == len({row.phone_number for row in log[campaign]})
        assert campaign in children or people == audience
        assert status in ENDED, f"campaign {campaign} is {status}, with {counts}"
        assert not PENDING & counts.keys(), f"campaign {campaign} has ended, with {counts}"
        shown = installation.answer("campaign_status", str(campaign))
        assert {state: count for state, count in shown["messages"].items() if count} == counts
        assert shown["audience"] == people


def _assert_attempts_are_complete(installation: SendingInstallation) -> None:
    """Every hand-over has its attempt, and nothing is held by anybody any more."""
    lacking = installation.storage.value(
        "SELECT count(*) FROM campaigns_sentmessage message WHERE attempt_count <> "
        "(SELECT count(*) FROM campaigns_attempt attempt WHERE attempt.message_id = message.id)"
    )
    assert not lacking, f"{lacking} messages have more or fewer attempts than were counted"
    held = installation.storage.value(
        "SELECT count(*) FROM campaigns_sentmessage WHERE claim_token <> '' OR lease_expires_at IS NOT NULL"
    )
    assert not held, f"{held} messages are still held by a worker"
