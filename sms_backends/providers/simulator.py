"""
A provider inside the process: nothing is sent, and everything that can happen to a message can be made to happen.

What becomes of a message is decided by the last digits of its number (`ENDINGS`, changed or extended by the option
OUTCOMES) and by nothing else, so that every run repeats. Nothing is kept in memory: an id carries the time of its
acceptance, and any process can tell the state of a message from its id, its number and the clock.
"""

from __future__ import annotations

import hmac
import json
import re
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import islice
from typing import TYPE_CHECKING, Any, ClassVar

from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest

from sms_backends.base import BaseSmsBackend, Option
from sms_backends.exceptions import (
    AuthenticationError,
    ContentRejectedError,
    InsufficientFundsError,
    OutcomeUnknownError,
    ProtocolError,
    Reason,
    RecipientRejectedError,
    SmsError,
    TemporaryError,
    ThrottledError,
    WebhookVerificationError,
)
from sms_backends.results import Capabilities, DeliveryReceipt, DeliveryStatus, IncomingSms, Outcome, SendResult
from sms_backends.segments import segment

if TYPE_CHECKING:
    from sms_backends.message import SMSMessage


class Fate(StrEnum):
    """What can happen to a message. The values are the words for the option OUTCOMES."""

    # Accepted, and what the receipt says later.
    DELIVERED = "delivered"
    LATE = "late"  # delivered, after LATE_SECONDS
    UNDELIVERED = "undelivered"
    EXPIRED = "expired"
    REJECTED_LATER = "rejected_later"
    SILENT = "silent"  # accepted, and no final receipt ever
    # Refused for this recipient; the others of the request are not concerned.
    INVALID_NUMBER = "invalid_number"
    BLOCKED = "blocked"
    OPTED_OUT = "opted_out"
    # The whole request ends so, for all its recipients.
    FORBIDDEN_TEXT = "forbidden_text"
    NO_FUNDS = "no_funds"
    WRONG_PASSWORD = "wrong_password"  # noqa: S105 (no password)
    THROTTLED = "throttled"
    UNREACHABLE = "unreachable"  # no connection: provably not taken
    TIMEOUT = "timeout"  # no answer within TIMEOUT seconds: unknown
    UNREADABLE = "unreadable"  # an answer that is no answer: unknown


#: Last digits -> fate; the longest fitting ending decides, everything else is delivered.
ENDINGS: Mapping[str, Fate] = {
    "99": Fate.UNDELIVERED,  # one number in a hundred
    "555001": Fate.INVALID_NUMBER,
    "555002": Fate.BLOCKED,
    "555003": Fate.OPTED_OUT,
    "555004": Fate.FORBIDDEN_TEXT,
    "555005": Fate.NO_FUNDS,
    "555006": Fate.WRONG_PASSWORD,
    "555007": Fate.THROTTLED,
    "555008": Fate.UNREACHABLE,
    "555009": Fate.TIMEOUT,
    "555010": Fate.UNREADABLE,
    "555020": Fate.UNDELIVERED,
    "555021": Fate.EXPIRED,
    "555022": Fate.REJECTED_LATER,
    "555023": Fate.LATE,
    "555024": Fate.SILENT,
}

_Refusal = Callable[[Fate], SmsError]


def _recipient_refusal(reason: Reason, text: str, *, suppress: bool = False) -> _Refusal:
    return lambda fate: RecipientRejectedError(provider_code=fate, provider_text=text, reason=reason, suppress=suppress)


def _request_error(error: type[SmsError], text: str, *, retry_after: float | None = None) -> _Refusal:
    return lambda fate: error(provider_code=fate, provider_text=text, retry_after=retry_after)


