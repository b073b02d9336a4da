"""
What people write back: stored as it came, once, with whom and what it answers.

What follows from it is worked off right after (`reply_processing`), by whoever stored it as far as that is quick, and
by a worker or the sweeper otherwise: a lost worker loses no opt-out.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence

from django.db import transaction
from django.utils import timezone

from sms_backends import IncomingSms
from sms_backends.phone_numbers import InvalidPhoneNumber, canonical, parse, spellings

from .models import BILLABLE, Contact, InboundMessage, MessageStatus, Purpose, SentMessage
from .pseudonyms import pseudonyms_of
from .storable import storable_json, storable_text
from .wakeups import wake

logger = logging.getLogger(__name__)

#: What somebody can be answering: it was handed over.
_HANDED_OVER = BILLABLE | {MessageStatus.SENDING, MessageStatus.REJECTED}
#: How far back in the messages to a number it is looked for.
_LOOKED_AT = 20
#: The longest that a provider is kept waiting for its answer by what its message means.
QUICKLY_SECONDS = 1.0


def receive(gateway: str, messages: Sequence[IncomingSms]) -> int:
    """Store incoming messages of a gateway, each once however often it is delivered. Returns how many are new."""
    with transaction.atomic():
        stored = [inbound for message in messages if (inbound := _store(gateway, message)) is not None]
        if stored:
            wake("process_replies")
    if stored:
        _process_quickly([inbound.pk for inbound in stored])
    return len(stored)


def _process_quickly(ids: Sequence[int]) -> None:
    """An opt-out should hold at once. What goes wrong here is done again in the background."""
    from .reply_processing import process

    try:
        process(ids, seconds=QUICKLY_SECONDS)
    except Exception:
        logger.exception("Incoming messages were stored, but could not be worked off at once; a worker will.")


def _store(gateway: str, message: IncomingSms) -> InboundMessage | None:
    """The new row; None for one that is there already."""
    number = e164_or_raw(message.phone_number)
    answered = find_answered(gateway, number, message)
    inbound, created = InboundMessage.objects.get_or_create(
        fingerprint=_fingerprint(gateway, message),
        defaults={
            "gateway": gateway,
            "phone_number": storable_text(number, 32),
            "to": storable_text(message.to, 32),
            "text": storable_text(message.text),
            "contact": contact_of(number),
            "provider_message_id": storable_text(message.provider_message_id, 100),
            "in_reply_to": storable_text(message.in_reply_to, 100),
            "handled_as": storable_text(message.handled_as, 10),
            "raw": storable_json(message.raw or {}),
            "received_at": message.at or timezone.now(),
            "answers": answered,
            "campaign_id": answered.campaign_id if answered else None,
        },
    )
    return inbound if created else None


def contact_of(number: str) -> Contact | None:
    """The contact with this number, in whichever of its spellings."""
    if not number.startswith("+"):
        return None
    return Contact.objects.filter(phone_number__in=spellings(canonical(number))).order_by("pk").first()


def find_answered(gateway: str, number: str, message: IncomingSms) -> SentMessage | None:
    """
    The message that this one answers: the one the provider names, else the last that was sent to the number through
    this gateway, from the sender that was written to if that can be told.
    """
    if not number.startswith("+"):
        return None
    numbers = spellings(canonical(number))
    of_number = SentMessage.objects.filter(phone_number__in=[*numbers, *pseudonyms_of(numbers)], gateway=gateway)
    if message.in_reply_to:
        named = of_number.filter(provider_message_id=storable_text(message.in_reply_to, 100)).order_by("-pk").first()
        if named is not None:
            return named
    before = of_number.filter(status__in=_HANDED_OVER).exclude(purpose__in=[Purpose.AUTOMATIC, Purpose.CONFIRMATION])
    latest = list(before.order_by("-pk").only("campaign", "sender_id", "gateway", "purpose")[:_LOOKED_AT])
    to = message.to.lstrip("+")
    from_sender = [one for one in latest if to and one.sender_id.lstrip("+") == to]
    return next(iter(from_sender or latest), None)


def e164_or_raw(raw: str) -> str:
    """Providers write numbers with or without the plus; what is no number (a short code) is kept as it came."""
    try:
        return parse(raw if raw.startswith("+") else f"+{raw}", None).e164
    except InvalidPhoneNumber:
        return raw


def _fingerprint(gateway: str, message: IncomingSms) -> str:
    """
    The provider's id where there is one; else the words, the two numbers and the time say whether it is the same.

    Some providers count ids for each number, so the two numbers are part of it in any case.
    """
    at = message.at.isoformat() if message.at else ""
    facts: tuple[str, ...] = (gateway, message.phone_number, message.to, message.provider_message_id)
    if not message.provider_message_id:
        facts += (at, message.text)
    return hashlib.sha256(storable_text("\x1f".join(facts)).encode()).hexdigest()
