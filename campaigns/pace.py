"""
How fast a campaign goes, and when it will be through: from what was handed over within the last minute or two, and
within its sending hours, as the page before sending has it (`forecasting.duration`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count
from django.utils import timezone

from .forecasting.duration import course_of, rate_of
from .models import (
    TAKEN,
    Campaign,
    CampaignMinute,
    CampaignStatus,
    Forecast,
    ForecastKind,
    ForecastStatus,
    MessageStatus,
    RateUnit,
    SentMessage,
)
from .reports import Figures, campaign_figures
from .windows import window_of

#: What was handed over within less says nothing of the pace, what lies further back nothing of the present.
LEAST = timedelta(seconds=10)
MOST = timedelta(minutes=2)
#: Offered to the provider, whatever it said.
#: Between the parts of a key: time zone and country.
_BAR = "|"
_HANDED_OVER = TAKEN | {MessageStatus.REJECTED, MessageStatus.UNKNOWN}


@dataclass(frozen=True, slots=True)
class Pace:
    """
    Messages per second, and when the last of those that wait will be handed over if it stays so.

    From `stops_at` until `goes_on_at`, and perhaps again later, nobody may be written to.
    """

    per_second: float
    done_at: datetime | None
    stops_at: datetime | None = None
    goes_on_at: datetime | None = None


def handed_over(figures: Figures) -> int:
    """How many messages were offered to the provider."""
    return sum(figures.messages[status] for status in _HANDED_OVER)


def note(campaign_id: int) -> None:
    """Write down how far a campaign has come. Called by those who send it, every few seconds."""
    campaign = Campaign.objects.get(pk=campaign_id)
    now = timezone.now()
    minute = now.replace(second=0, microsecond=0)
    found: dict[str, object] = {"at": now, "handed_over": handed_over(campaign_figures(campaign))}
    noted = CampaignMinute.objects.filter(campaign=campaign, minute=minute, waiting__isnull=False)
    if window_of(campaign) is not None and not noted.exists():
        found["waiting"] = _waiting_by_zone(campaign)
    CampaignMinute.objects.update_or_create(campaign=campaign, minute=minute, defaults=found)


def _waiting_by_zone(campaign: Campaign) -> dict[str, int]:
    """Reads all that waits, so only where hours are set, and once a minute."""
    waiting = SentMessage.objects.filter(campaign=campaign, status=MessageStatus.QUEUED).order_by()
    counted = waiting.values_list("time_zone", "region").annotate(n=Count("pk"))
    return {f"{zone}{_BAR}{country}": n for zone, country, n in counted}


def pace_of(campaign: Campaign, figures: Figures) -> Pace | None:
    """
    How fast it goes now; None while it does not run or nobody can tell yet.

    One query, and a few more where hours are set.
    """
    if campaign.status != CampaignStatus.SENDING:
        return None
    now = timezone.now()
    per_second = _per_second(campaign, figures, now)
    if window_of(campaign) is not None:
        return _within_hours(campaign, figures, per_second, now)
    if not per_second:
        return None if per_second is None else Pace(0.0, None)
    try:
        return Pace(per_second, now + timedelta(seconds=figures.pending / per_second))
    except OverflowError:
        return Pace(per_second, None)


def _per_second(campaign: Campaign, figures: Figures, now: datetime) -> float | None:
    """Handed over lately; None where it is too early to tell."""
    earlier = (
        CampaignMinute.objects.filter(campaign=campaign, at__gte=now - MOST, at__lte=now - LEAST)
        .order_by("minute")
        .first()
    )
    if earlier is not None:
        since, before = earlier.at, earlier.handed_over
    elif campaign.frozen_at is not None and now - MOST <= campaign.frozen_at <= now - LEAST:
        since, before = campaign.frozen_at, 0
    else:
        return None
    return max(handed_over(figures) - before, 0) / (now - since).total_seconds()


def _within_hours(campaign: Campaign, figures: Figures, per_second: float | None, now: datetime) -> Pace | None:
    """While nobody may be written to nothing can be measured: what is set or was measured earlier has to do."""
    left = _left_by_zone(campaign, figures.pending)
    window = window_of(campaign)
    is_open = window is None or any(window.is_open(now, zone, country) for zone, country in left)
    rate = per_second
    if not is_open:
        usual, unit, _is_measured = rate_of(campaign)
        rate = usual if unit == RateUnit.MESSAGES else None
    if not rate and is_open:
        return None if rate is None else Pace(0.0, None)
    # Without a rate it is not known when it ends, but when it goes on.
    course = course_of(campaign, left, rate or 1.0, now)
    return Pace(per_second or 0.0, course.ends_at if rate else None, course.stops_at, course.goes_on_at)


def _left_by_zone(campaign: Campaign, pending: int) -> dict[tuple[str, str], float]:
    """
    What waits, by time zone and country: as it was when it was last counted, as large as it is now.

    Before anything was sent, as the page before sending had it.
    """
    noted = CampaignMinute.objects.filter(campaign=campaign, waiting__isnull=False).order_by("-minute")
    counted = noted.values_list("waiting", flat=True).first()
    if not counted:
        forecasts = Forecast.objects.filter(campaign=campaign, kind=ForecastKind.PREFLIGHT, status=ForecastStatus.DONE)
        counted = (forecasts.values_list("result", flat=True).first() or {}).get("zones")
    if not counted:
        counted = {f"{zone}{_BAR}": 1 for zone in campaign.time_zones or [""]}
    whole = sum(counted.values())
    keys = {tuple(key.split(_BAR)): n for key, n in counted.items()}
    return {(zone, country): pending * n / whole for (zone, country), n in keys.items()}
