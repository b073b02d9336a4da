"""
Request slots: how many requests are open at an account at once, all workers on all machines together.

A slot is a leased row. It is taken before a request and given back after it; a dead worker's come back when the lease
ends. Gateways that share an account share its slots, and so do questions about what became of messages.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction
from django.db.models import Q
from django.db.models.functions import Now

from campaigns.models import RequestSlot
from sms_backends import BaseSmsBackend

from .leases import LEASE

#: How long somebody waits for a slot before others get their turn, and how often he looks, in seconds.
PATIENCE_SECONDS = 1.0
LOOK_SECONDS = 0.1
#: With more slots than this, the first is kept for urgent messages.
SHARED_BY_ALL = 2


@contextmanager
def request_slots(
    backend: BaseSmsBackend, wanted: int = 1, *, urgent: bool = False, alone: bool = False
) -> Iterator[int]:
    """
    The right to have up to `wanted` requests open at once; yields how many, 0 when none came free in time.

    `alone`: one request, and none beside it that asked for this too. Adapters that only pretend have no account to
    protect and get what they want. Call it outside a transaction.
    """
    if backend.capabilities.pretends and not alone:
        yield wanted
        return
    token = secrets.token_hex(16)
    granted = _take_patiently(backend, 1 if alone else wanted, token, urgent=urgent, alone=alone)
    try:
        yield granted
    finally:
        if granted:
            RequestSlot.objects.filter(token=token).update(token="", leased_until=None)


def _take_patiently(backend: BaseSmsBackend, wanted: int, token: str, *, urgent: bool, alone: bool) -> int:
    account = backend.account_fingerprint() or f"alias:{backend.alias}"
    total = 1 if alone else max(1, backend.capabilities.max_connections)
    first = 1 if total > SHARED_BY_ALL and not urgent else 0
    give_up = time.monotonic() + PATIENCE_SECONDS
    while not (granted := _take(account, range(first, total), wanted, token)):
        if _make_missing(account, total):
            continue
        if time.monotonic() >= give_up:
            break
        time.sleep(LOOK_SECONDS)
    return granted


def _take(account: str, numbers: range, wanted: int, token: str) -> int:
    """Take free slots among these numbers; how many it were."""
    free = Q(leased_until__isnull=True) | Q(leased_until__lte=Now())
    slots = RequestSlot.objects.filter(free, account=account, number__gte=numbers.start, number__lt=numbers.stop)
    skip = connection.features.has_select_for_update_skip_locked
    with transaction.atomic():
        ids = list(slots.select_for_update(skip_locked=skip).order_by("number").values_list("pk", flat=True)[:wanted])
        return RequestSlot.objects.filter(free, pk__in=ids).update(token=token, leased_until=Now() + LEASE)


def _make_missing(account: str, total: int) -> bool:
    """Make the rows of slots that there should be; whether any was missing."""
    known = set(RequestSlot.objects.filter(account=account).values_list("number", flat=True))
    missing = [RequestSlot(account=account, number=number) for number in range(total) if number not in known]
    RequestSlot.objects.bulk_create(missing, ignore_conflicts=True)
    return bool(missing)


def cut_slot_leases() -> int:
    """After the clock was set back: free slots that are leased for longer than anybody leases them."""
    return RequestSlot.objects.filter(leased_until__gt=Now() + LEASE).update(token="", leased_until=None)
