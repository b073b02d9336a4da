"""When scheduled campaigns start: the coming weeks as a calendar, by the reader's clock."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any

from django.utils import timezone
from django.utils.formats import date_format, get_format

from campaigns.models import Campaign, CampaignStatus

WEEKS = 5
MOST_SHOWN = 200


@dataclass(frozen=True)
class Entry:
    """A campaign that starts on a day."""

    name: str
    url: str
    at: datetime


@dataclass
class Day:
    """A field of the calendar."""

    date: date
    label: str
    is_today: bool
    is_past: bool
    entries: list[Entry] = field(default_factory=list)


@dataclass(frozen=True)
class Calendar:
    """Weeks of seven days, beginning as the reader's language has it. `left`: those that start later, or do not fit."""

    heads: list[str]
    weeks: list[list[Day]]
    later: list[Entry]


def calendar(now: datetime | None = None) -> Calendar | None:
    """The scheduled campaigns; None when there are none."""
    scheduled = Campaign.objects.filter(status=CampaignStatus.SCHEDULED, scheduled_at__isnull=False)
    entries = [
        _entry(campaign) for campaign in scheduled.order_by("scheduled_at").only("name", "scheduled_at")[:MOST_SHOWN]
    ]
    if not entries:
        return None
    today = timezone.localtime(now).date()
    first_weekday = int(get_format("FIRST_DAY_OF_WEEK"))  # 0 is Sunday
    first = today - timedelta(days=(today.isoweekday() - first_weekday) % 7)
    days = [_day(first + timedelta(days=n), today) for n in range(7 * WEEKS)]
    places = {day.date: day for day in days}
    later: list[Entry] = []
    for entry in entries:
        # What should have started already starts with the next sweep: it belongs to today.
        place = places.get(max(timezone.localtime(entry.at).date(), today))
        (place.entries if place else later).append(entry)
    weeks = [days[start : start + 7] for start in range(0, len(days), 7)]
    return Calendar([date_format(day.date, "D") for day in weeks[0]], weeks, later)


def _entry(campaign: Any) -> Entry:
    return Entry(campaign.name, campaign.get_absolute_url(), campaign.scheduled_at)


def _day(at: date, today: date) -> Day:
    return Day(at, date_format(datetime.combine(at, time()), "j M"), at == today, at < today)
