"""How long it takes, by the wall clocks of the people it goes to."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest

from campaigns.forecasting.duration import foretell
from campaigns.forecasting.tally import Tally
from campaigns.models import Campaign, GatewayState, Holiday
from tests.campaigns.building import make_campaign, there

pytestmark = pytest.mark.django_db

#: A Monday, 10:00 in Moscow, 17:00 in Vladivostok, 3:00 in New York.
MORNING = datetime(2026, 6, 1, 7, 0, tzinfo=UTC)
DAY = {"window_start": time(9), "window_end": time(21)}


def people(*, segments: int = 1, **by_zone: int) -> Tally:
    zones = {"moscow": ("Europe/Moscow", "RU"), "vladivostok": ("Asia/Vladivostok", "RU"),
             "new_york": ("America/New_York", "US")}  # fmt: skip
    counted: Counter[tuple[str, ...]] = Counter({zones[name]: number for name, number in by_zone.items()})
    return Tally(zones=counted, zone_segments=Counter({key: n * segments for key, n in counted.items()}))


def campaign(**fields: Any) -> Campaign:
    return make_campaign(**fields)


def test_without_hours_it_takes_as_long_as_the_rate_says():
    found = foretell(campaign(max_per_second=10), people(moscow=36_000), at=MORNING)
    assert found.ends_at == MORNING + timedelta(hours=1)
    assert (found.per_second, found.waiting, found.too_late) == (10.0, 0, 0)


def test_the_slower_of_the_two_rates_counts():
    GatewayState.objects.create(alias="default", max_per_second=5)
    found = foretell(campaign(max_per_second=10), people(moscow=36_000), at=MORNING)
    assert found.ends_at == MORNING + timedelta(hours=2)


def test_a_rate_in_segments_counts_segments():
    found = foretell(campaign(max_per_second=10, rate_unit="segments"), people(moscow=36_000, segments=3), at=MORNING)
    assert found.ends_at == MORNING + timedelta(hours=3)
    assert found.unit == "segments"


def test_nobody_knows_how_fast_a_gateway_without_a_rate_and_a_history_is():
    found = foretell(campaign(), people(moscow=10), at=MORNING)
    assert (found.per_second, found.ends_at) == (None, None)


def test_without_a_rate_earlier_campaigns_tell():
    earlier = campaign(gateway="default")
    Campaign.objects.filter(pk=earlier.pk).update(
        audience=6000, frozen_at=MORNING, launched_at=MORNING, last_handover_at=MORNING + timedelta(minutes=10)
    )
    found = foretell(campaign(), people(moscow=600), at=MORNING)
    assert (found.per_second, found.is_measured) == (10.0, True)
    assert found.ends_at == MORNING + timedelta(minutes=1)


def test_who_sleeps_waits_until_their_own_morning():
    found = foretell(campaign(max_per_second=1000, **DAY), people(moscow=100, new_york=310), at=MORNING)
    assert found.waiting == 310
    assert found.opens_at == datetime(2026, 6, 1, 13, 0, tzinfo=UTC)  # nine in New York
    assert found.ends_at == datetime(2026, 6, 1, 13, 0, tzinfo=UTC) + timedelta(seconds=0.31)


def test_what_does_not_fit_into_the_evening_goes_on_in_the_morning():
    # Vladivostok may be written to until 21:00, four hours from now: 14,400 of 20,000.
    found = foretell(campaign(max_per_second=1, **DAY), people(vladivostok=20_000), at=MORNING)
    assert found.waiting == 0
    morning = datetime(2026, 6, 1, 23, 0, tzinfo=UTC)  # nine there
    assert found.ends_at == morning + timedelta(seconds=5600)
    assert (found.stops_at, found.goes_on_at) == (datetime(2026, 6, 1, 11, 0, tzinfo=UTC), morning)


def test_while_somebody_may_be_written_to_it_does_not_stand_still():
    found = foretell(campaign(max_per_second=1, **DAY), people(vladivostok=20_000, moscow=60_000), at=MORNING)
    assert found.stops_at == datetime(2026, 6, 1, 18, 0, tzinfo=UTC)  # nine in the evening in Moscow, four there
    assert found.goes_on_at == datetime(2026, 6, 1, 23, 0, tzinfo=UTC)


def test_what_is_over_before_the_evening_stands_still_at_no_time():
    found = foretell(campaign(max_per_second=10, **DAY), people(moscow=10), at=MORNING)
    assert (found.stops_at, found.goes_on_at) == (None, None)


def test_those_who_are_open_share_the_rate_and_all_of_it_is_used():
    found = foretell(campaign(max_per_second=10, **DAY), people(moscow=36_000, vladivostok=36_000), at=MORNING)
    assert abs(there(found.ends_at) - (MORNING + timedelta(hours=2))) < timedelta(seconds=1)


def test_holidays_of_a_country_are_kept():
    Holiday.objects.create(date="2026-06-01", country="RU", name="Day of children")
    found = foretell(campaign(max_per_second=10, skip_holidays=True, **DAY), people(moscow=10), at=MORNING)
    assert found.waiting == 10
    assert found.ends_at == datetime(2026, 6, 2, 6, 0, 1, tzinfo=UTC)


def test_whoever_cannot_be_reached_before_the_end_is_counted():
    end = MORNING + timedelta(hours=1)
    found = foretell(campaign(max_per_second=1, ends_at=end), people(moscow=5000), at=MORNING)
    assert found.too_late == 1400
    found = foretell(campaign(max_per_second=1000, ends_at=end, **DAY), people(moscow=5, new_york=7), at=MORNING)
    assert found.too_late == 7


def test_a_window_that_never_opens_has_no_end():
    holidays = [Holiday(date=f"2026-06-{day:02d}", country="", name="Closed") for day in range(1, 31)]
    Holiday.objects.bulk_create(holidays)
    fields: dict[str, Any] = {"window_days": [1], "skip_holidays": True, "ends_at": datetime(2026, 6, 20, tzinfo=UTC)}
    found = foretell(campaign(max_per_second=1, **fields, **DAY), people(moscow=9), at=MORNING)
    assert (found.too_late, found.waiting) == (9, 9)


def test_without_hours_it_says_for_whom_it_is_night():
    found = foretell(campaign(max_per_second=1), people(moscow=5, new_york=7), at=MORNING)
    assert found.at_night == 7
    assert foretell(campaign(max_per_second=1, **DAY), people(new_york=7), at=MORNING).at_night == 0


def test_a_very_long_campaign_is_worked_out_for_a_bounded_time():
    found = foretell(campaign(max_per_second=1, **DAY), people(moscow=100_000_000), at=MORNING)
    assert found.ends_at is None
