"""The adapter in docs/providers.md is complete: it keeps the contract against a server that speaks its dialect."""

from __future__ import annotations

import hashlib
import hmac
import re
import socket
import sys
import types
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

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
from tests.sms_backends.loopback import LoopbackServer, loopback_server

DOCUMENTATION = Path(__file__).resolve().parents[2] / "docs" / "providers.md"
MODULE = "documented_adapter"
SECRET = "a secret of the webhook"


@pytest.fixture(autouse=True)
def _documented_module(monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = re.findall(r"```python\n(.*?)```", DOCUMENTATION.read_text(encoding="utf-8"), re.DOTALL)
    (source,) = (block for block in blocks if "class SmsBackend" in block)
    module = types.ModuleType(MODULE)
    monkeypatch.setitem(sys.modules, MODULE, module)
    exec(compile(source, "docs/providers.md", "exec"), module.__dict__)


class TestDocumentedAdapter(BackendContract, RefusingContract, NetworkContract, RequiredOptionsContract):
    backend_path = f"{MODULE}.SmsBackend"

    @pytest.fixture(autouse=True)
    def _serve(self) -> Iterator[None]:
        with loopback_server() as server:
            self.server: LoopbackServer = server
            self.options: dict[str, Any] = {"API_KEY": "key", "BASE_URL": server.url}
            self.server.answer = lambda body: (200, {"id": "m-1", "refused": {}})
            yield

    def make_options(self) -> dict[str, Any]:
        return self.options

    def incomplete_options(self) -> list[tuple[dict[str, Any], str]]:
        return [({"BASE_URL": self.server.url}, "API_KEY")]

    def received(self) -> list[tuple[str, str]]:
        return [(number, body["text"]) for body in self.server.bodies for number in body["to"]]

    def arrange_partly_refused(self) -> tuple[list[str], set[str]]:
        refused = {NUMBERS[1]: "bad_number", NUMBERS[3]: "a word that is in no list"}
        self.server.answer = lambda body: (
            200,
            {"id": "m-1", "refused": {number: refused[number] for number in body["to"] if number in refused}},
        )
        return NUMBERS, set(refused)

    def arrange_refused(self) -> list[str]:
        self.server.answer = lambda body: (402, "No money")
        return NUMBERS

    def arrange_throttled(self) -> list[str]:
        self.server.answer = lambda body: (429, "Slowly")
        return NUMBERS

    def arrange_answer(self, status: int, body: str) -> list[str]:
        self.server.answer = lambda request: (status, body)
        return NUMBERS

    def arrange_unreachable(self) -> list[str]:
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            self.options["BASE_URL"] = f"http://127.0.0.1:{closed.getsockname()[1]}"
        return NUMBERS

    def arrange_silence(self) -> list[str]:
        self.options["TIMEOUT"] = 0.2
        self.server.answer = lambda body: None
        return NUMBERS

    def connections_opened(self) -> int:
        return self.server.connections

    def requests_received(self) -> int:
        return len(self.server.bodies)


class TestDocumentedWebhooks(WebhookContract):
    backend_path = f"{MODULE}.SmsBackend"
    methods = ("POST",)

    def make_options(self) -> dict[str, Any]:
        return {"API_KEY": "key", "WEBHOOK_SECRET": SECRET}

    def build_receipt(self, message_id: str, phone_number: str, status: DeliveryStatus) -> WebhookCall:
        word = {DeliveryStatus.ACCEPTED: "sent", DeliveryStatus.DELIVERED: "delivered"}[status]
        return self.signed({"id": message_id, "phone": phone_number, "status": word})

    def build_incoming(self, phone_number: str, text: str, to: str) -> WebhookCall:
        return self.signed({"from": phone_number, "text": text, "to": to})

    def with_wrong_signature(self, call: WebhookCall) -> WebhookCall:
        return replace(call, headers=self.signed({}, secret="another").headers)

    def without_signature(self, call: WebhookCall) -> WebhookCall:
        return replace(call, headers={})

    def without_sense(self) -> WebhookCall:
        return self.signed({"weather": "fine"})

    def signed(self, fields: dict[str, str], secret: str = SECRET) -> WebhookCall:
        body = urlencode(fields).encode()
        signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        return WebhookCall(body=body, headers={"X-Signature": signature})

    def test_without_a_secret_everything_is_refused(self) -> None:
        self.make_backend(WEBHOOK_SECRET="")
        assert self.call(self.signed({"id": "1", "phone": NUMBERS[0], "status": "sent"}, secret="")).status_code == 403
