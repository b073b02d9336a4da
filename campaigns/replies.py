"""What people write back: stored as it came, once, with the contact it is from."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from django.db import transaction
from django.utils import timezone

from sms_backends import IncomingSms
from sms_backends.phone_numbers import InvalidPhoneNumber, parse

from .models import Contact, InboundMessage
from .storable import storable_json, storable_text


def receive(gateway: str, messages: Sequence[IncomingSms]) -> int:
    """Store incoming messages of a gateway, each once however often it is delivered. Returns how many are new."""
    with transaction.atomic():
        return sum(_store(gateway, message) for message in messages)


def _store(gateway: str, message: IncomingSms) -> bool:
    number = _e164(message.phone_number)
    _inbound, created = InboundMessage.objects.get_or_create(
        fingerprint=_fingerprint(gateway, message),
        defaults={
            "gateway": gateway,
            "phone_number": storable_text(number, 32),
            "to": storable_text(message.to, 32),
            "text": storable_text(message.text),
            "contact": Contact.objects.filter(phone_number=number).first() if number.startswith("+") else None,
            "provider_message_id": storable_text(message.provider_message_id, 100),
            "raw": storable_json(message.raw or {}),
            "received_at": message.at or timezone.now(),
        },
    )
    return created


def _e164(raw: str) -> str:
    """Providers write numbers with or without the plus; what is no number (a short code) is kept as it came."""
    try:
        return parse(raw if raw.startswith("+") else f"+{raw}", None).e164
    except InvalidPhoneNumber:
        return raw


def _fingerprint(gateway: str, message: IncomingSms) -> str:
    """The provider's id where there is one; else the words, the two numbers and the time say whether it is the same."""
    at = message.at.isoformat() if message.at else ""
    facts = (gateway, message.phone_number, message.to, message.provider_message_id, at, message.text)
    return hashlib.sha256(storable_text("\x1f".join(facts)).encode()).hexdigest()
