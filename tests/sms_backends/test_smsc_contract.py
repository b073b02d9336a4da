"""SMSC.ru keeps to what every adapter must do, over real HTTP against the fake server."""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from sms_backends import DeliveryStatus
from tests.contracts import (
    BackendContract,
    NetworkContract,
    RefusingContract,
    RequiredOptionsContract,
    WebhookCall,
    WebhookContract,
)
from tests.contracts.sending import NUMBERS
from tests.fake_smsc import FakeSmsc
from tests.fake_smsc.callbacks import incoming_fields, receipt_fields

SECRET = "callback-secret"


class SmscHooks:
    backend_path = "sms_backends.providers.smsc.SmsBackend"

    @pytest.fixture(autouse=True)
    def _run_server(self) -> Iterator[None]:
        with FakeSmsc() as self.smsc:
            self.options: dict[str, Any] = {
                "SMSC_BASE_URL": self.smsc.base_url,
                "SMSC_LOGIN": "login",
                "SMSC_PASSWORD": "password",
                "SMSC_CALLBACK_SECRET": SECRET,
            }
            yield

    def make_options(self) -> dict[str, Any]:
        return self.options


class TestSmsc(SmscHooks, BackendContract, RefusingContract, NetworkContract, RequiredOptionsContract):
    def received(self) -> list[tuple[str, str]]:
        return [(f"+{message.phone}", message.text) for message in self.smsc.messages()]

    def connections_opened(self) -> int:
        return self.smsc.connections()

    def requests_received(self) -> int:
        return self.smsc.requests()

    def arrange_partly_refused(self) -> tuple[list[str], set[str]]:
        self.smsc.refuse(NUMBERS[1], error=248)
        self.smsc.refuse(NUMBERS[3], status=23)
        return list(NUMBERS), {NUMBERS[1], NUMBERS[3]}

    def arrange_refused(self) -> list[str]:
        self.smsc.fault("error", code=3)
        return list(NUMBERS)

    def arrange_throttled(self) -> list[str]:
        self.smsc.fault("http", status=429, headers={"Retry-After": "7"})
        return list(NUMBERS)

    def arrange_answer(self, status: int, body: str) -> list[str]:
        self.smsc.fault("http", status=status, body=body)
        return list(NUMBERS)

    def arrange_unreachable(self) -> list[str]:
        with socket.create_server(("127.0.0.1", 0)) as server:
            self.options["SMSC_BASE_URL"] = f"http://127.0.0.1:{server.getsockname()[1]}"
        return list(NUMBERS)

    def arrange_silence(self) -> list[str]:
        self.smsc.fault("hang")
        self.options["SMSC_TIMEOUT"] = 0.2
        return list(NUMBERS)

    def incomplete_options(self) -> list[tuple[dict[str, Any], str]]:
        return [
            ({"SMSC_LOGIN": "login"}, "SMSC_PASSWORD"),
            ({"SMSC_PASSWORD": "password"}, "SMSC_LOGIN"),
            ({}, "SMSC_APIKEY"),
        ]


class TestSmscWebhooks(SmscHooks, WebhookContract):
    def build_receipt(self, message_id: str, phone_number: str, status: DeliveryStatus) -> WebhookCall:
        code = {DeliveryStatus.ACCEPTED: 0, DeliveryStatus.DELIVERED: 1}[status]
        return WebhookCall(receipt_fields(message_id, phone_number.lstrip("+"), code, secret=SECRET, at=1_795_431_600))

    def build_incoming(self, phone_number: str, text: str, to: str) -> WebhookCall:
        return WebhookCall(incoming_fields(phone_number.lstrip("+"), text, to, secret=SECRET))

    def with_wrong_signature(self, call: WebhookCall) -> WebhookCall:
        forged = {name: getattr(hashlib, name)(b"another secret").hexdigest() for name in ("md5", "sha1")}
        return replace(call, fields={**call.fields, **forged})

    def without_signature(self, call: WebhookCall) -> WebhookCall:
        return replace(call, fields={k: v for k, v in call.fields.items() if k not in {"md5", "sha1"}})

    def without_sense(self) -> WebhookCall:
        return WebhookCall({"phone": NUMBERS[0].lstrip("+"), "md5": hashlib.md5(b"").hexdigest()})
