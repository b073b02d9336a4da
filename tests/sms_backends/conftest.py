"""What all tests of `sms_backends` need."""

from __future__ import annotations

import pytest

from sms_backends.providers import locmem


@pytest.fixture(autouse=True)
def _empty_outbox() -> None:
    locmem.outbox.clear()
