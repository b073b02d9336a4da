"""The start page: leads the way on an empty installation, and is the dashboard of any other."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django.db.models import Count, Q
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from campaigns import approval
from campaigns.models import RUNNING, Campaign, CampaignStatus, Contact, Conversation
from campaigns.reports import gateway_cards, many_campaign_figures

from .base import acting_user
from .calendar import Calendar, calendar
from .dashboard import Dashboard, Provider, dashboard

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


@dataclass(frozen=True)
class Concern:
    """Something that waits for a person."""

    text: str
    url: str
    link: str
    words: str = ""


@dataclass
class StartPage:
    """What the start page shows; `steps` is empty once something was sent, and for those who write no campaigns."""

    steps: list[Step] = field(default_factory=list)
    concerns: list[Concern] = field(default_factory=list)
    active: list[Any] = field(default_factory=list)
    latest: list[Any] = field(default_factory=list)
    calendar: Calendar | None = None
    board: Dashboard | None = None
    #: Conversations that wait for an answer, and that wait for review.
    to_answer: int = 0
    to_review: int = 0
    #: What this user can approve, and what others approved for them.
    to_approve: list[Any] = field(default_factory=list)
    approved: list[Any] = field(default_factory=list)

    @property
    def is_blank(self) -> bool:
        """Nothing to see for this user."""
        board = self.board
        has_figures = board is not None and (board.figures or board.opt_outs or board.providers)
        return not (self.steps or self.active or self.latest or self.calendar or has_figures)

    @property
    def needs_attention(self) -> bool:
        return bool(self.concerns or self.to_answer or self.to_review)


def start_page(request: HttpRequest) -> StartPage:
    """What this user may see of it."""
    page = StartPage()
    if request.user.has_perm("campaigns.view_campaign"):
        page.active, page.latest = _campaigns()
        page.calendar = calendar()
        begun = any(campaign.launched_at for campaign in [*page.active, *page.latest])
        if not begun and request.user.has_perm("campaigns.add_campaign"):
            page.steps = _steps(page.latest[0] if page.latest else None)
        page.to_approve = approval.waiting_for(acting_user(request))
        page.approved = approval.approved_for(acting_user(request))
    if request.user.has_perm("campaigns.view_conversation"):
        page.to_answer, page.to_review = _waiting_conversations()
    page.board = dashboard(request, gateway_cards())
    if page.steps and (page.board.figures is None or page.board.figures.is_empty):
        page.board.figures = None  # there is nothing to be looked at before the first message
    page.concerns = [*_paused(page.active), *_gateways_in_trouble(page.board.providers), *_unknown(page.board)]
    return page


def _paused(campaigns: list[Any]) -> list[Concern]:
    return [
        Concern(
            _t("The campaign “%(name)s” is paused.") % {"name": campaign.name},
            campaign.get_absolute_url(),
            _t("See the campaign"),
            campaign.pause_reason,
        )
        for campaign in campaigns
        if campaign.status == CampaignStatus.PAUSED
    ]


def _gateways_in_trouble(providers: list[Provider]) -> list[Concern]:
    """Those of which the notice at the head of every page says nothing: it tells of paused ones."""
    url, link = reverse("admin:campaigns_gatewaystate_changelist"), _t("See the providers")
    found = []
    for card in (provider.card for provider in providers):
        if card.problem:
            text = _t("The gateway “%(alias)s” is not set up right.") % {"alias": card.alias}
            found.append(Concern(text, url, link, card.problem))
        elif card.state and card.state.failure_count and not card.state.is_paused:
            text = _t("The gateway “%(alias)s” could not be reached; it is tried again by itself.")
            found.append(Concern(text % {"alias": card.alias}, url, link, card.state.provider_text))
        elif card.is_spent:
            text = _t("The spend limit for today of “%(alias)s” is reached; its messages wait.")
            found.append(Concern(text % {"alias": card.alias}, url, link))
    return found


def _unknown(board: Dashboard) -> list[Concern]:
    figures = board.figures
    if figures is None or not figures.total.unknown:
        return []
    text = ngettext(
        "Of %(count)s message nobody knows whether the provider took it.",
        "Of %(count)s messages nobody knows whether the provider took them.",
        figures.total.unknown,
    )
    return [Concern(text % {"count": board.unknown.shown}, board.unknown.url, _t("See the messages"))]


def _waiting_conversations() -> tuple[int, int]:
    """How many wait for an answer, and how many for review."""
    answer, review = Q(needs_answer=True), Q(held_since__isnull=False)
    found = Conversation.objects.filter(answer | review).aggregate(
        answer=Count("pk", filter=answer), review=Count("pk", filter=review)
    )
    return found["answer"], found["review"]


def _campaigns() -> tuple[list[Any], list[Any]]:
    """The campaigns that are going on, and the latest of the others, each with its figures."""
    going_on = [*RUNNING, CampaignStatus.PAUSED]
    campaigns = Campaign.objects.only("name", "status", "pause_reason", "launched_at", "created_at")
    active: list[Any] = list(campaigns.filter(status__in=going_on)[:NOW_SHOWN])
    latest: list[Any] = list(campaigns.exclude(status__in=[*going_on, CampaignStatus.SCHEDULED])[:LATEST])
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
