"""How long a worker holds a message, and the check that this outlasts every gateway's requests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Any

from django.core.checks import CheckMessage, Error
from django.core.exceptions import ImproperlyConfigured

from sms_backends import gateways, get_sms_backend

#: From the claim to the intent, and again from the intent to the recorded answer; also for a request slot.
LEASE = timedelta(seconds=90)
#: What must be left of it for writing down the answer when the longest request has ended.
RECORDING = timedelta(seconds=30)


def check_leases(**kwargs: Any) -> list[CheckMessage]:
    """
    No request may outlast its lease.

    If one did, a message would be called unknown, and its slot be given to somebody else, while it is still open.
    """
    longest = (LEASE - RECORDING).total_seconds()
    return [
        Error(
            f"Gateway '{alias}': a request may take {seconds:g} seconds, but a worker holds its messages for no longer "
            f"than {longest:g} seconds of request.",
            hint="Lower the gateway's time-out in its options (SMSC_TIMEOUT for SMSC.ru).",
            id="campaigns.E002",
        )
        for alias, seconds in _request_seconds()
        if seconds > longest
    ]


def _request_seconds() -> Iterator[tuple[str, float]]:
    """The longest time of a request of each gateway; those that are not set up right have a check of their own."""
    with suppress(ImproperlyConfigured):
        for alias in gateways:
            with suppress(ImproperlyConfigured):
                yield alias, get_sms_backend(alias).capabilities.request_seconds
