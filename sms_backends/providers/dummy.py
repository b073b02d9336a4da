"""Takes everything and does nothing: for load tests, and for installations that must not send."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import ClassVar

from sms_backends.base import BaseSmsBackend, Option
from sms_backends.results import Capabilities, Outcome, SendResult


class SmsBackend(BaseSmsBackend):
    """Accepts every message, without an id."""

    provider_name = "Dummy"
    capabilities = Capabilities(
        client_reference=True,
        bulk_same_text=True,
        bulk_personalized=True,
        max_recipients=500,
        max_connections=10,
        validity=True,
        sender_id=True,
        pretends=True,
    )
    known_options: ClassVar[Mapping[str, Option]] = {}

    def send_sms(
        self,
        phone_numbers: Sequence[str],
        message: str,
        *,
        reference: str | None = None,
        sender_id: str | None = None,
        validity_period: timedelta | None = None,
    ) -> list[SendResult]:
        return [SendResult(number, Outcome.ACCEPTED, reference=reference) for number in phone_numbers]
