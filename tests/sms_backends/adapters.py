"""Adapters as other people write them: in the original interface, in today's, and wrongly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, ClassVar

from django.http import HttpRequest

from sms_backends import (
    BaseSmsBackend,
    Capabilities,
    DeliveryReceipt,
    DeliveryStatus,
    IncomingSms,
    Outcome,
    SendResult,
    SMSMessage,
    WebhookVerificationError,
)
from sms_backends.base import Option


class OriginalBackend(BaseSmsBackend):
    """The original interface: returns None."""

    def send_sms(self, phone_numbers: Sequence[str], message: str) -> None:
        pass


class OwnConstructorBackend(OriginalBackend):
    """Names its options, knows no alias, and does not call the base class's constructor."""

    def __init__(self, LOGIN: str, PASSWORD: str = "") -> None:
        self.login = LOGIN


class AnyOptionsBackend(OriginalBackend):
    """Keeps whatever it is given."""

    def __init__(self, **options: Any) -> None:
        self.given = options


class NoOptionsBackend(OriginalBackend):
    def __init__(self) -> None:
        pass


class ForwardingBackend(OriginalBackend):
    """Of today's interface, with a constructor that passes everything on."""

    known_options: ClassVar[Mapping[str, Option]] = {"KEY": Option(help="The account's key"), "SIZE": Option(1, "Size")}

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.alias_at_construction = self.alias


class ScriptedBackend(BaseSmsBackend):
    """Answers one text after the other with what `answers` holds: something to return, or an exception to raise."""

    answers: ClassVar[list[object]] = []
    sent: ClassVar[list[str]] = []

    def send_sms(self, phone_numbers: Sequence[str], message: str) -> Any:
        self.sent.append(message)
        answer = self.answers.pop(0) if self.answers else [SendResult(n, Outcome.ACCEPTED) for n in phone_numbers]
        if isinstance(answer, BaseException):
            raise answer
        return answer


class KeywordsBackend(BaseSmsBackend):
    """Takes any keyword and keeps the last ones."""

    keywords: ClassVar[dict[str, object]] = {}

    def send_sms(self, phone_numbers: Sequence[str], message: str, **keywords: object) -> None:
        KeywordsBackend.keywords = keywords


class BulkBackend(BaseSmsBackend):
    """Sends different texts in one request."""

    requests: ClassVar[list[list[str]]] = []

    def send_messages(self, messages: Sequence[SMSMessage]) -> list[SendResult]:
        self.requests.append([message.message for message in messages])
        return [SendResult(n, Outcome.ACCEPTED) for message in messages for n in message.phone_numbers]


class SenderOnlyBackend(BaseSmsBackend):
    def send_sms(self, phone_numbers: Sequence[str], message: str, sender_id: str = "") -> None:
        KeywordsBackend.keywords = {"sender_id": sender_id}


class WebhookBackend(BaseSmsBackend):
    """Takes receipts and incoming messages signed with a password in the open. No example to follow."""

    provider_name = "Hook"
    capabilities = Capabilities(receipts_push=True, incoming_push=True)
    known_options: ClassVar[Mapping[str, Option]] = {"PASSWORD": Option("", "Password of the webhook")}
    webhook_signed_by = "PASSWORD"
    webhook_answer = "ACK"

    def verify_webhook(self, request: HttpRequest) -> None:
        if request.GET.get("password", request.POST.get("password")) != self.options["PASSWORD"]:
            raise WebhookVerificationError("wrong password")

    def parse_webhook(self, request: HttpRequest) -> list[DeliveryReceipt | IncomingSms]:
        fields = (request.POST or request.GET).dict()
        if "text" in fields:
            return [IncomingSms(fields["phone"], fields["text"], to=fields["to"], raw=fields)]
        if "id" not in fields:
            raise ValueError("no id")
        receipt = DeliveryReceipt(fields["id"], fields["phone"], DeliveryStatus(fields["status"]), raw=fields)
        return [receipt]


class HalfAHookBackend(OriginalBackend):
    """Says that it takes receipts, and does not."""

    capabilities = Capabilities(receipts_push=True)


class TypeErrorBackend(OriginalBackend):
    def __init__(self, SIZE: Any = 1) -> None:
        self.size = int(SIZE)


class Unrelated:
    """No backend."""


VALIDITY = timedelta(hours=1)


class OnceBackend(BaseSmsBackend):
    """Takes a repeated request once."""

    known_options: ClassVar[Mapping[str, Option]] = {}
    capabilities = Capabilities(idempotent_submit=True, idempotency_lifetime=timedelta(hours=1), client_reference=True)

    def account_fingerprint(self) -> str:
        return "account"

    def send_sms(self, phone_numbers: Sequence[str], message: str, *, reference: str | None = None) -> None:
        pass


class OnceWithoutReferenceBackend(OnceBackend):
    def send_sms(self, phone_numbers: Sequence[str], message: str) -> None:  # type: ignore[override]
        pass


class OnceWithoutAccountBackend(OnceBackend):
    def account_fingerprint(self) -> str:
        return ""


class OnceLoopedBackend(OnceBackend):
    """Different texts in one call, and a request for each: all under one key."""

    capabilities = replace(OnceBackend.capabilities, bulk_personalized=True)
