"""When a campaign may write to somebody: by the wall clock, the week and the holidays of where they live."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

import pytest

from campaigns.models import Campaign, Holiday
from campaigns.windows import Window, window_of

NOON = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)  # a Monday
BERLIN = ZoneInfo("Europe/Berlin")
DAYTIME = Window(time(9), time(21))


def berlin(*parts: int, fold: int = 0) -> datetime:
    return datetime(*parts, tzinfo=BERLIN, fold=fold)  # type: ignore[arg-type, misc]


@pytest.mark.parametrize(
    ("start", "end", "zone", "open_at_noon_utc"),
    [
        (time(9), time(21), "UTC", True),
        (time(9), time(12), "UTC", False),  # the end is outside
        (time(12), time(13), "UTC", True),  # the start is inside
        (time(9), time(21), "Asia/Vladivostok", False),  # 22:00
        (time(9), time(21), "America/Los_Angeles", False),  # 05:00
        (time(9), time(21), "Europe/Moscow", True),
        (time(22), time(6), "Asia/Vladivostok", True),  # over midnight
        (time(22), time(6), "UTC", False),
        (time(9), time(21), "", True),  # the installation's zone
        (time(9), time(21), "Mars/Olympus", True),
        (time(9), time(21), "../etc/passwd", True),
    ],
)
def test_a_window_is_judged_by_the_recipients_clock(start, end, zone, open_at_noon_utc):
    assert Window(start, end).is_open(NOON, zone) is open_at_noon_utc


def test_the_next_opening_is_now_while_it_is_open():
    assert DAYTIME.next_opening(NOON, "UTC") == NOON


@pytest.mark.parametrize(
    ("zone", "opens"),
    [
        ("Asia/Vladivostok", datetime(2026, 6, 1, 23, 0, tzinfo=UTC)),  # the next morning there
        ("America/Los_Angeles", datetime(2026, 6, 1, 16, 0, tzinfo=UTC)),  # later the same day
    ],
)
def test_the_next_opening_is_the_next_start_by_the_recipients_clock(zone, opens):
    assert DAYTIME.next_opening(NOON, zone) == opens


def test_days_are_those_of_the_recipients_calendar():
    working_days = Window(time(9), time(18), days=frozenset({1, 2, 3, 4, 5}))
    friday_evening = datetime(2026, 6, 5, 23, 30, tzinfo=UTC)
    assert not working_days.is_open(friday_evening, "Asia/Tokyo"), "Saturday morning there"
    assert working_days.is_open(friday_evening, "Pacific/Honolulu"), "Friday afternoon there"
    assert working_days.next_opening(friday_evening, "Asia/Tokyo") == datetime(2026, 6, 8, 0, 0, tzinfo=UTC)


def test_a_window_over_midnight_belongs_to_the_day_on_which_it_began():
    friday_night = Window(time(22), time(2), days=frozenset({5}))
    assert friday_night.is_open(datetime(2026, 6, 6, 1, 0, tzinfo=UTC), "UTC")
    assert not friday_night.is_open(datetime(2026, 6, 5, 1, 0, tzinfo=UTC), "UTC")
    assert not friday_night.is_open(datetime(2026, 6, 6, 23, 0, tzinfo=UTC), "UTC")


def test_holidays_count_in_their_country_or_everywhere():
    window = Window(time(9), time(21), holidays=frozenset({(date(2026, 6, 1), "RU"), (date(2026, 6, 2), "")}))
    assert not window.is_open(NOON, "UTC", "RU")
    assert window.is_open(NOON, "UTC", "DE")
    assert window.next_opening(NOON, "UTC", "RU") == datetime(2026, 6, 3, 9, 0, tzinfo=UTC)
    assert not window.is_open(datetime(2026, 6, 2, 12, 0, tzinfo=UTC), "UTC", "DE")


def test_days_alone_are_a_window_of_whole_days():
    mondays = Window(days=frozenset({1}))
    assert mondays.is_open(datetime(2026, 6, 1, 0, 0, tzinfo=UTC), "UTC")
    assert mondays.is_open(datetime(2026, 6, 1, 23, 59, tzinfo=UTC), "UTC")
    assert not mondays.is_open(datetime(2026, 6, 2, 0, 0, tzinfo=UTC), "UTC")


def test_a_window_that_never_opens_has_no_next_opening():
    assert not Window(time(9), time(9)).is_open(datetime(2026, 6, 1, 9, 0, tzinfo=UTC), "UTC")
    assert Window(time(9), time(9)).next_opening(NOON, "UTC") is None
    assert Window(days=frozenset({9})).next_opening(NOON, "UTC") is None


# --- nights on which the clock changes: Berlin, 29 March (2:00 -> 3:00) and 25 October 2026 (3:00 -> 2:00) ----------


def test_in_spring_a_start_that_does_not_exist_is_the_end_of_the_gap():
    night = Window(time(2, 30), time(5))
    opening = night.next_opening(berlin(2026, 3, 29, 1, 0), "Europe/Berlin")
    assert opening == berlin(2026, 3, 29, 3, 0)
    assert night.is_open(opening, "Europe/Berlin")


def test_the_morning_after_a_change_opens_by_the_new_wall_clock():
    evening_before = berlin(2026, 3, 28, 22, 0)
    assert DAYTIME.next_opening(evening_before, "Europe/Berlin") == datetime(2026, 3, 29, 7, 0, tzinfo=UTC)
    evening_before = berlin(2026, 10, 24, 22, 0)
    assert DAYTIME.next_opening(evening_before, "Europe/Berlin") == datetime(2026, 10, 25, 8, 0, tzinfo=UTC)


def test_in_autumn_the_hour_that_comes_twice_counts_twice():
    night = Window(time(2), time(3))
    assert night.is_open(berlin(2026, 10, 25, 2, 30, fold=0), "Europe/Berlin")
    assert night.is_open(berlin(2026, 10, 25, 2, 30, fold=1), "Europe/Berlin")
    assert not night.is_open(berlin(2026, 10, 25, 3, 0), "Europe/Berlin")
    assert night.next_opening(berlin(2026, 10, 25, 1, 0), "Europe/Berlin") == datetime(2026, 10, 25, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("start", "end", "second_opening"),
    [
        (time(2, 30), time(3, 30), datetime(2026, 10, 25, 1, 30, tzinfo=UTC)),  # closed by the change, opens once more
        (time(1, 30), time(2, 30), datetime(2026, 10, 25, 1, 0, tzinfo=UTC)),  # closed before it, opened by it
        (time(22), time(2, 30), datetime(2026, 10, 25, 1, 0, tzinfo=UTC)),  # the same, begun on the evening before
        (time(2, 45), time(2, 50), datetime(2026, 10, 25, 1, 45, tzinfo=UTC)),  # lies in the hour that comes twice
    ],
)
def test_in_autumn_a_window_that_opens_twice_is_not_missed_the_second_time(start, end, second_opening):
    window = Window(start, end)
    between = datetime(2026, 10, 25, 0, 59, tzinfo=UTC)  # 2:59, a minute before it is 2:00 again
    if window.is_open(between, "Europe/Berlin"):
        between = datetime(2026, 10, 25, 1, 10, tzinfo=UTC)
    assert not window.is_open(between, "Europe/Berlin")
    assert window.next_opening(between, "Europe/Berlin") == second_opening


def test_a_window_that_lies_in_the_gap_of_spring_opens_a_day_later():
    night = Window(time(2, 10), time(2, 20))
    assert night.next_opening(berlin(2026, 3, 29, 1, 0), "Europe/Berlin") == berlin(2026, 3, 30, 2, 10)


@pytest.mark.parametrize("day", [date(2026, 3, 29), date(2026, 10, 25)])
def test_all_through_such_a_day_it_is_open_exactly_when_the_wall_clock_says_so(day):
    midnight = datetime.combine(day, time.min, tzinfo=BERLIN).timestamp()
    for quarter in range(25 * 4):
        at = datetime.fromtimestamp(midnight + quarter * 900, UTC)
        assert DAYTIME.is_open(at, "Europe/Berlin") is (9 <= at.astimezone(BERLIN).hour < 21)


# --- of a campaign ------------------------------------------------------------------------------------------------


def test_a_campaign_without_any_of_it_may_write_at_any_time():
    assert window_of(Campaign()) is None


@pytest.mark.django_db
def test_a_campaigns_window_has_its_hours_days_and_the_listed_holidays():
    Holiday.objects.create(date=date(2026, 6, 12), country="RU")
    campaign = Campaign(window_start=time(9), window_end=time(21), window_days=[1, 2], skip_holidays=True)
    assert window_of(campaign) == Window(time(9), time(21), frozenset({1, 2}), frozenset({(date(2026, 6, 12), "RU")}))
    assert window_of(Campaign(skip_holidays=True)) == Window(holidays=frozenset({(date(2026, 6, 12), "RU")}))
