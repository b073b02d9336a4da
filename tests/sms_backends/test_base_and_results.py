"""Results and errors hold what the engine relies on; a bare adapter says what it cannot do."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from sms_backends import (
    BaseSmsBackend,
    Capabilities,
    DuplicateReferenceError,
    Outcome,
    OutcomeUnknownError,
    ProtocolError,
    Reason,
    RecipientRejectedError,
    Scope,
    SendResult,
    SmsError,
    UnsupportedFeatureError,
    WebhookVerificationError,
)
from tests.sms_backends.adapters import WebhookBackend


def test_an_outcome_is_from_the_closed_list() -> None:
    assert SendResult("+1", "accepted").outcome is Outcome.ACCEPTED  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="sent"):
        SendResult("+1", "sent")  # type: ignore[arg-type]


def test_what_was_not_accepted_always_has_an_error() -> None:
    rejected, unknown = (SendResult("+1", outcome).error for outcome in (Outcome.REJECTED, Outcome.UNKNOWN))
    assert rejected is not None
    assert rejected.permanent
    assert isinstance(unknown, OutcomeUnknownError)
    assert SendResult("+1", Outcome.ACCEPTED, error=SmsError("stray")).error is None


def test_nothing_in_doubt_can_be_called_rejected() -> None:
    error = ProtocolError("gibberish")
    result = SendResult("+1", Outcome.REJECTED, error=error)
    assert result.outcome is Outcome.UNKNOWN
    assert result.error is error


def test_an_error_says_something_whatever_it_was_given() -> None:
    assert str(SmsError()) == "SmsError"
    assert str(SmsError(provider_text="No money")) == "No money"
    assert str(SmsError("Ours", provider_text="Theirs")) == "Ours"


def test_a_single_error_can_differ_from_its_class() -> None:
    error = RecipientRejectedError(
        permanent=False, scope=Scope.ACCOUNT, reason=Reason.PER_NUMBER_LIMIT, provider_code="251", suppress=True
    )
    assert (error.permanent, error.scope, error.reason) == (False, Scope.ACCOUNT, Reason.PER_NUMBER_LIMIT)
    assert (error.provider_code, error.suppress) == ("251", True)
    assert RecipientRejectedError().permanent
    assert RecipientRejectedError().scope is Scope.RECIPIENT


def test_a_bare_adapter_says_what_it_cannot_do(rf: Any) -> None:
    backend = BaseSmsBackend()
    calls = [
        lambda: backend.lookup([]),
        lambda: backend.fetch_receipts([]),
        lambda: backend.verify_webhook(rf.post("/")),
        lambda: backend.parse_webhook(rf.post("/")),
        backend.get_balance,
        lambda: backend.get_price([], ""),
    ]
    for call in calls:
        with pytest.raises(UnsupportedFeatureError, match=r"sms_backends\.base\.BaseSmsBackend"):
            call()
    with pytest.raises(NotImplementedError, match="send_sms"):
        backend.send_sms([], "")
    assert backend.account_fingerprint() == ""
    assert backend.check() == []


def test_a_wrong_signature_is_a_suspicious_operation_and_no_error_of_sending() -> None:
    assert not issubclass(WebhookVerificationError, SmsError)


def test_a_gateway_whose_webhooks_nobody_can_sign_is_warned_of() -> None:
    (warning,) = WebhookBackend(alias="main").check()
    assert (warning.id, warning.is_serious()) == ("sms_backends.W001", False)
    assert "Gateway 'main' (Hook) has no PASSWORD" in warning.msg
    assert WebhookBackend(PASSWORD="x").check() == []


@pytest.mark.parametrize(
    "halves", [{"idempotent_submit": True}, {"idempotency_lifetime": timedelta(hours=1)}], ids=lambda half: str(*half)
)
def test_a_promise_to_take_a_request_once_says_for_how_long(halves: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="idempotency_lifetime"):
        Capabilities(**halves)


def test_a_duplicate_by_itself_proves_nothing() -> None:
    result = SendResult("+79991234567", Outcome.REJECTED, error=DuplicateReferenceError())
    assert result.outcome is Outcome.UNKNOWN
