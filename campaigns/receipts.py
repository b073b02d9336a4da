"""
A provider's later word -> the message's state.

Receipts come early, late, twice and out of order. Each is matched against every attempt of a message, by (gateway,
provider's id or our reference, number), kept as an event, and moves a state only up its rank. One that fits no message
yet is kept and tried again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from sms_backends import DeliveryReceipt, DeliveryStatus, Reason
from sms_backends.phone_numbers import canonical

from .gateway_control import pause_gateway
from .models import (
    Attempt,
    EventKind,
    MessageEvent,
    MessageStatus,
    SentMessage,
    UnmatchedReceipt,
    may_become,
)
from .sending.record import note_sent_twice
from .storable import storable_json, storable_text

#: What a provider's word makes of a message. An unmapped one changes nothing.
MEANING = {
    DeliveryStatus.ACCEPTED: MessageStatus.SENT,
    DeliveryStatus.DELIVERED: MessageStatus.DELIVERED,
    DeliveryStatus.UNDELIVERED: MessageStatus.UNDELIVERED,
    DeliveryStatus.EXPIRED: MessageStatus.EXPIRED,
    DeliveryStatus.REJECTED: MessageStatus.REJECTED,
}
#: When a receipt that fits no message is tried again, in seconds after the last time; then it is only kept.
RETRY_SECONDS = (10, 60, 300, 1800, 7200, 43200)


def receive(gateway: str, receipts: Sequence[DeliveryReceipt]) -> int:
    """Apply receipts of a gateway, keep those that fit no message. Returns how many found theirs. Safe to repeat."""
    matched = 0
    for receipt in receipts:
        if apply(gateway, receipt):
            matched += 1
        else:
            _keep(gateway, receipt)
    return matched


def apply(gateway: str, receipt: DeliveryReceipt) -> bool:
    """Apply one receipt to its message, in one transaction. False when there is no such message yet."""
    with transaction.atomic():
        attempt = _attempt_of(gateway, receipt)
        if attempt is None:
            return False
        message = SentMessage.objects.select_for_update().get(pk=attempt.message_id)
        if _keep_event(message, receipt):
            _move(message, attempt, receipt)
            if receipt.account_level:
                reason = str(receipt.reason or Reason.UNKNOWN)
                pause_gateway(gateway, reason=reason, text=receipt.provider_text or receipt.provider_status)
    return True


def _attempt_of(gateway: str, receipt: DeliveryReceipt) -> Attempt | None:
    """The attempt that this receipt speaks of: several recipients may share one id, so the number decides."""
    ids = [storable_text(known, 100) for known in (receipt.provider_message_id, receipt.reference) if known]
    if not ids:
        return None
    number = canonical_of(receipt.phone_number)
    return (
        Attempt.objects.filter(Q(provider_message_id__in=ids) | Q(reference__in=ids), gateway=gateway)
        .filter(message__canonical_number=number)
        .order_by("-pk")
        .first()
    )


def canonical_of(phone_number: str) -> str:
    """Providers write numbers with or without the plus."""
    digits = "".join(character for character in phone_number if character.isdigit())
    return canonical(f"+{digits}")


def _keep_event(message: SentMessage, receipt: DeliveryReceipt) -> bool:
    """Store the receipt with its message. False when this very receipt is there already."""
    _event, created = MessageEvent.objects.get_or_create(
        message=message,
        fingerprint=_fingerprint(receipt),
        defaults={"kind": EventKind.RECEIPT, "at": receipt.at or timezone.now(), "payload": as_payload(receipt)},
    )
    return created


def _fingerprint(receipt: DeliveryReceipt) -> str:
    facts = (
        receipt.provider_message_id,
        receipt.status,
        receipt.provider_status,
        receipt.provider_code,
        receipt.at.isoformat() if receipt.at else "",
    )
    return hashlib.sha256(storable_text("\x1f".join(map(str, facts))).encode()).hexdigest()


def _move(message: SentMessage, attempt: Attempt, receipt: DeliveryReceipt) -> None:
    target = MEANING.get(receipt.status)
    if target is None:
        return
    if target != MessageStatus.REJECTED:
        note_sent_twice(message, attempt)
    negative = target not in {MessageStatus.SENT, MessageStatus.DELIVERED}
    offered_again = message.reference != attempt.reference
    if message.status not in may_become(target) or (negative and offered_again):
        # A later attempt decides whether the text arrives. What happened to an earlier one is kept as an event.
        message.save(update_fields=["sent_twice"])
        return
    message.status = target
    message.status_at = timezone.now()
    message.sent_at = message.sent_at or receipt.at or timezone.now()
    message.provider_message_id = message.provider_message_id or storable_text(receipt.provider_message_id, 100)
    message.claim_token, message.lease_expires_at, message.not_before = "", None, None
    message.reason = str(receipt.reason or Reason.UNKNOWN) if negative else ""
    message.reason_text = storable_text(receipt.provider_text or receipt.provider_status) if negative else ""
    if target != MessageStatus.SENT:
        message.next_poll_at, message.receipt_overdue = None, False
    message.save()


def as_payload(receipt: DeliveryReceipt) -> dict[str, Any]:
    """A receipt as it is stored."""
    payload = {
        "provider_message_id": receipt.provider_message_id,
        "phone_number": receipt.phone_number,
        "status": str(receipt.status),
        "provider_status": receipt.provider_status,
        "reason": str(receipt.reason) if receipt.reason else "",
        "provider_code": receipt.provider_code,
        "provider_text": receipt.provider_text,
        "reference": receipt.reference,
        "at": receipt.at.isoformat() if receipt.at else None,
        "account_level": receipt.account_level,
        "raw": receipt.raw,
    }
    return {name: storable_json(value) for name, value in payload.items()}


def from_payload(payload: dict[str, Any]) -> DeliveryReceipt:
    """The receipt that `as_payload()` stored."""
    at = parse_datetime(payload["at"]) if payload["at"] else None
    return DeliveryReceipt(
        **{
            **payload,
            "status": DeliveryStatus(payload["status"]),
            "reason": Reason(payload["reason"]) if payload["reason"] else None,
            "at": at,
        }
    )


def _keep(gateway: str, receipt: DeliveryReceipt) -> None:
    UnmatchedReceipt.objects.create(
        gateway=gateway,
        provider_message_id=storable_text(receipt.provider_message_id, 100),
        phone_number=storable_text(receipt.phone_number, 32),
        payload=as_payload(receipt),
        next_try_at=timezone.now() + timedelta(seconds=RETRY_SECONDS[0]),
    )


def match_early_receipts(gateway: str, provider_ids: Iterable[str]) -> int:
    """Receipts that came before the answer to their request was recorded find their messages now."""
    early = UnmatchedReceipt.objects.filter(gateway=gateway, provider_message_id__in=list(provider_ids))
    return sum(_try_again(unmatched) for unmatched in early)


def match_due_receipts(now: datetime) -> int:
    """Try again the kept receipts whose time has come, the longest waiting first."""
    due = UnmatchedReceipt.objects.filter(next_try_at__lte=now).order_by("next_try_at", "pk")[:1000]
    return sum(_try_again(unmatched) for unmatched in due)


def _try_again(unmatched: UnmatchedReceipt) -> bool:
    if apply(unmatched.gateway, from_payload(unmatched.payload)):
        unmatched.delete()
        return True
    unmatched.try_count += 1
    last = unmatched.try_count >= len(RETRY_SECONDS)
    unmatched.next_try_at = None if last else timezone.now() + timedelta(seconds=RETRY_SECONDS[unmatched.try_count])
    unmatched.save(update_fields=["try_count", "next_try_at"])
    return False
