"""What the SMSC.ru adapter makes of states of messages, of the balance and of prices."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from sms_backends import (
    AuthenticationError,
    DeliveryStatus,
    LookupStatus,
    OutcomeUnknownError,
    ProtocolError,
    Reason,
    SmsError,
    ThrottledError,
)
from sms_backends.providers.smsc import SmsBackend
from sms_backends.providers.smsc.codes import DETAILS, STATES, parse_receipt
from tests.fake_smsc import FakeSmsc

ONE, TWO, THREE = "+79991230001", "+79991230002", "+79991230003"
TAKEN, NOT_FOUND, UNANSWERED = LookupStatus.TAKEN, LookupStatus.NOT_FOUND, LookupStatus.UNANSWERED
Answering = Callable[..., list[dict[str, str]]]


@pytest.fixture
def smsc() -> Iterator[FakeSmsc]:
    with FakeSmsc() as smsc:
        yield smsc


@pytest.fixture
def backend(smsc: FakeSmsc) -> SmsBackend:
    return SmsBackend(
        SMSC_BASE_URL=smsc.base_url, SMSC_LOGIN="login", SMSC_PASSWORD="password", SMSC_MAX_RECIPIENTS=3, SMSC_TIMEOUT=1
    )


@pytest.fixture
def answering(backend: SmsBackend, monkeypatch: pytest.MonkeyPatch) -> Answering:
    """Let SMSC.ru give these answers, one after the other; returns the list of what it is asked."""

    def answering(*answers: Any) -> list[dict[str, str]]:
        asked: list[dict[str, str]] = []
        coming = iter(answers)

        def call(script: str, form: dict[str, str], **kwargs: Any) -> Any:
            assert script == "status.php"
            asked.append(form)
            return next(coming)

        monkeypatch.setattr(backend, "_call", call)
        return asked

    return answering


def error(code: int) -> dict[str, Any]:
    return {"error": "no", "error_code": code}


def state(reference: str, number: str, status: int = 0, **more: Any) -> dict[str, Any]:
    return {"status": status, "last_timestamp": 1679060876, "err": 0, "id": reference, "phone": number[1:], **more}


# --- did you take it? --------------------------------------------------------------------------------------------


def test_taken_and_not_taken_are_told_apart_pair_by_pair(smsc: FakeSmsc, backend: SmsBackend) -> None:
    backend.send_sms([ONE, TWO], "Hello", reference="a")
    backend.send_sms([THREE], "Hello", reference="b")
    queries = [("a", ONE), ("a", THREE), ("b", THREE), ("b", ONE), ("c", ONE), ("a", TWO)]
    results = backend.lookup(queries)
    assert [(result.reference, result.phone_number) for result in results] == queries
    assert [result.status for result in results] == [TAKEN, NOT_FOUND, TAKEN, NOT_FOUND, NOT_FOUND, TAKEN]
    assert smsc.requests("status.php") == 2  # three to a question


def test_one_question_is_enough_for_one(smsc: FakeSmsc, backend: SmsBackend) -> None:
    backend.send_sms([ONE], "Hello", reference="a")
    (result,) = backend.lookup([("a", ONE)])
    assert (result.status, smsc.requests("status.php")) == (TAKEN, 1)
    assert result.receipt is not None
    assert (result.receipt.status, result.receipt.reference) == (DeliveryStatus.ACCEPTED, "a")


def test_what_became_of_it_comes_with_it(smsc: FakeSmsc, backend: SmsBackend) -> None:
    backend.send_sms([ONE], "Hello", reference="a")
    smsc.set_status(20, err=6)
    (result,) = backend.lookup([("a", ONE)])
    assert result.receipt is not None
    assert (result.receipt.status, result.receipt.reason) == (DeliveryStatus.UNDELIVERED, Reason.UNREACHABLE_TEMPORARY)
    assert isinstance(result.raw, dict)
    assert result.raw["err"] == 6


def test_an_error_of_the_whole_question_is_asked_again_pair_by_pair(smsc: FakeSmsc, backend: SmsBackend) -> None:
    smsc.account.whole_query_errors = True
    backend.send_sms([ONE, THREE], "Hello", reference="a")
    results = backend.lookup([("a", ONE), ("b", TWO), ("a", THREE)])
    assert [result.status for result in results] == [TAKEN, NOT_FOUND, TAKEN]
    assert smsc.requests("status.php") == 4


@pytest.mark.parametrize("answer", [error(3), [{"status": -3, "err": 0}], state("a", ONE, -3), [state("a", ONE, -3)]])
def test_every_way_of_saying_not_there_is_understood(backend: SmsBackend, answering: Answering, answer: Any) -> None:
    asked = answering(answer)
    assert [result.status for result in backend.lookup([("a", ONE)])] == [NOT_FOUND]
    assert asked == [{"phone": f"{ONE[1:]},", "id": "a,"}]


def test_an_item_without_a_name_among_several_proves_nothing_and_is_asked_for_alone(
    backend: SmsBackend, answering: Answering
) -> None:
    asked = answering([{"status": -3}, state("b", TWO)], [state("a", ONE, 1)])
    assert [result.status for result in backend.lookup([("a", ONE), ("b", TWO)])] == [TAKEN, TAKEN]
    assert [form["id"] for form in asked] == ["a,b,", "a,"]


def test_an_item_about_another_pair_counts_for_none(backend: SmsBackend, answering: Answering) -> None:
    answering([state("a", TWO), state("x", ONE, -3)], [state("a", TWO)], [state("b", ONE)])
    assert [result.status for result in backend.lookup([("a", ONE), ("b", TWO)])] == [UNANSWERED, UNANSWERED]


@pytest.mark.parametrize("answer", [[], "", None, 5, {}, [None], [{"id": "a", "phone": ONE[1:]}], error(77)])
def test_an_answer_that_is_no_state_proves_nothing(backend: SmsBackend, answering: Answering, answer: Any) -> None:
    answering(answer)
    assert [result.status for result in backend.lookup([("a", ONE)])] == [UNANSWERED]


@pytest.mark.parametrize("code", [2, 4, 9])
def test_a_refusal_of_the_account_is_not_asked_again(smsc: FakeSmsc, backend: SmsBackend, code: int) -> None:
    backend.send_sms([ONE, TWO], "Hello", reference="a")
    smsc.fault("error", script="status.php", code=code)
    assert [result.status for result in backend.lookup([("a", ONE), ("a", TWO)])] == [UNANSWERED] * 2
    assert smsc.requests("status.php") == 1


def test_asking_pair_by_pair_stops_when_it_is_too_fast(smsc: FakeSmsc, backend: SmsBackend) -> None:
    smsc.account.whole_query_errors = True
    backend.send_sms([ONE, TWO], "Hello", reference="a")
    smsc.fault("error", script="status.php", code=9, after=2)
    results = backend.lookup([("a", ONE), ("b", TWO), ("a", TWO)])
    assert [result.status for result in results] == [TAKEN, UNANSWERED, UNANSWERED]
    assert smsc.requests("status.php") == 3


@pytest.mark.parametrize("kind", ["close", "garbage", "cut", "hang"])
def test_a_lost_answer_proves_nothing(smsc: FakeSmsc, backend: SmsBackend, kind: str) -> None:
    smsc.fault(kind, script="status.php")
    assert [result.status for result in backend.lookup([("a", ONE), ("a", TWO)])] == [UNANSWERED] * 2


def test_what_would_shift_the_pairs_is_not_asked(smsc: FakeSmsc, backend: SmsBackend) -> None:
    backend.send_sms([ONE], "Hello", reference="a")
    results = backend.lookup([("a,b", TWO), ("a", ONE), ("a", "1,2"), ("", TWO)])
    assert [result.status for result in results] == [UNANSWERED, TAKEN, UNANSWERED, UNANSWERED]


# --- receipts ----------------------------------------------------------------------------------------------------


def test_receipts_are_fetched_for_what_is_there(smsc: FakeSmsc, backend: SmsBackend) -> None:
    backend.send_sms([ONE, TWO], "Hello", reference="a")
    smsc.set_status(1, numbers=[ONE])
    first, second = backend.fetch_receipts([("a", ONE), ("a", TWO), ("gone", THREE)])
    assert (first.provider_message_id, first.phone_number, first.status) == ("a", ONE, DeliveryStatus.DELIVERED)
    assert (second.phone_number, second.status) == (TWO, DeliveryStatus.ACCEPTED)
    assert first.at is not None
    assert abs((datetime.now(UTC) - first.at).total_seconds()) < 60


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ({"kind": "error", "code": 2}, AuthenticationError),
        ({"kind": "http", "status": 429}, ThrottledError),
        ({"kind": "http", "status": 500}, OutcomeUnknownError),
    ],
)
def test_receipts_that_cannot_be_asked_for_raise(
    smsc: FakeSmsc, backend: SmsBackend, fault: dict[str, Any], expected: type[SmsError]
) -> None:
    smsc.fault(**fault, script="status.php")
    with pytest.raises(expected):
        backend.fetch_receipts([("a", ONE), ("a", TWO)])


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (-2, DeliveryStatus.ACCEPTED),
        (-1, DeliveryStatus.ACCEPTED),
        (0, DeliveryStatus.ACCEPTED),
        (1, DeliveryStatus.DELIVERED),
        (2, DeliveryStatus.DELIVERED),
        (3, DeliveryStatus.EXPIRED),
        (4, DeliveryStatus.DELIVERED),
        (20, DeliveryStatus.UNDELIVERED),
        (22, DeliveryStatus.REJECTED),
        (23, DeliveryStatus.REJECTED),
        (24, DeliveryStatus.REJECTED),
        (25, DeliveryStatus.REJECTED),
        (26, DeliveryStatus.UNMAPPED),
        ("", DeliveryStatus.UNMAPPED),
        (None, DeliveryStatus.UNMAPPED),
    ],
)
def test_every_documented_state_has_a_meaning_and_no_other_has(status: object, expected: DeliveryStatus) -> None:
    receipt = parse_receipt({"status": status, "id": "a"}, phone_number=ONE, reference="a")
    assert receipt.status is expected
    failed = expected in {DeliveryStatus.EXPIRED, DeliveryStatus.UNDELIVERED, DeliveryStatus.REJECTED}
    assert (receipt.reason is not None) == failed
    assert receipt.account_level == (status == 24)


def receipt_of(status: int, err: int) -> Any:
    return parse_receipt(state("a", ONE, status, err=str(err)), phone_number=ONE, reference="a")


@pytest.mark.parametrize("err", DETAILS)
def test_every_documented_detail_becomes_the_reason(err: int) -> None:
    receipt = receipt_of(20, err)
    assert (receipt.status, receipt.reason) == (DeliveryStatus.UNDELIVERED, DETAILS[err].reason)
    assert receipt.provider_code == str(err)
    assert receipt.account_level == (err in {239, 243, 244, 247})


def test_an_undocumented_detail_is_kept_and_gives_no_reason_away() -> None:
    assert receipt_of(20, 999).reason is Reason.UNKNOWN
    assert receipt_of(20, 999).provider_code == "999"
    assert receipt_of(25, 999).reason is STATES[25].reason


def test_virtual_sending_counts_as_delivered_and_no_news_as_nothing() -> None:
    assert receipt_of(20, 200).status is DeliveryStatus.DELIVERED
    assert receipt_of(20, 245).status is DeliveryStatus.UNMAPPED


def test_a_detail_cannot_undo_a_delivery() -> None:
    for err in (6, 245):
        assert (receipt_of(1, err).status, receipt_of(1, err).reason) == (DeliveryStatus.DELIVERED, None)


@pytest.mark.parametrize("at", ["", "0", "soon", None, 10**30])
def test_a_time_that_cannot_be_read_is_left_out(at: object) -> None:
    assert parse_receipt({"status": 1, "ts": at}, phone_number=ONE, reference="a").at is None


# --- money -------------------------------------------------------------------------------------------------------


def test_the_balance_is_told(backend: SmsBackend) -> None:
    balance = backend.get_balance()
    assert (balance.amount, balance.currency, balance.credit) == (Decimal("1000000.00"), "RUR", None)


def test_a_price_is_told_and_nothing_is_sent(smsc: FakeSmsc, backend: SmsBackend) -> None:
    price = backend.get_price([ONE, TWO], "я" * 71)
    assert (price.amount, price.segments) == (Decimal("10.00"), 4)
    assert smsc.messages() == []


def test_refusals_of_such_questions_raise(smsc: FakeSmsc, backend: SmsBackend) -> None:
    smsc.fault("error", script="balance.php", code=2)
    smsc.fault("garbage", script="send.php")
    with pytest.raises(AuthenticationError):
        backend.get_balance()
    with pytest.raises(ProtocolError):
        backend.get_price([ONE], "Hello")


@pytest.mark.parametrize("answer", [[], {}, {"balance": "NaN"}, {"balance": None}])
def test_a_balance_that_cannot_be_read_raises(
    backend: SmsBackend, monkeypatch: pytest.MonkeyPatch, answer: Any
) -> None:
    monkeypatch.setattr(backend, "_call", lambda *args, **kwargs: answer)
    with pytest.raises(ProtocolError):
        backend.get_balance()