class SmsBackend(BaseSmsBackend):
    """The simulator. `docs/providers.md` lists the numbers and what happens to them."""

    provider_name = "Simulator"
    capabilities = Capabilities(
        client_reference=True,
        bulk_same_text=True,
        bulk_personalized=True,
        max_recipients=100,
        max_connections=4,
        validity=True,
        sender_id=True,
        receipts_poll=True,
        pretends=True,
    )
    known_options: ClassVar[Mapping[str, Option]] = {
        "LATENCY": Option(0.05, "Seconds that a request takes"),
        "TIMEOUT": Option(1.0, "Seconds after which an unanswered request is given up"),
        "DELIVERY_SECONDS": Option(5.0, "Receipts come within so many seconds, spread by the number's last digit"),
        "LATE_SECONDS": Option(60.0, "Seconds until a late receipt"),
        "INCOMING_SECRET": Option(
            "", "Takes made-up replies at /sms/<gateway>/incoming/ from whoever sends it in X-Simulator-Secret"
        ),
        "OUTCOMES": Option(None, 'Endings of numbers and what happens to them, such as {"7": "throttled"}'),
    }

    _recipient_refusals: ClassVar[Mapping[Fate, _Refusal]] = {
        Fate.INVALID_NUMBER: _recipient_refusal(Reason.INVALID_NUMBER, "No such number", suppress=True),
        Fate.BLOCKED: _recipient_refusal(Reason.BLOCKED, "The operator has blocked messages to this number"),
        Fate.OPTED_OUT: _recipient_refusal(Reason.OPTED_OUT, "The subscriber refuses messages", suppress=True),
    }
    _request_errors: ClassVar[Mapping[Fate, _Refusal]] = {
        Fate.FORBIDDEN_TEXT: _request_error(ContentRejectedError, "The text is forbidden"),
        Fate.NO_FUNDS: _request_error(InsufficientFundsError, "Insufficient funds"),
        Fate.WRONG_PASSWORD: _request_error(AuthenticationError, "Wrong login or password"),
        Fate.THROTTLED: _request_error(ThrottledError, "Too many requests", retry_after=1),
        Fate.UNREACHABLE: _request_error(TemporaryError, "Connection refused"),
        Fate.TIMEOUT: _request_error(OutcomeUnknownError, "No answer in time"),
        Fate.UNREADABLE: _request_error(ProtocolError, "The answer cannot be understood"),
    }
    _receipts: ClassVar[Mapping[Fate, tuple[DeliveryStatus, Reason | None]]] = {
        Fate.DELIVERED: (DeliveryStatus.DELIVERED, None),
        Fate.LATE: (DeliveryStatus.DELIVERED, None),
        Fate.UNDELIVERED: (DeliveryStatus.UNDELIVERED, Reason.UNREACHABLE_TEMPORARY),
        Fate.EXPIRED: (DeliveryStatus.EXPIRED, Reason.EXPIRED),
        Fate.REJECTED_LATER: (DeliveryStatus.REJECTED, Reason.REJECTED_BY_CARRIER),
    }

    def __init__(self, *, alias: str = "default", **options: Any) -> None:
        super().__init__(alias=alias, **options)
        self._latency = self._seconds("LATENCY")
        self._timeout = self._seconds("TIMEOUT")
        self._delivery_seconds = self._seconds("DELIVERY_SECONDS")
        self._late_seconds = self._seconds("LATE_SECONDS")
        self._endings = {**ENDINGS, **self._outcomes()}
        if self.options["INCOMING_SECRET"]:
            self.capabilities = replace(type(self).capabilities, incoming_push=True)  # type: ignore[misc]  # this one's
        self._lengths = sorted({len(ending) for ending in self._endings}, reverse=True)

    def _seconds(self, name: str) -> float:
        value = self.options[name]
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 86_400:
            raise ImproperlyConfigured(
                f'Gateway {self.alias!r}: {name} must be a number of seconds, not {value!r}. Example: "{name}": 0.5.'
            )
        return float(value)

    def _outcomes(self) -> dict[str, Fate]:
        outcomes = self.options["OUTCOMES"] or {}
        try:
            return {_checked_ending(ending): Fate(fate) for ending, fate in outcomes.items()}
        except (AttributeError, TypeError, ValueError) as error:
            raise ImproperlyConfigured(
                f"Gateway {self.alias!r}: OUTCOMES must map last digits to one of {', '.join(Fate)} ({error}). "
                'Example: "OUTCOMES": {"7": "throttled"}.'
            ) from error

    def fate_of(self, phone_number: str) -> Fate:
        """What happens to messages to this number."""
        for length in self._lengths:
            fate = self._endings.get(phone_number[len(phone_number) - length :])
            if fate is not None:
                return fate
        return Fate.DELIVERED

    def foretell(self, phone_number: str) -> tuple[str, str]:
        """
        What would become of a message to this number in the end, without sending it: a word and the reason.

        The word is a `DeliveryStatus`, "sent" for what is taken and never reported, "unknown" where no clear answer
        would come, "failed" where the gateway could not be reached, or "stopped" where the request would be refused for
        a reason that concerns more than this message.
        """
        fate = self.fate_of(phone_number)
        if fate in self._receipts:
            status, reason = self._receipts[fate]
            return status.value, reason or ""
        if fate is Fate.SILENT:
            return "sent", ""
        if fate in self._recipient_refusals:
            return DeliveryStatus.REJECTED.value, self._recipient_refusals[fate](fate).reason
        error = self._request_errors[fate](fate)
        if not error.outcome_known:
            return "unknown", ""
        return "failed" if isinstance(error, ThrottledError | TemporaryError) else "stopped", error.reason

    # --- sending -------------------------------------------------------------------------------------------

    def send_sms(
        self,
        phone_numbers: Sequence[str],
        message: str,
        *,
        reference: str | None = None,
        sender_id: str | None = None,
        validity_period: timedelta | None = None,
    ) -> list[SendResult]:
        return self._send([(number, message, reference) for number in phone_numbers])

    def send_messages(self, messages: Sequence[SMSMessage]) -> list[SendResult]:
        return self._send(
            [(number, message.message, message.reference) for message in messages for number in message.phone_numbers]
        )

    def _send(self, texts: Sequence[tuple[str, str, str | None]]) -> list[SendResult]:
        remaining = iter(texts)
        results: list[SendResult] = []
        while request := list(islice(remaining, self.capabilities.max_recipients)):
            results += self._answer_request(request)
        return results

    def _answer_request(self, request: Sequence[tuple[str, str, str | None]]) -> Iterator[SendResult]:
        """One request: refused or lost as a whole if the number of any recipient says so."""
        fates = [self.fate_of(number) for number, _, _ in request]
        request_fate = next((fate for fate in fates if fate in self._request_errors), None)
        time.sleep(self._timeout if request_fate is Fate.TIMEOUT else self._latency)
        message_id = _new_message_id()
        for (number, text, reference), fate in zip(request, fates, strict=True):
            refusal = self._request_errors.get(request_fate) if request_fate else self._recipient_refusals.get(fate)
            raw = {"simulated": request_fate or fate}
            if refusal:
                error = refusal(request_fate or fate)
                yield SendResult(number, Outcome.REJECTED, reference=reference, error=error, raw=raw)
                continue
            yield SendResult(
                number,
                Outcome.ACCEPTED,
                provider_message_id=message_id,
                reference=reference,
                segments=segment(text).segments,
                raw=raw | {"id": message_id},
            )

    # --- incoming messages ---------------------------------------------------------------------------------

    def verify_webhook(self, request: HttpRequest) -> None:
        """Raise WebhookVerificationError unless INCOMING_SECRET came along."""
        given = request.headers.get("X-Simulator-Secret", "").encode()
        if not hmac.compare_digest(given, str(self.options["INCOMING_SECRET"]).encode()):
            raise WebhookVerificationError("The secret is missing or wrong.")

    def parse_webhook(self, request: HttpRequest) -> list[DeliveryReceipt | IncomingSms]:
        """One message as JSON: `{"from": "+7...", "text": "...", "to": "", "id": ""}`. Raises ValueError."""
        record = json.loads(request.body)
        if not isinstance(record, dict) or not all(isinstance(record.get(name), str) for name in ("from", "text")):
            raise ValueError("An incoming message has the fields from and text.")
        return [
            IncomingSms(
                phone_number=record["from"],
                text=record["text"],
                to=str(record.get("to", "")),
                provider_message_id=str(record.get("id", "")),
                at=datetime.now(UTC),
                raw=record,
            )
        ]

    # --- receipts ------------------------------------------------------------------------------------------

    def fetch_receipts(self, messages: Sequence[tuple[str, str]]) -> list[DeliveryReceipt]:
        """The state of messages by now. Ids that are not the simulator's are left out, as unknown to it."""
        now = time.time()
        found = ((message_id, number, _accepted_at(message_id)) for message_id, number in messages)
        return [
            self._receipt(message_id, number, accepted_at, now)
            for message_id, number, accepted_at in found
            if accepted_at is not None
        ]

    def _receipt(self, message_id: str, phone_number: str, accepted_at: float, now: float) -> DeliveryReceipt:
        fate = self.fate_of(phone_number)
        status, reason = self._receipts.get(fate, (DeliveryStatus.ACCEPTED, None))
        final_at = accepted_at + self._delay(phone_number, fate)
        if now < final_at:
            status, reason = DeliveryStatus.ACCEPTED, None
        at = accepted_at if status is DeliveryStatus.ACCEPTED else final_at
        return DeliveryReceipt(
            message_id,
            phone_number,
            status,
            provider_status=status.value,
            reason=reason,
            provider_code=reason or "",
            at=datetime.fromtimestamp(at, UTC),
            raw={"id": message_id, "status": status.value, "simulated": fate},
        )

    def _delay(self, phone_number: str, fate: Fate) -> float:
        if fate is Fate.LATE:
            return self._late_seconds
        last_digit = int(phone_number[-1]) if phone_number[-1:].isdecimal() else 0
        return self._delivery_seconds * (last_digit + 1) / 10


def _checked_ending(ending: str) -> str:
    if not re.fullmatch(r"[0-9]*", ending):
        raise ValueError(f"{ending!r} are no digits")
    return ending


def _new_message_id() -> str:
    """An id for one request, shared by its recipients, that carries the time in milliseconds."""
    return f"sim-{int(time.time() * 1000):x}-{secrets.token_hex(6)}"


def _accepted_at(message_id: str) -> float | None:
    """Seconds since the epoch at which this id was given; None for a foreign id."""
    found = re.fullmatch(r"sim-([0-9a-f]{8,12})-[0-9a-f]{12}", message_id)
    return int(found[1], 16) / 1000 if found else None
