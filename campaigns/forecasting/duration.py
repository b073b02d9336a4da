"""How long a campaign takes: at the rates that are set, within the hours at which each may be written to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from django.utils import timezone

from campaigns.models import Campaign, GatewayState, RateUnit
from campaigns.windows import Window, window_of, zone_named

from .tally import Tally

#: Hours open and close at full quarters.
STEP = timedelta(minutes=15)
#: What takes longer than so many steps of being sent is not worked out any further.
MOST_STEPS = 3000
#: Without a rate: of so many earlier campaigns the fastest tells.
EARLIER = 5
ENOUGH = 100


@dataclass(frozen=True)
class Duration:
    """
    `per_second` is the rate (messages, or segments where `unit` says so), None where nobody set one or knows it.

    `waiting` people cannot be written to at the beginning, the first of them from `opens_at` on. `ends_at` is when the
    last is handed over; None where that is not known. `too_late` people would not get it before the campaign's end.
    The first time that nobody who is left may be written to is from `stops_at` until `goes_on_at`. `at_night` counts
    people, by time zone, who would be written to at night because no hours are set.
    """

    starts_at: datetime
    per_second: float | None
    unit: str = RateUnit.MESSAGES
    is_measured: bool = False
    waiting: int = 0
    opens_at: datetime | None = None
    ends_at: datetime | None = None
    too_late: int = 0
    at_night: int = 0
    stops_at: datetime | None = None
    goes_on_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Course:
    """How what is left to send goes on. See `Duration`."""

    ends_at: datetime | None = None
    too_late: int = 0
    stops_at: datetime | None = None
    goes_on_at: datetime | None = None


@dataclass
class _Group:
    """People of one time zone and country, what is left to do for them, and when they may be written to again."""

    zone: str
    country: str
    left: float
    each: float
    opens_at: datetime | None = field(default=None)


def rate_of(campaign: Campaign) -> tuple[float | None, str, bool]:
    """Per second, in which unit, and whether it was measured: the slower of the two rates that are set."""
    gateway = GatewayState.objects.filter(alias=campaign.gateway).first()
    rates = [
        (float(source.max_per_second), source.rate_unit)
        for source in (campaign, gateway)
        if source is not None and source.max_per_second
    ]
    if rates:
        # A message has at least one segment: of two equal numbers that of segments is the slower.
        rate, unit = min(rates, key=lambda found: (found[0], found[1] != RateUnit.SEGMENTS))
        return rate, unit, False
    measured = _measured_rate(campaign.gateway)
    return measured, RateUnit.MESSAGES, measured is not None


def _measured_rate(alias: str) -> float | None:
    """What earlier campaigns without a rate or hours of their own did through this gateway."""
    earlier = Campaign.objects.filter(
        gateway=alias,
        frozen_at__isnull=False,
        last_handover_at__isnull=False,
        audience__gte=ENOUGH,
        window_start=None,
        max_per_second=None,
        canary_size=None,
    ).order_by("-launched_at")
    rates = [
        found.audience / max((found.last_handover_at - found.frozen_at).total_seconds(), 1.0)  # type: ignore[operator]
        for found in earlier[:EARLIER]
    ]
    return max(rates, default=None)


def foretell(campaign: Campaign, tally: Tally, *, at: datetime | None = None) -> Duration:
    """How it goes if it is started at this moment (now)."""
    starts_at = at or timezone.now()
    rate, unit, is_measured = rate_of(campaign)
    window = window_of(campaign)
    groups = _groups(tally, unit)
    waiting, opens_at = _waiting(groups, tally, window, starts_at)
    found = Duration(
        starts_at,
        rate,
        unit,
        is_measured,
        waiting=waiting,
        opens_at=opens_at,
        at_night=0 if window else _at_night(tally, starts_at),
    )
    if rate is None:
        return found
    course = _run(groups, window, rate, starts_at, campaign.ends_at)
    return replace(
        found,
        ends_at=course.ends_at,
        too_late=course.too_late,
        stops_at=course.stops_at,
        goes_on_at=course.goes_on_at,
    )


def course_of(campaign: Campaign, left: Mapping[tuple[str, str], float], per_second: float, at: datetime) -> Course:
    """How a campaign goes on from this moment, with so many messages left by time zone and country."""
    groups = [_Group(zone, country, left=n, each=1.0) for (zone, country), n in left.items() if n]
    return _run(groups, window_of(campaign), per_second, at, campaign.ends_at)


def _groups(tally: Tally, unit: str) -> list[_Group]:
    work: Counter[tuple[str, ...]] = tally.zone_segments if unit == RateUnit.SEGMENTS else tally.zones
    return [
        _Group(zone, country, left=float(n), each=n / max(tally.zones[(zone, country)], 1))
        for (zone, country), n in work.items()
        if n
    ]


def _waiting(groups: list[_Group], tally: Tally, window: Window | None, at: datetime) -> tuple[int, datetime | None]:
    """How many cannot be written to yet, and when the first of them can; sets when each group can."""
    waiting, openings = 0, []
    for group in groups:
        group.opens_at = at if window is None else window.next_opening(at, group.zone, group.country)
        if group.opens_at != at:
            waiting += tally.zones[(group.zone, group.country)]
            openings += [group.opens_at] if group.opens_at else []
    return waiting, min(openings, default=None)


def _run(groups: list[_Group], window: Window | None, rate: float, at: datetime, end: datetime | None) -> Course:
    """To the last message, as far as that is worked out: it may never come, or be too far ahead."""
    now, standstill = at, Course()
    for _step in range(MOST_STEPS):
        left = [group for group in groups if group.left > 0]
        if not left:
            return replace(standstill, ends_at=now)
        if end is not None and now >= end:
            return replace(standstill, ends_at=end, too_late=_people(left))
        may = [group for group in left if window is None or window.is_open(now, group.zone, group.country)]
        if not may:
            opens_at = _next_opening(left, window, now)
            if opens_at is None:
                return replace(standstill, too_late=_people(left))
            if standstill.stops_at is None:
                standstill = Course(stops_at=now, goes_on_at=opens_at)
            now = opens_at
            continue
        until = now + (STEP if window is None else _to_next_quarter(now))
        if window is None:
            until = max(until, now + timedelta(seconds=sum(group.left for group in left) / rate))
        if end is not None:
            until = min(until, end)
        now = _send(may, rate, now, until)
    return standstill


def _next_opening(groups: list[_Group], window: Window | None, now: datetime) -> datetime | None:
    """When the first of them may be written to again."""
    found = (window.next_opening(now, group.zone, group.country) for group in groups) if window is not None else ()
    return min((opening for opening in found if opening is not None), default=None)


def _to_next_quarter(now: datetime) -> timedelta:
    return STEP - timedelta(minutes=now.minute % 15, seconds=now.second, microseconds=now.microsecond)


def _send(groups: list[_Group], rate: float, now: datetime, until: datetime) -> datetime:
    """Shares what the rate allows among those who may be written to. Returns when that is over."""
    room = rate * (until - now).total_seconds()
    wanted = sum(group.left for group in groups)
    share = min(1.0, room / wanted)
    for group in groups:
        group.left = 0.0 if share == 1.0 else group.left * (1 - share)
    return until if share < 1.0 else now + timedelta(seconds=wanted / rate)


def _people(groups: list[_Group]) -> int:
    return sum(round(group.left / group.each) for group in groups)


#: From this hour until that one nobody likes to be written to.
_NIGHT = (22, 8)


def _at_night(tally: Tally, at: datetime) -> int:
    late, early = _NIGHT
    return sum(
        people
        for (zone, _country), people in tally.zones.items()
        if not early <= at.astimezone(zone_named(zone)).hour < late
    )
