"""The part of the contract for adapters whose provider calls: receipts and incoming messages."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import pytest
from django.test import Client
from django.urls import reverse

from sms_backends import DeliveryReceipt, DeliveryStatus, IncomingSms
from sms_backends.signals import incoming_received, receipts_received

from .sending import ALIAS, NUMBERS, ContractHooks


@dataclass(frozen=True)
class WebhookCall:
    """One call of the provider to us: form or query fields, or a body with its content type."""

    fields: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None
    content_type: str = "application/x-www-form-urlencoded"
    headers: dict[str, str] = field(default_factory=dict)


class WebhookContract(ContractHooks):
    """
    Adapters with `receipts_push` or `incoming_push`.

    Signals reach only the test: what the application makes of them is tested with the application.
    """

    #: How the provider calls. GET puts the fields into the query.
    methods: ClassVar[tuple[str, ...]] = ("GET", "POST")
    takes_incoming: ClassVar[bool] = True

    def build_receipt(self, message_id: str, phone_number: str, status: DeliveryStatus) -> WebhookCall:
        """A rightly signed receipt. `status` is ACCEPTED or DELIVERED."""
        raise NotImplementedError

    def build_incoming(self, phone_number: str, text: str, to: str) -> WebhookCall:
        """A rightly signed incoming message. Only for `takes_incoming`."""
        raise NotImplementedError

    def with_wrong_signature(self, call: WebhookCall) -> WebhookCall:
        """The same call with a signature of the right form, made with another secret."""
        raise NotImplementedError

    def without_signature(self, call: WebhookCall) -> WebhookCall:
        """The same call with no signature."""
        raise NotImplementedError

    def without_sense(self) -> WebhookCall:
        """A call that is rightly signed, where that is possible, and cannot be understood."""
        raise NotImplementedError

    @pytest.fixture(autouse=True)
    def _listen(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.receipts: list[DeliveryReceipt] = []
        self.incoming: list[IncomingSms] = []
        self.gateways: set[str] = set()

        def keep_receipts(sender: object, gateway: str, receipts: list[DeliveryReceipt], **kwargs: Any) -> None:
            self.gateways.add(gateway)
            self.receipts += receipts

        def keep_incoming(sender: object, gateway: str, messages: list[IncomingSms], **kwargs: Any) -> None:
            self.gateways.add(gateway)
            self.incoming += messages

        for signal, receiver in ((receipts_received, keep_receipts), (incoming_received, keep_incoming)):
            monkeypatch.setattr(signal, "receivers", [])
            signal.connect(receiver, weak=False)

    def call(
        self, call: WebhookCall, *, method: str = "POST", address: str = "receipts", client: Client | None = None
    ) -> Any:
        """Make the call as the provider would: from outside, without a cookie or a CSRF token."""
        if self.backend is None:
            self.make_backend()
        client = client or Client(enforce_csrf_checks=True)
        url = reverse(f"sms_backends:{address}", args=[ALIAS])
        if call.body is not None:
            return client.generic(method, url, call.body, content_type=call.content_type, headers=call.headers)
        return getattr(client, method.lower())(url, call.fields, headers=call.headers)

    def delivered(self, message_id: str = "contract-1") -> WebhookCall:
        return self.build_receipt(message_id, NUMBERS[0], DeliveryStatus.DELIVERED)

    def test_a_receipt_is_handed_on(self) -> None:
        for method in self.methods:
            self.receipts.clear()
            assert self.call(self.delivered(), method=method).status_code == 200
            (receipt,) = self.receipts
            assert receipt.provider_message_id == "contract-1"
            assert receipt.phone_number == NUMBERS[0]
            assert receipt.status is DeliveryStatus.DELIVERED
            assert receipt.raw
        assert self.gateways == {ALIAS}

    def test_an_incoming_message_is_handed_on(self) -> None:
        if not self.takes_incoming:
            pytest.skip("This provider hands on no incoming messages.")
        for method in self.methods:
            self.incoming.clear()
            call = self.build_incoming(NUMBERS[0], "СТОП ☎", "79990000000")
            assert self.call(call, method=method, address="incoming").status_code == 200
            (message,) = self.incoming
            assert message.phone_number == NUMBERS[0]
            assert message.text == "СТОП ☎"
            assert message.to.lstrip("+") == "79990000000"

    def test_both_addresses_take_both_kinds(self) -> None:
        assert self.call(self.delivered(), address="incoming").status_code == 200
        assert len(self.receipts) == 1
        if self.takes_incoming:
            assert self.call(self.build_incoming(NUMBERS[0], "Hi", "100"), address="receipts").status_code == 200
            assert len(self.incoming) == 1

    def test_the_answer_is_what_the_provider_expects(self) -> None:
        response = self.call(self.delivered())
        assert self.backend is not None
        assert response.content.decode() == self.backend.webhook_answer

    def test_a_wrong_signature_is_refused(self) -> None:
        for method in self.methods:
            assert self.call(self.with_wrong_signature(self.delivered()), method=method).status_code == 403
        assert not self.receipts

    def test_a_missing_signature_is_refused(self) -> None:
        for method in self.methods:
            assert self.call(self.without_signature(self.delivered()), method=method).status_code == 403
        assert not self.receipts

    def test_a_forged_incoming_message_is_refused(self) -> None:
        if self.takes_incoming:
            forged = self.with_wrong_signature(self.build_incoming(NUMBERS[0], "STOP", "100"))
            assert self.call(forged, address="incoming").status_code == 403
        assert not self.incoming

    def test_a_replay_says_the_same_again(self) -> None:
        assert self.call(self.delivered()).status_code == 200
        assert self.call(self.delivered()).status_code == 200
        first, second = self.receipts
        assert first == second

    def test_an_incoming_message_that_is_delivered_again_is_the_same(self) -> None:
        if not self.takes_incoming:
            pytest.skip("This provider hands on no incoming messages.")
        call = self.build_incoming(NUMBERS[0], "STOP", "79990000000")
        assert self.call(call, address="incoming").status_code == 200
        assert self.call(call, address="incoming").status_code == 200
        first, second = self.incoming
        assert first == second

    def test_an_unknown_id_is_answered_200(self) -> None:
        assert self.call(self.delivered("987654321")).status_code == 200

    def test_receipts_out_of_order_are_handed_on_as_they_come(self) -> None:
        accepted = self.build_receipt("contract-1", NUMBERS[0], DeliveryStatus.ACCEPTED)
        assert self.call(self.delivered()).status_code == 200
        assert self.call(accepted).status_code == 200
        assert [receipt.status for receipt in self.receipts] == [DeliveryStatus.DELIVERED, DeliveryStatus.ACCEPTED]

    def test_what_cannot_be_understood_is_answered_400(self) -> None:
        assert self.call(self.without_sense()).status_code in {400, 403}
        assert not self.receipts
        assert not self.incoming

    def test_our_own_bug_is_answered_500_so_that_the_provider_tries_again(self) -> None:
        def fail(**kwargs: Any) -> None:
            raise RuntimeError("a bug of ours")

        receipts_received.connect(fail, weak=False)
        client = Client(enforce_csrf_checks=True, raise_request_exception=False)
        assert self.call(self.delivered(), client=client).status_code == 500

    def test_head_is_answered_200_and_hands_nothing_on(self) -> None:
        assert self.call(WebhookCall(), method="HEAD").status_code == 200
        assert not self.receipts


__all__ = ["WebhookCall", "WebhookContract"]
