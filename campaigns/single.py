"""Messages to one number without a campaign: quick sends, tests, replies. They are claimed before any bulk."""

from __future__ import annotations

from django.db import IntegrityError, transaction
from django.utils import timezone

from sms_backends.guard import refusals
from sms_backends.phone_numbers import canonical, parse
from sms_backends.segments import segment

from . import audit
from .audience import audience, opted_out_numbers, suppression_reason
from .composing import contact_values
from .languages import Translations, wording
from .models import Campaign, Contact, MessageStatus, Purpose, SentMessage, SuppressionReason, User
from .preflight import group_ids
from .prices import price_table
from .unsubscribing import UNSUBSCRIBE_LINK, unsubscribe_link
from .wakeups import wake


def queue_single(
    phone_number: str,
    text: str,
    *,
    purpose: Purpose,
    actor: User | None = None,
    nonce: str | None = None,
    gateway: str = "default",
    sender_id: str = "",
) -> tuple[SentMessage, bool]:
    """
    Write the row and wake a worker. `phone_number` is E.164.

    The same `nonce` (of a form) gives the same row and False: pressing twice sends once. Somebody who opted out gets a
    suppressed row, but for the confirmation of just that.
    """
    message = _row(phone_number, text, purpose, gateway, sender_id)
    message.nonce, message.created_by = nonce, actor
    try:
        with transaction.atomic():
            message.save(force_insert=True)
            audit.record(f"send_{purpose}", actor=actor, subject=phone_number)
            wake("send_urgent")
    except IntegrityError:
        existing = SentMessage.objects.filter(nonce=nonce).first() if nonce else None
        if existing is None:
            raise
        return existing, False
    return message, True


def _row(phone_number: str, text: str, purpose: Purpose, gateway: str, sender_id: str) -> SentMessage:
    segmentation = segment(text)
    number = parse(phone_number, None)
    reason, words = _why_not(phone_number, purpose)
    return SentMessage(
        purpose=purpose,
        contact=Contact.objects.filter(phone_number=phone_number).first(),
        phone_number=phone_number,
        canonical_number=canonical(phone_number),
        body=text,
        encoding=str(segmentation.encoding),
        segment_count=segmentation.segments,
        region=number.region,
        time_zone=number.time_zone,
        status=MessageStatus.SUPPRESSED if reason else MessageStatus.QUEUED,
        reason=reason,
        reason_text=words,
        gateway=gateway,
        sender_id=sender_id,
        price=None if reason else price_table(gateway).price(phone_number, segmentation.segments),
        status_at=timezone.now(),
    )


def _why_not(phone_number: str, purpose: Purpose) -> tuple[str, str]:
    if purpose != Purpose.CONFIRMATION and opted_out_numbers([canonical(phone_number)]):
        return SuppressionReason.OPTED_OUT, ""
    refused = refusals([phone_number]).get(phone_number)
    return (suppression_reason(refused), str(refused)) if refused else ("", "")


def send_test(campaign: Campaign, phone_number: str, *, actor: User | None, nonce: str | None = None) -> SentMessage:
    """
    Send the campaign's text to one number (E.164), with the values of the first contact who has them all.

    Raises TemplateError when the text is not understood.
    """
    message, _created = queue_single(
        phone_number,
        sample_text(campaign, phone_number),
        purpose=Purpose.TEST,
        actor=actor,
        nonce=nonce,
        gateway=campaign.gateway,
        sender_id=campaign.sender_id,
    )
    return message


def sample_text(campaign: Campaign, phone_number: str) -> str:
    """
    The text as the first of the audience who has every value would get it; names of fields where nobody does.

    A link to opt out is that of the number it goes to: whoever tries it out must not opt out somebody else.
    """
    own = {UNSUBSCRIBE_LINK: unsubscribe_link(phone_number)}
    said = wording(campaign.body, campaign.texts)
    contacts = audience(*group_ids(campaign))[:100]
    for contact in contacts:
        rendered = said.in_language(contact.language).render(contact_values(contact) | own)
        if not rendered.missing:
            return rendered.text
    template = said.main if isinstance(said, Translations) else said
    return template.render({p.name: p.name for p in template.placeholders if p.default is None} | own).text
