"""The start page: leads the way on an empty installation, and tells what is going on in any other."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django.db.models import Q
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from campaigns.models import RUNNING, Campaign, CampaignStatus, Contact
from campaigns.reports import GatewayCard, gateway_cards, many_campaign_figures

LATEST = 8
NOW_SHOWN = 20


@dataclass(frozen=True)
class Step:
    """A step on the way to the first campaign."""

    number: int
    title: Any
    text: Any
    button: Any
    url: str
    is_done: bool
    is_next: bool


@dataclass
class StartPage:
    """What the start page shows; `steps` is empty once something was sent."""

    steps: list[Step] = field(default_factory=list)
    active: list[Any] = field(default_factory=list)
    latest: list[Any] = field(default_factory=list)
    gateways: list[GatewayCard] = field(default_factory=list)


def start_page(request: HttpRequest) -> StartPage:
    """What this user may see of it."""
    page = StartPage()
    if request.user.has_perm("campaigns.view_campaign"):
        page.active, page.latest = _campaigns()
        if not any(campaign.launched_at for campaign in [*page.active, *page.latest]):
            page.steps = _steps(page.latest[0] if page.latest else None)
    if request.user.has_perm("campaigns.view_gatewaystate"):
        page.gateways = gateway_cards()
    return page


def _campaigns() -> tuple[list[Any], list[Any]]:
    """The campaigns that are going on, and the latest of the others, each with its figures."""
    going_on = Q(status__in=[*RUNNING, CampaignStatus.PAUSED, CampaignStatus.SCHEDULED])
    campaigns = Campaign.objects.select_related("launched_by", "created_by")
    active: list[Any] = list(campaigns.filter(going_on)[:NOW_SHOWN])
    latest: list[Any] = list(campaigns.exclude(going_on)[:LATEST])
    both = [*active, *latest]
    figures = many_campaign_figures(campaign.pk for campaign in both)
    for campaign in both:
        campaign.figures = figures[campaign.pk]
    return active, latest


def _steps(draft: Campaign | None) -> list[Step]:
    has_contacts = Contact.objects.exists()
    return [
        Step(
            1,
            _("Import your contacts"),
            _("A CSV or Excel file with phone numbers. You see what is in it before anything is stored."),
            _("Import contacts"),
            reverse("admin:campaigns_contactimport_add"),
            is_done=has_contacts,
            is_next=not has_contacts,
        ),
        Step(
            2,
            _("Write a campaign"),
            _("A text, with names filled in for each person, and the groups that get it."),
            _("Write a campaign"),
            reverse("admin:campaigns_campaign_add"),
            is_done=draft is not None,
            is_next=has_contacts and draft is None,
        ),
        Step(
            3,
            _("Send it"),
            _("You see who gets it, who is left out and why, and what it looks like, before anything is sent."),
            _("Open the draft"),
            draft.get_absolute_url() if draft else "",
            is_done=False,
            is_next=has_contacts and draft is not None,
        ),
    ]
