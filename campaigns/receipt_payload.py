"""What a receipt says in our words, and how it is stored."""

from __future__ import annotations

import hashlib
from typing import Any

from django.utils.dateparse import parse_datetime

from sms_backends import DeliveryReceipt, DeliveryStatus, Reason

from .models import MessageStatus
from .storable import storable_json, storable_text

#: What a provider's word makes of a message. An unmapped one changes nothing.
MEANING = {
    DeliveryStatus.ACCEPTED: MessageStatus.SENT,
    DeliveryStatus.DELIVERED: MessageStatus.DELIVERED,
    DeliveryStatus.UNDELIVERED: MessageStatus.UNDELIVERED,
    DeliveryStatus.EXPIRED: MessageStatus.EXPIRED,
    DeliveryStatus.REJECTED: MessageStatus.REJECTED,
}


def meaning_of(receipt: DeliveryReceipt) -> MessageStatus | None:
    """The state that it reports; None for a word that has no meaning for us."""
    return MEANING.get(receipt.status)


def is_bad_news(receipt: DeliveryReceipt) -> bool:
    """Whether the text did not arrive, and will not."""
    return meaning_of(receipt) not in {MessageStatus.SENT, MessageStatus.DELIVERED, None}


def reason_of(receipt: DeliveryReceipt) -> tuple[str, str]:
    """Why it did not arrive, as our reason and in the provider's words; both empty for good news."""
    if not is_bad_news(receipt):
        return "", ""
    return str(receipt.reason or Reason.UNKNOWN), storable_text(receipt.provider_text or receipt.provider_status)


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
        "suppress": receipt.suppress,
        "raw": receipt.raw,
    }
    return {name: storable_json(value) for name, value in payload.items()}


def without_person(payload: dict[str, Any]) -> dict[str, Any]:
    """A stored receipt without what names the person it is about."""
    return {**payload, "phone_number": "", "raw": None, "provider_text": ""}


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


def fingerprint_of(receipt: DeliveryReceipt) -> str:
    """Makes a repeated receipt one event."""
    facts = (
        receipt.provider_message_id,
        receipt.status,
        receipt.provider_status,
        receipt.provider_code,
        receipt.at.isoformat() if receipt.at else "",
    )
    return hashlib.sha256(storable_text("\x1f".join(map(str, facts))).encode()).hexdigest()
