"""The provider's own record against our log: number by number, text by text."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tests.fake_smsc import Message

from .installation import LoggedMessage

#: States that say that the provider took the message.
TAKEN = {"sent", "delivered", "undelivered", "expired"}


def read_ledger(path: Path) -> list[Message]:
    """What the provider took, in order. A last line that is still being written is left out."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else []
    return [Message(**json.loads(line)) for line in lines if line.endswith("\n")]


def count_taken(path: Path) -> int:
    """How many messages the provider took so far. Cheap enough to be asked again and again."""
    return path.read_bytes().count(b"\n") if path.exists() else 0


def assert_nobody_was_written_to_twice(ledger: Sequence[Message]) -> None:
    twice = [phone for phone, count in Counter(message.phone for message in ledger).items() if count > 1]
    assert not twice, f"{len(twice)} numbers were written to more than once"


def assert_log_and_ledger_agree(log: Sequence[LoggedMessage], ledger: Sequence[Message]) -> None:
    """
    Nobody was written to twice; what the log calls taken is in the ledger, with this text, under this id; and what is
    in the ledger is called taken, or unknown.
    """
    assert_nobody_was_written_to_twice(ledger)
    taken = {message.phone: (message.text, message.id) for message in ledger}
    said_taken = {row.digits: (row.body, row.provider_message_id) for row in log if row.status in TAKEN}
    unknown = {row.digits: row.body for row in log if row.status == "unknown"}
    assert said_taken == {phone: entry for phone, entry in taken.items() if phone not in unknown}
    assert all(taken[phone][0] == body for phone, body in unknown.items() if phone in taken)
    assert not any(row.sent_twice for row in log)
