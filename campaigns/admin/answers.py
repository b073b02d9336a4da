"""What people answered to a campaign, on its page: each number leads to the messages."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest
from django.urls import reverse

from campaigns.models import Campaign, Meaning
from campaigns.reports import answers_to


@dataclass(frozen=True)
class Answers:
    """How many people wrote back to a campaign, and how many of these messages were opt-outs."""

    replies: int
    replies_url: str
    opt_outs: int
    opt_outs_url: str


def answers_page(request: HttpRequest, campaign: Campaign) -> Answers | None:
    """For those who may read answers; None for others, and where nothing was sent yet."""
    if not campaign.launched_at or not request.user.has_perm("campaigns.view_inboundmessage"):
        return None
    replies, opt_outs = answers_to(campaign)
    url = f"{reverse('admin:campaigns_inboundmessage_changelist')}?campaign__id__exact={campaign.pk}"
    return Answers(replies, url, opt_outs, f"{url}&meaning__exact={Meaning.STOP}")
