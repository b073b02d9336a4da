"""How fast a campaign goes, and when it will be through: from what was handed over within the last minute or two."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from .models import TAKEN, Campaign, CampaignMinute, CampaignStatus, MessageStatus
from .reports import Figures, campaign_figures

#: What was handed over within less says nothing of the pace, what lies further back nothing of the present.
LEAST = timedelta(seconds=10)
MOST = timedelta(minutes=2)
#: Offered to the provider, whatever it said.
_HANDED_OVER = TAKEN | {MessageStatus.REJECTED, MessageStatus.UNKNOWN}


@dataclass(frozen=True, slots=True)
class Pace:
    """Messages per second, and when the last of those that wait will be handed over if it stays so."""

    per_second: float
    done_at: datetime | None


def handed_over(figures: Figures) -> int:
    """How many messages were offered to the provider."""
    return sum(figures.messages[status] for status in _HANDED_OVER)


def note(campaign_id: int) -> None:
    """Write down how far a campaign has come. Called by those who send it, every few seconds."""
    campaign = Campaign.objects.only("pk").get(pk=campaign_id)
    now = timezone.now()
    CampaignMinute.objects.update_or_create(
        campaign=campaign,
        minute=now.replace(second=0, microsecond=0),
        defaults={"at": now, "handed_over": handed_over(campaign_figures(campaign))},
    )


def pace_of(campaign: Campaign, figures: Figures) -> Pace | None:
    """How fast it goes now; None while it does not run or nobody can tell yet. One query."""
    if campaign.status != CampaignStatus.SENDING:
        return None
    now = timezone.now()
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
    per_second = max(handed_over(figures) - before, 0) / (now - since).total_seconds()
    if not per_second:
        return Pace(0.0, None)
    try:
        return Pace(per_second, now + timedelta(seconds=figures.pending / per_second))
    except OverflowError:
        return Pace(per_second, None)
