"""The sweeper: makes everything true again after anything. Each minute; two at once do no harm."""

from __future__ import annotations

import logging
from collections.abc import Callable

from django.db.models import Exists, OuterRef
from django.db.models.functions import Now
from django.utils import timezone

from campaigns import bulk, day_figures, importing, kept_figures, lifecycle, past_days, receipts
from campaigns.balances import ask_due_balances
from campaigns.brakes import may_be_claimed
from campaigns.erasing import finish_erasures
from campaigns.forecasting import changes
from campaigns.forecasting import running as forecasts
from campaigns.gateway_control import closed_gateways
from campaigns.gateway_pulse import record_pulse
from campaigns.identity import check_identity
from campaigns.kept_files import delete_old_uploads
from campaigns.models import (
    CANCELLABLE,
    Campaign,
    CampaignStatus,
    Forward,
    ImportStatus,
    InboundMessage,
    MessageStatus,
    SentMessage,
)
from campaigns.wakeups import wake

from .braking import apply_brakes_to_all
from .claim import claimable
from .clock import follow_clock
from .openings import attend_to_openings
from .pacing import cut_reservations
from .polling import give_up_waiting, poll_receipts
from .recovery import cut_leases, expire_leases
from .settling import settle_unknown
from .slots import cut_slot_leases

logger = logging.getLogger(__name__)

IMPORT_TASKS = {
    ImportStatus.CHECKING: "check_import",
    ImportStatus.IMPORTING: "commit_import",
    ImportStatus.UNDOING: "undo_import",
}


def sweep() -> None:
    """Do each step; one that fails is logged and does not keep the others from being done."""
    steps: tuple[Callable[[], object], ...] = (
        check_identity,  # first: it decides whether anything may be sent at all
        follow_clock,
        cut_leases,
        cut_reservations,
        cut_slot_leases,
        start_due_campaigns,
        expire_leases,
        finish_cancelled,
        reopen_completed,
        attend_to_openings,
        wake_waiting,
        apply_brakes_to_all,
        wake_imports,
        wake_bulk_actions,
        wake_forecasts,
        bulk.prune_exports,
        delete_old_uploads,
        wake_replies,
        finish_erasures,
        settle_unknown,
        match_receipts,
        poll_receipts,
        give_up_waiting,
        kept_figures.fold,
        changes.fold,
        day_figures.close_days,
        wake_past_days,
        record_pulse,
        ask_due_balances,
    )
    for step in steps:
        try:
            step()
        except Exception:
            logger.exception("The sweeper's step %s failed; it is tried again in a minute.", step.__name__)


def start_due_campaigns() -> None:
    for campaign in Campaign.objects.filter(status=CampaignStatus.SCHEDULED, scheduled_at__lte=timezone.now()):
        try:
            lifecycle.start_due(campaign)
        except Exception:
            logger.exception("Campaign %s could not be started; it is tried again in a minute.", campaign.pk)


def finish_cancelled() -> None:
    """A crash may have cut the cancelling of waiting messages short."""
    waiting = SentMessage.objects.filter(campaign=OuterRef("pk"), status__in=CANCELLABLE)
    for campaign in Campaign.objects.filter(Exists(waiting), status=CampaignStatus.CANCELLED):
        lifecycle.cancel_waiting(campaign)


def reopen_completed() -> None:
    """Waiting messages are looked for in any state of campaign: nobody may wait in one that is called completed."""
    waiting = SentMessage.objects.filter(status=MessageStatus.QUEUED, campaign__status=CampaignStatus.COMPLETED)
    for campaign in Campaign.objects.filter(pk__in=waiting.values("campaign")):
        lifecycle.reopen_if_waiting(campaign)


def wake_waiting() -> None:
    """Wake what waits and has no worker; complete what has nothing left to wait for."""
    closed = closed_gateways()
    for campaign in Campaign.objects.filter(status=CampaignStatus.FREEZING):
        wake("freeze_campaign", campaign.pk)
    for campaign in Campaign.objects.filter(status=CampaignStatus.SENDING):
        if lifecycle.complete_if_done(campaign.pk) or campaign.launch["gateway"] in closed:
            continue
        messages = SentMessage.objects.filter(campaign=campaign)
        worked_on = messages.filter(
            status__in=[MessageStatus.CLAIMED, MessageStatus.SENDING], lease_expires_at__gt=Now()
        ).exists()
        if not worked_on and claimable(messages.filter(may_be_claimed(campaign))).exists():
            lifecycle.wake_campaign(campaign)
    if claimable(SentMessage.objects.filter(campaign=None)).exclude(gateway__in=closed).exists():
        wake("send_urgent")


def wake_imports() -> None:
    """Take up imports whose worker is gone."""
    for pk, status in importing.stalled_imports():
        wake(IMPORT_TASKS[ImportStatus(status)], pk)


def wake_bulk_actions() -> None:
    """Take up bulk actions whose worker is gone."""
    for pk in bulk.stalled():
        wake("run_bulk_action", pk)


def wake_forecasts() -> None:
    """Take up forecasts whose workers are gone."""
    for pk in forecasts.stalled():
        wake("count_forecast", pk)


def wake_past_days() -> None:
    """Count on where the figures by day do not reach back to the first message."""
    if past_days.is_waiting():
        wake("count_past_days")


def wake_replies() -> None:
    """Take up incoming messages that nobody has worked off, and mails that could not be sent."""
    now = timezone.now()
    if InboundMessage.objects.filter(process_at__lte=now).exists():
        wake("process_replies")
    if Forward.objects.filter(due_at__lte=now).exists():
        wake("send_forwards")


def match_receipts() -> None:
    receipts.match_due_receipts(timezone.now())
