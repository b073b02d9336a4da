"""
The only place where a campaign changes state.

    draft -> scheduled -> freezing -> sending -> completed
    draft ------------^      |  ^        |  ^
                             v  |        v  |
                            paused      paused          any but draft and completed -> cancelled

Every change locks the campaign's row, names the states it may start from, and writes who did it.
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from . import approval, audit, brakes
from .forecasting.running import known_now
from .models import (
    CANCELLABLE,
    EDITABLE,
    PENDING,
    RUNNING,
    Campaign,
    CampaignStatus,
    Contact,
    LateStart,
    MessageStatus,
    SentMessage,
    User,
)
from .preflight import group_ids, launch_problems
from .prices import limit_problems
from .smart_groups import smart_conditions
from .wakeups import wake

#: How many sending tasks a campaign is woken with; each queues itself again while there is work.
SENDERS = 2
CANCEL_CHUNK = 5000
#: A campaign that starts later than planned by more than this is late: nothing was running here.
LATE = timedelta(minutes=5)
_CHANGED = gettext_lazy("The campaign was changed by somebody else in this moment. Look at it again, then repeat.")


class LifecycleError(Exception):
    """The campaign's state does not allow this; the message says so to the operator."""


class LaunchRefused(LifecycleError):
    """The campaign cannot be sent as it is. `problems` are sentences that say what to mend."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__(" ".join(problems))
        self.problems = problems


class NotYetAllowed(LifecycleError):
    """So large a campaign needs the number typed, or the approval of a second person, as the installation has it."""


def allowed_actions(campaign: Campaign) -> set[str]:
    """What an operator can do with a campaign in its present state."""
    by_status: dict[str, set[str]] = {
        CampaignStatus.DRAFT: {"launch", "schedule"},
        CampaignStatus.SCHEDULED: {"launch", "schedule", "unschedule", "cancel"},
        CampaignStatus.FREEZING: {"pause", "cancel"},
        CampaignStatus.SENDING: {"pause", "cancel"},
        CampaignStatus.PAUSED: {"resume", "cancel"},
        CampaignStatus.COMPLETED: {"resend"},
        CampaignStatus.CANCELLED: {"resend"},
    }
    return by_status.get(campaign.status, set()) | {"duplicate", "test"}


def _locked(campaign: Campaign) -> Campaign:
    return Campaign.objects.select_for_update().get(pk=campaign.pk)


def _require(campaign: Campaign, allowed: frozenset[Any], refusal: str) -> None:
    if campaign.status not in allowed:
        raise LifecycleError(refusal % {"status": campaign.get_status_display()})


def _check_and_lock(campaign: Campaign) -> Campaign:
    """
    The locked row of a campaign that may be launched. Only inside a transaction.

    The checks read many contacts, so they run before the lock; a change in between is noticed and refused.
    """
    locked = _locked(campaign)
    if locked.updated_at != campaign.updated_at and locked.status in EDITABLE:
        raise LifecycleError(str(_CHANGED))
    return locked


def _refuse_problems(campaign: Campaign) -> Campaign:
    """The campaign as it is now, after its checks; raises LaunchRefused with what must be mended."""
    fresh = Campaign.objects.get(pk=campaign.pk)
    if fresh.status in EDITABLE or not fresh.launch_token:
        problems = launch_problems(fresh, *group_ids(fresh), known_now(fresh))
        if problems:
            raise LaunchRefused(problems)
    return fresh


def _refuse_unapproved(
    locked: Campaign, size: approval.Size | None, starts_at: datetime | None, typed: str | None
) -> None:
    """Only inside the transaction that starts or schedules it."""
    if obstacle := approval.obstacle(locked, size, starts_at, typed):
        raise NotYetAllowed(obstacle)


def launch(campaign: Campaign, *, actor: User | None, typed: str | None = None) -> bool:
    """
    Send now. True when this call started it, False when it had been started before (a double click, two operators).

    Copies the text, groups, conditions, sender and gateway; the rows are then written by `sending.freeze`. `typed` is
    the number of people as somebody typed it. Raises LaunchRefused, and NotYetAllowed for want of that or of an
    approval.
    """
    checked = _refuse_problems(campaign)
    size = approval.measured(checked) if checked.status in EDITABLE else None
    with transaction.atomic():
        locked = _check_and_lock(checked)
        if locked.status == CampaignStatus.CANCELLED:
            raise LifecycleError(_("The campaign is cancelled; it cannot be sent."))
        if locked.status not in EDITABLE:
            return False
        _refuse_unapproved(locked, size, None, typed)
        _start(locked, actor)
        audit.record("launch", actor=actor, campaign=locked, subject=locked.name)
    campaign.refresh_from_db()
    return True


def _start(locked: Campaign, actor: User | None) -> None:
    include, exclude = group_ids(locked)
    last = Contact.objects.order_by("-pk").values_list("pk", flat=True).first()
    locked.launch = {
        "body": locked.body,
        "texts": locked.texts,
        "kind": locked.kind,
        "gateway": locked.gateway,
        "sender_id": locked.sender_id,
        "include_groups": include,
        "exclude_groups": exclude,
        "smart_groups": smart_conditions([*include, *exclude]).stored(),
        "last_contact_id": last or 0,
    }
    locked.launch_token = secrets.token_hex(16)
    locked.freeze_cursor = locked.audience = 0
    locked.time_zones = []
    locked.launched_at = timezone.now()
    locked.launched_by = actor or locked.launched_by
    locked.status = CampaignStatus.FREEZING
    locked.pause_reason, locked.paused_by_engine = "", False
    locked.save()
    wake("freeze_campaign", locked.pk)


def schedule(campaign: Campaign, at: datetime, *, actor: User | None, typed: str | None = None) -> None:
    """Send at a later time. Raises LifecycleError for a time in the past, otherwise as `launch()`."""
    if at <= timezone.now():
        raise LifecycleError(_("This time has passed. Choose a later one, or send now."))
    checked = _refuse_problems(campaign)
    if checked.ends_at is not None and at >= checked.ends_at:
        raise LifecycleError(_("It would start after its own end. Choose an earlier time, or a later end."))
    size = approval.measured(checked) if checked.status in EDITABLE else None
    with transaction.atomic():
        locked = _check_and_lock(checked)
        _require(locked, EDITABLE, _("The campaign is %(status)s; it cannot be scheduled any more."))
        _refuse_unapproved(locked, size, at, typed)
        locked.status, locked.scheduled_at, locked.launched_by = CampaignStatus.SCHEDULED, at, actor
        locked.save()
        audit.record("schedule", actor=actor, campaign=locked, subject=locked.name, details={"at": at.isoformat()})
    campaign.refresh_from_db()


def unschedule(campaign: Campaign, *, actor: User | None) -> None:
    """Make a scheduled campaign a draft again."""
    with transaction.atomic():
        locked = _locked(campaign)
        _require(
            locked,
            frozenset({CampaignStatus.SCHEDULED}),
            _("The campaign is %(status)s; it is not waiting for its time."),
        )
        locked.status, locked.scheduled_at = CampaignStatus.DRAFT, None
        locked.save()
        audit.record("unschedule", actor=actor, campaign=locked, subject=locked.name)
    campaign.refresh_from_db()


def start_due(campaign: Campaign) -> None:
    """
    Start a scheduled campaign whose time has come; one that cannot be sent is paused with the reason.

    Does nothing if an operator has changed his mind meanwhile: unscheduled it, or chosen a later time.
    """
    problems = launch_problems(campaign, *group_ids(campaign)) + _scheduler_problems(campaign)
    size = None if problems else approval.measured(campaign)
    with transaction.atomic():
        locked = _locked(campaign)
        at = locked.scheduled_at
        if locked.status != CampaignStatus.SCHEDULED or at is None or at > timezone.now():
            return
        if locked.updated_at != campaign.updated_at:
            return  # the checks were of another text; the next minute sees the new one
        if timezone.now() - at > LATE and locked.late_start != LateStart.SEND:
            _do_not_start(locked, at)
            return
        if problems:
            _pause(locked, actor=None, reason=" ".join(problems), by_engine=True)
            return
        if obstacle := approval.obstacle(locked, size, at, approval.TYPED_BEFORE):
            _pause(locked, actor=None, reason=obstacle, by_engine=True)
            return
        _start(locked, None)
        audit.record("launch", campaign=locked, subject=locked.name)


def _scheduler_problems(campaign: Campaign) -> list[str]:
    """Why nobody answers for the start any more: whoever scheduled it has lost the permission since."""
    user = campaign.launched_by
    if user is None or user.has_perm("campaigns.launch_campaign"):
        return []
    return [_("%(user)s, who scheduled it, may not send campaigns any more.") % {"user": user}]


def _do_not_start(locked: Campaign, at: datetime) -> None:
    """Nothing was running here at the time of the start; whoever wrote the campaign did not want it sent late."""
    reason = _("It should have started at %(time)s, but nothing was running here then.") % {
        "time": date_format(timezone.localtime(at), "SHORT_DATETIME_FORMAT")
    }
    if locked.late_start == LateStart.ASK:
        _pause(locked, actor=None, reason=reason, by_engine=True)
        return
    locked.status, locked.ended_at, locked.pause_reason = CampaignStatus.CANCELLED, timezone.now(), reason
    locked.save()
    audit.record("cancel", campaign=locked, subject=locked.name, details={"reason": reason})


def pause(campaign: Campaign, *, actor: User | None, reason: str = "", by_engine: bool = False) -> None:
    """Hand over nothing more from the next request on. What was handed over is still recorded."""
    with transaction.atomic():
        locked = _locked(campaign)
        _require(locked, RUNNING, _("The campaign is %(status)s; only a running campaign can be paused."))
        _pause(locked, actor=actor, reason=reason, by_engine=by_engine)
    campaign.refresh_from_db()


def _pause(locked: Campaign, *, actor: User | None, reason: str, by_engine: bool) -> None:
    locked.status, locked.pause_reason, locked.paused_by_engine = CampaignStatus.PAUSED, reason, by_engine
    locked.save()
    audit.record("pause", actor=actor, campaign=locked, subject=locked.name, details={"reason": reason})


def resume(campaign: Campaign, *, actor: User | None) -> None:
    """Go on from where it was paused."""
    checked = _refuse_problems(campaign)
    size = None if checked.launch_token else approval.measured(checked)
    with transaction.atomic():
        locked = _locked(checked)
        _require(locked, frozenset({CampaignStatus.PAUSED}), _("The campaign is %(status)s; it is not paused."))
        if not locked.launch_token:
            _refuse_unapproved(locked, size, locked.scheduled_at, approval.TYPED_BEFORE)
        audit.record("resume", actor=actor, campaign=locked, subject=locked.name)
        if not locked.launch_token:
            _start(locked, actor)
        else:
            locked.status = CampaignStatus.SENDING if locked.frozen_at else CampaignStatus.FREEZING
            locked.pause_reason, locked.paused_by_engine = "", False
            locked.brake_base, locked.brakes_passed = brakes.base_when_resumed(locked), []
            locked.save()
            wake_campaign(locked)
    campaign.refresh_from_db()


def wake_campaign(campaign: Campaign) -> None:
    """Queue the tasks that a running campaign needs now."""
    if campaign.status == CampaignStatus.FREEZING:
        wake("freeze_campaign", campaign.pk)
    elif campaign.status == CampaignStatus.SENDING:
        for _sender in range(SENDERS):
            wake("send_campaign", campaign.pk)


def cancel(campaign: Campaign, *, actor: User | None) -> None:
    """Stop for good. What was not handed over becomes `cancelled`; what was is still recorded."""
    with transaction.atomic():
        locked = _locked(campaign)
        _require(
            locked,
            frozenset({CampaignStatus.SCHEDULED, CampaignStatus.PAUSED}) | RUNNING,
            _("The campaign is %(status)s; there is nothing to cancel."),
        )
        locked.status, locked.ended_at = CampaignStatus.CANCELLED, timezone.now()
        locked.save()
        audit.record("cancel", actor=actor, campaign=locked, subject=locked.name)
    cancel_waiting(locked)
    campaign.refresh_from_db()


def cancel_waiting(campaign: Campaign) -> int:
    """Cancel what is still waiting in a cancelled campaign, in chunks; the sweeper repeats it after a crash."""
    total = 0
    while True:
        waiting = SentMessage.objects.filter(campaign=campaign, status__in=CANCELLABLE)
        ids = list(waiting.values_list("pk", flat=True)[:CANCEL_CHUNK])
        changed = SentMessage.objects.filter(pk__in=ids, status__in=CANCELLABLE).update(
            status=MessageStatus.CANCELLED,
            reason="",
            reason_text="",
            claim_token="",
            lease_expires_at=None,
            status_at=timezone.now(),
        )
        total += changed
        if not changed:
            return total


def finish_freezing(locked: Campaign) -> None:
    """All rows are written: sending may begin. Called by `sending.freeze` with the campaign's row locked."""
    locked.status, locked.frozen_at = CampaignStatus.SENDING, timezone.now()
    locked.canary_last_id = brakes.canary_boundary(locked)
    locked.save()
    wake_campaign(locked)


