"""Faults: real processes, killed and stopped."""

import pytest

pytest.register_assert_rewrite("tests.faults.holds", "tests.faults.ledger")
