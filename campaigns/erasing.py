"""
Forgetting a person: what is left still counts, and names nobody.

Rows of the log keep their state, price and time, and lose text and number; in the number's place stands a pseudonym, so
that nobody is in a campaign twice, late receipts find their message, and an opt-out goes on protecting the number. What
waits is cancelled. While a message is on its way, or it is not known whether it was taken, the provider may still be
asked about its number: then all is finished later, by the sweeper.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from sms_backends.phone_numbers import InvalidPhoneNumber, canonical, parse, spellings

from . import audit, forgetting
from .kept_files import give_up_files_of_people
from .models import (
    Campaign,
    CampaignStatus,
    Erasure,
    EventKind,
    InboundMessage,
    MessageStatus,
    SentMessage,
    User,
)
from .persons import former_numbers_among
from .pseudonyms import ensure_salt, pseudonym
from .sending.bulk_update import update_rows

logger = logging.getLogger(__name__)

#: Erasures that the sweeper finishes in one transaction.
TOGETHER = 200


def request_erasure(phone_number: str, *, reason: str, actor: User | None) -> Erasure:
    """
    Erase whoever has this number, now or as soon as nothing is on its way to it (`finished_at` says which).

    What waits for it is cancelled at once, and the contact is gone at once. Numbers that the person had before are
    erased as well, but for those that another contact has now. Raises InvalidPhoneNumber.
    """
    number = canonical(parse(phone_number, None).e164)
    erasures = _wanted_with_former([number], reason, actor)
    finish_all(erasures)
    erasure = next(erasure for erasure in erasures if erasure.canonical_number == number)
    erasure.refresh_from_db()
    return erasure


@transaction.atomic
def request_erasures(phone_numbers: Iterable[str], *, reason: str, actor: User | None) -> int:
    """
    The same for many people, in one transaction. Returns how many there are.

    What is no phone number is passed over: its contact's page can still delete it.
    """
    numbers: dict[str, None] = {}
    for phone_number in phone_numbers:
        try:
            numbers[canonical(parse(phone_number, None).e164)] = None
        except InvalidPhoneNumber:
            continue
    finish_all(_wanted_with_former(list(numbers), reason, actor))
    return len(numbers)


@transaction.atomic
def _wanted_with_former(numbers: list[str], reason: str, actor: User | None) -> list[Erasure]:
    """All at once: when the contacts are gone, nobody knows their former numbers any more."""
    former = former_numbers_among(numbers)
    everything = dict.fromkeys([*numbers, *(one for number in numbers for one in former.get(number, ()))])
    return _wanted(list(everything), reason, actor)


def _wanted(numbers: list[str], reason: str, actor: User | None) -> list[Erasure]:
    """The erasures of these numbers that are still to be finished, made where there is none."""
    waiting = list(Erasure.objects.filter(canonical_number__in=numbers, finished_at=None))
    known = {erasure.canonical_number for erasure in waiting}
    made = Erasure.objects.bulk_create(
        Erasure(phone_number=number, canonical_number=number, reason=reason, requested_by=actor)
        for number in numbers
        if number not in known
    )
    _note("erasure", [(erasure, {"reason": reason}) for erasure in made], actor)
    return [*waiting, *made]


def _note(action: str, erasures: Iterable[tuple[Erasure, Mapping[str, Any]]], actor: User | None) -> None:
    """In the audit trail, without saying who it was."""
    audit.record_many(action, ((_name_of(erasure), details) for erasure, details in erasures), actor=actor)


def _name_of(erasure: Erasure) -> str:
    return f"#{erasure.pk}"


def finish_erasures() -> None:
    """Finish those that had to wait; for the sweeper."""
    waiting = list(Erasure.objects.filter(finished_at=None).order_by("pk"))
    for start in range(0, len(waiting), TOGETHER):
        some = waiting[start : start + TOGETHER]
        try:
            finish_all(some)
        except Exception:
            logger.exception("Some erasures could not be finished together; each is tried alone.")
            _finish_one_by_one(some)


def _finish_one_by_one(erasures: Iterable[Erasure]) -> None:
    for erasure in erasures:
        try:
            finish(erasure)
        except Exception:
            logger.exception("Erasure %s could not be finished; it is tried again in a minute.", erasure.pk)


def finish(erasure: Erasure) -> bool:
    """Do all of it in one transaction, if nothing is on its way any more. False: not yet."""
    finish_all([erasure])
    erasure.refresh_from_db()
    return erasure.finished_at is not None


@transaction.atomic
def finish_all(erasures: Iterable[Erasure]) -> None:
    """The same for many: each to whom nothing is on its way any more is finished, the others lose what they can."""
    ids = [erasure.pk for erasure in erasures]
    locked = list(Erasure.objects.select_for_update().filter(pk__in=ids, finished_at=None).order_by("pk"))
    if not locked:
        return
    salt = ensure_salt()
    names = _names(locked, salt)
    # Nobody's row is being written while these are locked; the next chunk does not find the contact any more.
    list(Campaign.objects.select_for_update().filter(status=CampaignStatus.FREEZING).order_by("pk").values_list("pk"))
    # Whoever is working off what the person wrote is waited for: what follows from it is erased as well.
    answers = InboundMessage.objects.select_for_update().filter(phone_number__in=names)
    list(answers.order_by("pk").values_list("pk"))
    counts = {"cancelled": forgetting.cancel_waiting(names), "contacts": forgetting.delete_contacts(names)}
    on_the_way = set(_on_their_way(names).values_list("phone_number", flat=True))
    waiting = {names[number] for number in on_the_way}
    ready = [erasure for erasure in locked if names[erasure.canonical_number] not in waiting]
    if ready:
        _finish(ready, _names(ready, salt), counts)


def _names(erasures: Iterable[Erasure], salt: str) -> dict[str, str]:
    return {
        number: pseudonym(erasure.canonical_number, salt)
        for erasure in erasures
        for number in spellings(erasure.canonical_number)
    }


def on_their_way(phone_number: str) -> int:
    """How many messages to this number keep it from being erased at once."""
    return _on_their_way(spellings(canonical(phone_number))).count()


def _on_their_way(numbers: Iterable[str]) -> QuerySet[SentMessage]:
    """Being handed over, or unknown and neither looked up to the end nor decided upon."""
    unknown = Q(status=MessageStatus.UNKNOWN) & ~Q(events__kind=EventKind.LEFT) & Q(superseded_by=None)
    messages = SentMessage.objects.filter(phone_number__in=list(numbers))
    return messages.filter(Q(status=MessageStatus.SENDING) | unknown)


def _finish(locked: list[Erasure], names: forgetting.Names, counts: dict[str, Any]) -> None:
    counts |= {
        "messages": forgetting.forget_messages(names),
        "incoming": forgetting.forget_incoming(names),
        "history": forgetting.forget_history(names),
    }
    files = forgetting.forget_imports(names)
    give_up_files_of_people({file for several in files.values() for file in several})
    forgetting.forget_opt_outs(names)
    forgetting.forget_trail(names)
    figures = {
        erasure.pk: {kind: counted[names[erasure.canonical_number]] for kind, counted in counts.items()}
        for erasure in locked
    }
    rows = []
    for erasure in locked:
        name = names[erasure.canonical_number]
        outcome = {**figures[erasure.pk], "files": files.get(name, [])}
        rows.append((name, name, json.dumps(outcome), erasure.pk))
    update_rows(Erasure, ("phone_number", "canonical_number", "outcome"), rows, finished_at=timezone.now())
    by_actor: dict[User | None, list[tuple[Erasure, Mapping[str, Any]]]] = {}
    for erasure in locked:
        by_actor.setdefault(erasure.requested_by, []).append((erasure, figures[erasure.pk]))
    for actor, erasures in by_actor.items():
        _note("erased", erasures, actor)
