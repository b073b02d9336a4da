"""
Sending again to those whom a campaign did not reach: its failed, undelivered and unknown messages go into a child.

Nobody who was reached is in it. A message of the parent is *superseded* by its row in the child, in the transaction
that writes that row and under the parent row's lock, so that it goes into one child only and never back into the queue.
What is heard of it later still counts: the child's intent looks at the parent once more.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable
from decimal import ROUND_FLOOR, Decimal

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from sms_backends.guard import refusals

from . import approval, audit
from .audience import opted_out_numbers, suppression_reason
from .brakes import BRAKES
from .consent import Rule, held_numbers, rule_for, without_consent
from .lifecycle import LaunchRefused, LifecycleError, NotYetAllowed
from .models import (
    ENDED,
    Campaign,
    CampaignStatus,
    MessageStatus,
    Purpose,
    SentMessage,
    SuppressionReason,
    User,
)
from .preflight import gateway_problems
from .prices import CENT, limit_problems, price_table
from .resendable import GENERATIONS, resendable
from .sending.bulk_update import bulk_update
from .spent import spent_by_campaign
from .wakeups import wake

#: Not the groups: who gets it stands in the parent's rows. Not the end: it has passed, or will too soon. Not the first
#: portion: the text has been tried. The brakes hold for whatever is sent.
_COPIED_TO_CHILD = (
    "body",
    "texts",
    "template",
    "kind",
    "gateway",
    "sender_id",
    "window_start",
    "window_end",
    "window_days",
    "skip_holidays",
    "max_per_second",
    "rate_unit",
    *BRAKES,
)
_COPIED_TO_ROW = (
    "phone_number",
    "canonical_number",
    "contact_id",
    "body",
    "encoding",
    "segment_count",
    "region",
    "time_zone",
    "gateway",
    "sender_id",
)


def make_child(
    campaign: Campaign, statuses: Collection[str], *, actor: User | None, typed: str | None = None
) -> Campaign:
    """
    Send an ended campaign's text again, at once, to its people in these states (of `RESENDABLE`).

    Returns the child, whose rows `sending.freeze` writes. `typed` is the number of people as somebody typed it. Raises
    LifecycleError when there is nobody, LaunchRefused when the gateway cannot be used, and NotYetAllowed for want of
    the number or of an approval.
    """
    if problems := gateway_problems(campaign) + limit_problems(campaign):
        raise LaunchRefused(problems)
    size = approval.measured_again(campaign, statuses)
    with transaction.atomic():
        locked = Campaign.objects.select_for_update().get(pk=campaign.pk)
        if locked.status not in ENDED:
            raise LifecycleError(_("It can be sent again when it has ended."))
        if is_being_resent(locked):
            raise LifecycleError(_("It is being sent again already. Nothing was started a second time."))
        if generation_of(locked) >= GENERATIONS:
            raise LifecycleError(_("It has been sent again too often. Write a new campaign instead."))
        if not resendable(locked, statuses).exists():
            raise LifecycleError(_("There is nobody to send it to again."))
        if obstacle := approval.obstacle_again(locked, size, statuses, typed):
            raise NotYetAllowed(obstacle)
        child = _create_child(locked, statuses, actor)
        details = {"child": child.pk, "to": sorted(map(str, statuses))}
        audit.record("resend", actor=actor, campaign=locked, subject=locked.name, details=details)
        audit.record("launch", actor=actor, campaign=child, subject=child.name, details={"again": locked.pk})
        wake("freeze_campaign", child.pk)
    return child


def _create_child(locked: Campaign, statuses: Collection[str], actor: User | None) -> Campaign:
    # Of whatever campaign: it has ended, so that all of its rows have lower ids.
    last = SentMessage.objects.order_by("-pk").values_list("pk", flat=True).first()
    return Campaign.objects.create(
        name=(_("%(name)s, again") % {"name": locked.name})[:150],
        parent=locked,
        launch={**locked.launch, "resend": sorted(map(str, statuses)), "last_message_id": last or 0},
        launch_token=secrets.token_hex(16),
        launched_at=timezone.now(),
        launched_by=actor,
        created_by=actor,
        status=CampaignStatus.FREEZING,
        spend_limit=left_of_limit(locked),
        **{name: getattr(locked, name) for name in _COPIED_TO_CHILD},
    )


def left_of_limit(campaign: Campaign) -> Decimal | None:
    """
    What a campaign has not spent of its limit: with its child it may cost no more than was agreed to.

    Where that is too little the child pauses, and somebody raises its limit.
    """
    if campaign.spend_limit is None:
        return None
    spent = spent_by_campaign(campaign, price_table(campaign.launch["gateway"]))
    return max(campaign.spend_limit - spent.total, Decimal(0)).quantize(CENT, ROUND_FLOOR)


def generation_of(campaign: Campaign) -> int:
    """0 for a campaign that was written, 1 for its child, and so on."""
    generation, ancestor = 0, campaign
    while ancestor.parent is not None:
        generation, ancestor = generation + 1, ancestor.parent
    return generation


def is_being_resent(campaign: Campaign) -> bool:
    """Whether a child of it is being prepared: until that has ended it is not known who is left."""
    return campaign.children.filter(status=CampaignStatus.FREEZING).exists()


def copy_chunk(child: Campaign, *, limit: int) -> bool:
    """
    Write the next rows of a child that is being prepared, and move its cursor. False when there are no more.

    Only in the transaction that holds the child's lock. The parent's rows are locked, then superseded.
    """
    assert child.parent is not None
    wanted = (
        resendable(child.parent, child.launch["resend"])
        .filter(pk__gt=child.freeze_cursor, pk__lte=child.launch["last_message_id"])
        .order_by("pk")
    )
    ids = list(wanted.values_list("pk", flat=True)[:limit])
    if not ids:
        return False
    list(SentMessage.objects.select_for_update().filter(pk__in=ids).order_by("pk").values_list("pk"))
    # Asked again under the lock: a receipt or an operator may have been quicker.
    parents = list(resendable(child.parent, child.launch["resend"]).filter(pk__in=ids).order_by("pk"))
    rows = SentMessage.objects.bulk_create(_rows(child, parents))
    for parent, row in zip(parents, rows, strict=True):
        parent.superseded_by = row
    bulk_update(parents, ["superseded_by"])
    child.freeze_cursor = ids[-1]
    child.audience += len(rows)
    child.time_zones = sorted({*child.time_zones, *(row.time_zone for row in rows)})
    child.save(update_fields=["freeze_cursor", "audience", "time_zones", "updated_at"])
    return True


def _rows(child: Campaign, parents: Iterable[SentMessage]) -> list[SentMessage]:
    parents = list(parents)
    reasons = _left_out(child, parents)
    prices = price_table(child.launch["gateway"])
    now = timezone.now()
    return [
        SentMessage(
            campaign=child,
            purpose=Purpose.CAMPAIGN,
            status=MessageStatus.SUPPRESSED if parent.pk in reasons else MessageStatus.QUEUED,
            reason=reasons.get(parent.pk, ("", ""))[0],
            reason_text=reasons.get(parent.pk, ("", ""))[1],
            excluded=parent.pk in reasons,
            price=None if parent.pk in reasons else prices.price(parent.phone_number, parent.segment_count),
            created_by_id=child.launched_by_id,
            created_at=now,
            status_at=now,
            **{name: getattr(parent, name) for name in _COPIED_TO_ROW},
        )
        for parent in parents
    ]


def _left_out(child: Campaign, parents: list[SentMessage]) -> dict[int, tuple[str, str]]:
    """Why somebody must not be written to any more, by the parent's row: reason, and in words."""
    opted_out = opted_out_numbers({row.canonical_number for row in parents})
    refused = refusals({row.phone_number for row in parents})
    rule = rule_for(child.launch["kind"])
    without: set[int] = set()
    held: set[str] = set()
    if rule != Rule.NOTHING:
        lacking = SentMessage.objects.filter(without_consent(rule), pk__in=[row.pk for row in parents])
        without = set(lacking.values_list("pk", flat=True))
        held = held_numbers({row.canonical_number for row in parents})
    found: dict[int, tuple[str, str]] = {}
    for row in parents:
        if row.canonical_number in opted_out:
            found[row.pk] = (SuppressionReason.OPTED_OUT, "")
        elif row.pk in without:
            found[row.pk] = (SuppressionReason.NO_CONSENT, "")
        elif row.canonical_number in held:
            found[row.pk] = (SuppressionReason.UNDER_REVIEW, "")
        elif row.phone_number in refused:
            refusal = refused[row.phone_number]
            found[row.pk] = (suppression_reason(refusal), str(refusal))
    return found
