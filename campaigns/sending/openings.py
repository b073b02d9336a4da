"""
What waits for its hour, and what waits in vain: messages outside their window, and those past their campaign's end.

A claim leaves them alone anyhow. The sweeper writes down until when each waits, and gives up what cannot go in time. A
paused campaign's messages are not touched: what becomes of them is decided when it goes on.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime

from django.db.models import Q, QuerySet
from django.utils import timezone

from campaigns.models import Campaign, CampaignStatus, FailureReason, MessageStatus, SentMessage
from campaigns.spent import today
from campaigns.windows import Window, window_of

CHUNK = 5000
#: For one round: far below the task queue's own limit. What is left is done a minute later.
ROUND_SECONDS = 20.0


def is_over(campaign: Campaign) -> bool:
    """Whether the campaign's end has passed."""
    return campaign.ends_at is not None and campaign.ends_at <= timezone.now()


def round_end() -> float:
    """When a round that begins now must end, by the monotonic clock."""
    return time.monotonic() + ROUND_SECONDS


def attend_to_openings() -> None:
    """For all campaigns that are being sent: give up what is too late, and set the waiting time of the rest."""
    give_up_at = round_end()
    for campaign in Campaign.objects.filter(status=CampaignStatus.SENDING):
        waiting = SentMessage.objects.filter(campaign=campaign, status=MessageStatus.QUEUED)
        if is_over(campaign):
            fail_too_late(waiting, give_up_at)
        elif window := window_of(campaign):
            _attend_to_window(campaign, window, waiting, give_up_at)


def _attend_to_window(campaign: Campaign, window: Window, waiting: QuerySet[SentMessage], give_up_at: float) -> None:
    now = timezone.now()
    for where, opening in _openings(campaign, window, now):
        if opening is None or (campaign.ends_at is not None and opening >= campaign.ends_at):
            fail_too_late(waiting.filter(where), give_up_at)
        elif opening > now:
            earlier = Q(not_before__isnull=True) | Q(not_before__lt=opening)
            for chunk in _chunks(waiting.filter(where & earlier), give_up_at):
                chunk.update(not_before=opening)


def _openings(campaign: Campaign, window: Window, now: datetime) -> Iterator[tuple[Q, datetime | None]]:
    """Which messages, and when they may go: by time zone, and by country where its holidays make a difference."""
    countries = sorted({country for _day, country in window.holidays if country})
    for zone in campaign.time_zones:
        usual = window.next_opening(now, zone)
        others = {country: window.next_opening(now, zone, country) for country in countries}
        special = [country for country, opening in others.items() if opening != usual]
        yield Q(time_zone=zone) & ~Q(region__in=special), usual
        for country in special:
            yield Q(time_zone=zone, region=country), others[country]


def fail_too_late(waiting: QuerySet[SentMessage], give_up_at: float) -> int:
    """Give up these waiting messages: they were not offered to anybody in time. Returns how many it were."""
    return sum(
        chunk.update(
            status=MessageStatus.FAILED,
            reason=FailureReason.TOO_LATE,
            reason_text="",
            not_before=None,
            status_at=timezone.now(),
            day=today(),  # though it was never claimed: on this day it failed
        )
        for chunk in _chunks(waiting, give_up_at)
    )


def _chunks(rows: QuerySet[SentMessage], give_up_at: float) -> Iterator[QuerySet[SentMessage]]:
    """The rows that wait in portions; what is done with each must take it out of `rows`. Ends when the time is up."""
    while time.monotonic() < give_up_at:
        ids = list(rows.values_list("pk", flat=True)[:CHUNK])
        if not ids:
            return
        yield SentMessage.objects.filter(pk__in=ids, status=MessageStatus.QUEUED)
