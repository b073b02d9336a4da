"""Appends messages to a file instead of sending them: one line per recipient, the numbers masked unless asked for."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

from django.core.exceptions import ImproperlyConfigured

from sms_backends.base import BaseSmsBackend, Option
from sms_backends.exceptions import TemporaryError
from sms_backends.phone_numbers import mask
from sms_backends.results import Capabilities, Outcome, SendResult

#: Characters that end a line for some programs and that JSON leaves as they are.
LINE_BREAKS = {ord(character): f"\\u{ord(character):04x}" for character in "\x85\u2028\u2029"}


class SmsBackend(BaseSmsBackend):
    """
    Accepts every message, without an id, and writes it down.

    A line holds, separated by tabs: time (UTC), gateway, number, sender, reference ("-" for none), and the text as a
    JSON string, so that its line breaks and tabs are escaped. The text is not masked: keep the file as private as the
    messages are.
    """

    provider_name = "Log file"
    capabilities = Capabilities(
        client_reference=True,
        bulk_same_text=True,
        bulk_personalized=True,
        max_recipients=100,
        validity=True,
        sender_id=True,
        pretends=True,
    )
    known_options: ClassVar[Mapping[str, Option]] = {
        "LOG_FILE": Option("var/sms.log", "Path of the file; a relative one starts at the working directory"),
        "LOG_FULL_NUMBERS": Option(False, "True writes whole numbers; otherwise all but the last digits are masked"),
    }

    def __init__(self, *, alias: str = "default", **options: Any) -> None:
        super().__init__(alias=alias, **options)
        path = self.options["LOG_FILE"]
        if not path or not isinstance(path, (str, os.PathLike)):
            raise ImproperlyConfigured(
                f'Gateway {alias!r}: LOG_FILE must be a path, not {path!r}. Example: "LOG_FILE": "var/sms.log".'
            )
        self.path_of_log = Path(path).expanduser().absolute()

    def send_sms(
        self,
        phone_numbers: Sequence[str],
        message: str,
        *,
        reference: str | None = None,
        sender_id: str | None = None,
        validity_period: timedelta | None = None,
    ) -> list[SendResult]:
        """Raises TemporaryError when the file cannot be opened."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        text = json.dumps(message, ensure_ascii=False).translate(LINE_BREAKS)
        lines = [
            "\t".join([now, self.alias, self._shown(number), sender_id or "-", reference or "-", text])
            for number in phone_numbers
        ]
        try:
            self.path_of_log.parent.mkdir(parents=True, exist_ok=True)
            log = self.path_of_log.open("a", encoding="utf-8")
        except OSError as error:
            raise TemporaryError(f"LOG_FILE cannot be opened: {error}") from error
        with log:
            log.writelines(f"{line}\n" for line in lines)
        return [SendResult(number, Outcome.ACCEPTED, reference=reference) for number in phone_numbers]

    def _shown(self, phone_number: str) -> str:
        return phone_number if self.options["LOG_FULL_NUMBERS"] else mask(phone_number)
