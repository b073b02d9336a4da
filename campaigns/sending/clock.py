"""
A clock that was set back: what was to wait until a moment of the old clock would wait for as long as it was set back.

The sweeper leaves a mark of its time with each round. Finding it in the future, it knows that the clock was set back,
and by how much, and moves what is still to come back by the same. A moment that was written meanwhile by the new clock
moves too: a question is asked, or a message offered, too early, which costs an answer and nobody a text.
"""

from __future__ import annotations

from datetime import timedelta

from django.db import models, transaction
from django.db.models import F, Q
from django.db.models.functions import Now

from campaigns.models import Attempt, GatewayState, Heartbeat, MessageStatus, SentMessage

SWEEP_MARK = "sweep"
#: A smaller step costs less than a minute, and two machines may differ by as much.
TOLERANCE = timedelta(seconds=60)

#: Rows, and the moments in them that are waited for or counted from, if they lie in the future.
_MOMENTS: tuple[tuple[type[models.Model], Q, str], ...] = (
    (GatewayState, Q(), "held_until"),
    (SentMessage, Q(status=MessageStatus.QUEUED), "not_before"),
    *((SentMessage, Q(status=MessageStatus.UNKNOWN), name) for name in ("next_lookup_at", "not_found_at", "status_at")),
)


def follow_clock() -> timedelta:
    """Notice that the clock was set back, and move what it would hold up. Returns by how much; zero if it was not."""
    with transaction.atomic():
        Heartbeat.objects.get_or_create(name=SWEEP_MARK, defaults={"at": Now()})
        mark = Heartbeat.objects.select_for_update().filter(name=SWEEP_MARK)
        last, now = mark.values_list("at", Now()).get()
        mark.update(at=now)
        step: timedelta = last - now
        if step <= TOLERANCE:
            return timedelta(0)
        for model, where, name in _MOMENTS:
            model._default_manager.filter(where, **{f"{name}__gt": now}).update(**{name: F(name) - step})
        # Whether the provider still knows a request must not be judged too kindly: it is as old as it was.
        in_doubt = SentMessage.objects.filter(status__in=[MessageStatus.SENDING, MessageStatus.UNKNOWN])
        Attempt.objects.filter(message__in=in_doubt).update(started_at=F("started_at") - step)
    return step
