"""
Pace: how many messages (or segments) per second a gateway and a campaign let go, all workers on all machines together.

The rate stands in the database, and so does the next moment that is not yet given away. A batch reserves its time in
one conditional UPDATE by the database's clock, and paces itself inside it by its own. Time that was reserved and not
used, after a pause or a cancellation, is lost and does no harm.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate
from typing import Protocol, TypeVar

from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Coalesce, Greatest, Now

from campaigns.models import Campaign, GatewayState, RateUnit

#: How far ahead of now time is given away: enough that the next batch is ready when its time comes, and so little that
#: an urgent message, which gets the next free moment, does not wait long.
AHEAD_SECONDS = 0.2
#: The same for urgent messages. Far more than ever happens while the clock is right.
URGENT_AHEAD_SECONDS = 5.0
#: No reservation lies further ahead than this, unless the clock was set back.
FURTHEST = timedelta(minutes=2)


class Counted(Protocol):
    """What a rate needs to know of a message."""

    segment_count: int


M = TypeVar("M", bound=Counted)


@dataclass(frozen=True, slots=True)
class Limit:
    """A rate, the row in which its next free moment stands, and in how many seconds that moment comes."""

    source: type[GatewayState] | type[Campaign]
    pk: int
    per_second: int
    unit: str
    free_in: float

    def units(self, messages: Sequence[Counted]) -> int:
        """What these messages count for."""
        if self.unit == RateUnit.SEGMENTS:
            return sum(max(message.segment_count, 1) for message in messages)
        return len(messages)


class Reservation:
    """Time in which some messages may go. Each limit lets the first of them go at a moment of its own."""

    def __init__(self, starts: Sequence[tuple[Limit, float]] = ()) -> None:
        self._starts = list(starts)

    @property
    def is_limited(self) -> bool:
        return bool(self._starts)

    def wait(self) -> None:
        """Sleep until the first of the messages that are left may go."""
        pause = max((start for _limit, start in self._starts), default=0.0) - time.monotonic()
        if pause > 0:
            time.sleep(pause)

    def pass_by(self, messages: Sequence[Counted]) -> None:
        """These have gone: what is left begins after their time."""
        self._starts = [(limit, start + limit.units(messages) / limit.per_second) for limit, start in self._starts]


def limits_of(alias: str, campaign_id: int | None) -> list[Limit]:
    """The rates that a message of this gateway and this campaign (if any) is bound by; empty when there is none."""
    limited = Q(max_per_second__isnull=False)
    rows: list[tuple[type[GatewayState] | type[Campaign], Q]] = [(GatewayState, Q(alias=alias))]
    if campaign_id is not None:
        # Always in this order: two workers that lock both cannot stand in each other's way.
        rows.insert(0, (Campaign, Q(pk=campaign_id)))
    limits = []
    for source, where in rows:
        found = source.objects.filter(where & limited).values_list(
            "pk", "max_per_second", "rate_unit", "next_slot_at", Now()
        )
        limits += [Limit(source, pk, max(rate, 1), unit, _seconds_until(at, now)) for pk, rate, unit, at, now in found]
    return limits


def waiting_seconds(limits: Sequence[Limit]) -> float:
    """How long until a batch may reserve time; 0 when it may do so now."""
    return max((limit.free_in - AHEAD_SECONDS for limit in limits), default=0.0)


def rows_per_claim(limits: Sequence[Limit], otherwise: int) -> int:
    """A claim takes no more rows than about one second of the rate, so that others get their turn."""
    return min([otherwise, *(limit.per_second for limit in limits)])


def one_second_of(limits: Sequence[Limit], messages: Sequence[M]) -> list[M]:
    """The first of these messages, as many as may go within a second; never fewer than one."""
    count = len(messages)
    for limit in limits:
        units = accumulate(limit.units([message]) for message in messages)
        count = min(count, sum(1 for so_far in units if so_far <= limit.per_second))
    return list(messages[: max(count, 1)])


def reserve(limits: Sequence[Limit], messages: Sequence[Counted], *, urgent: bool = False) -> Reservation | None:
    """
    Time for these messages; None when others were faster and none is free soon enough.

    Urgent messages take time like all others but may reserve it further ahead, so they get the next free moment.
    """
    if not limits:
        return Reservation()
    ahead = timedelta(seconds=URGENT_AHEAD_SECONDS if urgent else AHEAD_SECONDS)
    starts = []
    with transaction.atomic():
        for limit in limits:
            seconds = limit.units(messages) / limit.per_second
            free_in = _reserve(limit, timedelta(seconds=seconds), ahead)
            if free_in is None:
                transaction.set_rollback(True)
                return None
            starts.append((limit, time.monotonic() + free_in))
    return Reservation(starts)


def _reserve(limit: Limit, duration: timedelta, ahead: timedelta) -> float | None:
    """In how many seconds the time reserved begins; None when the next free moment lies too far ahead."""
    row = limit.source.objects.filter(pk=limit.pk)
    free_soon = Q(next_slot_at__isnull=True) | Q(next_slot_at__lte=Now() + ahead)
    reserved = row.filter(free_soon).update(next_slot_at=Greatest(Coalesce(F("next_slot_at"), Now()), Now()) + duration)
    if not reserved:
        return None
    end, now = row.values_list("next_slot_at", Now()).get()
    return max(_seconds_until(end, now) - duration.total_seconds(), 0.0)


def _seconds_until(moment: datetime | None, now: datetime) -> float:
    return (moment - now).total_seconds() if moment is not None else 0.0


def cut_reservations() -> int:
    """After the clock was set back: free the time that cannot have been reserved. Returns how many rates it was."""
    return sum(
        source.objects.filter(next_slot_at__gt=Now() + FURTHEST).update(next_slot_at=None)
        for source in (GatewayState, Campaign)
    )
