"""The only way back into the queue for a message that was handed over once."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils import timezone

from campaigns import lifecycle
from campaigns.models import Campaign, CampaignStatus, FailureReason, MessageStatus, SentMessage

from .openings import is_over


def requeue(messages: Sequence[SentMessage]) -> None:
    """
    Make these locked rows wait again (or not, as their campaign's state demands); the caller saves them.

    A cancelled campaign's messages are cancelled instead, those of one whose end has passed are given up; a completed
    campaign runs again. What is sent again in a child campaign never waits here as well. Call inside a transaction.
    """
    by_campaign: dict[int, list[SentMessage]] = {}
    for message in messages:
        message.status = MessageStatus.QUEUED
        message.claim_token, message.lease_expires_at = "", None
        message.status_at = timezone.now()
        if message.superseded_by_id is not None:
            message.status, message.reason, message.reason_text = MessageStatus.FAILED, FailureReason.SUPERSEDED, ""
            continue
        if message.campaign_id is not None:
            by_campaign.setdefault(message.campaign_id, []).append(message)
    for campaign in Campaign.objects.select_for_update().filter(pk__in=by_campaign).order_by("pk"):
        if campaign.status == CampaignStatus.CANCELLED:
            for message in by_campaign[campaign.pk]:
                message.status = MessageStatus.CANCELLED
                message.reason = message.reason_text = ""
        elif campaign.status != CampaignStatus.PAUSED and is_over(campaign):
            for message in by_campaign[campaign.pk]:
                message.status, message.not_before = MessageStatus.FAILED, None
                message.reason, message.reason_text = FailureReason.TOO_LATE, ""
        elif campaign.status == CampaignStatus.COMPLETED:
            lifecycle.run_again(campaign)
