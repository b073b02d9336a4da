"""Prints messages to standard output instead of sending them, numbers and all: for development."""

from __future__ import annotations

import sys
import threading
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import ClassVar

from sms_backends.base import BaseSmsBackend, Option
from sms_backends.results import Capabilities, Outcome, SendResult

RULE = "-" * 79


class SmsBackend(BaseSmsBackend):
    """Accepts every message, without an id, and prints it."""

    provider_name = "Console"
    capabilities = Capabilities(
        client_reference=True,
        bulk_same_text=True,
        bulk_personalized=True,
        max_recipients=100,
        validity=True,
        sender_id=True,
        pretends=True,
    )
    known_options: ClassVar[Mapping[str, Option]] = {}

    #: The messages of several threads must not be mixed.
    _printing = threading.Lock()

    def send_sms(
        self,
        phone_numbers: Sequence[str],
        message: str,
        *,
        reference: str | None = None,
        sender_id: str | None = None,
        validity_period: timedelta | None = None,
    ) -> list[SendResult]:
        head = {
            "Gateway": self.alias,
            "To": ", ".join(phone_numbers),
            "From": sender_id,
            "Reference": reference,
            "Validity": validity_period,
        }
        lines = [f"{name}: {value}" for name, value in head.items() if value]
        with self._printing:
            sys.stdout.write("\n".join([*lines, "", message, RULE, ""]))
            sys.stdout.flush()
        return [SendResult(number, Outcome.ACCEPTED, reference=reference) for number in phone_numbers]
