"""Whoever was seen is never said not to have been."""

from __future__ import annotations

import pytest

from campaigns.importing import checking, seen_numbers
from campaigns.importing.seen_numbers import SeenNumbers

from .conftest import Start


def test_every_number_that_was_added_is_perhaps_seen_and_hardly_another() -> None:
    added = [f"+7912{n:07}" for n in range(20_000)]
    seen = SeenNumbers(added[:5])
    seen.add(added[5:])
    assert seen.perhaps(added) == added
    assert len(seen.perhaps(f"+7913{n:07}" for n in range(20_000))) < 200


def test_numbers_that_look_seen_and_are_not_are_no_duplicates(checked: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seen_numbers, "_SLOTS", 1)  # everybody looks seen
    monkeypatch.setattr(checking, "CHUNK_ROWS", 2)
    contact_import = checked("phone\n89121234501\n89121234502\n89121234503\n89121234501\n89121234504\n")
    assert (contact_import.new_count, contact_import.duplicate_count) == (4, 1)
