"""
What follows from an incoming message: opt-out or opt-in, an answer, groups, passing on, a place in the inbox.

One transaction each, which ends with the message marked as done: whatever breaks in between is done again from the
beginning. What fails again and again is put before a person in the end.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from datetime import timedelta

from django.db import connection, transaction
from django.utils import timezone

from sms_backends.phone_numbers import canonical

from . import archiving, keywords
from .auto_replies import answer, is_phone, language_for, may_answer, text_for
from .consent import suppress_held
from .conversations import take_in
from .forwarding import pass_on
from .keywords import Reading
from .models import (
    Contact,
    ContactGroup,
    InboundMessage,
    Meaning,
    OptOutSource,
    Purpose,
    ReplyKeyword,
)
from .optouts import find_opt_out, lift_opt_out, note_sign_of_life, opt_out_once
from .replies import contact_of

logger = logging.getLogger(__name__)

CHUNK = 100
#: Waits, in seconds, before what failed is tried again; then a person must look at it.
RETRY_SECONDS = (30, 300, 1800, 7200, 43200)


def process_due(*, seconds: float) -> bool:
    """Work off what is due, for at most about `seconds`. True when there is more to do."""
    deadline = time.monotonic() + seconds
    while True:
        due = InboundMessage.objects.filter(process_at__lte=timezone.now()).order_by("pk")
        ids = list(due.values_list("pk", flat=True)[:CHUNK])
        if not ids:
            return False
        process(ids, seconds=deadline - time.monotonic())
        if time.monotonic() > deadline:
            return True


def process(ids: Sequence[int], *, seconds: float) -> None:
    """Work off these, for at most about `seconds`; what somebody else is working off is left to them."""
    deadline = time.monotonic() + seconds
    for pk in ids:
        try:
            _process_one(pk)
        except Exception:
            logger.exception("The incoming message %s could not be worked off.", pk)
            _try_later(pk)
        if time.monotonic() > deadline:
            return


def _process_one(pk: int) -> None:
    with transaction.atomic():
        skip = connection.features.has_select_for_update_skip_locked
        locked = InboundMessage.objects.select_for_update(skip_locked=skip, of=("self",) if skip else ())
        inbound = locked.filter(pk=pk, process_at__isnull=False).select_related("contact", "answers").first()
        if inbound is not None:
            _act_upon(inbound)


def _try_later(pk: int) -> None:
    """Ever later; after the last time it is put before a person as it is."""
    with transaction.atomic():
        inbound = InboundMessage.objects.select_for_update().filter(pk=pk, process_at__isnull=False).first()
        if inbound is None:
            return
        wait = RETRY_SECONDS[min(inbound.tries, len(RETRY_SECONDS) - 1)]
        inbound.process_at = timezone.now() + timedelta(seconds=wait)
        inbound.tries += 1
        inbound.save(update_fields=["process_at", "tries"])
    if inbound.tries > len(RETRY_SECONDS):
        with transaction.atomic():
            _finish(inbound, Reading(Meaning.DOUBTFUL), needs_answer=True)


def _act_upon(inbound: InboundMessage) -> None:
    inbound.contact = inbound.contact or contact_of(inbound.phone_number)
    if is_phone(inbound.phone_number):
        note_sign_of_life(inbound.phone_number)
    own = {one.normalised: one for one in ReplyKeyword.objects.filter(is_active=True)}
    reading = _read(inbound, own)
    actions = {Meaning.STOP: _stop, Meaning.START: _start, Meaning.HELP: _help}
    needs_answer = reading.meaning in {Meaning.NONE, Meaning.DOUBTFUL}
    if action := actions.get(reading.meaning):
        needs_answer = action(inbound, reading)
    elif reading.meaning is Meaning.KEYWORD:
        _own_keyword(inbound, own[reading.word])
    _finish(inbound, reading, needs_answer=needs_answer)


def _read(inbound: InboundMessage, own: dict[str, ReplyKeyword]) -> Reading:
    if inbound.handled_as in {Meaning.STOP, Meaning.START, Meaning.HELP}:
        return Reading(Meaning(inbound.handled_as))
    if not is_phone(inbound.phone_number):
        return Reading(Meaning.AUTOMATIC)
    reading = keywords.read(inbound.text, own)
    if reading.meaning in {Meaning.NONE, Meaning.DOUBTFUL} and keywords.is_automatic(inbound.text):
        return Reading(Meaning.AUTOMATIC)
    return reading


def _finish(inbound: InboundMessage, reading: Reading, *, needs_answer: bool) -> None:
    inbound.meaning = reading.meaning
    inbound.process_at = None
    is_doubtful = reading.meaning is Meaning.DOUBTFUL and find_opt_out(canonical(inbound.phone_number)) is None
    inbound.conversation = take_in(inbound, needs_answer=needs_answer, is_doubtful=is_doubtful)
    inbound.save(update_fields=["meaning", "process_at", "contact", "conversation"])
    if is_doubtful:
        suppress_held(canonical(inbound.phone_number))


def _stop(inbound: InboundMessage, reading: Reading) -> bool:
    """One confirmation for an opt-out, and none for the same again. Returns whether a person must see to it."""
    source = OptOutSource.PROVIDER if inbound.handled_as else OptOutSource.KEYWORD
    if not is_phone(inbound.phone_number):
        return True
    _opt_out, is_new = opt_out_once(inbound.phone_number, source=source, note=inbound.text)
    if is_new and not inbound.handled_as:
        text = text_for(Meaning.STOP, language_for(inbound, reading.language))
        answer(inbound, text, purpose=Purpose.CONFIRMATION)
    return False


def _start(inbound: InboundMessage, reading: Reading) -> bool:
    """Only who had opted out is told that it is over; from anybody else START is a message like others."""
    if not is_phone(inbound.phone_number) or not lift_opt_out(inbound.phone_number, note=inbound.text, actor=None):
        return not inbound.handled_as
    if not inbound.handled_as:
        answer(inbound, text_for(Meaning.START, language_for(inbound, reading.language)))
    return False


def _help(inbound: InboundMessage, reading: Reading) -> bool:
    """Whoever asks for help is answered, and seen by a person as well."""
    if not inbound.handled_as:
        answer(inbound, text_for(Meaning.HELP, language_for(inbound, reading.language)))
    return True


def _own_keyword(inbound: InboundMessage, keyword: ReplyKeyword) -> None:
    groups = list(keyword.groups.all())
    if groups:
        _join(inbound, groups)
    if may_answer(inbound):  # asked before the answer, which counts itself
        pass_on(inbound, keyword)
    answer(inbound, keyword.reply)


def _join(inbound: InboundMessage, groups: Sequence[ContactGroup]) -> None:
    if inbound.contact is None:
        number = canonical(inbound.phone_number)
        inbound.contact, _is_new = Contact.objects.get_or_create(phone_number=number)
    archiving.restore(inbound.contact, actor=None)  # they asked for it themselves
    inbound.contact.groups.add(*groups)
