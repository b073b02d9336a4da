"""
Recover: leases that ran out, and what an operator decides about messages whose outcome nobody knows.

A claimed row was offered to nobody: it simply waits again. A row that was being handed over becomes `unknown`, never
`queued`.
"""

from __future__ import annotations

from collections.abc import Iterable

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from campaigns import audit
from campaigns.audience import opted_out_numbers
from campaigns.models import EventKind, FailureReason, MessageEvent, MessageStatus, SentMessage, User
from campaigns.wakeups import wake

from .doubt import ask_about, settle_time
from .leases import LEASE
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


def cut_leases() -> int:
    """After the clock was set back: let leases end when they would have. Returns how many it were."""
    return SentMessage.objects.filter(
        status__in=[MessageStatus.CLAIMED, MessageStatus.SENDING], lease_expires_at__gt=Now() + LEASE
    ).update(lease_expires_at=Now() + LEASE)


def _mark_unknown() -> int:
    with transaction.atomic():
        gateways = dict(
            SentMessage.objects.select_for_update()
            .filter(status=MessageStatus.SENDING, lease_expires_at__lte=Now())
            .values_list("pk", "gateway")[:CHUNK]
        )
        expired = list(gateways)
        SentMessage.objects.filter(pk__in=expired, status=MessageStatus.SENDING).update(
            status=MessageStatus.UNKNOWN,
            reason=FailureReason.WORKER_LOST,
            reason_text="",
            claim_token="",
            lease_expires_at=None,
            status_at=timezone.now(),
        )
        for gateway in set(gateways.values()):
            ask_about([pk for pk, alias in gateways.items() if alias == gateway], gateway)
        MessageEvent.objects.bulk_create(
            [MessageEvent(message_id=pk, kind=EventKind.UNKNOWN, payload={"reason": "worker_lost"}) for pk in expired]
        )
    return len(expired)


def resend_unknown(ids: Iterable[int], *, actor: User | None) -> int:
    """
    The operator decides to send these unknown messages again, at the risk that somebody gets the text twice.

    Left out are rows that are not unknown any more, were decided upon or became so too recently, those of people who
    have opted out meanwhile and of cancelled campaigns: they stay unknown. Returns how many go.
    """
    with transaction.atomic():
        ready = [
            row
            for row in _undecided(ids)
            if row.status_at and row.status_at + settle_time(row.gateway) <= timezone.now()
        ]
        opted_out = opted_out_numbers({row.canonical_number for row in ready})
        ready = [row for row in ready if row.canonical_number not in opted_out]
        requeue(ready)
        going = [row for row in ready if row.status == MessageStatus.QUEUED]
        for row in going:
            row.reason = row.reason_text = ""
            row.next_lookup_at = row.not_found_at = None
            row.save()
        MessageEvent.objects.bulk_create(
            [MessageEvent(message=row, kind=EventKind.RESEND, payload={"by": str(actor or "")}) for row in going]
        )
        if going:
            audit.record("resend_unknown", actor=actor, campaign=going[0].campaign, details={"messages": len(going)})
            wake("sweep")
    return len(going)


def _undecided(ids: Iterable[int]) -> list[SentMessage]:
    """The unknown among these that nobody has decided to leave, locked: of two decisions at once one counts."""
    rows = _lock_unknown(ids)
    # Asked under the lock: whoever decided before has written it down by now.
    left = MessageEvent.objects.filter(message__in=rows, kind=EventKind.LEFT)
    decided = set(left.values_list("message_id", flat=True))
    return [row for row in rows if row.pk not in decided]


def _lock_unknown(ids: Iterable[int]) -> list[SentMessage]:
    """Without those that are sent again in a campaign of their own."""
    unknown = SentMessage.objects.select_for_update().filter(pk__in=list(ids), status=MessageStatus.UNKNOWN)
    return list(unknown.filter(superseded_by=None).order_by("pk"))


def leave_unknown(ids: Iterable[int], *, actor: User | None) -> int:
    """The operator decides not to send these again: they stay unknown and are not asked about any more."""
    with transaction.atomic():
        rows = _lock_unknown(ids)
        MessageEvent.objects.bulk_create(
            [
                MessageEvent(message=row, kind=EventKind.LEFT, fingerprint="left", payload={"by": str(actor or "")})
                for row in rows
            ],
            ignore_conflicts=True,
        )
        SentMessage.objects.filter(pk__in=[row.pk for row in rows]).update(next_lookup_at=None)
        if rows:
            audit.record("leave_unknown", actor=actor, campaign=rows[0].campaign, details={"messages": len(rows)})
    return len(rows)
