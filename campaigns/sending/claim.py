"""
Claim: a worker takes waiting rows with a token and a lease. Claimed rows have not been offered to anybody yet.

What decides whether a row may go now is asked here, with every batch: the campaign runs, the gateway is open, the
recipient's local time is inside the window, the row's waiting time is over. Rows that can go at once need no claim:
`handover.hand_over_waiting()` locks them and makes them `sending` in one update.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from campaigns.brakes import may_be_claimed
from campaigns.consent import Rule, rule_for
from campaigns.gateway_control import gateways_now
from campaigns.models import Campaign, CampaignStatus, MessageStatus, SentMessage
from campaigns.spent import today
from campaigns.windows import closed_to, window_of
from sms_backends import get_sms_backend

from .compiled import Statement
from .leases import LEASE
from .openings import fail_too_late, is_over, round_end
from .pacing import Limit, limits_of, rows_per_claim, waiting_seconds
from .spending import Bound, LimitReached, affordable, bound_of, stop_at

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


_COLUMNS = ["pk", *(one.name for one in fields(ClaimedMessage)[1:])]


@dataclass(slots=True)
class Claim:
    """Rows that are ours until the lease runs out, or, `at_once`, for as long as a transaction has them locked."""

    token: str
    messages: list[ClaimedMessage] = field(default_factory=list)
    #: When there are none only because of a spend limit that what is on its way may still let go: when to ask again.
    wait_seconds: float = 0.0
    #: Those for which an intent was asked: it has made them `sending`, or put them where they belong.
    offered: set[int] = field(default_factory=set)
    #: Rows of a child campaign, whose people may have been reached meanwhile by what it was written in place of.
    of_child: bool = True
    #: What its campaign asks of a contact; None: the intent finds out.
    consent: Rule | None = None
    at_once: bool = False


@dataclass(slots=True)
class Work:
    """What a campaign has to send now: the rows that may go, and the rates they are bound by."""

    campaign: Campaign
    waiting: QuerySet[SentMessage]
    limits: list[Limit]
    #: When the rates are used up: in how many seconds to ask again.
    wait_seconds: float
    #: The spend limits that its claims are bound by.
    bound: Bound
    _lock: Statement | None = None

    def lock(self, limit: int) -> list[ClaimedMessage]:
        """The first of its rows that nobody else has locked. Call it inside a transaction."""
        if self._lock is None:
            self._lock = Statement.select(_locked(self.waiting))
        return [ClaimedMessage(*row) for row in self._lock.run(limit=limit)]

    @property
    def needs_claim(self) -> bool:
        """Whether its rows must be counted before they may go."""
        return bool(self.limits or self.bound)

    @property
    def gateway(self) -> str:
        return str(self.campaign.launch["gateway"])

    @property
    def consent(self) -> Rule:
        return rule_for(self.campaign.kind)

    @property
    def of_child(self) -> bool:
        return self.campaign.parent_id is not None


def new_token() -> str:
    return secrets.token_hex(16)


def look_for_work(campaign_id: int) -> Work | None:
    """What of this campaign may go now, in the order of the audience; None when nothing may."""
    campaign = Campaign.objects.get(pk=campaign_id)
    gateways = gateways_now()
    if campaign.status != CampaignStatus.SENDING or campaign.launch["gateway"] in gateways.closed:
        return None
    if is_over(campaign):
        fail_too_late(SentMessage.objects.filter(campaign=campaign, status=MessageStatus.QUEUED), round_end())
        return None
    limits = limits_of(campaign.launch["gateway"], campaign_id)
    waiting = claimable(SentMessage.objects.filter(may_be_claimed(campaign), campaign=campaign))
    if closed := closed_to(window_of(campaign), campaign.time_zones, timezone.now()):
        waiting = waiting.exclude(closed)
    return Work(campaign, waiting, limits, waiting_seconds(limits), bound_of(campaign, gateways.limited))


def claim_campaign(campaign_id: int, limit: int | None = None) -> Claim:
    """Take waiting rows of one campaign. Empty when none may go now."""
    work = look_for_work(campaign_id)
    return Claim("") if work is None or work.wait_seconds > 0 else claim_work(work, limit)


def claim_work(work: Work, limit: int | None = None) -> Claim:
    """Take rows of this work, no more than its rates let go in about a second."""
    running = work.waiting.filter(campaign__status=CampaignStatus.SENDING)
    claim = _claim(running, rows_per_claim(work.limits, limit or _batch(work.gateway)), work.bound)
    claim.of_child, claim.consent = work.of_child, work.consent
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
    gateways = gateways_now()
    waiting = claimable(SentMessage.objects.filter(campaign=None)).exclude(gateway__in=gateways.closed)
    return _claim(waiting, limit, Bound(None, gateways.limited))


def claim_again(ids: Iterable[int]) -> Claim:
    """Take these rows, which were just given back, once more: a refused request is tried in halves."""
    wanted = list(ids)
    rows = SentMessage.objects.filter(pk__in=wanted)
    # They gave their money back, and it may be spent on others by now.
    bound = Bound(rows.values_list("campaign", flat=True).first(), gateways_now().limited)
    return _claim(claimable(rows), len(wanted), bound)


def claimable(messages: QuerySet[SentMessage]) -> QuerySet[SentMessage]:
    """Those that wait and whose time has come."""
    return messages.filter(Q(not_before=None) | Q(not_before__lte=Now()), status=MessageStatus.QUEUED).order_by("pk")


def _locked(waiting: QuerySet[SentMessage]) -> QuerySet[SentMessage, tuple[Any, ...]]:
    """What sending needs of these rows, without those that somebody else has locked."""
    skip = connection.features.has_select_for_update_skip_locked
    return waiting.select_for_update(skip_locked=skip, of=("self",) if skip else ()).values_list(*_COLUMNS)


def _claim(waiting: QuerySet[SentMessage], limit: int, bound: Bound) -> Claim:
    token, day = new_token(), today()
    try:
        with transaction.atomic():
            found = [ClaimedMessage(*row) for row in _locked(waiting)[:limit]]
            ids = set(affordable(bound, [one.pk for one in found], day))
            if ids:
                SentMessage.objects.filter(pk__in=ids, status=MessageStatus.QUEUED).update(
                    status=MessageStatus.CLAIMED, claim_token=token, lease_expires_at=Now() + LEASE, day=day
                )
    except LimitReached as reached:
        return Claim(token, wait_seconds=stop_at(reached))
    return Claim(token, [one for one in found if one.pk in ids])


def give_back(claim: Claim) -> int:
    """Rows of this claim that were not handed over wait again."""
    left = [message.pk for message in claim.messages if message.pk not in claim.offered]
    return SentMessage.objects.filter(pk__in=left, claim_token=claim.token, status=MessageStatus.CLAIMED).update(
        status=MessageStatus.QUEUED, claim_token="", lease_expires_at=None
    )
