"""
Recover: leases that ran out, and what an operator decides about messages whose outcome nobody knows.

A claimed row was offered to nobody: it simply waits again. A row that was being handed over becomes `unknown`, never
`queued`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from campaigns import audit
from campaigns.models import EventKind, FailureReason, MessageEvent, MessageStatus, SentMessage, User
from campaigns.wakeups import wake
from sms_backends import get_sms_backend

from .requeue import requeue

CHUNK = 500


def expire_leases() -> tuple[int, int]:
    """(rows that wait again, rows that became unknown)."""
    waiting = SentMessage.objects.filter(status=MessageStatus.CLAIMED, lease_expires_at__lte=Now()).update(
        status=MessageStatus.QUEUED, claim_token="", lease_expires_at=None
    )
    unknown = 0
    while found := _mark_unknown():
        unknown += found
    return waiting, unknown


def _mark_unknown() -> int:
    with transaction.atomic():
        expired = list(
            SentMessage.objects.select_for_update()
            .filter(status=MessageStatus.SENDING, lease_expires_at__lte=Now())
            .values_list("pk", flat=True)[:CHUNK]
        )
        SentMessage.objects.filter(pk__in=expired).update(
            status=MessageStatus.UNKNOWN,
            reason=FailureReason.WORKER_LOST,
            reason_text="",
            claim_token="",
            lease_expires_at=None,
            status_at=timezone.now(),
        )
        MessageEvent.objects.bulk_create(
            [MessageEvent(message_id=pk, kind=EventKind.UNKNOWN, payload={"reason": "worker_lost"}) for pk in expired]
        )
    return len(expired)


def settle_time(gateway: str) -> timedelta:
    """How long the provider may still take a request after which no answer came; no resend before it is over."""
    return timedelta(seconds=get_sms_backend(gateway).capabilities.settle_seconds)


def resend_unknown(ids: Iterable[int], *, actor: User | None) -> int:
    """
    The operator decides to send these unknown messages again, at the risk that somebody gets the text twice.

    Rows that are not unknown any more, were decided upon, or became so too recently are left out. Returns how many go.
    """
    total = 0
    with transaction.atomic():
        rows = list(SentMessage.objects.select_for_update().filter(pk__in=list(ids), status=MessageStatus.UNKNOWN))
        ready = [row for row in rows if row.status_at and row.status_at + settle_time(row.gateway) <= timezone.now()]
        requeue(ready)
        for row in ready:
            row.reason = row.reason_text = ""
            row.save()
            total += 1
        MessageEvent.objects.bulk_create(
            [MessageEvent(message=row, kind=EventKind.RESEND, payload={"by": str(actor or "")}) for row in ready]
        )
        if ready:
            audit.record("resend_unknown", actor=actor, campaign=ready[0].campaign, details={"messages": total})
            wake("send_urgent")
    return total


def leave_unknown(ids: Iterable[int], *, actor: User | None) -> int:
    """The operator decides not to send these again: they stay unknown and are not asked about any more."""
    with transaction.atomic():
        rows = list(SentMessage.objects.filter(pk__in=list(ids), status=MessageStatus.UNKNOWN))
        MessageEvent.objects.bulk_create(
            [
                MessageEvent(message=row, kind=EventKind.LEFT, fingerprint="left", payload={"by": str(actor or "")})
                for row in rows
            ],
            ignore_conflicts=True,
        )
        if rows:
            audit.record("leave_unknown", actor=actor, campaign=rows[0].campaign, details={"messages": len(rows)})
    return len(rows)
