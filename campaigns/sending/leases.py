"""How long a worker holds a message, and the check that this outlasts every gateway's requests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning
from django.core.exceptions import ImproperlyConfigured

from sms_backends import gateways, get_sms_backend

#: From the claim to the intent, and again from the intent to the recorded answer; also for a request slot.
LEASE = timedelta(seconds=settings.SMS_LEASE_SECONDS)
#: What must be left of it for writing down the answer when the longest request has ended.
RECORDING = LEASE / 3
#: What is enough of it even for a database that is slow or away for a moment.
ENOUGH = timedelta(seconds=30)


def check_leases(**kwargs: Any) -> list[CheckMessage]:
    """
    No request may outlast its lease, and there should be time left to write down its answer.

    If one did, a message would be called unknown, and its slot be given to somebody else, while it is still open. An
    answer that is written down later than that costs nobody a text, but its messages are unknown until then.
    """
    # However long the lease is: the queue kills a task that reaches its time limit.
    longest = min((LEASE - RECORDING).total_seconds(), settings.Q_CLUSTER["timeout"] / 2)
    found: list[CheckMessage] = []
    for alias, seconds in _request_seconds():
        left = LEASE.total_seconds() - seconds
        if seconds > longest:
            found.append(_too_long(alias, seconds, longest))
        elif left < ENOUGH.total_seconds():
            found.append(_little_left(alias, seconds, left))
    return found


def _too_long(alias: str, seconds: float, longest: float) -> CheckMessage:
    return Error(
        f"Gateway '{alias}': a request may take {seconds:g} seconds, but a worker holds its messages for no longer "
        f"than {longest:g} seconds of request.",
        hint="Lower the time-out in its options (SMSC_TIMEOUT for SMSC.ru), or leave SMS_LEASE_SECONDS as it was.",
        id="campaigns.E002",
    )


def _little_left(alias: str, seconds: float, left: float) -> CheckMessage:
    return Warning(
        f"Gateway '{alias}': SMS_LEASE_SECONDS ({LEASE.total_seconds():g}) leaves {left:g} seconds for writing down "
        f"the answer to a request that took its {seconds:g}; messages may be called unknown although it came.",
        hint="Leave SMS_LEASE_SECONDS at 90, or lower the time-out in the gateway's options: "
        f"{ENOUGH.total_seconds():g} seconds should be left.",
        id="campaigns.W001",
    )


def _request_seconds() -> Iterator[tuple[str, float]]:
    """The longest time of a request of each gateway; those that are not set up right have a check of their own."""
    with suppress(ImproperlyConfigured):
        for alias in gateways:
            with suppress(ImproperlyConfigured):
                yield alias, get_sms_backend(alias).capabilities.request_seconds
