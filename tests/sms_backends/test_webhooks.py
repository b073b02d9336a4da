"""The addresses that providers call: verify, parse, hand on, answer."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from sms_backends import DeliveryReceipt, DeliveryStatus, IncomingSms
from sms_backends.webhooks import MAX_BODY_BYTES
from tests.contracts import WebhookCall, WebhookContract
from tests.contracts.sending import NUMBERS
from tests.sms_backends.adapters import WebhookBackend


class TestWebhooks(WebhookContract):
    backend_path = "tests.sms_backends.adapters.WebhookBackend"

    def make_options(self) -> dict[str, Any]:
        return {"PASSWORD": "right"}

    def build_receipt(self, message_id: str, phone_number: str, status: DeliveryStatus) -> WebhookCall:
        return WebhookCall({"id": message_id, "phone": phone_number, "status": status.value, "password": "right"})

    def build_incoming(self, phone_number: str, text: str, to: str) -> WebhookCall:
        return WebhookCall({"phone": phone_number, "text": text, "to": to, "password": "right"})

    def with_wrong_signature(self, call: WebhookCall) -> WebhookCall:
        return replace(call, fields=call.fields | {"password": "wrong"})

    def without_signature(self, call: WebhookCall) -> WebhookCall:
        return replace(call, fields={name: value for name, value in call.fields.items() if name != "password"})

    def without_sense(self) -> WebhookCall:
        return WebhookCall({"password": "right"})

    def test_a_refused_call_is_logged_without_number_or_text(self, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.INFO):
            self.call(self.with_wrong_signature(self.build_incoming(NUMBERS[0], "a private word", "100")))
            self.call(self.without_sense())
        logged = "\n".join(record.getMessage() for record in caplog.records if record.name.startswith("sms_backends"))
        assert "gateway contract refused: wrong password" in logged
        assert "gateway contract cannot be understood" in logged
        assert NUMBERS[0] not in logged
        assert "private" not in logged

    def test_one_call_may_hold_both_kinds(self, monkeypatch: pytest.MonkeyPatch) -> None:
        events = [IncomingSms(NUMBERS[0], "Hi"), DeliveryReceipt("1", NUMBERS[0], DeliveryStatus.UNMAPPED)]
        monkeypatch.setattr(WebhookBackend, "parse_webhook", lambda backend, request: events)
        assert self.call(self.delivered()).status_code == 200
        assert [*self.incoming, *self.receipts] == events

    def test_a_call_about_nothing_is_answered_200_and_hands_nothing_on(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(WebhookBackend, "parse_webhook", lambda backend, request: [])
        assert self.call(self.delivered()).status_code == 200
        assert not self.gateways

    def test_a_long_body_is_refused_unread(self) -> None:
        call = WebhookCall(body=b"x" * (MAX_BODY_BYTES + 1))
        assert self.call(call).status_code == 413

    def test_a_senseless_content_length_counts_as_none(self) -> None:
        self.make_backend()
        url = reverse("sms_backends:receipts", args=["contract"])
        response = Client().generic("GET", url + "?password=right", CONTENT_LENGTH="many")
        assert response.status_code == 400

    @pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
    def test_other_methods_are_not_allowed(self, method: str) -> None:
        assert self.call(WebhookCall(body=b""), method=method).status_code == 405


@pytest.mark.parametrize("method", ["get", "post", "head"])
@pytest.mark.parametrize("address", ["receipts", "incoming"])
def test_a_gateway_that_does_not_exist_or_has_no_webhooks_is_404(settings: Any, method: str, address: str) -> None:
    settings.SMS_GATEWAYS = {"mute": {"BACKEND": "dummy"}}
    for alias in ("mute", "nowhere"):
        assert getattr(Client(), method)(f"/sms/{alias}/{address}/").status_code == 404


def test_an_adapter_that_promises_webhooks_and_has_none_is_404(settings: Any) -> None:
    settings.SMS_SETTINGS = {"BACKEND": "tests.sms_backends.adapters.HalfAHookBackend"}
    assert Client().post("/sms/default/receipts/").status_code == 404


def test_nobody_has_to_be_signed_in(settings: Any) -> None:
    settings.SMS_SETTINGS = {"BACKEND": "tests.sms_backends.adapters.WebhookBackend", "OPTIONS": {"PASSWORD": "x"}}
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "django.contrib.auth.middleware.LoginRequiredMiddleware"]
    assert Client().post("/sms/default/receipts/").status_code == 403
