"""What the SMSC.ru adapter makes of the provider's answers when it sends, against the fake server over HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from sms_backends import (
    AccountBlockedError,
    AuthenticationError,
    ContentRejectedError,
    InsufficientFundsError,
    Outcome,
    OutcomeUnknownError,
    PermanentRequestError,
    ProtocolError,
    Reason,
    RecipientRejectedError,
    RepeatedRequestError,
    Scope,
    SenderRejectedError,
    SmsError,
    SMSMessage,
    TemporaryError,
    ThrottledError,
    UnsupportedFeatureError,
)
from sms_backends.providers.smsc import SmsBackend
from tests.fake_smsc import FakeSmsc, FakeSmscProcess

ONE, TWO, THREE = "+79991230001", "+79991230002", "+79991230003"
Make = Callable[..., SmsBackend]


@pytest.fixture
def smsc() -> Iterator[FakeSmsc]:
    with FakeSmsc() as smsc:
        yield smsc


@pytest.fixture
def make(smsc: FakeSmsc) -> Make:
    def make(**options: Any) -> SmsBackend:
        account = {"SMSC_BASE_URL": smsc.base_url, "SMSC_LOGIN": "login", "SMSC_PASSWORD": "password"}
        return SmsBackend(**{**account, **options})

    return make


def taken(smsc: FakeSmsc) -> list[tuple[str, str]]:
    return [(f"+{message.phone}", message.text) for message in smsc.messages()]


def send_many(backend: SmsBackend, *messages: tuple[str, str], reference: str | None = "ref") -> list[Any]:
    return backend.send_messages([SMSMessage([number], text, reference=reference) for number, text in messages])


# --- what is sent ------------------------------------------------------------------------------------------------


def test_one_text_to_many_is_one_request(smsc: FakeSmsc, make: Make) -> None:
    results = make().send_sms([ONE, TWO, THREE], "Hello", reference="our-id.1_a")
    assert smsc.requests() == 1
    assert {message.id for message in smsc.messages()} == {"our-id.1_a"}
    assert [result.provider_message_id for result in results] == ["our-id.1_a"] * 3
    assert [result.cost for result in results] == [Decimal("2.50")] * 3


def test_different_texts_are_one_request(smsc: FakeSmsc, make: Make) -> None:
    texts = [(ONE, "One: 1; 2, 3"), (TWO, "Первая\nвторая\r\n\nтретья"), (THREE, "  с отступом")]
    results = send_many(make(), *texts)
    assert smsc.requests() == 1
    assert taken(smsc) == [texts[0], (TWO, "Первая\nвторая\n\nтретья"), texts[2]]
    assert {result.reference for result in results} == {"ref"}


@pytest.mark.parametrize("text", ["Cafe|+79990000000:gratis", r"C:\new", "bell \x07"])
def test_a_text_that_a_list_would_change_travels_alone(smsc: FakeSmsc, make: Make, text: str) -> None:
    sent = [(ONE, "One"), (TWO, text), (THREE, "Three")]
    assert all(result.accepted for result in send_many(make(), *sent))
    assert sorted(taken(smsc)) == sent
    assert smsc.requests() == 2
    assert {message.id for message in smsc.messages()} == {"ref"}


def test_line_breaks_of_a_text_cannot_add_recipients(smsc: FakeSmsc, make: Make) -> None:
    send_many(make(), (ONE, "Hi\n+79990000000:spam"), (TWO, "Two"))
    assert taken(smsc) == [(ONE, "Hi\n+79990000000:spam"), (TWO, "Two")]


@pytest.mark.parametrize("number", ["+7999,+79990000000", "G12", "+7999:x", "", "+7999\n1"])
def test_what_is_no_number_is_refused_here_and_the_others_are_sent(smsc: FakeSmsc, make: Make, number: str) -> None:
    first, second = make().send_sms([number, TWO], "Hello")
    assert first.outcome is Outcome.REJECTED
    assert isinstance(first.error, RecipientRejectedError)
    assert first.error.reason is Reason.INVALID_NUMBER
    assert second.accepted
    assert taken(smsc) == [(TWO, "Hello")]


def test_numbers_are_sent_with_a_plus_so_that_nothing_is_corrected(smsc: FakeSmsc, make: Make) -> None:
    # Without the plus SMSC.ru would take this Chinese number for a Russian one.
    (result,) = make().send_sms(["+86138001380"], "Hello")
    assert result.accepted
    assert taken(smsc) == [("+86138001380", "Hello")]


@pytest.mark.parametrize(
    ("option", "sender_id", "expected"),
    [(False, None, ""), ("", None, ""), ("False", None, ""), ("Shop", None, "Shop"), ("Shop", "Cafe", "Cafe")],
)
def test_the_sender_is_the_messages_then_the_gateways_then_the_accounts(
    smsc: FakeSmsc, make: Make, option: object, sender_id: str | None, expected: str
) -> None:
    make(SMSC_SENDER=option).send_sms([ONE], "Hello", sender_id=sender_id)
    assert [message.sender for message in smsc.messages()] == [expected]


@pytest.mark.parametrize(
    ("period", "valid"),
    [(None, ""), (timedelta(minutes=1), "00:01"), (timedelta(hours=3, seconds=59), "03:00"), (timedelta(1), "24:00")],
)
def test_validity_is_carried(smsc: FakeSmsc, make: Make, period: timedelta | None, valid: str) -> None:
    make().send_sms([ONE], "Hello", validity_period=period)
    assert [message.valid for message in smsc.messages()] == [valid]


@pytest.mark.parametrize("period", [timedelta(0), timedelta(seconds=59), timedelta(hours=24, minutes=1)])
def test_validity_that_cannot_be_carried_is_refused(smsc: FakeSmsc, make: Make, period: timedelta) -> None:
    (result,) = make().send_sms([ONE], "Hello", validity_period=period)
    assert isinstance(result.error, UnsupportedFeatureError)
    assert smsc.requests() == 0


@pytest.mark.parametrize(("text", "reference"), [("x" * 1001, None), (" \n", None), ("Hi", "a b"), ("Hi", "x" * 41)])
def test_what_smsc_cannot_carry_is_refused_before_writing(
    smsc: FakeSmsc, make: Make, text: str, reference: str | None
) -> None:
    (result,) = make().send_sms([ONE], text, reference=reference)
    assert result.outcome is Outcome.REJECTED
    assert isinstance(result.error, PermanentRequestError)
    assert smsc.requests() == 0


def test_more_recipients_than_a_request_takes_get_references_of_their_own(smsc: FakeSmsc, make: Make) -> None:
    results = make(SMSC_MAX_RECIPIENTS=2).send_sms([ONE, TWO, THREE], "Hello", reference="r" * 40)
    assert [result.reference for result in results] == ["r" * 40, "r" * 40, "r" * 38 + "-2"]
    assert smsc.requests() == 2


def test_a_number_that_comes_twice_travels_twice_under_two_references(smsc: FakeSmsc, make: Make) -> None:
    results = send_many(make(), (ONE, "One"), (TWO, "Two"), (ONE, "Three"))
    assert [result.reference for result in results] == ["ref", "ref", "ref-2"]
    assert sorted(taken(smsc)) == [(ONE, "One"), (ONE, "Three"), (TWO, "Two")]


def test_messages_that_differ_in_more_than_text_travel_apart(smsc: FakeSmsc, make: Make) -> None:
    backend = make()
    messages = [
        SMSMessage([ONE], "Hi", reference="a", sender_id="Shop"),
        SMSMessage([TWO], "Hi", reference="b", sender_id="Shop"),
        SMSMessage([THREE], "Hi", reference="a"),
    ]
    assert [result.reference for result in backend.send_messages(messages)] == ["a", "b", "a-2"]
    assert {(message.phone[-1], message.sender) for message in smsc.messages()} == {
        ("1", "Shop"),
        ("2", "Shop"),
        ("3", ""),
    }


def test_an_api_key_is_enough(smsc: FakeSmsc, make: Make) -> None:
    assert make(SMSC_LOGIN="", SMSC_PASSWORD="", SMSC_APIKEY="apikey").send_sms([ONE], "Hello")[0].accepted


def test_the_originals_options_are_accepted(smsc: FakeSmsc, make: Make) -> None:
    backend = make(SMSC_POST=False, SMSC_HTTPS=False, SMSC_CHARSET="windows-1251", SMSC_DEBUG=True)
    assert backend.send_sms([ONE], "Привет")[0].accepted
    assert taken(smsc) == [(ONE, "Привет")]


def test_debug_hides_password_number_and_text(smsc: FakeSmsc, make: Make, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", logger="sms_backends"):
        make(SMSC_DEBUG="True").send_sms([ONE], "Between us", reference="ref")
    assert "id=ref" in caplog.text
    for hidden in ("password", "9991230001", "Between us"):
        assert hidden not in caplog.text


# --- what comes back ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "error", "scope", "permanent"),
    [
        (1, PermanentRequestError, Scope.MESSAGE, True),
        (2, AuthenticationError, Scope.ACCOUNT, False),
        (3, InsufficientFundsError, Scope.ACCOUNT, False),
        (4, AccountBlockedError, Scope.ACCOUNT, False),
        (5, PermanentRequestError, Scope.MESSAGE, True),
        (6, ContentRejectedError, Scope.CAMPAIGN, True),
        (7, RecipientRejectedError, Scope.RECIPIENT, True),
        (8, RecipientRejectedError, Scope.RECIPIENT, True),
        (9, RepeatedRequestError, Scope.MESSAGE, False),
    ],
)
def test_every_error_of_a_request_says_what_to_do(
    smsc: FakeSmsc, make: Make, code: int, error: type[SmsError], scope: Scope, permanent: bool
) -> None:
    smsc.fault("error", code=code)
    (result,) = make().send_sms([ONE], "Hello")
    assert result.outcome is Outcome.REJECTED
    assert type(result.error) is error
    assert (result.error.scope, result.error.permanent) == (scope, permanent)
    assert (result.error.provider_code, result.error.outcome_known) == (str(code), True)
    assert result.raw == result.error.raw == {"error": result.error.provider_text, "error_code": code}


@pytest.mark.parametrize(("code", "reason"), [(7, Reason.INVALID_NUMBER), (8, Reason.NO_ROUTE)])
def test_a_refusal_of_several_numbers_accuses_none_of_them(
    smsc: FakeSmsc, make: Make, code: int, reason: Reason
) -> None:
    smsc.fault("error", code=code)
    for result in make().send_sms([ONE, TWO], "Hello"):
        assert result.outcome is Outcome.REJECTED
        assert type(result.error) is PermanentRequestError
        assert (result.error.reason, result.error.scope, result.error.permanent) == (reason, Scope.MESSAGE, True)


def test_a_refusal_of_several_texts_accuses_none_of_them(smsc: FakeSmsc, make: Make) -> None:
    smsc.forbid_text("casino")
    for result in send_many(make(), (ONE, "Hello"), (TWO, "casino")):
        assert type(result.error) is PermanentRequestError
        assert (result.error.reason, result.error.scope) == (Reason.CONTENT, Scope.MESSAGE)
    assert smsc.messages() == []


def test_too_fast_waits_a_minute(smsc: FakeSmsc, make: Make) -> None:
    smsc.fault("error", code=9)
    (result,) = make().send_sms([ONE], "Hello")
    assert result.error is not None
    assert result.error.retry_after == 60


def test_an_undocumented_error_proves_nothing(smsc: FakeSmsc, make: Make) -> None:
    smsc.fault("error", code=77)
    (result,) = make().send_sms([ONE], "Hello")
    assert result.outcome is Outcome.UNKNOWN
    assert isinstance(result.error, ProtocolError)
    assert result.error.provider_code == "77"


@pytest.mark.parametrize(
    ("refusal", "error", "reason"),
    [
        ({"error": 1}, RecipientRejectedError, Reason.UNKNOWN_SUBSCRIBER),
        ({"error": 248, "status": 25}, RecipientRejectedError, Reason.NO_ROUTE),
        ({"error": 247}, AccountBlockedError, Reason.ACCOUNT_BLOCKED),
        ({"error": 253}, ContentRejectedError, Reason.SPAM_FILTERED),
        ({"error": 254}, SenderRejectedError, Reason.SENDER),
        ({"status": 22}, RecipientRejectedError, Reason.INVALID_NUMBER),
        ({"status": 24}, InsufficientFundsError, Reason.NO_FUNDS),
    ],
)
def test_a_recipient_left_out_of_a_bulk_is_rejected_with_the_reason(
    smsc: FakeSmsc, make: Make, refusal: dict[str, int], error: type[SmsError], reason: Reason
) -> None:
    smsc.refuse(TWO, **refusal)
    first, second, third = make().send_sms([ONE, TWO, THREE], "Hello")
    assert first.accepted
    assert third.accepted
    assert second.outcome is Outcome.REJECTED
    assert type(second.error) is error
    assert second.error.reason is reason
    assert second.error.suppress == (refusal.get("error") == 1)
    entry = {"phone": TWO[1:], **{name: str(code) for name, code in refusal.items()}}
    assert isinstance(second.raw, dict)
    assert second.raw["phones"] == [entry]


@pytest.mark.parametrize("refusal", [{"error": 999}, {"status": 77}])
def test_a_recipient_with_an_undocumented_code_is_unknown(smsc: FakeSmsc, make: Make, refusal: dict[str, int]) -> None:
    smsc.refuse(TWO, **refusal)
    assert [r.outcome for r in make().send_sms([ONE, TWO], "Hello")] == [Outcome.ACCEPTED, Outcome.UNKNOWN]


def test_a_recipient_that_the_answer_does_not_name_is_unknown(smsc: FakeSmsc, make: Make) -> None:
    smsc.omit(TWO)
    first, second = make().send_sms([ONE, TWO], "Hello")
    assert first.accepted
    assert second.outcome is Outcome.UNKNOWN
    assert isinstance(second.error, OutcomeUnknownError)


@pytest.mark.parametrize(
    "answer",
    [
        '{"id": "another", "cnt": 1}',
        '{"id": "another", "error": "no money", "error_code": 3}',
        '{"cnt": 1, "phones": []}',
        "[]",
        "null",
        '{"id": "ref", "cnt": 0}',
        '{"id": "ref", "cnt": 1, "phones": "79991230001"}',
        '{"error": "no code"}',
    ],
)
def test_an_answer_that_does_not_say_clearly_what_was_taken_is_unknown(
    make: Make, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    backend = make()
    monkeypatch.setattr(backend, "_call", lambda *args, **kwargs: json.loads(answer))
    (result,) = backend.send_sms([ONE], "Hello", reference="ref")
    assert result.outcome is Outcome.UNKNOWN


def test_a_plain_answer_about_a_single_number_is_enough(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    backend = make()
    monkeypatch.setattr(backend, "_call", lambda *args, **kwargs: {"id": "ref", "cnt": 2, "cost": "5"})
    (result,) = backend.send_sms([ONE], "Hello", reference="ref")
    assert (result.accepted, result.segments, result.cost) == (True, 2, Decimal(5))


@pytest.mark.parametrize("accept", [False, True])
@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "http", "status": 500},
        {"kind": "http", "status": 403},
        {"kind": "http", "status": 302, "headers": {"Location": "/sys/send.php"}},
        {"kind": "close"},
        {"kind": "cut"},
        {"kind": "garbage"},
        {"kind": "drip", "seconds": 0.05},
    ],
    ids=lambda fault: f"{fault['kind']}{fault.get('status', '')}",
)
def test_whether_it_was_taken_or_not_a_lost_answer_is_unknown(
    smsc: FakeSmsc, make: Make, fault: dict[str, Any], accept: bool
) -> None:
    smsc.fault(**fault, accept=accept, times=1)
    results = make(SMSC_TIMEOUT=0.5).send_sms([ONE, TWO], "Hello", reference="ref")
    assert [result.outcome for result in results] == [Outcome.UNKNOWN] * 2
    assert smsc.requests() == 1
    assert len(smsc.messages()) == (2 if accept else 0)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"kind": "error", "code": 3}, InsufficientFundsError),
        ({"kind": "error", "code": 9}, ThrottledError),
        ({"kind": "http", "status": 500}, TemporaryError),
    ],
)
def test_after_a_failure_that_concerns_more_the_rest_is_not_offered(
    smsc: FakeSmsc, make: Make, fault: dict[str, Any], error: type[SmsError]
) -> None:
    smsc.fault(**fault, after=1, times=1)
    results = make(SMSC_MAX_RECIPIENTS=1).send_sms([ONE, TWO, THREE], "Hello")
    assert results[0].accepted
    assert results[2].outcome is Outcome.REJECTED
    assert type(results[2].error) is error
    assert not results[2].error.permanent
    assert (smsc.requests(), taken(smsc)) == (2, [(ONE, "Hello")])


def test_after_a_failure_of_one_request_alone_the_rest_is_offered(smsc: FakeSmsc, make: Make) -> None:
    smsc.fault("error", code=7, times=1)
    results = make(SMSC_MAX_RECIPIENTS=1).send_sms([ONE, TWO], "Hello")
    assert [result.outcome for result in results] == [Outcome.REJECTED, Outcome.ACCEPTED]


def test_no_request_of_a_call_is_begun_without_time_enough_for_it(smsc: FakeSmsc, make: Make) -> None:
    smsc.fault("slow", seconds=0.6)
    results = make(SMSC_MAX_RECIPIENTS=1, SMSC_TIMEOUT=1).send_sms([ONE, TWO, THREE], "Hello")
    assert results[0].accepted
    assert [result.outcome for result in results[1:]] == [Outcome.REJECTED] * 2
    assert all(isinstance(result.error, ThrottledError) for result in results[1:])
    assert taken(smsc) == [(ONE, "Hello")]


@pytest.mark.parametrize("status", [201, 400, 403, 404])
def test_a_good_answer_under_an_undocumented_status_is_unknown(smsc: FakeSmsc, make: Make, status: int) -> None:
    smsc.fault("http", status=status, body='{"id": "ref", "cnt": 1}')
    (result,) = make().send_sms([ONE], "Hello", reference="ref")
    assert result.outcome is Outcome.UNKNOWN
    assert result.error is not None
    assert result.error.provider_code == str(status)


# --- options -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SMSC_BASE_URL", "http://smsc.ru"),
        ("SMSC_BASE_URL", "smsc.ru"),
        ("SMSC_BASE_URL", "https://me:secret@smsc.ru"),
        ("SMSC_TIMEOUT", "soon"),
        ("SMSC_TIMEOUT", 0),
        ("SMSC_MAX_RECIPIENTS", 0.5),
        ("SMSC_MAX_CONNECTIONS", -1),
    ],
)
def test_a_wrong_option_is_named(make: Make, name: str, value: object) -> None:
    with pytest.raises(ImproperlyConfigured, match=name):
        make(**{name: value})


def test_plain_http_is_allowed_while_debugging(make: Make, settings: Any) -> None:
    settings.DEBUG = True
    assert make(SMSC_BASE_URL="http://smsc.example/").capabilities.lookup_by_reference


def test_limits_come_from_the_options_as_text_or_number(make: Make) -> None:
    capabilities = make(SMSC_MAX_RECIPIENTS="50", SMSC_MAX_CONNECTIONS=3).capabilities
    assert (capabilities.max_recipients, capabilities.max_connections) == (50, 3)


def test_the_fingerprint_tells_accounts_apart_and_gives_nothing_away(make: Make) -> None:
    account = make().account_fingerprint()
    assert make(SMSC_PASSWORD="changed").account_fingerprint() == account
    others = {
        make(SMSC_LOGIN="another").account_fingerprint(),
        make(SMSC_BASE_URL="https://smsc.kz").account_fingerprint(),
        make(SMSC_LOGIN="", SMSC_APIKEY="key").account_fingerprint(),
    }
    assert len({account, *others}) == 4
    assert "login" not in account


def test_references_are_never_digits_alone(make: Make) -> None:
    assert not any(make().new_reference().isdecimal() for _ in range(100))


def test_the_fake_in_a_process_of_its_own_keeps_a_ledger(make: Make, tmp_path: Any) -> None:
    ledger = tmp_path / "taken.jsonl"
    with FakeSmscProcess(ledger=ledger) as smsc:
        smsc.refuse(TWO, error=1)
        results = make(SMSC_BASE_URL=smsc.base_url).send_sms([ONE, TWO], "Привет", reference="ref")
        assert [result.accepted for result in results] == [True, False]
        assert [message.text for message in smsc.messages()] == ["Привет"]
        assert smsc.requests() == 1
    (line,) = ledger.read_text(encoding="utf-8").splitlines()
    assert {"id": "ref", "phone": ONE[1:], "text": "Привет", "request": 1}.items() <= json.loads(line).items()
