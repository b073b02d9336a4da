"""Passing incoming messages on: to a phone, as an SMS like any other, or by e-mail."""

from __future__ import annotations

import logging
import time
from datetime import timedelta

from django.conf import settings
from django.core.mail import EmailMessage
from django.utils import timezone
from django.utils.translation import gettext as _

from .auto_replies import gateway_for
from .models import Forward, InboundMessage, Purpose, ReplyKeyword, SentMessage
from .single import queue_single
from .wakeups import wake

logger = logging.getLogger(__name__)

#: Waits, in seconds, before a mail that could not be sent is tried again; then it is given up.
RETRY_SECONDS = (60, 300, 1800, 7200, 43200)
#: One phone gets no more passed on than this in an hour: it may be a machine that answers.
MOST_PER_HOUR = 30


def mail_is_set_up() -> bool:
    """Whether mails can be sent."""
    return bool(settings.EMAIL_URL)


def pass_on(inbound: InboundMessage, keyword: ReplyKeyword) -> None:
    """Queue what the keyword says. Call it in the transaction that works the message off."""
    if keyword.forward_to_phone and settings.SMS_FORWARD_TO_PHONES:
        _to_phone(inbound, keyword.forward_to_phone)
    if keyword.forward_to_email and mail_is_set_up():
        Forward.objects.get_or_create(message=inbound, to=keyword.forward_to_email)
        wake("send_forwards")


def _to_phone(inbound: InboundMessage, phone_number: str) -> None:
    hour = timezone.now() - timedelta(hours=1)
    sent = SentMessage.objects.filter(phone_number=phone_number, purpose=Purpose.AUTOMATIC).order_by("-pk")
    if sum(at > hour for at in sent.values_list("created_at", flat=True)[:MOST_PER_HOUR]) >= MOST_PER_HOUR:
        logger.warning("The incoming message %s was not passed on: too many in this hour.", inbound.pk)
        return
    queue_single(
        phone_number,
        f"{inbound.phone_number}: {inbound.text}",
        purpose=Purpose.AUTOMATIC,
        nonce=f"forward-{inbound.pk}",
        gateway=gateway_for(inbound.gateway),
    )


def send_due(*, seconds: float) -> bool:
    """Send mails that are due, for at most about `seconds`. True when there are more."""
    deadline = time.monotonic() + seconds
    for forward in Forward.objects.filter(due_at__lte=timezone.now()).select_related("message").order_by("due_at"):
        _send(forward)
        if time.monotonic() > deadline:
            return True
    return False


def _send(forward: Forward) -> None:
    """A mail may be sent twice when a worker is killed; it is never lost without a word."""
    inbound = forward.message
    mail = EmailMessage(
        subject=_("SMS from %(number)s") % {"number": inbound.phone_number}, body=inbound.text, to=[forward.to]
    )
    try:
        mail.send()
    except Exception:  # of the mail server or the way to it, in whatever library
        if forward.tries >= len(RETRY_SECONDS):
            logger.exception("The incoming message %s could not be passed on by mail and is given up.", inbound.pk)
            forward.delete()
            return
        logger.warning("The incoming message %s could not be passed on by mail yet.", inbound.pk, exc_info=True)
        forward.due_at = timezone.now() + timedelta(seconds=RETRY_SECONDS[forward.tries])
        forward.tries += 1
        forward.save(update_fields=["due_at", "tries"])
        return
    forward.delete()
