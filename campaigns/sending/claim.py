"""
Claim: a worker takes waiting rows with a token and a lease. Claimed rows have not been offered to anybody yet.

What decides whether a row may go now is asked here, with every batch: the campaign runs, the gateway is open, the
recipient's local time is inside the window, the row's waiting time is over.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field, fields

from django.core.exceptions import ImproperlyConfigured
from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from campaigns.gateway_control import closed_gateways
from campaigns.models import Campaign, CampaignStatus, MessageStatus, SentMessage
from campaigns.windows import closed_to, window_of
from sms_backends import get_sms_backend

from .leases import LEASE
from .openings import fail_too_late, is_over, round_end
from .pacing import limits_of, rows_per_claim, waiting_seconds
from .update_returning import update_returning

BATCH = 200
#: The same where one request takes many: the fewer claims, the fewer statements for each message.
BULK_BATCH = 500


@dataclass(slots=True)
class ClaimedMessage:
    """What sending needs of a row. A tenth of the cost of a model instance, which counts at a million."""

    pk: int
    campaign_id: int | None
    purpose: str
    phone_number: str
    canonical_number: str
    body: str
    segment_count: int
    gateway: str
    sender_id: str
    attempt_count: int

    @property
    def campaign(self) -> Campaign | None:
        return None if self.campaign_id is None else Campaign.objects.get(pk=self.campaign_id)


_COLUMNS = ["id", "campaign", *(one.name for one in fields(ClaimedMessage)[2:])]


@dataclass(slots=True)
class Claim:
    """Rows that are ours until the lease runs out."""

    token: str
    messages: list[ClaimedMessage] = field(default_factory=list)
    #: When there are none only because the rate is used up: in how many seconds to ask again.
    wait_seconds: float = 0.0
    #: Those for which an intent was asked: it has made them `sending`, or put them where they belong.
    offered: set[int] = field(default_factory=set)
    #: Rows of a child campaign, whose people may have been reached meanwhile by what it was written in place of.
    of_child: bool = True


def new_token() -> str:
    return secrets.token_hex(16)


def claim_campaign(campaign_id: int, limit: int | None = None) -> Claim:
    """Take waiting rows of one campaign, in the order of the audience. Empty when none may go now."""
    campaign = Campaign.objects.get(pk=campaign_id)
    if campaign.status != CampaignStatus.SENDING or campaign.launch["gateway"] in closed_gateways():
        return Claim("")
    if is_over(campaign):
        fail_too_late(SentMessage.objects.filter(campaign=campaign, status=MessageStatus.QUEUED), round_end())
        return Claim("")
    limits = limits_of(campaign.launch["gateway"], campaign_id)
    if (wait := waiting_seconds(limits)) > 0:
        return Claim("", wait_seconds=wait)
    waiting = claimable(SentMessage.objects.filter(campaign=campaign, campaign__status=CampaignStatus.SENDING))
    closed = closed_to(window_of(campaign), campaign.time_zones, timezone.now())
    if closed:
        waiting = waiting.exclude(closed)
    claim = _claim(waiting, rows_per_claim(limits, limit or _batch(campaign.launch["gateway"])))
    claim.of_child = campaign.parent_id is not None
    return claim


def _batch(alias: str) -> int:
    """As many as make whole requests."""
    try:
        capabilities = get_sms_backend(alias).capabilities
    except ImproperlyConfigured:
        return BATCH  # dispatch says so to the operators
    if not (capabilities.bulk_same_text or capabilities.bulk_personalized):
        return BATCH
    size = min(max(1, capabilities.max_recipients), BULK_BATCH)
    return BULK_BATCH // size * size


def claim_urgent(limit: int = BATCH) -> Claim:
    """Take waiting rows without a campaign (single messages, tests, replies), before any bulk."""
    waiting = claimable(SentMessage.objects.filter(campaign=None)).exclude(gateway__in=closed_gateways())
    return _claim(waiting, limit)


def claim_again(ids: Iterable[int]) -> Claim:
    """Take these rows, which were just given back, once more: a refused request is tried in halves."""
    wanted = list(ids)
    return _claim(claimable(SentMessage.objects.filter(pk__in=wanted)), len(wanted))


def claimable(messages: QuerySet[SentMessage]) -> QuerySet[SentMessage]:
    """Those that wait and whose time has come."""
    return messages.filter(Q(not_before=None) | Q(not_before__lte=Now()), status=MessageStatus.QUEUED).order_by("pk")


def _claim(waiting: QuerySet[SentMessage], limit: int) -> Claim:
    token = new_token()
    skip = connection.features.has_select_for_update_skip_locked
    with transaction.atomic():
        locked = waiting.select_for_update(skip_locked=skip, of=("self",) if skip else ())
        ids = list(locked.values_list("pk", flat=True)[:limit])
        if not ids:
            return Claim(token)
        rows = update_returning(
            SentMessage.objects.filter(pk__in=ids, status=MessageStatus.QUEUED),
            _COLUMNS,
            status=MessageStatus.CLAIMED,
            claim_token=token,
            lease_expires_at=Now() + LEASE,
        )
    return Claim(token, [ClaimedMessage(*row) for row in sorted(rows)])


def give_back(claim: Claim) -> int:
    """Rows of this claim that were not handed over wait again."""
    left = [message.pk for message in claim.messages if message.pk not in claim.offered]
    return SentMessage.objects.filter(pk__in=left, claim_token=claim.token, status=MessageStatus.CLAIMED).update(
        status=MessageStatus.QUEUED, claim_token="", lease_expires_at=None
    )
