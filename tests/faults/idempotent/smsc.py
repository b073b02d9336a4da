"""SMSC.ru as it would be if it could not be asked about our references but took each of them once (`--idempotent`)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from sms_backends.providers import smsc


class SmsBackend(smsc.SmsBackend):
    capabilities = replace(
        smsc.SmsBackend.capabilities,
        lookup_by_reference=False,
        idempotent_submit=True,
        idempotency_lifetime=timedelta(days=1),
    )
