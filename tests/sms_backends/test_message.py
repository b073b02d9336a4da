"""SMSMessage: whatever an adapter does, each recipient has one result, in order, and it says what is known."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from sms_backends import (
    AuthenticationError,
    ContentRejectedError,
    Outcome,
    OutcomeUnknownError,
    Reason,
    RecipientRejectedError,
    Scope,
    SendResult,
    SMSMessage,
    TemporaryError,
    ThrottledError,
    UnsupportedFeatureError,
)
from sms_backends.guard import refusal
from sms_backends.providers import locmem
from tests.sms_backends.adapters import VALIDITY, BulkBackend, KeywordsBackend, ScriptedBackend

A, B, C = "+79991230001", "+79991230002", "+79991230003"
ACCEPTED, REJECTED, UNKNOWN = Outcome.ACCEPTED, Outcome.REJECTED, Outcome.UNKNOWN


@pytest.fixture
def script(settings: Any) -> Any:
    """`script(answer, ...)` lines up what the adapter does with one text after the other."""
    settings.SMS_SETTINGS = {"BACKEND": "tests.sms_backends.adapters.ScriptedBackend"}
    ScriptedBackend.sent.clear()

    def lined_up(*answers: object) -> None:
        ScriptedBackend.answers[:] = answers

    yield lined_up
    ScriptedBackend.answers.clear()


def use(settings: Any, name: str) -> None:
    settings.SMS_SETTINGS = {"BACKEND": f"tests.sms_backends.adapters.{name}"}


def outcomes(results: list[SendResult]) -> list[Outcome]:
    return [result.outcome for result in results]


def send_texts(*texts: str) -> list[SendResult]:
    return SMSMessage.send_many([SMSMessage([A], text) for text in texts])


# --- what a message is ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("numbers", [A, A.encode()])
def test_one_string_for_a_list_of_numbers_is_refused(numbers: Any) -> None:
    with pytest.raises(TypeError, match="phone_numbers must be a list"):
        SMSMessage(phone_numbers=numbers, message="Hello")


def test_numbers_of_the_model_field_go_out_in_e164() -> None:
    from phonenumber_field.phonenumber import PhoneNumber

    SMSMessage([PhoneNumber.from_string(A)], "Hello").send()
    assert locmem.outbox[0].phone_numbers == [A]


def test_its_repr_shows_neither_numbers_nor_text() -> None:
    assert repr(SMSMessage([A, B], "secret")) == "<SMSMessage to 2 number(s) using 'default'>"


# --- adapters of the original interface ----------------------------------------------------------------------


def test_an_adapter_that_returns_nothing_has_accepted(settings: Any) -> None:
    use(settings, "OriginalBackend")
    results = SMSMessage([A, B], "Hello", reference="ref").send()
    assert [(r.phone_number, r.outcome, r.provider_message_id, r.reference) for r in results] == [
        (A, ACCEPTED, None, "ref"),
        (B, ACCEPTED, None, "ref"),
    ]


def test_an_adapter_that_raises_leaves_everybody_unknown_and_no_number_in_the_log(
    script: Any, caplog: pytest.LogCaptureFixture
) -> None:
    bug = KeyError(f"no answer for {A}")
    script(bug)
    with caplog.at_level(logging.ERROR):
        results = SMSMessage([A, B], "Hello").send()
    assert outcomes(results) == [UNKNOWN, UNKNOWN]
    assert isinstance(results[0].error, OutcomeUnknownError)
    assert results[0].error.__cause__ is bug
    assert "KeyError" in caplog.text
    assert A not in caplog.text


@pytest.mark.parametrize("answer", [True, False, 1, "ok", {A: "ok"}, [A], [None], ["x", 2], object()])
def test_an_adapter_that_returns_something_else_leaves_everybody_unknown(script: Any, answer: object) -> None:
    script(answer)
    results = SMSMessage([A, B], "Hello").send()
    assert outcomes(results) == [UNKNOWN, UNKNOWN]
    assert "ScriptedBackend failed: TypeError: send_sms() must return" in str(results[0].error)


# --- matching results to recipients --------------------------------------------------------------------------


def test_results_in_another_order_are_put_right(script: Any) -> None:
    script([SendResult(B, ACCEPTED, "b"), SendResult(A, ACCEPTED, "a")])
    assert [r.provider_message_id for r in SMSMessage([A, B], "Hello").send()] == ["a", "b"]


def test_a_recipient_that_the_answer_does_not_name_is_unknown(script: Any) -> None:
    script([SendResult(A, ACCEPTED), SendResult("+70000000000", ACCEPTED)])
    results = SMSMessage([A, B], "Hello").send()
    assert [(r.phone_number, r.outcome) for r in results] == [(A, ACCEPTED), (B, UNKNOWN)]


def test_a_number_given_twice_has_two_results(script: Any) -> None:
    script([SendResult(A, ACCEPTED, "1"), SendResult(B, ACCEPTED, "2"), SendResult(A, ACCEPTED, "3")])
    results = SMSMessage([A, A, B], "Hello").send()
    assert [r.provider_message_id for r in results] == ["1", "3", "2"]


def test_surplus_results_are_left_out(script: Any) -> None:
    script(SendResult(n, ACCEPTED) for n in (A, B, C))
    assert outcomes(SMSMessage([A], "Hello").send()) == [ACCEPTED]


def test_the_reference_is_filled_in_unless_the_adapter_gave_its_own(script: Any) -> None:
    script([SendResult(A, ACCEPTED), SendResult(B, ACCEPTED, reference="theirs")])
    results = SMSMessage([A, B], "Hello", reference="ours").send()
    assert [r.reference for r in results] == ["ours", "theirs"]


# --- errors of a request -------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [TemporaryError("down"), AuthenticationError("no"), ImproperlyConfigured("no key")])
def test_an_error_before_anything_was_written_is_raised(script: Any, error: Exception) -> None:
    script(error)
    with pytest.raises(type(error)):
        SMSMessage([A], "Hello").send()
    script(error)
    with pytest.raises(type(error)):
        send_texts("Hello")


def test_an_error_whose_outcome_is_not_known_is_never_raised(script: Any) -> None:
    script(OutcomeUnknownError("time-out"))
    (result,) = SMSMessage([A], "Hello").send()
    assert (result.outcome, str(result.error)) == (UNKNOWN, "time-out")


def test_a_text_that_is_refused_does_not_keep_back_the_next(script: Any) -> None:
    script(ContentRejectedError("forbidden"), [SendResult(A, REJECTED, error=RecipientRejectedError("no"))])
    assert outcomes(send_texts("One", "Two", "Three")) == [REJECTED, REJECTED, ACCEPTED]


@pytest.mark.parametrize("error", [AuthenticationError("no"), ThrottledError("slow", retry_after=3), TemporaryError()])
@pytest.mark.parametrize("raised", [True, False])
def test_after_an_error_that_concerns_them_too_the_rest_is_not_offered(script: Any, error: Any, raised: bool) -> None:
    script(None, error if raised else [SendResult(A, REJECTED, error=error)])
    results = send_texts("One", "Two", "Three", "Four")
    assert ScriptedBackend.sent == ["One", "Two"]
    assert outcomes(results) == [ACCEPTED, REJECTED, REJECTED, REJECTED]
    assert [result.error for result in results] == [None, error, error, error]


@pytest.mark.parametrize("answer", [OutcomeUnknownError("time-out"), RuntimeError("bug"), True])
def test_after_an_unknown_outcome_the_rest_is_provably_not_taken(script: Any, answer: object) -> None:
    script(None, answer)
    results = send_texts("One", "Two", "Three")
    assert ScriptedBackend.sent == ["One", "Two"]
    assert outcomes(results) == [ACCEPTED, UNKNOWN, REJECTED]
    assert isinstance(results[2].error, TemporaryError)


def test_a_temporary_refusal_of_one_number_keeps_nobody_back(script: Any) -> None:
    script([SendResult(A, REJECTED, error=RecipientRejectedError("limit of the day", permanent=False))])
    assert outcomes(send_texts("One", "Two")) == [REJECTED, ACCEPTED]


def test_missing_configuration_after_something_was_sent_is_attached_not_raised(script: Any) -> None:
    script(None, ImproperlyConfigured("no key"))
    results = send_texts("One", "Two", "Three")
    assert outcomes(results) == [ACCEPTED, REJECTED, REJECTED]
    error = results[2].error
    assert error is not None
    assert (str(error), error.scope, error.permanent) == ("no key", Scope.ACCOUNT, False)


def test_missing_configuration_before_anything_was_sent_is_raised(script: Any) -> None:
    script(ImproperlyConfigured("no key"))
    with pytest.raises(ImproperlyConfigured):
        send_texts("One", "Two")


# --- several messages ----------------------------------------------------------------------------------------


def test_no_messages_have_no_results() -> None:
    assert SMSMessage.send_many([]) == []


def test_an_adapter_is_never_given_a_message_to_nobody(settings: Any) -> None:
    use(settings, "BulkBackend")
    BulkBackend.requests.clear()
    messages = [SMSMessage([A], "One"), SMSMessage([], "Two"), SMSMessage([B], "Three")]
    assert outcomes(SMSMessage.send_many(messages)) == [ACCEPTED, ACCEPTED]
    settings.SMS_ONLY_TO = [B]
    assert outcomes(SMSMessage.send_many(messages)) == [REJECTED, ACCEPTED]
    assert SMSMessage.send_many([SMSMessage([], "Two")]) == []
    assert BulkBackend.requests == [["One", "Three"], ["Three"]]


def test_messages_of_several_gateways_are_refused() -> None:
    with pytest.raises(ValueError, match="one gateway, not of a, b"):
        SMSMessage.send_many([SMSMessage([A], "x", using="b"), SMSMessage([A], "x", using="a")])


def test_an_unknown_gateway_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(ImproperlyConfigured, match="no SMS gateway 'nowhere'"):
        SMSMessage([A], "Hello", using="nowhere").send()


# --- keywords ------------------------------------------------------------------------------------------------


def test_an_adapter_gets_the_keywords_that_it_names(settings: Any) -> None:
    use(settings, "SenderOnlyBackend")
    SMSMessage([A], "Hello", sender_id="Cafe", reference="ref").send()
    assert KeywordsBackend.keywords == {"sender_id": "Cafe"}
    use(settings, "KeywordsBackend")
    SMSMessage([A], "Hello", sender_id="Cafe", reference="ref", validity_period=VALIDITY).send()
    assert KeywordsBackend.keywords == {"sender_id": "Cafe", "reference": "ref", "validity_period": VALIDITY}
    SMSMessage([A], "Hello").send()
    assert KeywordsBackend.keywords == {}


@pytest.mark.parametrize("keyword", [{"sender_id": "Cafe"}, {"validity_period": VALIDITY}])
def test_what_an_adapter_cannot_carry_is_refused_by_name(settings: Any, keyword: dict[str, Any]) -> None:
    use(settings, "OriginalBackend")
    with pytest.raises(UnsupportedFeatureError, match=f"OriginalBackend cannot carry {next(iter(keyword))}"):
        SMSMessage([A], "Hello", **keyword).send()


# --- the guards ----------------------------------------------------------------------------------------------


def test_numbers_that_are_not_listed_never_reach_the_provider(settings: Any) -> None:
    settings.SMS_ONLY_TO = ["8 (999) 123-00-02"]
    results = SMSMessage([A, B, C, B], "Hello", reference="ref", sender_id="Cafe").send()
    assert outcomes(results) == [REJECTED, ACCEPTED, REJECTED, ACCEPTED]
    assert [r.phone_number for r in results] == [A, B, C, B]
    assert {r.reference for r in results} == {"ref"}
    assert results[0].error is not None
    assert (results[0].error.reason, results[0].error.scope) == (Reason.NOT_ALLOWED, Scope.RECIPIENT)
    (sent,) = locmem.outbox
    assert (sent.phone_numbers, sent.sender_id, sent.reference) == ([B, B], "Cafe", "ref")


def test_guards_keep_results_of_different_texts_in_order(settings: Any) -> None:
    settings.SMS_ONLY_TO = [B]
    messages = [SMSMessage([A], "One"), SMSMessage([A, B], "Two"), SMSMessage([B, C], "Three")]
    results = SMSMessage.send_many(messages)
    assert [(r.phone_number, r.accepted) for r in results] == [(A, False), (A, False), (B, True), (B, True), (C, False)]
    assert [(m.phone_numbers, m.message) for m in locmem.outbox] == [([B], "Two"), ([B], "Three")]


def test_when_nobody_is_left_the_provider_is_not_asked(settings: Any, script: Any) -> None:
    settings.SMS_ONLY_TO = [B]
    assert outcomes(SMSMessage([A, C], "Hello").send()) == [REJECTED, REJECTED]
    assert ScriptedBackend.sent == []


def test_countries_that_are_not_listed_are_refused(settings: Any) -> None:
    settings.SMS_ALLOWED_COUNTRIES = ["ru"]
    results = SMSMessage([A, "+447911123456", "nonsense"], "Hello").send()
    assert [result.error and result.error.reason for result in results] == [
        None,
        Reason.COUNTRY_NOT_ENABLED,
        Reason.INVALID_NUMBER,
    ]


def test_the_guards_can_be_asked_about_one_number(settings: Any) -> None:
    settings.SMS_ONLY_TO = [A]
    assert refusal(A) is None
    assert refusal(B) is not None


def test_a_guard_that_cannot_be_read_lets_nothing_through(settings: Any) -> None:
    settings.SMS_ONLY_TO = ["+7 999"]
    with pytest.raises(ImproperlyConfigured, match=r"SMS_ONLY_TO: '\+7 999' is not a phone number.*Example: "):
        SMSMessage([A], "Hello").send()
    assert locmem.outbox == []


def test_without_guards_numbers_are_not_even_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object) -> None:
        raise AssertionError("read a number")

    monkeypatch.setattr("sms_backends.guard.parse", fail)
    assert outcomes(SMSMessage([A, B], "Hello").send()) == [ACCEPTED, ACCEPTED]
