"""
Careful start and brakes: when a campaign should stop because too much goes wrong. The rules; `sending.braking` acts.

A *canary* is the first portion of a campaign: nobody else may be claimed until all of it was handed over and has its
final word, or its deadline has passed. A *brake* is a share in per cent: refused, not delivered or opted out. It is on
for the whole run, is first applied when `MINIMUM_SAMPLE` messages can be judged (the canary is judged whatever its
size), and after an operator resumed the campaign, what it paused for does not count again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db.models import Exists, Max, OuterRef, Q
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from sms_backends import get_sms_backend

from .models import (
    CANCELLABLE,
    PENDING,
    TAKEN,
    Attempt,
    Campaign,
    CampaignStatus,
    CanaryThen,
    MessageStatus,
    OptOut,
    OptOutSource,
    SentMessage,
)
from .reports import Figures, campaign_figures

S = MessageStatus
#: So few say nothing: 1 of 2 is no share.
MINIMUM_SAMPLE = 20
#: The fields of a campaign that hold a limit, in per cent; empty: none.
BRAKES = ("brake_refused", "brake_undelivered", "brake_opt_outs")
CANARY = ("canary_size", "canary_wait_minutes", "canary_then")


@dataclass(frozen=True, slots=True)
class Share:
    """So many of so many."""

    bad: int
    sample: int

    def passes(self, limit: int) -> bool:
        """Whether it is more than `limit` per cent, exactly."""
        return 100 * self.bad > limit * self.sample

    def __sub__(self, earlier: Share) -> Share:
        """What came since. Late receipts can make less of what went wrong before; that gives no credit."""
        return Share(max(self.bad - earlier.bad, 0), max(self.sample - earlier.sample, 0))

    @property
    def percent(self) -> str:
        """For people, to a tenth and never too low: what passes a limit is seen to."""
        tenths = -(-1000 * self.bad // self.sample)
        return number_format(Decimal(tenths) / 10, decimal_pos=1 if tenths % 10 else 0)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What should happen now. `reason` says why the campaign should pause; empty: it goes on."""

    canary_is_over: bool
    passed: tuple[str, ...]
    reason: str
    figures: Figures


@dataclass(frozen=True, slots=True)
class CanaryProgress:
    """A first portion that all others wait for. `to_go`: not handed over yet; with none, `until` is the deadline."""

    size: int
    to_go: int
    until: datetime | None
    is_over: bool


def canary_boundary(campaign: Campaign) -> int | None:
    """The last message of the first portion of a campaign just prepared; None when nobody would be left to wait."""
    if not campaign.canary_size:
        return None
    queued = SentMessage.objects.filter(campaign=campaign, status=S.QUEUED).order_by("pk")
    last_and_next = list(queued.values_list("pk", flat=True)[campaign.canary_size - 1 : campaign.canary_size + 1])
    return last_and_next[0] if len(last_and_next) == 2 else None


def may_be_claimed(campaign: Campaign) -> Q:
    """
    Which messages do not wait behind the first portion.

    While a campaign is sent the boundary is only ever taken away: one read a moment ago lets too few go, not too many.
    """
    return Q() if campaign.canary_last_id is None else Q(pk__lte=campaign.canary_last_id)


def canary_progress(campaign: Campaign) -> CanaryProgress | None:
    """How the first portion stands; None when there is none, or it is over and done with."""
    if campaign.canary_last_id is None or campaign.status != CampaignStatus.SENDING:
        return None
    portion = SentMessage.objects.filter(may_be_claimed(campaign), campaign=campaign)
    size = campaign.canary_size or 0
    if to_go := portion.filter(status__in=PENDING).count():
        return CanaryProgress(size, to_go, until=None, is_over=False)
    until = _deadline(campaign)
    is_over = until is None or until <= timezone.now() or not portion.filter(_without_final_word(campaign)).exists()
    return CanaryProgress(size, 0, until, is_over)


def _deadline(campaign: Campaign) -> datetime | None:
    """Until when receipts are waited for; None when nobody was written to."""
    last = Attempt.objects.filter(message__campaign=campaign, message__pk__lte=campaign.canary_last_id).aggregate(
        at=Max("started_at")
    )["at"]
    return None if last is None else last + timedelta(minutes=campaign.canary_wait_minutes)


def _without_final_word(campaign: Campaign) -> Q:
    """Messages handed over of which something may still be heard: by a receipt if there are any, or by a look-up."""
    if _reports(campaign.launch["gateway"]):
        return Q(status=S.UNKNOWN) | Q(status=S.SENT, receipt_overdue=False)
    return Q(status=S.UNKNOWN, next_lookup_at__isnull=False)


def _reports(gateway: str) -> bool:
    """Whether its provider says what became of a message."""
    try:
        capabilities = get_sms_backend(gateway).capabilities
    except ImproperlyConfigured:
        return True  # perhaps, once it is mended
    return capabilities.receipts_push or capabilities.receipts_poll


def is_braked() -> Q:
    """Campaigns that have anything to be judged by."""
    return Q(canary_last_id__isnull=False) | Q(*[(f"{name}__isnull", False) for name in BRAKES], _connector=Q.OR)


