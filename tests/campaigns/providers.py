"""A provider that does as the test says, and adapters to it of every kind that the engine has to cope with."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from sms_backends import (
    BaseSmsBackend,
    Capabilities,
    DeliveryReceipt,
    DuplicateReferenceError,
    Outcome,
    SendResult,
    SmsError,
    SMSMessage,
)


@dataclass(frozen=True)
class Request:
    """One request as the provider saw it."""

    to: list[tuple[str, str]]
    reference: str | None
    sender_id: str | None = None

    @property
    def numbers(self) -> list[str]:
        return [number for number, _text in self.to]


class Provider:
    """Takes everything unless told otherwise, and remembers what it was asked and what it took."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.requests: list[Request] = []
        self.taken: list[tuple[str, str]] = []
        self.refusals: dict[str, SmsError] = {}
        self.receipts: list[DeliveryReceipt] = []
        self.asked: list[tuple[str, str]] = []
        self.during: Callable[[Request], object] | None = None
        self.extras: dict[str, Any] = {}
        #: What was taken under each reference, by the adapter that takes it once.
        self.ledger: dict[str, Request] = {}
        #: What is offered again is answered by an error of its own, not as at the first time.
        self.says_duplicate = False
        self._failures: deque[tuple[BaseException, bool]] = deque()

    def fail_next(self, *errors: BaseException, taken: bool = False) -> None:
        """The next requests end so. `taken`: although the provider took them."""
        self._failures.extend((error, taken) for error in errors)

    def relent(self) -> None:
        """No request ends so any more, whether `fail_next()` had one for it or not."""
        self._failures.clear()

    def copies(self) -> Counter[str]:
        """How many texts each number was sent."""
        return Counter(number for number, _text in self.taken)

    def answer(self, request: Request) -> list[SendResult]:
        self.requests.append(request)
        if self.during:
            self.during(request)
        if self._failures:
            return self._fail(request, *self._failures.popleft())
        return [self._answer_one(request, number, text) for number, text in request.to]

    def answer_once(self, request: Request) -> list[SendResult]:
        """The same, but what comes again under its reference is not taken again. It must be the same request."""
        known, taken = self.ledger.get(str(request.reference)), len(self.taken)
        assert known in (None, request), "another request under the same reference"
        try:
            results = self.answer(request)
        finally:
            if known is not None:
                del self.taken[taken:]
            elif len(self.taken) > taken:
                self.ledger[str(request.reference)] = request
        if known is None or not self.says_duplicate or results[0].error is not None:
            return results
        duplicate = DuplicateReferenceError("409", raw={"duplicate": True})
        return [SendResult(number, Outcome.REJECTED, error=duplicate) for number in request.numbers]

    def _fail(self, request: Request, error: BaseException, taken: bool) -> list[SendResult]:
        if taken:
            self.taken += request.to
        if not isinstance(error, SmsError):
            raise error
        return [
            SendResult(number, Outcome.REJECTED, reference=request.reference, error=error)
            for number, _text in request.to
        ]

    def _answer_one(self, request: Request, number: str, text: str) -> SendResult:
        refusal = self.refusals.get(number)
        if refusal is not None:
            raw = {"refused": str(refusal)}
            return SendResult(number, Outcome.REJECTED, reference=request.reference, error=refusal, raw=raw)
        self.taken.append((number, text))
        answer: dict[str, Any] = {
            "provider_message_id": f"id-{request.reference}",
            "cost": Decimal("1.5"),
            "currency": "RUB",
            "raw": {"ok": True},
        }
        return SendResult(number, Outcome.ACCEPTED, reference=request.reference, **{**answer, **self.extras})


provider = Provider()


class OneByOne(BaseSmsBackend):
    """One recipient per request, two requests at once."""

    provider_name = "One by one"
    capabilities = Capabilities(max_connections=2, sender_id=True, settle_seconds=60)

    def send_sms(
        self,
        phone_numbers: Sequence[str],
        message: str,
        *,
        reference: str | None = None,
        sender_id: str | None = None,
    ) -> list[SendResult] | None:
        return provider.answer(Request([(number, message) for number in phone_numbers], reference, sender_id))

    def fetch_receipts(self, messages: Sequence[tuple[str, str]]) -> list[DeliveryReceipt]:
        provider.asked += messages
        return provider.receipts


class SameText(OneByOne):
    """One text to many in one request."""

    provider_name = "Same text"
    capabilities = Capabilities(bulk_same_text=True, max_recipients=100, sender_id=True, settle_seconds=60)


class Reporting(SameText):
    """Says later what became of each message."""

    capabilities = replace(SameText.capabilities, receipts_push=True)


class Personalised(SameText):
    """Different texts in one request."""

    provider_name = "Personalised"
    capabilities = Capabilities(
        bulk_same_text=True, bulk_personalized=True, max_recipients=100, sender_id=True, receipts_poll=True
    )

    def send_messages(self, messages: Sequence[SMSMessage]) -> list[SendResult]:
        to = [(number, message.message) for message in messages for number in message.phone_numbers]
        return provider.answer(Request(to, messages[0].reference, messages[0].sender_id))


class Once(SameText):
    """Takes a request once, however often it comes under its reference."""

    capabilities = replace(
        SameText.capabilities,
        client_reference=True,
        idempotent_submit=True,
        idempotency_lifetime=timedelta(hours=6),
        request_seconds=10,
    )
    account = "account-1"

    def account_fingerprint(self) -> str:
        return type(self).account

    def send_sms(
        self,
        phone_numbers: Sequence[str],
        message: str,
        *,
        reference: str | None = None,
        sender_id: str | None = None,
    ) -> list[SendResult] | None:
        return provider.answer_once(Request([(number, message) for number in phone_numbers], reference, sender_id))


class LoopedPersonalised(SameText):
    """Takes different texts in one call, and loops over them inside, as the base class does."""

    capabilities = Personalised.capabilities


class Legacy(BaseSmsBackend):
    """Of the original interface: two arguments, returns nothing."""

    def __init__(self, **options: Any) -> None:
        self.options = options

    def send_sms(self, phone_numbers: Sequence[str], message: str) -> None:
        provider.answer(Request([(number, message) for number in phone_numbers], None))


class Forgetful(SameText):
    """Names only the first recipient in its answer."""

    def send_sms(self, phone_numbers: Sequence[str], message: str, **keywords: Any) -> list[SendResult] | None:
        return (super().send_sms(phone_numbers, message, **keywords) or [])[:1]


class RefusesBeforeWriting(SameText):
    """Raises instead of returning, as an adapter may before the first request is written."""

    def send_sms(self, phone_numbers: Sequence[str], message: str, **keywords: Any) -> list[SendResult] | None:
        results = super().send_sms(phone_numbers, message, **keywords) or []
        error = results[0].error
        if error is not None:
            raise error
        return results


def take_at_most(recipients: int, backend_class: type[BaseSmsBackend], monkeypatch: Any) -> None:
    """The adapter takes no more in one request, and a worker looks up after each."""
    fewer = replace(backend_class.capabilities, max_recipients=recipients)
    monkeypatch.setattr(backend_class, "capabilities", fewer)
    monkeypatch.setattr("campaigns.sending.dispatch.TURN_SECONDS", 0.0)
