"""
Keeps messages in memory instead of sending them: for tests, like Django's own `locmem` e-mail backend.

    from sms_backends.providers import locmem

    locmem.outbox[0].message
    locmem.outbox.clear()  # nothing else empties it: do this before each test, best in an autouse fixture
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import ClassVar

from sms_backends.base import BaseSmsBackend, Option
from sms_backends.message import SMSMessage
from sms_backends.results import Capabilities, Outcome, SendResult

#: What was sent by this process through all gateways, oldest first: one `SMSMessage` per text, with all its numbers.
outbox: list[SMSMessage] = []


class SmsBackend(BaseSmsBackend):
    """Accepts every message; all recipients of one text share an id, as with many providers."""

    provider_name = "Memory"
    capabilities = Capabilities(
        client_reference=True,
        bulk_same_text=True,
        bulk_personalized=True,
        max_recipients=100,
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
        message_id = f"locmem-{secrets.token_hex(8)}"
        outbox.append(
            SMSMessage(
                list(phone_numbers),
                message,
                using=self.alias,
                reference=reference,
                sender_id=sender_id,
                validity_period=validity_period,
            )
        )
        raw = {"id": message_id, "recipients": len(phone_numbers)}
        return [
            SendResult(number, Outcome.ACCEPTED, provider_message_id=message_id, reference=reference, raw=raw)
            for number in phone_numbers
        ]