def judge(campaign: Campaign) -> Verdict | None:
    """Whether a campaign that is being sent should stop, or its first portion is over; None when it just goes on."""
    figures = campaign_figures(campaign)
    if not any(figures.messages[status] for status in CANCELLABLE):
        return None  # nobody is left who could be spared
    canary = canary_progress(campaign)
    minimum = 1 if canary is not None and canary.is_over else MINIMUM_SAMPLE
    found = {name: share - _base(campaign, name) for name, share in _shares(campaign, figures).items()}
    passed = {
        name: share
        for name, share in found.items()
        if share.sample >= minimum and share.passes(getattr(campaign, name))
    }
    # What is passed when all of the first portion is out is the operator's to judge: nothing more is waited for.
    canary_is_over = canary is not None and (canary.is_over or (bool(passed) and not canary.to_go))
    if not passed and not canary_is_over:
        return None
    reason = " ".join(_in_words(campaign, name, share) for name, share in passed.items())
    if canary_is_over:
        reason = _canary_reason(campaign, figures, reason)
    return Verdict(canary_is_over, tuple(passed), reason, figures)


def base_when_resumed(campaign: Campaign) -> dict[str, list[int]]:
    """From which figures on the brakes count, once an operator has seen those that paused the campaign."""
    if not campaign.brakes_passed:
        return dict(campaign.brake_base)
    now = _shares(campaign, campaign_figures(campaign))
    seen = {name: [now[name].bad, now[name].sample] for name in campaign.brakes_passed if name in now}
    return {**campaign.brake_base, **seen}


def settings_problem(values: Mapping[str, Any]) -> str:
    """What is wrong with a campaign's careful start, by field name; empty when it will do something."""
    has_limit = any(values.get(name) is not None for name in BRAKES)
    if values.get("canary_size") and values.get("canary_then") != CanaryThen.ASK and not has_limit:
        return _("Nothing would be judged. Give at least one limit, or choose to be asked.")
    return ""


def _base(campaign: Campaign, name: str) -> Share:
    return Share(*campaign.brake_base.get(name, (0, 0)))


def _shares(campaign: Campaign, figures: Figures) -> dict[str, Share]:
    """What went wrong so far, for each brake that is on."""
    count = figures.messages
    undelivered = count[S.UNDELIVERED] + count[S.EXPIRED]
    taken = sum(count[status] for status in TAKEN)
    found: dict[str, Share] = {}
    if campaign.brake_refused is not None:
        found["brake_refused"] = Share(count[S.REJECTED], taken + count[S.REJECTED])
    if campaign.brake_undelivered is not None:
        found["brake_undelivered"] = Share(undelivered, undelivered + count[S.DELIVERED])
    if campaign.brake_opt_outs is not None:
        found["brake_opt_outs"] = Share(opt_outs_since_launch(campaign), taken)
    return found


def opt_outs_since_launch(campaign: Campaign) -> int:
    """How many were sent this campaign's text and opted out since it was launched, in whatever way."""
    theirs = SentMessage.objects.filter(
        campaign=campaign, canonical_number=OuterRef("canonical_number"), excluded=False, status__in=TAKEN
    )
    since = OptOut.objects.filter(Exists(theirs), opted_out_at__gte=campaign.launched_at)
    return since.exclude(source=OptOutSource.DEAD_NUMBER).count()


def _in_words(campaign: Campaign, name: str, share: Share) -> str:
    sentences = {
        "brake_refused": ngettext(
            "%(bad)s of %(sample)s was refused (%(percent)s %%); the limit is %(limit)s %%.",
            "%(bad)s of %(sample)s were refused (%(percent)s %%); the limit is %(limit)s %%.",
            share.bad,
        ),
        "brake_undelivered": ngettext(
            "%(bad)s of %(sample)s was not delivered (%(percent)s %%); the limit is %(limit)s %%.",
            "%(bad)s of %(sample)s were not delivered (%(percent)s %%); the limit is %(limit)s %%.",
            share.bad,
        ),
        "brake_opt_outs": ngettext(
            "%(bad)s of %(sample)s has opted out (%(percent)s %%); the limit is %(limit)s %%.",
            "%(bad)s of %(sample)s have opted out (%(percent)s %%); the limit is %(limit)s %%.",
            share.bad,
        ),
    }
    sentence = sentences[name] % {
        "bad": number_format(share.bad, force_grouping=True),
        "sample": number_format(share.sample, force_grouping=True),
        "percent": share.percent,
        "limit": getattr(campaign, name),
    }
    return _("Since it was resumed: %(figures)s") % {"figures": sentence} if name in campaign.brake_base else sentence


def _canary_reason(campaign: Campaign, figures: Figures, passed: str) -> str:
    """Why a campaign pauses after its first portion; empty when it goes on by itself."""
    if not passed and campaign.canary_then != CanaryThen.ASK:
        return ""
    return _("The first %(size)s are out. %(figures)s Resume to go on with all others, or cancel.") % {
        "size": number_format(campaign.canary_size or 0, force_grouping=True),
        "figures": passed or canary_words(figures),
    }


def canary_words(figures: Figures) -> str:
    """What became of a first portion."""
    count = figures.messages
    return _("%(delivered)s delivered, %(undelivered)s not delivered, %(refused)s refused, %(open)s not known yet.") % {
        "delivered": count[S.DELIVERED],
        "undelivered": count[S.UNDELIVERED] + count[S.EXPIRED],
        "refused": count[S.REJECTED],
        "open": count[S.SENT] + count[S.UNKNOWN],
    }
