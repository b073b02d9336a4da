"""
A provider's later word -> the message's state.

Receipts come early, late, twice and out of order. Each is matched against every attempt of a message, by (gateway,
provider's id or our reference, number), kept as an event, and moves a state only up its rank. One that fits no message
yet is kept and tried again. All receipts of a request are one transaction.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from django.db import InterfaceError, OperationalError
from django.db.models import F
from django.utils import timezone

from sms_backends import DeliveryReceipt

from .lone_receipt import apply_lone
from .models import UnmatchedReceipt
from .receipt_effects import apply_with_care
from .receipt_payload import as_payload, from_payload
from .sending.compiled import Among, Mark, Statement, compiled, listed
from .storable import storable_text

logger = logging.getLogger(__name__)
T = TypeVar("T")

#: How many receipts share a transaction, and its statements.
SET_SIZE = 200
#: When a receipt that fits no message is tried again, in seconds after the last time; then it is only kept.
RETRY_SECONDS = (10, 60, 300, 1800, 7200, 43200)


def receive(gateway: str, receipts: Sequence[DeliveryReceipt]) -> int:
    """
    Apply receipts of a gateway, keep those that fit no message. Returns how many found theirs. Safe to repeat.

    One that cannot be stored does not keep the others from it; its error is raised when they are done.
    """
    errors: list[Exception] = []

    def take(some: Sequence[DeliveryReceipt]) -> int:
        matched = apply_all(gateway, some)
        if not all(matched):
            _keep(gateway, [receipt for receipt, fits in zip(some, matched, strict=True) if not fits])
        return sum(matched)

    found = _in_sets(receipts, take, lambda _receipt, error: errors.append(error))
    if errors:
        raise errors[0]
    return found


def apply(gateway: str, receipt: DeliveryReceipt) -> bool:
    """Apply one receipt to its message, in one transaction. False when there is no such message yet."""
    return apply_all(gateway, [receipt])[0]


def apply_all(gateway: str, receipts: Sequence[DeliveryReceipt]) -> list[bool]:
    """Apply receipts of a gateway to their messages. False for each whose message is not there yet."""
    if len(receipts) == 1 and apply_lone(gateway, receipts[0]):
        return [True]
    return apply_with_care(gateway, receipts)


def _in_sets(
    everything: Sequence[T], work: Callable[[Sequence[T]], int], give_up: Callable[[T, Exception], None]
) -> int:
    """
    Do `work` set by set, and one by one where a set fails; `give_up` gets what fails alone. Returns the sum of results.

    A database that is away is no receipt's fault: that error is raised at once.
    """
    done = 0
    for start in range(0, len(everything), SET_SIZE):
        some = everything[start : start + SET_SIZE]
        try:
            done += work(some)
        except (OperationalError, InterfaceError):
            raise
        except Exception as error:
            if len(some) == 1:
                give_up(some[0], error)
            else:
                done += sum(_in_sets([one], work, give_up) for one in some)
    return done


def _keep(gateway: str, receipts: Sequence[DeliveryReceipt]) -> None:
    UnmatchedReceipt.objects.bulk_create(
        UnmatchedReceipt(
            gateway=gateway,
            provider_message_id=storable_text(receipt.provider_message_id, 100),
            phone_number=storable_text(receipt.phone_number, 32),
            payload=as_payload(receipt),
            next_try_at=timezone.now() + timedelta(seconds=RETRY_SECONDS[0]),
        )
        for receipt in receipts
    )


def match_early_receipts(gateway: str, provider_ids: Iterable[str]) -> int:
    """Receipts that came before the answer to their request was recorded find their messages now."""
    ids = listed(storable_text(known, 100) for known in provider_ids)  # as they were kept
    found = [pk for (pk,) in compiled(_early).run(gateway=gateway, ids=ids)]
    return _try_again(list(UnmatchedReceipt.objects.filter(pk__in=found).order_by("pk"))) if found else 0


def _early() -> Statement:
    early = UnmatchedReceipt.objects.filter(Among("ids", "provider_message_id"), gateway=Mark("gateway"))
    return Statement.select(early.values_list("pk"))


def match_due_receipts(now: datetime) -> int:
    """Try again the kept receipts whose time has come, the longest waiting first."""
    due = UnmatchedReceipt.objects.filter(next_try_at__lte=now).order_by("next_try_at", "pk")[:1000]
    by_gateway: dict[str, list[UnmatchedReceipt]] = {}
    for unmatched in due:
        by_gateway.setdefault(unmatched.gateway, []).append(unmatched)
    return sum(_try_again(waiting) for waiting in by_gateway.values())


def _try_again(waiting: Sequence[UnmatchedReceipt]) -> int:
    """Kept receipts of one gateway. Returns how many found their message."""

    def apply_or_postpone(some: Sequence[UnmatchedReceipt]) -> int:
        matched = apply_all(some[0].gateway, [from_payload(unmatched.payload) for unmatched in some])
        done = [unmatched.pk for unmatched, fits in zip(some, matched, strict=True) if fits]
        UnmatchedReceipt.objects.filter(pk__in=done).delete()
        _postpone([unmatched for unmatched, fits in zip(some, matched, strict=True) if not fits])
        return len(done)

    def give_up(unmatched: UnmatchedReceipt, error: Exception) -> None:
        logger.error("The kept receipt %s cannot be applied.", unmatched.pk, exc_info=error)
        _postpone([unmatched])

    return _in_sets(waiting, apply_or_postpone, give_up)


def _postpone(waiting: Sequence[UnmatchedReceipt]) -> None:
    """To be tried again ever later; after the last time it is only kept."""
    for tries in {unmatched.try_count for unmatched in waiting}:
        alike = [unmatched.pk for unmatched in waiting if unmatched.try_count == tries]
        last = tries + 1 >= len(RETRY_SECONDS)
        UnmatchedReceipt.objects.filter(pk__in=alike).update(
            try_count=F("try_count") + 1,
            next_try_at=None if last else timezone.now() + timedelta(seconds=RETRY_SECONDS[tries + 1]),
        )
