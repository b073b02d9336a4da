"""The inbox: conversations by number, who takes care of them, what is answered, and what must be reviewed."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from sms_backends.phone_numbers import canonical

from . import audit, masking
from .audience import opted_out_numbers
from .auto_replies import gateway_for, is_phone
from .models import Conversation, InboundMessage, Meaning, OptOutSource, Purpose, SentMessage, User
from .optouts import record_opt_out
from .pseudonyms import is_pseudonym
from .single import queue_single

_SNIPPET = 200


class InboxError(Exception):
    """This cannot be done with the conversation; the message says why to the operator."""


def take_in(inbound: InboundMessage, *, needs_answer: bool, is_doubtful: bool) -> Conversation:
    """Put an incoming message into the conversation with its number. Call it in the transaction that works it off."""
    number = canonical(inbound.phone_number)
    conversation, _is_new = Conversation.objects.get_or_create(
        canonical_number=number,
        defaults={
            "phone_number": inbound.phone_number,
            "gateway": inbound.gateway,
            "last_at": inbound.received_at,
        },
    )
    conversation = Conversation.objects.select_for_update().get(pk=conversation.pk)
    if inbound.received_at >= conversation.last_at:
        conversation.last_at, conversation.last_text = inbound.received_at, inbound.text[:_SNIPPET]
        conversation.gateway = inbound.gateway
    conversation.contact = inbound.contact or conversation.contact
    if needs_answer:
        conversation.needs_answer = True
        conversation.unread_count += 1
    if is_doubtful and conversation.held_since is None:
        conversation.held_since = timezone.now()
    elif inbound.meaning == Meaning.STOP:
        conversation.held_since = None  # no doubt any more
    conversation.save()
    return conversation


def _locked(conversation: Conversation) -> Conversation:
    return Conversation.objects.select_for_update().get(pk=conversation.pk)


def answer(conversation: Conversation, text: str, *, actor: User, nonce: str) -> tuple[SentMessage, bool]:
    """
    Write back, before any bulk; False for a form that was sent before. Whoever answers takes the conversation.

    Raises InboxError for a number that must not or cannot be written to.
    """
    if reason := why_not_answer(conversation):
        raise InboxError(reason)
    last = conversation.messages.select_related("answers").order_by("-pk").first()
    with transaction.atomic():
        locked = _locked(conversation)
        message, is_new = queue_single(
            locked.phone_number,
            text,
            purpose=Purpose.REPLY,
            actor=actor,
            nonce=nonce or None,
            gateway=gateway_for(locked.gateway),
            sender_id=last.answers.sender_id if last and last.answers else "",
        )
        if is_new:
            locked.assigned_to = locked.assigned_to or actor
            _settle(locked, actor)
    return message, is_new


def why_not_answer(conversation: Conversation) -> str:
    """Why nobody can write back, in words; empty when it can be done."""
    if is_pseudonym(conversation.phone_number) or not is_phone(conversation.phone_number):
        return _("“%(sender)s” is no phone number: nobody there can be answered.") % {
            "sender": masking.number(conversation.phone_number)
        }
    if opted_out_numbers([conversation.canonical_number]):
        return _(
            "%(number)s has opted out and cannot be written to. The person can write START; an operator can lift the "
            "opt-out for a stated reason."
        ) % {"number": masking.number(conversation.phone_number)}
    return ""


def _settle(locked: Conversation, actor: User | None) -> None:
    locked.needs_answer, locked.unread_count = False, 0
    locked.answered_at, locked.answered_by = timezone.now(), actor
    locked.save()


def mark_read(conversation: Conversation) -> None:
    """Somebody who takes care of it has seen all of it."""
    Conversation.objects.filter(pk=conversation.pk, unread_count__gt=0).update(unread_count=0)


def assign(conversation: Conversation, to: User | None, *, actor: User) -> None:
    """Say who takes care of it; None: nobody does any more."""
    with transaction.atomic():
        locked = _locked(conversation)
        locked.assigned_to = to
        locked.save(update_fields=["assigned_to"])
        audit.record("conversation_assigned", actor=actor, subject=locked.phone_number, details={"to": str(to or "")})


def mark_answered(conversation: Conversation, *, actor: User) -> None:
    """Nothing is left to be said, or it was said by other means."""
    with transaction.atomic():
        locked = _locked(conversation)
        _settle(locked, actor)
        audit.record("conversation_answered", actor=actor, subject=locked.phone_number)


def reopen(conversation: Conversation, *, actor: User) -> None:
    """There is something to be answered after all."""
    with transaction.atomic():
        locked = _locked(conversation)
        locked.needs_answer = True
        locked.save(update_fields=["needs_answer"])
        audit.record("conversation_reopened", actor=actor, subject=locked.phone_number)


def review(conversation: Conversation, *, is_opt_out: bool, actor: User) -> None:
    """
    A person's judgement of what may be an opt-out. Either way marketing is not held any more.

    What was not sent meanwhile stays unsent. Raises InboxError when there is nothing to be judged (any more).
    """
    with transaction.atomic():
        locked = _locked(conversation)
        if locked.held_since is None:
            raise InboxError(_("Somebody has decided about this already."))
        doubtful = locked.messages.filter(meaning=Meaning.DOUBTFUL).order_by("-pk").first()
        locked.held_since = None
        if is_opt_out:
            record_opt_out(
                locked.phone_number, source=OptOutSource.KEYWORD, note=doubtful.text if doubtful else "", actor=actor
            )
            _settle(locked, actor)
        locked.save()
        verdict = "opt_out" if is_opt_out else "none"
        audit.record("conversation_reviewed", actor=actor, subject=locked.phone_number, details={"verdict": verdict})
