"""
Answers that nobody writes: what they say, and when there must be none.

Two machines that answer each other would go on for ever, at our cost. So nothing is answered to what a machine wrote,
to senders that are no phone, to words of our own that come back, and to what is old; and no number gets more than a few
automatic answers in a time, whatever it writes.
"""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from sms_backends import gateways
from sms_backends.phone_numbers import InvalidPhoneNumber, canonical, parse, spellings

from . import keywords
from .keyword_packs import REPLIES
from .models import AutomaticReply, InboundMessage, Meaning, Purpose, SentMessage
from .single import queue_single

#: No number gets more automatic answers than this within the time: (answers, time).
LIMITS = ((3, timedelta(minutes=15)), (10, timedelta(days=1)))
#: After a longer time (nothing was running here) an answer would only be odd.
ANSWERED_WITHIN = timedelta(hours=12)
AUTOMATIC = (Purpose.AUTOMATIC, Purpose.CONFIRMATION)


def answer(
    inbound: InboundMessage, text: str, *, purpose: Purpose = Purpose.AUTOMATIC, nonce: str = ""
) -> SentMessage | None:
    """Queue an automatic answer, at most one for each incoming message. None where there must be none."""
    if not text.strip() or not may_answer(inbound):
        return None
    message, _is_new = queue_single(
        inbound.phone_number,
        text,
        purpose=purpose,
        nonce=nonce or f"answer-{inbound.pk}",
        gateway=gateway_for(inbound.gateway),
        sender_id=inbound.answers.sender_id if inbound.answers else "",
    )
    return message


def gateway_for(alias: str) -> str:
    """The gateway that a message came in by, or the usual one if it is not configured any more."""
    return alias if alias in gateways else "default"


def may_answer(inbound: InboundMessage) -> bool:
    """Whether a machine may answer this."""
    return (
        is_phone(inbound.phone_number)
        and inbound.received_at > timezone.now() - ANSWERED_WITHIN
        and not keywords.is_automatic(inbound.text)
        and not _is_echo(inbound)
        and not _too_many(inbound.phone_number)
    )


def is_phone(number: str) -> bool:
    """False for short codes and names: nobody there reads an answer."""
    try:
        parse(number, None)
    except InvalidPhoneNumber:
        return False
    return number.startswith("+")


def _to_number(number: str) -> list[str]:
    return spellings(canonical(number))


def _is_echo(inbound: InboundMessage) -> bool:
    """What we have just written, sent back: by a machine, or by our own number."""
    said = keywords.normalised(inbound.text)
    sent = SentMessage.objects.filter(phone_number__in=_to_number(inbound.phone_number)).order_by("-pk")
    is_long = len(said.split()) > 2  # a keyword may be all that somebody was sent
    return is_long and any(keywords.normalised(text) == said for text in sent.values_list("body", flat=True)[:5])


def _too_many(number: str) -> bool:
    most = max(count for count, _time in LIMITS)
    sent = SentMessage.objects.filter(phone_number__in=_to_number(number), purpose__in=AUTOMATIC)
    times = list(sent.order_by("-pk").values_list("created_at", flat=True)[:most])
    now = timezone.now()
    return any(sum(at > now - time for at in times) >= count for count, time in LIMITS)


def text_for(meaning: Meaning, language: str) -> str:
    """The answer to STOP, START or HELP: the installation's own words, else those that come with the product."""
    own = AutomaticReply.objects.filter(meaning=meaning, language=language).values_list("text", flat=True).first()
    return REPLIES[meaning].get(language, "") if own is None else own


def language_for(inbound: InboundMessage, recognised: str) -> str:
    """The language to answer in: the contact's, else that of the word, else the installation's."""
    spoken = inbound.contact.language[:2].lower() if inbound.contact else ""
    known = REPLIES[Meaning.STOP]
    return next((one for one in (spoken, recognised, settings.LANGUAGE_CODE[:2]) if one in known), "en")
