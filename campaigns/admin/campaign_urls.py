"""Where the actions of a campaign are done."""

from __future__ import annotations

from django.urls import reverse

from campaigns.models import Campaign


def action_url(campaign: Campaign, action: str) -> str:
    """Where this action of a campaign is done."""
    return reverse(f"admin:campaigns_campaign_{action}", args=[campaign.pk])
