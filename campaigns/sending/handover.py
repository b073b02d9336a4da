"""
Hand over: an intent is committed before each request; only rows that the intent's update returns may be sent.

The intent is the gate: it asks once more, in one statement, for our token and lease, the campaign's state, the gateway
and the opt-outs. From its commit to the recorded answer a row is `sending`; a crash in between leaves it `unknown`,
never queued.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from campaigns.models import (
    Attempt,
    Campaign,
    CampaignStatus,
    GatewayState,
    MessageStatus,
    OptOut,
    SentMessage,
    SuppressionReason,
)
from campaigns.resending import reached_before
from sms_backends import BaseSmsBackend

from .bulk_insert import bulk_insert
from .claim import Claim, ClaimedMessage
from .leases import LEASE
from .update_returning import update_returning

#: A request must begin within this time after its intent: a process that slept longer gives its rows back unsent.
INTENT_SECONDS = 5.0
#: Goes on while the machine sleeps. Where there is none (macOS) the monotonic clock does.
_BOOT_CLOCK: int = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class AttemptKey(NamedTuple):
    """Which row of `Attempt`."""

    message_id: int
    number: int


@dataclass(frozen=True, slots=True)
class Intent:
    """Rows that may be sent in one request under one reference, each with its attempt, in the same order."""

    reference: str
    token: str
    messages: list[ClaimedMessage]
    attempts: list[AttemptKey]
    wall_clock: float
    boot_clock: float

    def is_fresh(self) -> bool:
        """False when this process stood still since the intent: somebody else may hold the rows by now."""
        return (
            0 <= time.time() - self.wall_clock < INTENT_SECONDS
            and time.clock_gettime(_BOOT_CLOCK) - self.boot_clock < INTENT_SECONDS
        )


def write_intent(claim: Claim, messages: Sequence[ClaimedMessage], backend: BaseSmsBackend) -> Intent:
    """
    Claimed -> sending for those that still may go, with an attempt each; the others are suppressed or given back.

    All messages are of one campaign (or of none) and one gateway. Its transaction is over when this returns.
    """
    wall_clock, boot_clock = time.time(), time.clock_gettime(_BOOT_CLOCK)
    reference = backend.new_reference()
    ids = [message.pk for message in messages]
    ours = SentMessage.objects.filter(pk__in=ids, status=MessageStatus.CLAIMED, claim_token=claim.token)
    with transaction.atomic():
        changed = update_returning(
            ours.filter(_may_go(claim)),
            ["id", "attempt_count"],
            status=MessageStatus.SENDING,
            reference=reference,
            attempt_count=F("attempt_count") + 1,
            lease_expires_at=Now() + LEASE,
            not_before=None,
        )
        attempts = [AttemptKey(*row) for row in sorted(changed)]
        _write_attempts(attempts, reference, claim.token, backend)
        if len(attempts) < len(ids):
            _suppress(ours.filter(_opted_out()), SuppressionReason.OPTED_OUT)
            if claim.of_child:
                _suppress(ours.filter(reached_before()), SuppressionReason.REACHED_MEANWHILE)
            ours.update(status=MessageStatus.QUEUED, claim_token="", lease_expires_at=None)
    claim.offered.update(ids)
    by_id = {message.pk: message for message in messages}
    sending = [by_id[attempt.message_id] for attempt in attempts]
    return Intent(reference, claim.token, sending, attempts, wall_clock, boot_clock)


def _write_attempts(attempts: Sequence[AttemptKey], reference: str, token: str, backend: BaseSmsBackend) -> None:
    if attempts:
        bulk_insert(
            Attempt,
            ("message", "number"),
            attempts,
            reference=reference,
            claim_token=token,
            gateway=backend.alias,
            account=backend.account_fingerprint(),
            started_at=timezone.now(),
        )


def _suppress(rows: QuerySet[SentMessage], reason: SuppressionReason) -> None:
    rows.update(
        status=MessageStatus.SUPPRESSED,
        reason=reason,
        reason_text="",
        claim_token="",
        lease_expires_at=None,
        status_at=timezone.now(),
    )


def _opted_out() -> Q:
    return Q(Exists(OptOut.objects.filter(canonical_number=OuterRef("canonical_number"))))


def _may_go(claim: Claim) -> Q:
    """Lease, campaign, gateway and opt-outs, asked in the statement that makes a row `sending`."""
    in_time = Q(ends_at__isnull=True) | Q(ends_at__gt=Now())
    running = Campaign.objects.filter(in_time, pk=OuterRef("campaign"), status=CampaignStatus.SENDING)
    closed = GatewayState.objects.filter(
        Q(paused_at__isnull=False) | Q(held_until__gt=Now()), alias=OuterRef("gateway")
    )
    # Looking back costs more than all the rest, and only the rows of a child have anything to look back upon.
    still_wanted = Q(Exists(running))
    if claim.of_child:
        still_wanted = Q(Exists(running.filter(parent=None))) | (still_wanted & ~reached_before())
    return (
        Q(lease_expires_at__gt=Now()) & (Q(campaign__isnull=True) | still_wanted) & ~Q(Exists(closed)) & ~_opted_out()
    )