def complete_if_done(campaign_id: int) -> bool:
    """
    Completed means that nothing is queued, claimed or being handed over, and nothing unknown is being looked up.

    What is unknown and cannot be looked up waits for an operator; the campaign does not.
    """
    sending = Campaign.objects.filter(pk=campaign_id, status=CampaignStatus.SENDING)
    messages = SentMessage.objects.filter(campaign=campaign_id)
    pending = messages.filter(status__in=PENDING)
    settling = messages.filter(status=MessageStatus.UNKNOWN, next_lookup_at__isnull=False)
    if pending.exists() or settling.exists():
        return False
    with transaction.atomic():
        # Locked first and looked at in a statement of its own: a message that is put back into the queue at this very
        # moment holds the same lock, and must be seen.
        locked = sending.select_for_update().first()
        if locked is None or pending.exists() or settling.exists():
            return False
        locked.status, locked.ended_at = CampaignStatus.COMPLETED, timezone.now()
        locked.canary_last_id = None  # whoever is sent it again later need not wait for the first portion
        locked.save()
        audit.record("completed", campaign=locked, subject=locked.name)
    return True


def reopen_if_waiting(campaign: Campaign) -> bool:
    """Let a completed campaign run that has waiting messages all the same, whatever put them there."""
    with transaction.atomic():
        locked = _locked(campaign)
        waiting = SentMessage.objects.filter(campaign=locked, status__in=PENDING).exists()
        if locked.status != CampaignStatus.COMPLETED or not waiting:
            return False
        run_again(locked)
        audit.record("reopened", campaign=locked, subject=locked.name)
    return True


def run_again(locked: Campaign) -> None:
    """A completed campaign has waiting messages again (an operator's resend). Its row is locked by the caller."""
    locked.status, locked.ended_at = CampaignStatus.SENDING, None
    locked.save()
    wake_campaign(locked)


def set_spend_limit(campaign: Campaign, limit: Decimal | None, *, actor: User | None) -> None:
    """
    Let a campaign that was launched cost no more than this altogether, from the next portion on. None: no limit.

    A campaign that was paused at its limit waits until it is resumed. Raises LifecycleError.
    """
    with transaction.atomic():
        locked = _locked(campaign)
        if locked.has_ended:
            raise LifecycleError(_("The campaign is %(status)s.") % {"status": locked.get_status_display()})
        before, locked.spend_limit = locked.spend_limit, limit
        if limit is not None and (problems := limit_problems(locked)):
            raise LifecycleError(" ".join(problems))
        locked.save()
        pair = tuple(None if amount is None else str(amount) for amount in (before, limit))
        changes = {gettext_lazy("spend limit"): (pair[0], pair[1])}
        audit.record("spend_limit", actor=actor, campaign=locked, subject=locked.name, changes=changes)
    campaign.refresh_from_db()
