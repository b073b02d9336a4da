"""Whatever an adapter hands on can be stored."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time
from decimal import Decimal

import pytest

from campaigns.storable import storable_cost, storable_json, storable_text


@pytest.mark.parametrize(
    ("value", "text"), [("ok", "ok"), ("a\0b", "a\ufffdb"), ("\ud800", "?"), (12, "12"), (ValueError("x"), "x")]
)
def test_text_has_nothing_that_a_database_refuses(value, text):
    assert storable_text(value) == text


def test_text_is_cut_to_its_column():
    assert storable_text("x" * 10, 4) == "xxxx"


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (None, None),
        (True, True),
        (3, 3),
        (1.5, 1.5),
        (float("nan"), "nan"),
        (float("inf"), "inf"),
        (Decimal("1.50"), "1.50"),
        (b"\xffa", "\ufffda"),
        (date(2026, 1, 2), "2026-01-02"),
        (datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02T00:00:00+00:00"),
        (time(1, 2), "01:02:00"),
        ({1: {"a\0": ("x", {"y"})}}, {"1": {"a\ufffd": ["x", ["y"]]}}),
        (ValueError("bad"), "bad"),
    ],
)
def test_anything_becomes_json(value, stored):
    assert storable_json(value) == stored
    json.dumps(storable_json(value), allow_nan=False)


@pytest.mark.parametrize(
    ("value", "cost"),
    [
        (Decimal("1.5"), Decimal("1.5")),
        (0.1, Decimal("0.1")),
        ("2", Decimal(2)),
        (Decimal("0.123456"), Decimal("0.12346")),
        (Decimal("1e7"), None),
        (Decimal("NaN"), None),
        (Decimal("-Infinity"), None),
        ("free", None),
    ],
)
def test_a_cost_fits_its_column_or_is_not_known(value, cost):
    assert storable_cost(value) == cost
