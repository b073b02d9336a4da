"""
The figures by day of messages that are older than these figures: counted in the background, the newest first.

An upgrade only makes the tables and triggers. What the triggers then see of an older message (`DayRecount.left_to`)
they leave alone until it has been counted here, in the portion it belongs to; from then on they keep it like any other.
A portion and the step of `left_to` are one transaction, during which nobody changes the log: on PostgreSQL whoever is
changing it is waited for, and whoever begins waits for the portion, a fraction of a second. So it does not matter what
happens to a message meanwhile, nor where a worker dies.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import OperationalError, connection, transaction
from django.db.models import Max, Q, QuerySet
from django.utils import timezone

from . import day_figures
from .figure_triggers import LOG
from .models import DayRecount, SentMessage

#: Messages of a portion: workers wait for so many to be counted.
PORTION = 20_000
#: Whoever changes the log for longer than this is not waited for: others would have to wait as well.
PATIENCE_MS = 300
LEASE = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Unfinished:
    """`percent` of the messages are counted by day; those from before `before` are not, nor some of that moment."""

    before: datetime
    percent: int


def begin() -> None:
    """No message is counted by day so far. Call with `day_figures.lock()`, while nothing changes."""
    day_figures.forget()
    DayRecount.objects.all().delete()
    newest = SentMessage.objects.aggregate(newest=Max("pk"))["newest"]
    if newest is not None:
        DayRecount.objects.create(newest=newest, left_to=newest)


def unfinished() -> Unfinished | None:
    """What the figures by day do not cover yet; None when they cover everything. A query, or two."""
    recount = _open().first()
    if recount is None:
        return None
    message = SentMessage.objects.filter(pk__lte=recount.left_to).order_by("-pk").only("created_at").first()
    if message is None:
        return None
    return Unfinished(message.created_at, 100 * (recount.newest - recount.left_to) // recount.newest)


def is_waiting() -> bool:
    """Whether there is something to count and nobody does."""
    return _free().exists()


def count(*, seconds: float) -> bool:
    """Count portions for about so many seconds. True when there is more to do; a second one at the same time: False."""
    deadline = time.monotonic() + seconds
    if not _free().update(leased_until=timezone.now() + LEASE):
        return False
    while True:
        began = time.monotonic()
        if not count_portion():
            return False
        if time.monotonic() > deadline:
            return bool(_open().update(leased_until=None))
        time.sleep(min(time.monotonic() - began, 1.0))  # those who waited have their turn


def count_portion() -> bool:
    """Count some more. True unless all are counted; also when others were busy, and nothing was done."""
    recount = _open().first()
    if recount is None:
        return False
    older = SentMessage.objects.filter(pk__lte=recount.left_to).order_by("-pk").values_list("pk", flat=True)
    after = next(iter(older[PORTION : PORTION + 1]), 0)
    with transaction.atomic():
        if not day_figures.lock(wait=False) or not _stand_still():
            transaction.set_rollback(True)
            return True
        step = _open().filter(left_to=recount.left_to)
        if step.update(left_to=after, leased_until=timezone.now() + LEASE):
            day_figures.add_part(after, recount.left_to)
    return after > 0


def _stand_still() -> bool:
    """Nobody changes the log until the end of the transaction. False when somebody does, and takes long."""
    if connection.vendor != "postgresql":
        return True
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL lock_timeout = {PATIENCE_MS}")
            cursor.execute(f"LOCK TABLE {LOG} IN SHARE ROW EXCLUSIVE MODE")
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", "") == _NOT_AVAILABLE:
            return False
        raise
    return True


#: https://www.postgresql.org/docs/current/errcodes-appendix.html, lock_not_available
_NOT_AVAILABLE = "55P03"


def _open() -> QuerySet[DayRecount]:
    return DayRecount.objects.filter(left_to__gt=0)


def _free() -> QuerySet[DayRecount]:
    return _open().filter(Q(leased_until=None) | Q(leased_until__lt=timezone.now()))
