"""
Sending windows: at which local times a campaign may write to somebody, and when it may again.

A window is a time of day, days of the week and no holidays, by the wall clock where the recipient lives. That clock
alone counts on the nights on which it changes: an hour that does not exist is skipped, one that comes twice counts
twice.
"""

from __future__ import annotations

import zoneinfo
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from django.db.models import Q
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from .models import MARKETING_WINDOW, Campaign, Holiday

#: A window that does not open within this time never does.
HORIZON = timedelta(days=400)
_DAY = timedelta(days=1)
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Window:
    """
    Local times from `start` on and before `end`; `end` before `start` reaches over midnight and belongs to the day on
    which it began. `days` as in `date.isoweekday()`, empty for all; `holidays` are (day, country or "" for everywhere).
    """

    start: time = time.min
    end: time | None = None
    days: frozenset[int] = frozenset()
    holidays: frozenset[tuple[date, str]] = field(default_factory=frozenset)

    def is_open(self, at: datetime, zone: str, country: str = "") -> bool:
        """Whether it is open at the aware time `at` for somebody in this time zone and country."""
        local = at.astimezone(zone_named(zone)).replace(tzinfo=None)
        return any(
            opens <= local < closes
            for opens, closes in map(self._opening_on, (local.date() - _DAY, local.date()))
            if self._is_day(opens.date(), country)
        )

    def next_opening(self, after: datetime, zone: str, country: str = "") -> datetime | None:
        """The first moment not before `after` at which it is open; None when there is none within the horizon."""
        if self.is_open(after, zone, country):
            return after
        where = zone_named(zone)
        day = after.astimezone(where).date()
        for offset in range(HORIZON.days):
            moments = [*self._starts_on(day + offset * _DAY, where, country), *_set_back_on(day + offset * _DAY, where)]
            if found := [moment for moment in moments if moment > after and self.is_open(moment, zone, country)]:
                return min(found)
        return None

    def _starts_on(self, day: date, where: tzinfo, country: str) -> list[datetime]:
        """When clocks there show the start of this day's window: twice when they are set back over it."""
        opens, _closes = self._opening_on(day)
        if not self._is_day(opens.date(), country):
            return []
        return [_first_instant(opens, where), opens.replace(tzinfo=where, fold=1).astimezone(UTC)]

    def _opening_on(self, day: date) -> tuple[datetime, datetime]:
        """When the window that belongs to this day opens and closes, by the wall clock."""
        opens = datetime.combine(day, self.start)
        if self.end is None:
            return opens, datetime.combine(day + _DAY, time.min)
        closes = datetime.combine(day, self.end)
        return opens, closes if closes >= opens else closes + _DAY

    def _is_day(self, day: date, country: str) -> bool:
        if self.days and day.isoweekday() not in self.days:
            return False
        return not self.holidays or ((day, "") not in self.holidays and (day, country) not in self.holidays)


@dataclass(frozen=True, slots=True)
class Preset:
    """Usual sending hours, by a name that operators know."""

    label: str | Promise
    start: time
    end: time
    days: tuple[int, ...] = ()
    skip_holidays: bool = False


PRESETS = {
    "day": Preset(_("by day, 9:00 to 21:00"), *MARKETING_WINDOW),
    "work": Preset(
        _("working hours, Monday to Friday, 9:00 to 18:00, not on holidays"), time(9), time(18), (1, 2, 3, 4, 5), True
    ),
    # 47 CFR 64.1200(c)(1): no telephone solicitation before 8 a.m. or after 9 p.m., local time at the called party's.
    "us": Preset(_("United States, 8:00 to 21:00"), time(8), time(21)),
}


def window_of(campaign: Campaign) -> Window | None:
    """The campaign's window with the holidays that are listed now; None when it may write at any time."""
    if campaign.window_start is None and not campaign.window_days and not campaign.skip_holidays:
        return None
    holidays = Holiday.objects.values_list("date", "country") if campaign.skip_holidays else []
    return Window(
        start=campaign.window_start or time.min,
        end=campaign.window_end if campaign.window_start is not None else None,
        days=frozenset(campaign.window_days),
        holidays=frozenset((day, country.upper()) for day, country in holidays),
    )


def closed_to(window: Window | None, zones: Iterable[str], at: datetime) -> Q | None:
    """Which messages may not go at this moment, by time zone and country; None when all may."""
    if window is None:
        return None
    near = {day for day, _country in window.holidays if abs(day - at.date()) <= 2 * _DAY}
    countries = sorted({country for day, country in window.holidays if country and day in near})
    everywhere, closed = [], Q()
    for zone in zones:
        if not window.is_open(at, zone):
            everywhere.append(zone)
        elif celebrating := [country for country in countries if not window.is_open(at, zone, country)]:
            closed |= Q(time_zone=zone, region__in=celebrating)
    if everywhere:
        closed |= Q(time_zone__in=everywhere)
    return closed or None


def zone_named(name: str) -> tzinfo:
    """The time zone; the installation's for no name and for one that nobody knows."""
    try:
        return zoneinfo.ZoneInfo(name) if name else timezone.get_current_timezone()
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        return timezone.get_current_timezone()


def _first_instant(wall: datetime, zone: tzinfo) -> datetime:
    """The first moment at which clocks there show this time or, when they jump over it, a later one."""
    moment = wall.replace(tzinfo=zone).astimezone(UTC)
    while (moment - _MINUTE).astimezone(zone).replace(tzinfo=None) >= wall:
        moment -= _MINUTE
    return moment


def _set_back_on(day: date, zone: tzinfo) -> list[datetime]:
    """The moment of this day at which clocks there are set back, if they are: perhaps into a window that had closed."""
    before = datetime.combine(day, time.min, tzinfo=zone).astimezone(UTC)
    after = datetime.combine(day + _DAY, time.min, tzinfo=zone).astimezone(UTC)
    offset = after.astimezone(zone).utcoffset()
    if before.astimezone(zone).utcoffset() <= offset:  # type: ignore[operator]  # aware, so both are known
        return []
    while after - before > _MINUTE:
        middle = before + (after - before) // (2 * _MINUTE) * _MINUTE
        before, after = (before, middle) if middle.astimezone(zone).utcoffset() == offset else (middle, after)
    return [after]
