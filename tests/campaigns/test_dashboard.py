"""The figures of the dashboard: which day they count by, what adds up, what it cost, how long it took."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from campaigns import dashboard, day_figures, kept_figures, spent
from campaigns.dashboard import PERIODS, Tally, period_figures, quantile
from campaigns.models import BILLABLE, SentMessage
from tests.campaigns.building import make_message, number

pytestmark = pytest.mark.django_db

TODAY = date(2026, 3, 15)
NOON = datetime(2026, 3, 15, 12, 30, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _today(monkeypatch):
    for module in (dashboard, day_figures, spent):
        monkeypatch.setattr(module, "today", lambda: TODAY)


def message(n: int = 1, status: str = "sent", *, days_ago: int = 0, **fields: Any) -> SentMessage:
    at = NOON - timedelta(days=days_ago)
    taken = status in {"sent", "delivered", "undelivered", "expired"}
    values = {"status_at": at, "sent_at": at if taken else None, "day": at.date(), "segment_count": 1, "region": "RU"}
    return make_message(number(n), status=status, **{**values, **fields})


def figures(period: str = "today", **currencies: str) -> dashboard.PeriodFigures:
    return period_figures(period, currencies)


@pytest.mark.parametrize(("period", "days"), PERIODS.items())
def test_a_period_ends_today_and_has_so_many_days(period, days):
    message(1, days_ago=days - 1)
    message(2, days_ago=days)
    found = figures(period)
    assert (found.last, (found.last - found.first).days + 1) == (TODAY, days)
    assert found.total.sent == 1


def test_what_was_appended_and_what_is_closed_is_read_alike():
    message(1, days_ago=3)
    kept_figures.fold()
    day_figures.close_days()
    message(2, days_ago=3)
    assert figures("7").total.sent == 2


def test_a_late_receipt_moves_a_message_from_sent_to_delivered_on_its_own_day():
    late = message(days_ago=5)
    late.status, late.status_at = "delivered", NOON
    late.save()
    assert figures("today").is_empty
    found = figures("7")
    assert (found.total.delivered, found.total.waiting) == (1, 0)
    assert [slot.tally.delivered for slot in found.slots] == [0, 1, 0, 0, 0, 0, 0]


def test_sums_are_made_of_states_and_the_parts_add_up():
    states = ("sent", "delivered", "delivered", "undelivered", "expired", "rejected", "failed", "unknown", "queued")
    for n, status in enumerate(states):
        message(n, status)
    total = figures().total
    assert (total.sent, total.delivered, total.waiting, total.failed, total.unknown) == (5, 2, 1, 4, 1)
    assert total.rate == 40


def test_there_is_no_rate_where_nothing_was_taken():
    message(status="rejected")
    assert figures().total.rate is None
    assert figures().total.half_within is None


def test_gateways_and_countries_have_their_own_figures():
    message(1, gateway="main", region="DE")
    message(2, "delivered", gateway="main")
    message(3, "failed", gateway="backup")
    found = figures()
    assert {name: (one.sent, one.failed) for name, one in found.by_gateway.items()} == {
        "main": (2, 0),
        "backup": (0, 1),
    }
    assert {name: (one.sent, one.failed) for name, one in found.by_region.items()} == {"DE": (1, 0), "RU": (1, 1)}


def test_reasons_of_what_failed_come_by_how_many():
    message(1, "rejected", reason="barred")
    message(2, "undelivered", reason="no_service")
    message(3, "undelivered", reason="no_service")
    message(4, "suppressed", reason="opted_out")
    assert [(one.status, one.reason, one.messages) for one in figures().failures] == [
        ("undelivered", "no_service", 2),
        ("rejected", "barred", 1),
    ]


def test_cost_is_by_currency_said_before_expected_and_only_of_what_may_cost():
    message(1, cost=Decimal("1.5"), currency="EUR", price=Decimal(7))
    message(2, "delivered", price=Decimal("2.25"), gateway="main")
    message(3, "unknown", price=Decimal(1), gateway="main")
    message(4, "rejected", price=Decimal(100), gateway="main")
    message(5, segment_count=3)
    found = figures(main="EUR")
    (cost,) = found.costs
    assert (cost.currency, cost.said, cost.expected, cost.total) == (
        "EUR",
        Decimal("1.5"),
        Decimal("3.25"),
        Decimal("4.75"),
    )
    assert (found.segments, found.uncosted_segments) == (6, 3)
    assert [one.currency for one in figures(main="RUB").costs] == ["RUB", "EUR"]
    assert len(BILLABLE) == 5


def test_the_hours_of_today_are_those_in_which_messages_were_taken():
    message(1, sent_at=NOON.replace(hour=0))
    message(2, sent_at=NOON.replace(hour=23))
    message(3, sent_at=NOON - timedelta(days=1))  # handed over before midnight by another clock
    hours = figures().slots
    assert len(hours) == 24
    assert [n for n, hour in enumerate(hours) if hour.tally.sent] == [0, 23]
    assert hours[0].tally.sent == 2


def test_the_hours_of_a_day_are_those_of_the_installation(settings):
    settings.TIME_ZONE = "Asia/Kolkata"  # half an hour beside all others
    message(1, sent_at=datetime(2026, 3, 14, 18, 45, tzinfo=UTC))
    hours = figures().slots
    assert hours[0].start == datetime(2026, 3, 14, 18, tzinfo=UTC)
    assert len(hours) == 25
    assert hours[0].tally.sent == 1


def test_half_and_most_are_read_off_the_steps():
    assert quantile({}, 0.5) is None
    assert quantile({0: 10}, 0.5) == 2.5
    assert quantile({0: 5, 1: 5}, 0.5) == 5
    assert quantile({0: 5, 3: 5}, 0.9) == 28
    assert quantile({11: 3}, 0.5) == 86400


def test_a_tally_of_nothing_is_nought():
    assert (Tally().sent, Tally().failed, Tally().most_within) == (0, 0, None)


def test_the_figures_of_a_period_take_one_query(django_assert_num_queries):
    for n in range(20):
        message(n, days_ago=n % 7, gateway=f"g{n % 3}", region="DE" if n % 2 else "RU")
    for period in PERIODS:
        with django_assert_num_queries(1):
            figures(period)
